import logging
import os
import sys

import pytest

from tandem.pipeline.trials.child import RunFailed, run_job
from tandem.pipeline.trials.job import Job, TrialFiles


@pytest.fixture
def job(tmp_path):
    return Job(
        system="mmoe",
        variant=None,
        seed=1,
        digest="d",
        trainer={},
        files=TrialFiles(train=[], validation=[], evaluation=[], raw_evaluation=[], transform_graph=""),
        group_by="user",
        weights=None,
        result=tmp_path / "seed-1.json",
        log_file=tmp_path / "place" / "seed-1.log",
        scratch=tmp_path,
        checkpoint_dir=tmp_path,
    )


def worker(code):
    return (sys.executable, "-c", code)


def test_what_the_worker_says_is_passed_on(job, caplog):
    caplog.set_level(logging.INFO, "tandem.bench")
    run_job(job, worker("import json, sys; print(json.load(sys.stdin)['system']); print('done')"))
    assert caplog.messages == ["mmoe", "done"]
    assert job.log_file.parent.is_dir()


def test_the_last_line_is_the_reason(job):
    with pytest.raises(RunFailed, match=r"no rows; its log: .*seed-1.log"):
        run_job(job, worker("import sys; print('epoch 1'); print('no rows'); sys.exit(1)"))


def test_a_worker_that_was_killed(job):
    with pytest.raises(RunFailed, match="ended by signal 9"):
        run_job(job, worker("import os; os.kill(os.getpid(), 9)"))


def test_a_worker_that_dies_before_it_reads(job):
    with pytest.raises(RunFailed, match="exit code 3"):
        run_job(job, worker("import os; os._exit(3)"))


def test_ctrl_c_ends_the_worker(job, monkeypatch, tmp_path, caplog):
    class Listener(logging.Handler):
        def emit(self, record):
            raise KeyboardInterrupt

    logger = logging.getLogger("tandem.bench")
    caplog.set_level(logging.INFO, logger.name)
    monkeypatch.setattr(logger, "handlers", [Listener()])
    pid = tmp_path / "pid"
    code = (
        f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); print('here', flush=True); time.sleep(60)"
    )
    with pytest.raises(KeyboardInterrupt):
        run_job(job, worker(code))
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
