"""Draws the impressions of one file after the other and writes everything about them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from tandem.pipeline.sample_logs.context import DEVICES, PAGES, PLACEMENTS
from tandem.pipeline.sample_logs.events import Events, draw_carts_and_conversions, draw_clicks
from tandem.pipeline.sample_logs.impressions import Impressions
from tandem.pipeline.sample_logs.outcomes import TABLE_SCHEMA, Outcomes, outcome_table
from tandem.pipeline.sample_logs.streams import HEADERS, NO_LINES, Stream, StreamLines
from tandem.pipeline.sample_logs.text_columns import decoded, digits, joined
from tandem.pipeline.sample_logs.truth import CART, CLICK, CONVERSION, StreamCounts
from tandem.pipeline.sample_logs.untidy import OrphanSource, repeat_delays, repeated_rows
from tandem.pipeline.sample_logs.world import World

_FIRST_ID = 1_000_000_000
_LABEL_OF = {"clicks": CLICK, "carts": CART, "conversions": CONVERSION}


class _Batch(NamedTuple):
    """The impressions of one file.

    Attributes:
      number: Of the file.
      is_last: No file follows.
      rng: For all that is random about the file.
      ids: [B] int64.
      shown: [B] each.
    """

    number: int
    is_last: bool
    rng: np.random.Generator
    ids: np.ndarray
    shown: Impressions


class LogWriter:
    """Writes the streams and the probabilities, and keeps what happened.

    Attributes:
      outcomes: What happened; whole when `write` is done.
    """

    def __init__(self, folder: Path, world: World, impressions: int, per_file: int, seed: int):
        self.outcomes = Outcomes(impressions)
        self._folder = folder
        self._world = world
        self._impressions = impressions
        self._per_file = per_file
        self._seed = seed
        self._streams = {name: Stream(folder, name) for name in HEADERS}
        self._orphans = OrphanSource()

    @property
    def counts(self) -> dict[str, StreamCounts]:
        """By stream."""
        return {name: stream.counts for name, stream in self._streams.items()}

    def write(self, progress: Callable[[int, int], None]) -> None:
        """Writes all files."""
        path = self._folder / "truth" / "probabilities.parquet"
        with pyarrow.parquet.ParquetWriter(path, TABLE_SCHEMA) as truth_file:
            for number, first in enumerate(range(0, self._impressions, self._per_file)):
                progress(first, self._impressions)
                truth_file.write_table(self._write_batch(number, first))
        progress(self._impressions, self._impressions)

    def _write_batch(self, number: int, first: int) -> pa.Table:
        """Writes one file of every stream; returns what happened."""
        rng = np.random.default_rng([self._seed, 2, number])
        end = min(first + self._per_file, self._impressions)
        ids = _FIRST_ID + np.arange(first, end)
        shown = self._world.show(rng, len(ids))
        probabilities = self._world.probabilities(shown)
        clicks = draw_clicks(rng, shown.time_ms, probabilities)
        carts, conversions = draw_carts_and_conversions(rng, clicks, probabilities)

        batch = _Batch(number, end == self._impressions, rng, ids, shown)
        self._write_impressions(batch)
        unclicked = np.setdiff1d(np.arange(len(ids)), clicks.row, assume_unique=True)
        labels = {}
        for stream, events, childless in (
            ("clicks", clicks, unclicked[:0]),
            ("carts", carts, unclicked),
            ("conversions", conversions, unclicked),
        ):
            self._write_events(batch, stream, events, childless)
            labels[_LABEL_OF[stream]] = np.isin(np.arange(len(ids)), events.row[events.counted])
        self.outcomes.record(first, shown, probabilities, labels)
        return outcome_table(ids, probabilities, labels)

    def _write_impressions(self, batch: _Batch) -> None:
        shown = batch.shown
        first = joined(
            digits(batch.ids),
            digits(shown.time_ms),
            self._world.users.names.take(pa.array(shown.user)),
            self._world.items.names.take(pa.array(shown.item)),
            decoded(DEVICES, shown.device),
            decoded(PLACEMENTS, shown.placement),
            decoded(PAGES, shown.page),
            digits(shown.position + 1),
        )
        repeated = first.take(pa.array(repeated_rows(batch.rng, "impressions", len(first))))
        self._write_lines(batch, "impressions", StreamLines(first, repeated, NO_LINES, {"counted": len(first)}))

    def _write_events(self, batch: _Batch, stream: str, events: Events, childless: np.ndarray) -> None:
        """Writes a file of clicks, carts or conversions; for `childless` see OrphanSource."""

        def event_lines(ids: np.ndarray, time_ms: np.ndarray) -> pa.Array:
            columns = [digits(ids), digits(time_ms)]
            if "event" in HEADERS[stream]:
                columns.append(pa.array([_LABEL_OF[stream]] * len(ids), pa.string()))
            return joined(*columns)

        ids = batch.ids[events.row]
        again = repeated_rows(batch.rng, stream, len(ids))
        again_ms = events.time_ms[again] + repeat_delays(batch.rng, stream, len(again))
        orphans = self._orphans.draw(batch.rng, stream, len(ids), batch.ids, batch.shown.time_ms, childless)
        kinds = {"counted": events.counted, "late": events.late, "late_parent": events.late_parent}
        self._write_lines(
            batch,
            stream,
            StreamLines(
                first=event_lines(ids, events.time_ms),
                repeated=event_lines(ids[again], again_ms),
                orphans=event_lines(*orphans),
                kinds={kind: int(is_kind.sum()) for kind, is_kind in kinds.items()},
            ),
        )

    def _write_lines(self, batch: _Batch, stream: str, rows: StreamLines) -> None:
        self._streams[stream].write(batch.rng, batch.number, rows, batch.is_last)
