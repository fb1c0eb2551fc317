"""Parquet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow_hotfix  # noqa: F401  (before Parquet: closes CVE-2023-47248)
from pyarrow import parquet as arrow_parquet

from tandem.components.log_example_gen.readers.block import ROW, Block, Reader, in_file
from tandem.components.log_example_gen.readers.cells import texts
from tandem.components.log_example_gen.readers.nulls import null_words
from tandem.components.log_example_gen.readers.packed import open_file
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.settings.files import Files
    from tandem.components.log_example_gen.sources import SourceFile


def _names(system: AbstractFileSystem, file: SourceFile, spec: Files) -> Sequence[str]:
    with open_file(system, file) as source:
        return list(arrow_parquet.ParquetFile(source).schema_arrow.names)


def _read(
    system: AbstractFileSystem, file: SourceFile, spec: Files, columns: Sequence[str], block_bytes: int
) -> Iterator[Block]:
    with open_file(system, file) as source:
        parquet = arrow_parquet.ParquetFile(source)
        wanted = in_file(columns, parquet.schema_arrow.names, file, spec)
        # Some hundred bytes a row is what logs have; the size of a batch need not be exact.
        rows_at_once = max(1024, block_bytes // 128)
        words = null_words(spec, columns)
        row = 1
        for batch in parquet.iter_batches(batch_size=rows_at_once, columns=list(wanted), use_threads=False):
            yield Block(_rows(batch, wanted, words, file, row))
            row += batch.num_rows


def _rows(
    batch: pa.RecordBatch,
    wanted: dict[str, str],
    words: Mapping[str, Sequence[str]],
    file: SourceFile,
    first_row: int,
) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {}
    frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
    for old, new in wanted.items():
        try:
            text = texts(frame, old, batch.num_rows, words[new])
        except pl.exceptions.PolarsError as error:
            raise LogsError(f"{file.name}: column '{old}' cannot be read as text: {error}") from error
        if text is None:
            raise LogsError(
                f"{file.name}: column '{old}' is of the type {batch.schema.field(old).type}; "
                "a column holds values or lists of values"
            )
        columns[new] = text
    return pl.DataFrame({**columns, ROW: pl.int_range(first_row, first_row + batch.num_rows, eager=True)})


PARQUET = Reader(name="parquet", endings=(".parquet",), names=_names, read=_read, compressible=False, compact=True)
