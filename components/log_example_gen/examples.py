"""Rows -> serialized tf.Examples, a column at a time."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from tfx_bsl.coders.example_coder import RecordBatchToExamples

from tandem.components.log_example_gen.records import TIME
from tandem.components.log_example_gen.settings import IMPRESSION_TIME

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tandem.components.log_example_gen.settings import ExampleColumn

_FLOAT32_MAX = float(np.finfo(np.float32).max)
_ROWS_AT_ONCE = 65_536  # Serialized together: some tens of megabytes.


def examples_of(
    rows: pl.DataFrame,
    columns: Mapping[str, ExampleColumn],
    numbers: Sequence[str],
    sparse_numbers: Sequence[str] = (),
    serialized: Sequence[str] = (),
) -> Iterator[tuple[list[bytes], dict[str, int]]]:
    """Gives serialized tf.Examples, one per row, in pieces that fit into memory.

    Args:
      rows: As `to_record_batch` takes them, and with what the following name.
      columns: What goes into the examples, by name.
      numbers: Columns of this room's own with a whole number in every row.
      sparse_numbers: The same where a row may have none: then it costs no bytes.
      serialized: Columns of features that are serialized already, null for none.

    Yields:
      Examples, and by column how many of their values are no numbers and are missing for that.
    """
    for some in rows.iter_slices(_ROWS_AT_ONCE):
        batch, unreadable = to_record_batch(some, columns, numbers)
        sparse = [sparse_feature(some.get_column(name)) for name in sparse_numbers]
        yield serialize(batch, [*sparse, *(some.get_column(name) for name in serialized)]), unreadable


def features_of(rows: pl.DataFrame, columns: Mapping[str, ExampleColumn]) -> tuple[pl.Series, Counter[str]]:
    """Returns the serialized features of rows (see `serialize_features`), and counts as `examples_of` gives them."""
    if not columns:  # Nobody asks for a column of this table; a batch without columns would have no rows either.
        return pl.Series([b""]).new_from_index(0, len(rows)), Counter()
    parts, unreadable = [pl.Series(dtype=pl.Binary)], Counter[str]()
    for some in rows.iter_slices(_ROWS_AT_ONCE):
        batch, lost = to_record_batch(some, columns, ())
        unreadable.update(lost)
        parts.append(serialize_features(batch))
    return pl.concat(parts), unreadable


def to_record_batch(
    rows: pl.DataFrame, columns: Mapping[str, ExampleColumn], numbers: Sequence[str]
) -> tuple[pa.RecordBatch, dict[str, int]]:
    """Arranges rows the way tfx_bsl writes examples.

    Args:
      rows: Texts or lists of texts for the columns, whole numbers for the others, `TIME` where there is one.
      columns: What goes into the examples, by name.
      numbers: Columns of this room's own with a whole number in every row: labels, whether they are final ...

    Returns:
      A batch of large lists: bytes, float32 or int64 for the columns (null where a row has no value), one int64 per
      number, and `impression_time_us` (int64, UTC) where there is a time. And by column how many values could not be
      read as numbers and are missing for that.
    """
    arrays: dict[str, pa.Array] = {}
    unreadable: dict[str, int] = {}
    for name, column in columns.items():
        arrays[name], lost = _lists(rows.get_column(name), column)
        if lost:
            unreadable[name] = lost
    for name in numbers:
        arrays[name] = _one_each(_arrow(rows.get_column(name), "int"))
    if TIME in rows.columns:
        arrays[IMPRESSION_TIME] = _one_each(_arrow(rows.get_column(TIME), "int"))
    return pa.RecordBatch.from_arrays(list(arrays.values()), list(arrays)), unreadable


def serialize(batch: pa.RecordBatch, further: Sequence[pl.Series] = ()) -> list[bytes]:
    """Returns one serialized tf.Example per row; a null is a feature without values. Equal rows give equal bytes.

    Args:
      batch: From `to_record_batch`.
      further: Features of the same rows that are serialized already (see `serialize_features`), null for none.
    """
    if batch.num_rows == 0:
        return []
    body = _joined([*_entries(batch), *further])
    return _joined([_headers(body.bin.size()), body]).to_list()


def serialize_features(batch: pa.RecordBatch) -> pl.Series:
    """Serializes rows to be put together with others later: [rows], Binary.

    A user's features are the same in all of the user's examples, so they are serialized once.
    """
    if batch.num_rows == 0 or batch.num_columns == 0:
        return pl.Series([b""] * batch.num_rows, dtype=pl.Binary)
    return _joined(_entries(batch))


def sparse_feature(numbers: pl.Series) -> pl.Series:
    """Serializes a feature of whole numbers that some rows lack: [rows], Binary, null where there is no number."""
    there = numbers.is_not_null()
    entries = _entry(numbers.name, _one_each(_arrow(numbers.drop_nulls(), "int")))
    place = there.cum_sum().cast(pl.Int64) - 1
    return entries.gather(place.set(~there, None))


def _entries(batch: pa.RecordBatch) -> list[pl.Series]:
    """Serializes each column by itself.

    An example is the field 1 of its message, and its features are entries that stand one after the other: those of
    several columns can be joined as they are. Serialized together, their order would be that of a hash table, and not
    the same twice.
    """
    entries = []
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        values = column.flatten()
        if column.null_count or len(values) != len(column):
            entries.append(_entry(name, column))
            continue
        # One value in every row: values that come again and again (hours, pages, labels) are serialized once.
        distinct = values.dictionary_encode()
        if 2 * len(distinct.dictionary) > len(values):
            entries.append(_entry(name, column))
        else:
            entries.append(_entry(name, _one_each(distinct.dictionary)).gather(distinct.indices.to_numpy()))
    return entries


def _entry(name: str, column: pa.Array) -> pl.Series:
    """Serializes one feature: [rows], Binary."""
    examples = RecordBatchToExamples(pa.RecordBatch.from_arrays([column], [name]))
    example = pl.col("example")
    start = _header_size(example.bin.size())
    return (
        pl.DataFrame({"example": examples}, schema={"example": pl.Binary}).select(example.bin.slice(start)).to_series()
    )


def _header_size(total: pl.Expr) -> pl.Expr:
    """The bytes before the features of an example of `total` bytes: a tag, and a length of seven bits to the byte."""
    size = pl.lit(6)
    for bytes_of_length in (4, 3, 2, 1):
        fits = total - 1 - bytes_of_length < 1 << (7 * bytes_of_length)
        size = pl.when(fits).then(pl.lit(1 + bytes_of_length)).otherwise(size)
    return size


def _headers(lengths: pl.Series) -> pl.Series:
    """The bytes before features of these lengths."""
    distinct = lengths.unique()
    headers = pl.Series([_header(length) for length in distinct], dtype=pl.Binary)
    return lengths.replace_strict(distinct, headers, return_dtype=pl.Binary)


def _header(length: int) -> bytes:
    header = bytearray(b"\x0a")
    while length >= 0x80:
        header.append(length & 0x7F | 0x80)
        length >>= 7
    return bytes(header) + bytes([length])


def _joined(parts: Sequence[pl.Series]) -> pl.Series:
    """Puts bytes one after the other, row by row; null is nothing."""
    arrays = [part.to_arrow(compat_level=pl.CompatLevel.oldest()) for part in parts]
    nothing = pa.scalar(b"", pa.large_binary())
    joined = pc.binary_join_element_wise(*arrays, nothing, null_handling="replace", null_replacement="")
    return pl.Series(pl.from_arrow(joined))


def _one_each(values: pa.Array) -> pa.Array:
    """A list of one value per row."""
    return pa.LargeListArray.from_arrays(pa.array(np.arange(len(values) + 1, dtype=np.int64)), values)


def _lists(cells: pl.Series, column: ExampleColumn) -> tuple[pa.Array, int]:
    """Returns the values of each cell, null where there is none, and how many texts were no numbers."""
    if cells.dtype == pl.String and column.separator is not None:
        cells = cells.str.split(column.separator)
    if isinstance(cells.dtype, pl.List):
        lengths = cells.list.len().fill_null(0).to_numpy()
        texts = cells.drop_nulls().filter(lengths[~cells.is_null().to_numpy()] > 0).explode().str.strip_chars()
    else:
        lengths = np.ones(len(cells), dtype=np.int64)
        texts = cells
    values = _values(texts, column.kind)
    there = values.is_not_null().to_numpy()
    lost = int((~there).sum()) - int(texts.is_null().sum()) - int((texts == "").sum())
    if column.weight_separator is not None:
        lost += _not_weighted(texts, column.weight_separator)
    if column.keeps_places:
        values, there = _in_places(values, there, lengths)
    # Where each row's values begin, before and after the empty ones are left out.
    kept_before = np.concatenate([[0], np.cumsum(there)])
    offsets = kept_before[np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)]
    empty = np.append(offsets[1:] == offsets[:-1], False)
    arrow = _arrow(values.drop_nulls(), column.kind)
    return pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64(), mask=empty), arrow), lost


def _not_weighted(texts: pl.Series, separator: str) -> int:
    """Counts texts in which something else than a number follows the separator. They stay as they are."""
    weighted = texts.drop_nulls()
    weighted = weighted.filter(weighted.str.contains(separator, literal=True))
    numbers = weighted.str.split(separator).list.last().str.strip_chars().cast(pl.Float64, strict=False)
    return numbers.null_count()


def _in_places(
    values: pl.Series, there: NDArray[np.bool_], lengths: NDArray[np.int64]
) -> tuple[pl.Series, NDArray[np.bool_]]:
    """Fills the places of values that are not there, in cells that have others.

    Args:
      values: The values of all cells.
      there: Which of them there are.
      lengths: By cell, how many places it has.
    """
    ends = np.cumsum(lengths)
    found = np.concatenate([[0], np.cumsum(there)])
    kept = np.repeat(found[ends] > found[ends - lengths], lengths)
    filled = values.fill_null("" if values.dtype == pl.String else float("nan"))
    return filled.set(pl.Series(~kept), None), kept


def _values(texts: pl.Series, kind: Literal["bytes", "float", "int"]) -> pl.Series:
    """Reads texts as what the column holds, null where they are empty or no numbers."""
    text = pl.col(texts.name)
    if kind == "bytes":
        value: pl.Expr = pl.when(text != "").then(text)
    else:
        number = text.str.strip_chars().cast(pl.Float64, strict=False)
        if kind == "float":
            value = pl.when(number.is_finite() & (number.abs() <= _FLOAT32_MAX)).then(number)
        else:
            # Exact for all of int64; "5.0" is 5 all the same.
            whole = pl.when(number.is_finite() & (number == number.round())).then(number).cast(pl.Int64, strict=False)
            value = pl.coalesce(text.str.strip_chars().cast(pl.Int64, strict=False), whole)
    return texts.to_frame().select(value).to_series()


def _arrow(values: pl.Series, kind: Literal["bytes", "float", "int"]) -> pa.Array:
    if kind == "bytes":
        return values.cast(pl.Binary).to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.array(values.to_numpy().astype(np.float32 if kind == "float" else np.int64))
