"""Rows -> serialized tf.Examples, a column at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from tfx_bsl.coders.example_coder import RecordBatchToExamples

from tandem.components.log_example_gen.counts import VALUES_TOLD, Counts, merged
from tandem.components.log_example_gen.numbers import PLAINLY, Notation, Written, number, plain
from tandem.components.log_example_gen.records import TIME
from tandem.components.log_example_gen.settings.columns import IMPRESSION_TIME
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from tandem.components.log_example_gen.settings.columns import ExampleColumn

_TRUTH = {"true": 1, "false": 0}
_FLOAT32_MAX = float(np.finfo(np.float32).max)
_ROWS_AT_ONCE = 65_536  # Serialized together: some tens of megabytes.


def examples_of(
    rows: pl.DataFrame,
    columns: Mapping[str, ExampleColumn],
    numbers: Sequence[str],
    sparse_numbers: Sequence[str] = (),
    serialized: Sequence[str] = (),
    written: Written = PLAINLY,
) -> Iterator[tuple[list[bytes], Counts]]:
    """Gives serialized tf.Examples, one per row, in pieces that fit into memory.

    Args:
      rows: As `to_record_batch` takes them, and with what the following name.
      columns: What goes into the examples, by name.
      numbers: Columns of this room's own with a whole number in every row.
      sparse_numbers: The same where a row may have none: then it costs no bytes.
      serialized: Columns of features that are serialized already, null for none.
      written: How numbers are written, and in which files.

    Yields:
      Examples, and by column how many of their values are numbers, and which are none and are missing for that.
    """
    for some in rows.iter_slices(_ROWS_AT_ONCE):
        batch, counts = to_record_batch(some, columns, numbers, written)
        sparse = [sparse_feature(some.get_column(name)) for name in sparse_numbers]
        yield serialize(batch, [*sparse, *(some.get_column(name) for name in serialized)]), counts


class Features(NamedTuple):
    """Features of a side table's rows.

    Attributes:
      serialized: See `serialize_features`: [rows], Binary.
      filled: Whether a row has a number, a column (`filled_column`) per numeric one: [rows], Boolean.
      counts: As `examples_of` gives them.
    """

    serialized: pl.Series
    filled: pl.DataFrame
    counts: Counts


def filled_column(name: str) -> str:
    """Names the column that says whether there is a number in a side table's column."""
    return f"__filled_{name}"


def features_of(rows: pl.DataFrame, columns: Mapping[str, ExampleColumn], written: Written = PLAINLY) -> Features:
    """Returns the features of rows that are put together with others later.

    Args:
      rows: As `to_record_batch` takes them.
      columns: What goes into the examples, by name.
      written: How numbers are written, and in which files.
    """
    if not columns:  # Nobody asks for a column of this table; a batch without columns would have no rows either.
        return Features(pl.Series([b""]).new_from_index(0, len(rows)), pl.DataFrame(), Counts())
    numeric = [name for name, column in columns.items() if column.kind != "bytes"]
    parts = [pl.Series(dtype=pl.Binary)]
    filled = [pl.DataFrame(schema={filled_column(name): pl.Boolean for name in numeric})]
    counts = [Counts()]
    for some in rows.iter_slices(_ROWS_AT_ONCE):
        batch, told = to_record_batch(some, columns, (), written)
        counts.append(told)
        parts.append(serialize_features(batch))
        there = {name: batch.column(batch.schema.get_field_index(name)).is_valid() for name in numeric}
        filled.append(pl.DataFrame({filled_column(name): pl.from_arrow(array) for name, array in there.items()}))
    return Features(pl.concat(parts), pl.concat(filled), merged(counts))


def to_record_batch(
    rows: pl.DataFrame, columns: Mapping[str, ExampleColumn], numbers: Sequence[str], written: Written = PLAINLY
) -> tuple[pa.RecordBatch, Counts]:
    """Arranges rows the way tfx_bsl writes examples.

    Args:
      rows: Texts or lists of texts for the columns, whole numbers for the others, `TIME` where there is one.
      columns: What goes into the examples, by name.
      numbers: Columns of this room's own with a whole number in every row: labels, whether they are final ...
      written: How numbers are written, and in which files.

    Returns:
      A batch of large lists: bytes, float32 or int64 for the columns (null where a row has no value), one int64 per
      number, and `impression_time_us` (int64, UTC) where there is a time. And by column how many values are numbers,
      and which could not be read as numbers and are missing for that.

    Raises:
      LogsError: Several values where there must be one.
    """
    arrays: dict[str, pa.Array] = {}
    counts = Counts()
    for name, column in columns.items():
        arrays[name], cells = _lists(rows.get_column(name), column, written.notation)
        if column.single and (cells.lengths > 1).any():
            raise _several(rows, name, int(np.argmax(cells.lengths > 1)), written)
        if cells.numbers:
            counts.numbers[name] = cells.numbers
        if len(cells.lost):
            counts.unreadable[name] = len(cells.lost)
            counts.unreadable_values[name] = _told(rows, cells, written)
    for name in numbers:
        arrays[name] = _one_each(_arrow(rows.get_column(name), "int"))
    if TIME in rows.columns:
        arrays[IMPRESSION_TIME] = _one_each(_arrow(rows.get_column(TIME), "int"))
    return pa.RecordBatch.from_arrays(list(arrays.values()), list(arrays)), counts


def _told(rows: pl.DataFrame, cells: _Cells, written: Written) -> list[tuple[str, str]]:
    """Returns some of the values that were no numbers, each with its file; the same ones however rows are cut."""
    files = [written.file(rows, int(row)) for row in cells.lost_rows]
    return sorted(set(zip(cells.lost.to_list(), files, strict=True)))[:VALUES_TOLD]


def _several(rows: pl.DataFrame, name: str, row: int, written: Written) -> LogsError:
    file = written.file(rows, row)
    place = f"{file}: " if file else ""
    found = rows.get_column(name)[row]
    return LogsError(
        f"{place}column '{name}' holds several values, such as {list(found)!r}, where one is asked; a feature of "
        "kind 'bag' takes several"
    )


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


class _Cells(NamedTuple):
    """What is to be known of the cells of a column.

    Attributes:
      lengths: How many values each holds, empty ones among them: [rows].
      numbers: How many of the values are numbers, or weigh others.
      lost: The values that are no numbers, as they stand there.
      lost_rows: In which rows they stand: [lost].
    """

    lengths: NDArray[np.int64]
    numbers: int
    lost: pl.Series
    lost_rows: NDArray[np.int64]


def _lists(cells: pl.Series, column: ExampleColumn, notation: Notation) -> tuple[pa.Array, _Cells]:
    """Returns the values of each cell, null where there is none, and which texts were no numbers."""
    if cells.dtype == pl.String and column.separator is not None:
        cells = cells.str.split(column.separator)
    if isinstance(cells.dtype, pl.List):
        if column.single:  # One value and empty ones beside it are one.
            cells = cells.list.eval(pl.element().filter(pl.element() != ""))
        lengths = cells.list.len().fill_null(0).to_numpy().astype(np.int64)
        texts = cells.drop_nulls().filter(lengths[~cells.is_null().to_numpy()] > 0).explode().str.strip_chars()
    else:
        lengths = np.ones(len(cells), dtype=np.int64)
        texts = cells
    values = _values(texts, column.kind, notation)
    lost = np.zeros(len(texts), dtype=np.bool_)
    if column.kind != "bytes" and (lost := _lost(values, texts)).any():
        values = _with_truth(values, texts)
        lost = _lost(values, texts)
    there = values.is_not_null().to_numpy()
    numbers = int(there.sum()) if column.kind != "bytes" else 0
    if column.weight_separator is not None:
        weighted, unweighted = _weighted(texts, column.weight_separator)
        lost = lost | unweighted
        numbers += int(weighted.sum())
    told = texts.filter(lost) if lost.any() else texts.clear()
    in_rows = np.repeat(np.arange(len(cells)), lengths)[lost] if lost.any() else lengths[:0]
    if column.keeps_places:
        values, there = _in_places(values, there, lengths)
    # Where each row's values begin, before and after the empty ones are left out.
    kept_before = np.concatenate([[0], np.cumsum(there)])
    offsets = kept_before[np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)]
    empty = np.append(offsets[1:] == offsets[:-1], False)
    arrow = _arrow(values.drop_nulls(), column.kind)
    array = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64(), mask=empty), arrow)
    return array, _Cells(lengths, numbers, told, in_rows)


def _weighted(texts: pl.Series, separator: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tells texts in which a number follows the separator from those in which something else does.

    The texts stay as they are, and the model takes them apart: a number has a point, whatever others of the file have.

    Returns:
      Which texts have a weight, and which have none that is a number: [texts] each.
    """
    text = pl.col(texts.name)
    has = text.str.contains(separator, literal=True).fill_null(False)
    sound = number(text.str.split(separator).list.last()).is_not_null().fill_null(False)
    found = texts.to_frame().select((has & sound).alias("sound"), (has & ~sound).alias("lost"))
    return found.get_column("sound").to_numpy(), found.get_column("lost").to_numpy()


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


def _values(texts: pl.Series, kind: Literal["bytes", "float", "int"], notation: Notation) -> pl.Series:
    """Reads texts as what the column holds, null where they are empty or no numbers."""
    text = pl.col(texts.name)
    if kind == "bytes":
        value: pl.Expr = pl.when(text != "").then(text)
    else:
        digits = plain(text, notation)
        double = digits.cast(pl.Float64, strict=False)
        if kind == "float":
            value = pl.when(double.is_finite() & (double.abs() <= _FLOAT32_MAX)).then(double)
        else:
            # Exact for all of int64; "5.0" is 5 all the same.
            whole = pl.when(double.is_finite() & (double == double.round())).then(double).cast(pl.Int64, strict=False)
            value = pl.coalesce(digits.cast(pl.Int64, strict=False), whole)
    return texts.to_frame().select(value).to_series()


def _lost(values: pl.Series, texts: pl.Series) -> NDArray[np.bool_]:
    """Returns which texts say something that is no number: [texts]."""
    if not values.has_nulls():
        return np.zeros(len(texts), dtype=np.bool_)
    return np.asarray((values.is_null() & (texts != "").fill_null(False)).to_numpy())


def _with_truth(values: pl.Series, texts: pl.Series) -> pl.Series:
    """Fills in 1 where a text is `true`, and 0 where it is `false`."""
    text = texts.str.strip_chars().str.to_lowercase()
    return values.fill_null(text.replace_strict(_TRUTH, default=None, return_dtype=values.dtype))


def _arrow(values: pl.Series, kind: Literal["bytes", "float", "int"]) -> pa.Array:
    if kind == "bytes":
        return values.cast(pl.Binary).to_arrow(compat_level=pl.CompatLevel.oldest())
    return pa.array(values.to_numpy().astype(np.float32 if kind == "float" else np.int64))
