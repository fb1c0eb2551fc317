"""A run in a process of its own, whose memory and compiled programs go when it ends."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
from typing import TYPE_CHECKING

from tandem.pipeline.fingerprints import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tandem.pipeline.trials.job import Job

COMMAND = (sys.executable, "-m", "tandem.pipeline.trials.worker")
SECONDS_TO_END = 10.0

logger = logging.getLogger("tandem.bench")


class RunFailed(Exception):
    """A run that ended without a report; the message says why."""


def run_job(job: Job, command: Sequence[str] = COMMAND) -> None:
    """Does a run, and passes on what it says.

    Args:
      job: What to do.
      command: Of the worker.

    Raises:
      RunFailed: With the reason.
    """
    job.log_file.parent.mkdir(parents=True, exist_ok=True)
    last = ""
    with _process(command) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the worker has no pipes")
        with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(job.model_dump_json())
        for line in process.stdout:
            last = line.strip()
            logger.info("%s", last)
        code = process.wait()
    if code < 0:
        raise RunFailed(f"ended by signal {-code} (9: perhaps out of memory); its log: {job.log_file}")
    if code:
        raise RunFailed(f"{last or f'exit code {code}'}; its log: {job.log_file}")


@contextlib.contextmanager
def _process(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Starts a process that does not get the terminal's Ctrl-C, and ends it when we get one."""
    # From the folder of our code: the same code, wherever the command is typed.
    process = subprocess.Popen(
        command, cwd=PACKAGE.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout:
            process.stdout.close()
