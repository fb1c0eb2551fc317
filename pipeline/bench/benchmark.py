"""A whole benchmark: data once, then every run that is not done yet, then the table and the pictures.

    outcome = run(load("configs/sample.yaml"), systems=["mmoe", "mmoe_pico"], seeds=3)

Everything lies in `<output>/bench`. A run whose report is there, for the same settings, data and code, is not repeated.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from tandem.pipeline import environment, local_runner, progress
from tandem.pipeline.bench import board, child
from tandem.pipeline.bench.report import Report, read_report
from tandem.pipeline.config import Config
from tandem.pipeline.failures import Interrupted, RunError

if TYPE_CHECKING:
    from tandem.pipeline.bench.job import Job
    from tandem.pipeline.bench.outcome import Outcome
    from tandem.pipeline.bench.plan import Run

FOLDER = "bench"
SCRATCH = "scratch"


def run(
    config: Config, systems: Sequence[str] | None = None, seeds: int = 3, console: Console | None = None
) -> Outcome:
    """Runs a benchmark.

    Args:
      config: The data, and the settings that all systems have in common.
      systems: Names and patterns (see `plan`); None: all recipes.
      seeds: How many runs of each; the first one has the configuration's seed.
      console: Where progress is shown; None: standard output.

    Returns:
      The table and where it lies. Runs that failed are named in it.

    Raises:
      ValueError: A system that there is not, or that the settings do not fit.
      RunError: The data part failed, or every run did.
      Interrupted: By the user (Ctrl-C).
    """
    started = time.monotonic()
    environment.prepare()
    with progress.working(console or Console(), "loading TensorFlow"):
        from tandem.pipeline.bench.plan import make_plan
    plan = make_plan(systems, seeds, config.training.seed, config.model, config.task_graph)
    with local_runner.working(config, "bench", console) as (console, _):
        with progress.working(console, "loading TFX"):
            from tandem.pipeline.bench import results
            from tandem.pipeline.bench.jobs import files_of, make_jobs
            from tandem.pipeline.pipeline import create_data_pipeline
        artifacts, _ = local_runner.run_components(config, console, create_data_pipeline)
        folder = config.output_dir / FOLDER
        jobs = make_jobs(config, files_of(config, artifacts), plan, folder)
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)  # of a benchmark that was killed
        done = do_runs(plan, jobs, console)
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)
        return results.write(config, folder, seeds, done, time.monotonic() - started)


class Done(NamedTuple):
    """What came out of the runs.

    Attributes:
      reports: Of the runs that succeeded, in the order of the plan.
      failed: By run, why it failed.
      reused: How many reports were there already.
    """

    reports: list[Report]
    failed: dict[str, str]
    reused: int


def do_runs(plan: Sequence[Run], jobs: Sequence[Job], console: Console) -> Done:
    """Does every run that is not done yet, one after the other; one that fails does not stop the others.

    Args:
      plan: The runs.
      jobs: What to do in each.
      console: Where progress is shown.

    Raises:
      RunError: All of them failed.
      Interrupted: By the user (Ctrl-C); what is finished is kept.
    """
    done = Done([], {}, 0)
    with board.create(console, [str(each) for each in plan]) as shown:
        for each, job in zip(plan, jobs, strict=True):
            name, end = str(each), "failed"
            shown.start(name)
            try:
                report = read_report(job.result, job.digest)
                if report is not None:
                    end, done = "cached", done._replace(reused=done.reused + 1)
                else:
                    child.run_job(job)
                    report = _written(job)
                    end = "done"
                done.reports.append(report)
            except child.RunFailed as error:
                done.failed[name] = str(error)
            except KeyboardInterrupt:
                end = "interrupted"
                raise Interrupted(name) from None
            finally:
                shown.finish(name, end)  # type: ignore[arg-type]
    if not done.reports:
        raise RunError("\n".join(["no run succeeded", *(f"{name}: {why}" for name, why in done.failed.items())]))
    return done


def _written(job: Job) -> Report:
    report = read_report(job.result, job.digest)
    if report is None:
        raise child.RunFailed(f"it ended well, but there is no report {job.result}")
    return report
