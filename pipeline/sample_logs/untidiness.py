"""What makes the streams as untidy as real ones: repeated rows, events without parent, unreadable lines.

All that a pipeline may call bad stays below 5% of a stream, even with the late events counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from tandem.pipeline.sample_logs.draws import Integers, rounded_share, sample_rows
from tandem.pipeline.sample_logs.world import HOUR_MS

if TYPE_CHECKING:
    from collections.abc import Sequence

# Shares of a stream's first rows.
REPEATED = {"impressions": 0.01, "clicks": 0.02, "carts": 0.02, "conversions": 0.02}
MALFORMED = {"impressions": 1e-4, "clicks": 5e-4, "carts": 5e-4, "conversions": 5e-4}
ORPHANS = {"clicks": 0.003, "carts": 0.005, "conversions": 0.005}

_FIRST_UNKNOWN_ID = 900_000_000_000  # ids of impressions that no file holds


def repeated_rows(rng: np.random.Generator, stream: str, rows: int) -> Integers:
    """Draws which of a stream's rows come again; a row may do so twice."""
    return sample_rows(rng, REPEATED[stream], rows)


def repeat_delays(rng: np.random.Generator, stream: str, count: int) -> Integers:
    """Draws how many milliseconds later than the first row a repeated one says it was: [count].

    Half of the repeated clicks are the same row again, half are impatient double clicks; other events are the same.
    """
    moments = rng.integers(200, 2_000, count)
    return moments * (np.arange(count) % 2) * int(stream == "clicks")


class OrphanSource:
    """Draws events without parent; no unknown impression is used twice, whatever the file and the stream."""

    def __init__(self) -> None:
        self._next_id = _FIRST_UNKNOWN_ID

    def draw(
        self,
        rng: np.random.Generator,
        stream: str,
        events: int,
        ids: Integers,
        shown_ms: Integers,
        childless: Integers,
    ) -> tuple[Integers, Integers]:
        """Draws the orphans of one file, half of them of childless impressions and the others of unknown ones.

        Args:
          rng: Random numbers.
          stream: Name of the stream.
          events: How many events with a parent the file has.
          ids: [B], of the file's impressions.
          shown_ms: [B], their times.
          childless: Rows of impressions after which an event of this stream is an orphan.

        Returns:
          Impression ids and times, [orphans] each.
        """
        orphans = rounded_share(rng, ORPHANS[stream], events)
        known = rng.choice(childless, min(orphans // 2, len(childless)), replace=False)
        unknown = self._next_id + np.arange(orphans - len(known))
        self._next_id += len(unknown)
        keys = np.concatenate([ids[known], unknown])
        times = np.concatenate([shown_ms[known], rng.choice(shown_ms, len(unknown))])
        return keys, times + rng.integers(1_000, HOUR_MS, orphans)


def malformed_lines(rng: np.random.Generator, stream: str, lines: pa.Array, first_way: int) -> pa.Array:
    """Draws some of a stream's good lines and returns them spoiled, beginning with the way of that number."""
    chosen = lines.take(pa.array(sample_rows(rng, MALFORMED[stream], len(lines))))
    return pa.array(_spoiled(chosen.to_pylist(), first_way), pa.string())


def _spoiled(lines: Sequence[str], first_way: int) -> list[str]:
    """Spoils good lines in three ways in turn: cut off, without id, with an unreadable time."""
    spoiled = []
    for way, line in enumerate(lines, first_way):
        key, time_ms, *rest = line.split(",")
        cells = ([key], ["", time_ms, *rest], [key, "n/a", *rest])[way % 3]
        spoiled.append(",".join(cells))
    return spoiled
