"""Writes sample logs, or finds them written.

    truth = write_sample_logs(Path("data/sample"), impressions=200_000)
    truth.best["click"].auc        # no model can be expected to rank better than this

In the order of the data: `timeline`, `population`, `context` and `world` say who is shown what, and how likely
the labels are; `delays` and `events` draw what happens then; `untidy`, `streams` and `log_writer` make it logs;
`outcomes`, `truth` and `summary_file` keep what really happened; `folder` lets the files appear whole.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path

from tandem.pipeline.sample_logs.files import write_table
from tandem.pipeline.sample_logs.folder import appearing_whole, check_replaceable, is_complete, write_manifest
from tandem.pipeline.sample_logs.log_writer import LogWriter
from tandem.pipeline.sample_logs.summary_file import read_summary, write_summary
from tandem.pipeline.sample_logs.truth import SampleTruth
from tandem.pipeline.sample_logs.world import World

_LOG = logging.getLogger("tandem.pipeline")

GENERATOR_VERSION = 1  # stands in the manifest: logs of another version are written again
MIN_IMPRESSIONS = 1_000


def write_sample_logs(
    folder: Path,
    impressions: int = 200_000,
    seed: int = 7,
    progress: Callable[[int, int], None] | None = None,
    *,
    impressions_per_file: int = 50_000,
) -> SampleTruth:
    """Writes sample logs, or finds that they are there already.

    The folder appears whole or not at all: an interrupted call leaves what was there before. The same arguments give
    the same bytes.

    Args:
      folder: Where to write. Sample logs written there with other arguments are replaced.
      impressions: How many different impressions; the numbers of users and items grow with its power 0.8.
      seed: Of the random numbers, 0 or more.
      progress: Called with (impressions done, impressions in all) before the first file and after each one.
      impressions_per_file: Also what is held in memory at a time.

    Returns:
      The truth, which stands in `truth/summary.json` too.

    Raises:
      ValueError: A number is out of range.
      FileExistsError: The folder holds something that is not sample logs.
    """
    _check("impressions", impressions, MIN_IMPRESSIONS)
    _check("impressions_per_file", impressions_per_file, MIN_IMPRESSIONS)
    _check("seed", seed, 0)
    asked = {
        "generator_version": GENERATOR_VERSION,
        "impressions": impressions,
        "impressions_per_file": impressions_per_file,
        "seed": seed,
    }
    folder = folder.resolve()
    if is_complete(folder, asked):
        _LOG.info("sample logs: %d impressions are in %s already", impressions, folder)
        return dataclasses.replace(read_summary(folder), reused=True)
    check_replaceable(folder)
    with appearing_whole(folder) as partial:
        truth = _write(partial, impressions, seed, impressions_per_file, progress or (lambda done, total: None))
        write_manifest(partial, asked)
    _LOG.info("sample logs: wrote %d impressions, %s to %s", impressions, dict(truth.positives), folder)
    return truth


def _check(name: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r}")


def _write(
    folder: Path, impressions: int, seed: int, per_file: int, progress: Callable[[int, int], None]
) -> SampleTruth:
    (folder / "truth").mkdir()
    world = World(impressions, seed)
    write_table(folder / "users.csv.gz", world.users.table)
    write_table(folder / "items.csv.gz", world.items.table)
    writer = LogWriter(folder, world, impressions, per_file, seed)
    writer.write(progress)
    outcomes = writer.outcomes
    truth = SampleTruth(
        impressions=impressions,
        users=len(world.users.names),
        items=len(world.items.names),
        seed=seed,
        streams=writer.counts,
        positives=outcomes.positives(slice(None)),
        eval_positives=outcomes.positives(outcomes.is_eval),
        best=outcomes.best_ranking(slice(None)),
        eval_best=outcomes.best_ranking(outcomes.is_eval),
    )
    write_summary(folder, truth)
    return truth
