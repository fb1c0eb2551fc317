"""The files of the logs: lines in no order, untidy as real ones, and the count of each kind of them."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tandem.pipeline.sample_logs.behaviour import LABEL_OF, Events
from tandem.pipeline.sample_logs.truth import StreamCounts
from tandem.pipeline.sample_logs.untidiness import OrphanSource, malformed_lines, repeat_delays, repeated_rows

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tandem.pipeline.sample_logs.draws import Integers
    from tandem.pipeline.sample_logs.world import Impressions, World

HEADERS = {
    "impressions": ("impression_id", "time_ms", "user_id", "item_id", "device", "placement", "page", "position"),
    "clicks": ("impression_id", "time_ms"),
    "carts": ("impression_id", "time_ms", "event"),
    "conversions": ("impression_id", "time_ms", "event"),
}
_NO_LINES = pa.array([], pa.string())


class ImpressionFile(NamedTuple):
    """The impressions of one file.

    Attributes:
      number: Of the file.
      is_last: No file follows.
      rng: For all that is random about the file.
      ids: [B].
      shown: [B] each.
    """

    number: int
    is_last: bool
    rng: np.random.Generator
    ids: Integers
    shown: Impressions


class Streams:
    """Writes impressions and what followed them, a file of every stream for each batch."""

    def __init__(self, folder: Path, world: World):
        self._world = world
        self._streams = {name: _Stream(folder, name) for name in HEADERS}
        self._orphans = OrphanSource()

    @property
    def counts(self) -> dict[str, StreamCounts]:
        """By stream; whole when the last batch is written."""
        return {name: stream.counts for name, stream in self._streams.items()}

    def write(self, batch: ImpressionFile, events: Mapping[str, Events]) -> None:
        """Writes a batch; `events` are those of its impressions, by stream."""
        self._write_impressions(batch)
        unclicked = np.setdiff1d(np.arange(len(batch.ids)), events["clicks"].row, assume_unique=True)
        for stream in LABEL_OF:
            # No click is an orphan but for its impression; what comes after a click is one where there is none.
            childless = unclicked[:0] if stream == "clicks" else unclicked
            self._write_events(batch, stream, events[stream], childless)

    def _write_impressions(self, batch: ImpressionFile) -> None:
        cells = {
            "impression_id": _digits(batch.ids),
            "time_ms": _digits(batch.shown.time_ms),
            **self._world.cells(batch.shown),
        }
        first = _joined(*(cells[name] for name in HEADERS["impressions"]))
        repeated = first.take(pa.array(repeated_rows(batch.rng, "impressions", len(first))))
        self._streams["impressions"].write(batch, _Lines(first, repeated, _NO_LINES, {"counted": len(first)}))

    def _write_events(self, batch: ImpressionFile, stream: str, events: Events, childless: Integers) -> None:
        """Writes a file of clicks, carts or conversions; for `childless` see OrphanSource."""

        def lines(ids: Integers, time_ms: Integers) -> pa.Array:
            columns = [_digits(ids), _digits(time_ms)]
            if "event" in HEADERS[stream]:
                columns.append(pa.array([LABEL_OF[stream]] * len(ids), pa.string()))
            return _joined(*columns)

        ids = batch.ids[events.row]
        again = repeated_rows(batch.rng, stream, len(ids))
        again_ms = events.time_ms[again] + repeat_delays(batch.rng, stream, len(again))
        orphans = self._orphans.draw(batch.rng, stream, len(ids), batch.ids, batch.shown.time_ms, childless)
        kinds = {"counted": events.counted, "late": events.late, "late_parent": events.late_parent}
        self._streams[stream].write(
            batch,
            _Lines(
                first=lines(ids, events.time_ms),
                repeated=lines(ids[again], again_ms),
                orphans=lines(*orphans),
                kinds={kind: int(is_kind.sum()) for kind, is_kind in kinds.items()},
            ),
        )


class _Lines(NamedTuple):
    """Lines for one file.

    Attributes:
      first: First rows.
      repeated: Further rows.
      orphans: Rows without parent.
      kinds: How many of `first` are counted, late ...; by the names of StreamCounts.
    """

    first: pa.Array
    repeated: pa.Array
    orphans: pa.Array
    kinds: Mapping[str, int]


class _Stream:
    """Writes the files of one stream and counts their rows.

    Repeated rows go into the next file, as they do where a sender tries again: only the last file has its own.
    """

    def __init__(self, folder: Path, name: str):
        self._folder = folder
        self._name = name
        self._kept_back = _NO_LINES
        self._counts = dict.fromkeys((field.name for field in dataclasses.fields(StreamCounts)), 0)

    @property
    def counts(self) -> StreamCounts:
        """The counts over all files written."""
        return StreamCounts(**self._counts)

    def write(self, batch: ImpressionFile, lines: _Lines) -> None:
        """Writes one file: the lines, some of them spoiled besides, in random order."""
        # Another way first in every file: a small file may have one malformed line only.
        malformed = malformed_lines(batch.rng, self._name, lines.first, first_way=batch.number)
        parts = [lines.first, lines.orphans, self._kept_back, malformed]
        if batch.is_last:
            parts.append(lines.repeated)
        else:
            self._kept_back = lines.repeated
        rows = pa.concat_arrays(parts)
        rows = rows.take(pa.array(batch.rng.permutation(len(rows))))
        self._write_rows(batch.number, rows)
        added = {
            **lines.kinds,
            "rows": len(rows),
            "repeated": len(lines.repeated),
            "orphan": len(lines.orphans),
            "malformed": len(malformed),
        }
        for kind, count in added.items():
            self._counts[kind] += count

    def _write_rows(self, number: int, rows: pa.Array) -> None:
        header = pa.array([",".join(HEADERS[self._name])])
        all_lines = pa.concat_arrays([header, rows])
        text = pc.binary_join(pa.ListArray.from_arrays([0, len(all_lines)], all_lines), "\n")[0].as_py()
        _write_gzip(self._folder / f"{self._name}-{number:05d}.csv.gz", f"{text}\n")


def write_side_table(path: Path, table: pa.Table) -> None:
    """Writes a table as compressed CSV with a header; a null is an empty cell."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(table.column_names)
    rows.writerows(zip(*(column.to_pylist() for column in table.columns), strict=True))
    _write_gzip(path, text.getvalue())


def _write_gzip(path: Path, content: str) -> None:
    """Writes compressed text, without file name and time in the header: the same bytes for the same content."""
    with path.open("wb") as raw, gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=raw, mtime=0) as packed:
        packed.write(content.encode())


def _digits(numbers: Integers) -> pa.Array:
    """Returns whole numbers as text."""
    return pa.array(numbers).cast(pa.string())


def _joined(*columns: pa.Array) -> pa.Array:
    """Joins the cells of each row with commas."""
    return pc.binary_join_element_wise(*columns, ",")
