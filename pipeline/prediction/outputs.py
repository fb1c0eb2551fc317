"""Scored rows -> CSV, JSON lines or Parquet, block by block."""

from __future__ import annotations

import contextlib
import io
import sys
from typing import TYPE_CHECKING, Literal, Protocol

import fsspec
import polars as pl
import pyarrow as pa
import pyarrow_hotfix  # noqa: F401  (before Parquet: closes CVE-2023-47248)
from pyarrow import parquet as arrow_parquet

from tandem import files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[Format, ...] = ("csv", "jsonl", "parquet")
STANDARD_OUTPUT = "-"


class Writer(Protocol):
    """Writes blocks of rows with the same columns, one after the other."""

    def write(self, rows: pl.DataFrame) -> None:
        """Writes rows; a first block without rows says which columns there are, should no rows come."""

    def close(self) -> None:
        """Writes what comes after the last row."""


def format_of(output: str, asked: str | None) -> Format:
    """Returns the format to write.

    Args:
      output: A path or URI; `-`: standard output.
      asked: What the user wants; None: by the ending, and CSV to standard output.

    Raises:
      ValueError: The ending is not known, or Parquet is asked for on standard output.
    """
    found = next((known for known in FORMATS if known == asked or (not asked and output.endswith(f".{known}"))), None)
    if found is None and output == STANDARD_OUTPUT:
        found = "csv"
    if found is None:
        raise ValueError(f"the output's name must end in .csv, .jsonl or .parquet (or give --format), got '{output}'")
    if found == "parquet" and output == STANDARD_OUTPUT:
        raise ValueError("Parquet does not go to standard output: name a file with --output")
    return found


@contextlib.contextmanager
def opened(output: str, wanted: Format) -> Iterator[Writer]:
    """Opens the output; a file appears when the block ends without an error, and else stays as it was.

    Args:
      output: A path or URI; `-`: standard output.
      wanted: The format.
    """
    if output == STANDARD_OUTPUT:
        with contextlib.closing(_writer(wanted, sys.stdout.buffer)) as writer:
            yield writer
        sys.stdout.buffer.flush()
        return
    with (
        files.appearing(output) as partial,
        fsspec.open(partial, "wb") as file,
        contextlib.closing(_writer(wanted, file)) as writer,
    ):
        yield writer


def _writer(wanted: Format, file: BinaryIO) -> Writer:
    return _Parquet(file) if wanted == "parquet" else _Csv(file) if wanted == "csv" else _JsonLines(file)


class _Csv:
    """CSV with a header; a list is written as JSON."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._begun = False

    def write(self, rows: pl.DataFrame) -> None:
        lists = [name for name, dtype in rows.schema.items() if isinstance(dtype, pl.List)]
        rows = rows.with_columns(_json(name) for name in lists)
        text = io.BytesIO()  # By itself: polars does not tell that nobody reads a pipe any more.
        rows.write_csv(text, include_header=not self._begun)
        self._file.write(text.getbuffer())
        self._begun = True

    def close(self) -> None:
        pass


def _json(name: str) -> pl.Expr:
    whole = pl.struct(pl.col(name).alias("x")).struct.json_encode()
    text = whole.str.strip_prefix('{"x":').str.strip_suffix("}")
    return pl.when(pl.col(name).is_not_null()).then(text).otherwise(pl.lit("")).alias(name)


class _JsonLines:
    """An object per row."""

    def __init__(self, file: BinaryIO):
        self._file = file

    def write(self, rows: pl.DataFrame) -> None:
        text = io.BytesIO()
        rows.write_ndjson(text)
        self._file.write(text.getbuffer())

    def close(self) -> None:
        pass


class _Parquet:
    """Parquet, a row group per block."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._writer: arrow_parquet.ParquetWriter | None = None
        self._schema: pa.Schema | None = None

    def write(self, rows: pl.DataFrame) -> None:
        table = rows.to_arrow(compat_level=pl.CompatLevel.oldest())
        if self._writer is None or self._schema is None:
            # Whether a column holds lists is known once there are rows.
            self._schema = table.schema
            if not table.num_rows:
                return
            self._writer = arrow_parquet.ParquetWriter(self._file, self._schema)
        for field, first in zip(table.schema, self._schema, strict=True):
            if field.type != first.type:
                raise ValueError(
                    f"column '{field.name}' holds lists in some rows only, and a Parquet column has one type: write "
                    "CSV or JSON lines, or leave it out with --keep"
                )
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is None and self._schema is not None:
            self._writer = arrow_parquet.ParquetWriter(self._file, self._schema)
        if self._writer is not None:
            self._writer.close()
