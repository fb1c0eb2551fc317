"""The rows that were set aside, as files that people can read: one JSON object per row, by source and reason.

`{"file": "clicks.csv", "row": 7, "reason": "no_impression", "cells": {"impression_id": "12", ...}}`; a malformed line
has its `text` and `why` instead of cells. Cells are those of the columns that the settings use; `file` and `row` (1 is
the first after the header) lead to the rest.
"""

from __future__ import annotations

import gzip
import io
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.records import FILE, OWN_COLUMNS, REASON, ROW

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tandem.components.log_example_gen.readers.block import Malformed
    from tandem.components.log_example_gen.sources import SourceFile

TEXT, WHY = "__text", "__why"


def malformed_rows(lines: Iterable[Malformed], file: int) -> pl.DataFrame:
    """Arranges lines that are no rows like other rows that are set aside."""
    lines = list(lines)
    data = {
        TEXT: [line.text for line in lines],
        WHY: [line.why for line in lines],
        ROW: [line.row for line in lines],
        FILE: [file] * len(lines),
        REASON: [line.reason.name for line in lines],
    }
    return pl.DataFrame(
        data, schema={TEXT: pl.String, WHY: pl.String, ROW: pl.Int64, FILE: pl.Int32, REASON: pl.String}
    )


def to_jsonl_gz(rows: pl.DataFrame, files: Sequence[SourceFile]) -> bytes:
    """Writes rows in the order of their place in the files; equal rows give equal bytes.

    Args:
      rows: With `FILE`, `ROW` and `REASON`, and either cells or `TEXT` and `WHY`.
      files: Those of their source.
    """
    names = pl.Series([file.name for file in files], dtype=pl.String)
    rows = rows.sort(FILE, ROW)
    told = [
        names.gather(rows.get_column(FILE)).alias("file"),
        rows.get_column(ROW).alias("row"),
        rows.get_column(REASON).alias("reason"),
    ]
    if TEXT in rows.columns:
        told += [rows.get_column(TEXT).alias("text"), rows.get_column(WHY).alias("why")]
    else:
        cells = [name for name in rows.columns if name not in OWN_COLUMNS]
        told += [rows.select(pl.struct(cells).alias("cells")).to_series()]
    text = io.BytesIO()
    pl.DataFrame(told).write_ndjson(text)
    return gzip.compress(text.getvalue(), compresslevel=6, mtime=0)
