"""Writes sample logs, or finds them written.

    truth = write_sample_logs(Path("data/sample"), impressions=200_000)
    truth.best["click"].auc        # no model can be expected to rank better than this

In the order of the data: `population` and `world` say who is shown what, and how likely it is that something follows;
`behaviour` draws what follows; `untidiness` and `streams` make it logs; `truth` keeps what really happened; `folder`
lets the files appear whole.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet

from tandem.pipeline.sample_logs.behaviour import LABEL_OF, draw_events, label_probabilities
from tandem.pipeline.sample_logs.folder import appearing_whole, check_replaceable, is_complete, write_manifest
from tandem.pipeline.sample_logs.streams import ImpressionFile, Streams, write_side_table
from tandem.pipeline.sample_logs.truth import (
    TABLE_SCHEMA,
    SampleTruth,
    TruthRecorder,
    outcome_table,
    read_summary,
    write_summary,
)
from tandem.pipeline.sample_logs.world import World

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOG = logging.getLogger("tandem.pipeline")

GENERATOR_VERSION = 1  # stands in the manifest: logs of another version are written again
MIN_IMPRESSIONS = 1_000

_FIRST_ID = 1_000_000_000


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
    write_side_table(folder / "users.csv.gz", world.users.table)
    write_side_table(folder / "items.csv.gz", world.items.table)
    streams, outcomes = Streams(folder, world), TruthRecorder(impressions)
    with pyarrow.parquet.ParquetWriter(folder / "truth" / "probabilities.parquet", TABLE_SCHEMA) as table:
        for number, first in enumerate(range(0, impressions, per_file)):
            progress(first, impressions)
            rng = np.random.default_rng([seed, 2, number])
            end = min(first + per_file, impressions)
            ids = _FIRST_ID + np.arange(first, end)
            shown = world.show(rng, len(ids))
            probabilities = world.event_probabilities(shown)
            events = draw_events(rng, shown.time_ms, probabilities)
            streams.write(ImpressionFile(number, end == impressions, rng, ids, shown), events)

            rows = np.arange(len(ids))
            labels = {
                label: np.isin(rows, events[stream].row[events[stream].counted]) for stream, label in LABEL_OF.items()
            }
            of_labels = label_probabilities(probabilities)
            outcomes.record(first, shown, of_labels, labels)
            table.write_table(outcome_table(ids, of_labels, world.alignment(shown), labels))
    progress(impressions, impressions)
    truth = outcomes.truth(len(world.users.names), len(world.items.names), seed, streams.counts)
    write_summary(folder, truth)
    return truth
