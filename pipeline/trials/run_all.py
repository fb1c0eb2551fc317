"""Does the trials that are not done yet, one after the other, each in a process of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tandem.pipeline.failures import Interrupted, RunError
from tandem.pipeline.trials import board, child
from tandem.pipeline.trials.report import TrialReport, read_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from tandem.pipeline.local.progress import End
    from tandem.pipeline.trials.job import Job
    from tandem.pipeline.trials.trial import Trial


class TrialOutcomes(NamedTuple):
    """What came out of the runs.

    Attributes:
      reports: Of the runs that succeeded, in the order of the plan.
      failed: By run, why it failed.
      reused: How many reports were there already.
    """

    reports: list[TrialReport]
    failed: dict[str, str]
    reused: int


def run_trials(plan: Sequence[Trial], jobs: Sequence[Job], console: Console) -> TrialOutcomes:
    """Does every run that is not done yet, one after the other; one that fails does not stop the others.

    Args:
      plan: The runs.
      jobs: What to do in each.
      console: Where progress is shown.

    Raises:
      RunError: All of them failed.
      Interrupted: By the user (Ctrl-C); what is finished is kept.
    """
    done = TrialOutcomes([], {}, 0)
    with board.create(console, [str(each) for each in plan]) as shown:
        for each, job in zip(plan, jobs, strict=True):
            name = str(each)
            end: End = "failed"
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
                shown.finish(name, end)
    if not done.reports:
        raise RunError("\n".join(["no run succeeded", *(f"{name}: {why}" for name, why in done.failed.items())]))
    return done


def _written(job: Job) -> TrialReport:
    report = read_report(job.result, job.digest)
    if report is None:
        raise child.RunFailed(f"it ended well, but there is no report {job.result}")
    return report
