"""A whole benchmark: data once, then every run that is not done yet, then the table and the pictures.

    outcome = run(load("configs/sample.yaml"), systems=["mmoe", "mmoe_pico"], seeds=3)

Everything lies in `<output>/bench`. A run whose report is there, for the same settings, data and code, is not repeated.
"""

from __future__ import annotations

import functools
import shutil
import time
from typing import TYPE_CHECKING

from tandem.models.recipes import RECIPES
from tandem.pipeline import environment
from tandem.pipeline.bench.plan import make_plan
from tandem.pipeline.local import progress, runner
from tandem.pipeline.trials import run_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from tandem.pipeline.bench.outcome import Outcome
    from tandem.pipeline.configuration.config import Config

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
    plan = make_plan(systems, seeds, config.training.seed, config.model, config.task_graph)
    with runner.working(config, "bench", console) as (console, _):
        with progress.working(console, "loading TFX"):
            from tandem.pipeline.bench import results
            from tandem.pipeline.pipeline import create_data_pipeline
            from tandem.pipeline.trials.jobs import files_of, make_jobs
        ages = any(RECIPES[run.system].reads_ages for run in plan if run.system in RECIPES)
        artifacts, _ = runner.run_components(config, console, functools.partial(create_data_pipeline, ages=ages))
        folder = config.output_dir / FOLDER
        jobs = make_jobs(config, files_of(config, artifacts), plan, folder)
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)  # of a benchmark that was killed
        done = run_all.run_trials(plan, jobs, console)
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)
        return results.write(config, folder, seeds, done, time.monotonic() - started)
