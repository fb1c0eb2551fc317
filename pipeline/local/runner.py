"""Runs a pipeline on this machine, with progress, a lock, a log file, and errors in plain words.

    result = run(load("configs/sample.yaml", data="data/sample"))

Everything is kept in the output folder: `artifacts/`, `metadata.sqlite`, `logs/`. A component that has finished once is
not run again while its settings, code and input are the same; a run that was interrupted goes on from there.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tandem.pipeline import environment
from tandem.pipeline.failures import ComponentFailed, Interrupted, RunError, paragraph, with_advice
from tandem.pipeline.local import output_folder, progress, run_log
from tandem.pipeline.local.run_result import ComponentRun, RunResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tfx.orchestration.pipeline import Pipeline

    from tandem.pipeline.configuration.config import Config
    from tandem.pipeline.local.dag_runner import Artifacts

_LOG = logging.getLogger("tandem.pipeline")


def run(config: Config, console: Console | None = None) -> RunResult:
    """Runs the pipeline of a configuration.

    Args:
      config: What to run.
      console: Where progress is shown; None: standard output.

    Returns:
      What came out, the parts reused from earlier runs included.

    Raises:
      RunError: The run cannot start, or a component failed (then `__cause__` is its error). The message is for users.
      Interrupted: By the user (Ctrl-C).
    """
    with working(config, "run", console) as (console, log_file):
        return _run(config, console, log_file)


@contextlib.contextmanager
def working(config: Config, what: str, console: Console | None = None) -> Iterator[tuple[Console, Path]]:
    """Has the output folder for itself; what libraries say goes to a log, and errors become words.

    Args:
      config: Says which folder.
      what: Is done there; part of the log's name.
      console: Where progress is shown; None: standard output.

    Yields:
      The console, and the log file.

    Raises:
      RunError: The folder or the data cannot be used, or a component failed.
      Interrupted: By the user (Ctrl-C).
    """
    environment.prepare()
    _require_data(config)
    output = config.output_dir
    if problem := output_folder.name_problem(output):
        raise RunError(problem)
    _make_owned(output)
    stamp = f"{progress.local_time():%Y%m%d-%H%M%S}"
    log_file = output / "logs" / f"{what}-{stamp}.log"
    with _locked(output), _free_metadata(output), run_log.captured(log_file) as terminal, _no_arguments():
        console = console or Console(file=terminal)
        if aside := output_folder.set_aside_without_metadata(output, stamp):
            console.print(
                f"{output / output_folder.METADATA_FILE} is gone or empty: what ran before is not known, all parts run "
                f"again, and the artifacts of earlier runs lie in {aside}",
                soft_wrap=True,
                highlight=False,
                markup=False,
            )
        try:
            yield console, log_file
        except ComponentFailed as failure:
            _LOG.debug("%s", failure, exc_info=failure.error)
            logging.getLogger(__name__).error("%s", failure, exc_info=failure.error)
            raise RunError(with_advice(paragraph(failure, log_file), config)) from failure.error
        except KeyboardInterrupt:
            raise Interrupted("the pipeline's set-up") from None


def _run(config: Config, console: Console, log_file: Path) -> RunResult:
    started = time.monotonic()
    with progress.working(console, "loading TensorFlow and TFX"):
        from tandem.pipeline.local import collect
        from tandem.pipeline.pipeline import create_pipeline
    outputs, components = run_components(config, console, create_pipeline)
    return collect.collect(config, outputs, components, time.monotonic() - started, log_file)


def run_components(
    config: Config, console: Console, create: Callable[..., Pipeline]
) -> tuple[Mapping[str, Artifacts], tuple[ComponentRun, ...]]:
    """Runs a pipeline in the output folder, which must be ours (see `working`).

    Args:
      config: What to run.
      console: Where progress is shown.
      create: Makes the pipeline: a function of `tandem.pipeline.pipeline`.

    Returns:
      By component, its output artifacts by key; how long each took.

    Raises:
      RunError: The logs or the folders are not as the settings say.
      ComponentFailed: With the component and the error.
      Interrupted: By the user (Ctrl-C).
    """
    from tfx.orchestration.metadata import sqlite_metadata_connection_config

    from tandem.pipeline.local import dag_runner
    from tandem.pipeline.pipeline import set_apart

    store = sqlite_metadata_connection_config(str(config.output_dir / output_folder.METADATA_FILE))
    try:
        pipeline = create(
            config,
            root=str(config.output_dir / output_folder.ARTIFACTS),
            metadata=store,
            digest_index=str(config.output_dir / "log_digests.json"),
        )
    except (ValueError, OSError) as error:
        raise RunError(str(error)) from error
    with progress.create(console, dag_runner.component_names(pipeline)) as board:
        runner = dag_runner.DagRunner(board, set_apart(pipeline))
        runner.run(pipeline)
    components = tuple(
        ComponentRun(state.name, "cached" if state.status == "cached" else "done", state.seconds or 0.0)
        for state in board.components.values()
    )
    return runner.outputs, components


def _require_data(config: Config) -> None:
    folder = config.data_folder
    if "://" not in folder and not Path(folder).is_dir():
        raise RunError(f"there is no data folder {folder} (from --data, TANDEM_DATA or 'data_dir' in {config.file})")


def _make_owned(folder: Path) -> None:
    """Makes the output folder writable by its owner only: TFX and TFMA unpickle files in there.

    Others may read it, as a model server of another user has to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(folder.stat().st_mode & ~0o022)
    except OSError as error:
        raise RunError(
            f"the output folder {folder} cannot be used: {error.strerror}; choose another with --output"
        ) from error


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps a second run out of the folder; the lock goes with the process, however it ends."""
    with (folder / "run.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            raise RunError(
                f"another run (process {owner}) is working in {folder}: wait for its end, "
                "or choose another folder with --output"
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
        lock.truncate(0)


@contextlib.contextmanager
def _free_metadata(folder: Path) -> Iterator[None]:
    """Looks, once no other run can write, whether another program keeps the metadata to itself."""
    if problem := output_folder.database_problem(folder):
        raise RunError(problem)
    yield


@contextlib.contextmanager
def _no_arguments() -> Iterator[None]:
    """Hides the command line: TFX and Beam would read our options as their own."""
    saved = sys.argv
    sys.argv = saved[:1]
    try:
        yield
    finally:
        sys.argv = saved
