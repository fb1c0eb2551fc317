import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from tandem.pipeline.failures import Interrupted, RunError
from tandem.pipeline.trials import child, run_all
from tandem.pipeline.trials.report import write_report
from tandem.pipeline.trials.trial import Trial

PLAN = [Trial("mmoe", None, 1), Trial("ple", None, 1), Trial("mmoe", None, 2)]


@pytest.fixture
def bench(report, tmp_path, monkeypatch):
    """Does the runs of PLAN with a worker of ours; `bench.ran` has the runs that it did."""

    def work(job):
        bench.ran.append(job.name)
        if job.name in bench.errors:
            raise bench.errors[job.name]
        write_report(job.result, report(job.system, None, job.seed, digest=job.digest))

    def bench(digest="d"):
        jobs = [
            SimpleNamespace(
                name=str(run),
                system=run.system,
                seed=run.seed,
                digest=digest,
                result=tmp_path / run.system / f"{run.seed}.json",
            )
            for run in PLAN
        ]
        console = Console(file=bench.screen, width=120)
        bench.ran.clear()
        return run_all.run_trials(PLAN, jobs, console)

    bench.ran, bench.errors, bench.screen = [], {}, io.StringIO()
    monkeypatch.setattr(child, "run_job", work)
    return bench


def test_what_is_done_is_not_repeated(bench):
    assert [(each.system, each.seed) for each in bench().reports] == [("mmoe", 1), ("ple", 1), ("mmoe", 2)]
    assert bench.ran == ["mmoe seed 1", "ple seed 1", "mmoe seed 2"]
    again = bench()
    assert (bench.ran, again.reused, len(again.reports)) == ([], 3, 3)


def test_other_settings_data_or_code_run_again(bench):
    bench()
    assert bench("other").reused == 0
    assert len(bench.ran) == 3


def test_a_run_that_fails_does_not_stop_the_others_and_is_tried_again(bench):
    bench.errors["ple seed 1"] = child.RunFailed("no memory")
    done = bench()
    assert done.failed == {"ple seed 1": "no memory"}
    assert len(done.reports) == 2
    bench.errors.clear()
    assert bench().failed == {}
    assert bench.ran == ["ple seed 1"]


def test_no_run_at_all_is_an_error(bench):
    bench.errors |= {str(run): child.RunFailed("no memory") for run in PLAN}
    with pytest.raises(RunError, match="no run succeeded\nmmoe seed 1: no memory\nple seed 1: no memory"):
        bench()


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(bench):
    bench.errors["ple seed 1"] = KeyboardInterrupt()
    with pytest.raises(Interrupted, match="while ple seed 1 was running"):
        bench()
    assert bench.ran == ["mmoe seed 1", "ple seed 1"]
    bench.errors.clear()
    assert bench().reused == 1
    assert bench.ran == ["ple seed 1", "mmoe seed 2"]


def test_progress_says_which_run_how_many_and_how_long(bench):
    bench()
    text = bench.screen.getvalue()
    assert "ple seed 1   started (2 of 3)" in text
    assert "1 of 3 runs, about" in text
    assert "3 of 3 runs\n" in text
    bench.screen.truncate(0)
    bench()
    assert "cached: nothing has changed" in bench.screen.getvalue()


def test_the_live_table_shows_the_runs_around_the_current_one():
    from tandem.pipeline.trials import board

    names = [f"run {number}" for number in range(40)]
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    shown = board.create(console, names)
    with shown:
        for name in names[:20]:
            shown.start(name)
            shown.finish(name, "done")
        shown.start("run 20")
        out = Console(file=io.StringIO(), width=80)
        out.print(shown.table())
    text = out.file.getvalue()
    assert "run 14" in text
    assert "run 20" in text
    assert "run 23" in text
    assert "run 13" not in text
    assert "run 24" not in text
    assert "20 of 40 runs, about" in text
    assert len(shown.components) == 40
