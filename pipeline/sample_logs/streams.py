"""The files of one stream: rows in no order, and the count of each kind of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tandem.pipeline.sample_logs.files import write_gzip
from tandem.pipeline.sample_logs.truth import StreamCounts
from tandem.pipeline.sample_logs.untidy import malformed_lines

HEADERS = {
    "impressions": ("impression_id", "time_ms", "user_id", "item_id", "device", "placement", "page", "position"),
    "clicks": ("impression_id", "time_ms"),
    "carts": ("impression_id", "time_ms", "event"),
    "conversions": ("impression_id", "time_ms", "event"),
}
NO_LINES = pa.array([], pa.string())


class StreamLines(NamedTuple):
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


class Stream:
    """Writes the files of one stream and counts their rows.

    Repeated rows go into the next file, as they do where a sender tries again: only the last file has its own.
    """

    def __init__(self, folder: Path, name: str):
        self._folder = folder
        self._name = name
        self._kept_back = NO_LINES
        self._counts = dict.fromkeys((field.name for field in dataclasses.fields(StreamCounts)), 0)

    def write(self, rng: np.random.Generator, number: int, lines: StreamLines, is_last: bool) -> None:
        """Writes one file.

        Args:
          rng: For the order of the rows, and for what is malformed.
          number: Of the file.
          lines: What it is to hold, unreadable lines aside.
          is_last: No file follows.
        """
        # Another way first in every file: a small file may have one malformed line only.
        malformed = malformed_lines(rng, self._name, lines.first, first_way=number)
        parts = [lines.first, lines.orphans, self._kept_back, malformed]
        if is_last:
            parts.append(lines.repeated)
        else:
            self._kept_back = lines.repeated
        rows = pa.concat_arrays(parts)
        rows = rows.take(pa.array(rng.permutation(len(rows))))
        self._write_rows(number, rows)
        self._count(
            **lines.kinds,
            rows=len(rows),
            repeated=len(lines.repeated),
            orphan=len(lines.orphans),
            malformed=len(malformed),
        )

    @property
    def counts(self) -> StreamCounts:
        """The counts over all files written; whole when the last one is."""
        return StreamCounts(**self._counts)

    def _write_rows(self, number: int, rows: pa.Array) -> None:
        header = pa.array([",".join(HEADERS[self._name])])
        all_lines = pa.concat_arrays([header, rows])
        text = pc.binary_join(pa.ListArray.from_arrays([0, len(all_lines)], all_lines), "\n")[0].as_py()
        write_gzip(self._folder / f"{self._name}-{number:05d}.csv.gz", f"{text}\n")

    def _count(self, **added: int) -> None:
        for kind, count in added.items():
            self._counts[kind] += count
