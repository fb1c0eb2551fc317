"""Files -> blocks of rows: CSV and TSV, JSON lines, Parquet; streamed, columnar, and not stopped by a bad line.

Every cell comes out as text (`pl.String`, an absent one as the empty string), or as a list of texts where JSON or
Parquet hold a list. Text files are cut into blocks at line ends. Arrow parses a block at once; only a block in which it
meets something odd (a line of another width, a quote that is not closed, bytes that are no UTF-8, an id too long for a
double) is gone through line by line. Which lines are bad does not depend on where the blocks were cut.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.json as arrow_json
import pyarrow_hotfix  # noqa: F401  (before Parquet: closes CVE-2023-47248)
from pyarrow import fs as arrow_fs
from pyarrow import parquet as arrow_parquet

from tandem.components.log_example_gen.settings import Files
from tandem.components.log_example_gen.sources import LogsError, SourceFile, delimiter, file_format

ROW = "__row"  # Where a row stands in its file: 1 is the first after the header.

BLOCK_BYTES = 32 << 20  # On Python 3.10 each call of Arrow's CSV reader costs 50 ms, whatever its size.
_PEEK_BYTES = 4 << 20
_LARGEST_RECORD = 64 << 20
# A quoted cell with more line ends than this is taken for a quote that was never closed.
_LINES_IN_A_RECORD = 1000
_EXACT_IN_DOUBLE = 2**53


@dataclass(frozen=True)
class Malformed:
    """A line that could not be read: where it stands, what it says, what is wrong."""

    row: int
    text: str
    why: str


@dataclass(frozen=True)
class Block:
    """Rows of a file, one after the other.

    Attributes:
      rows: The columns asked for, as text or lists of text, and `ROW` (Int64).
      malformed: What stood between them and could not be read.
    """

    rows: pl.DataFrame
    malformed: tuple[Malformed, ...] = ()


def read_columns(system: arrow_fs.FileSystem, file: SourceFile, spec: Files) -> tuple[str, ...]:
    """Returns the columns of a file, renamed: the header, the schema, or (JSON) what its first megabytes hold.

    Raises:
      LogsError: The file has no header, or its columns (once renamed) have names that come twice.
    """
    kind = file_format(file.name, spec)
    try:
        if kind == "parquet":
            with system.open_input_file(file.path) as source:
                names: Sequence[str] = arrow_parquet.ParquetFile(source).schema_arrow.names
        else:
            with system.open_input_stream(file.path) as source:
                head = next(_blocks(source, _PEEK_BYTES, '"' if kind == "csv" and spec.quoting else None), b"")
            names = _header(head, file, spec)[0] if kind == "csv" else _json_names(head)
    except (OSError, pa.ArrowException) as error:
        raise LogsError(f"{file.name} cannot be read: {error}") from error
    return _renamed(names, file, spec)


def read_file(
    system: arrow_fs.FileSystem,
    file: SourceFile,
    spec: Files,
    columns: Sequence[str],
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Block]:
    """Reads some columns of a file, a block at a time.

    Args:
      system: Where the file lies.
      file: The file; `.gz` is unpacked on the way.
      spec: Its format and the renaming.
      columns: The columns wanted, by their names after the renaming.
      block_bytes: About how much (unpacked) text is parsed at once.

    Raises:
      LogsError: A column that the file does not have, or a file that is damaged as a whole.
    """
    kind = file_format(file.name, spec)
    reader = {"csv": _read_csv, "jsonl": _read_jsonl, "parquet": _read_parquet}[kind]
    try:
        yield from reader(system, file, spec, list(columns), block_bytes)
    except (OSError, pa.ArrowException) as error:
        raise LogsError(f"{file.name} cannot be read: {error}") from error


def _renamed(names: Sequence[str], file: SourceFile, spec: Files) -> tuple[str, ...]:
    renamed = tuple(spec.rename.get(name, name) for name in names)
    twice = sorted({name for name in renamed if renamed.count(name) > 1})
    if twice:
        raise LogsError(f"{file.name}: column names that come twice{' (once renamed)' if spec.rename else ''}: {twice}")
    return renamed


def _in_file(columns: Sequence[str], names: Sequence[str], file: SourceFile, spec: Files) -> dict[str, str]:
    """Returns the wanted columns: name in the file -> name after the renaming."""
    there = dict(zip(_renamed(names, file, spec), names, strict=True))
    missing = [column for column in columns if column not in there]
    if missing:
        raise LogsError(f"{file.name}: column {_quoted(missing)} is missing; the columns are {_quoted(there)}")
    return {there[column]: column for column in columns}


def _quoted(names: Sequence[str] | dict[str, str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _blocks(source: pa.NativeFile, block_bytes: int, quote: str | None) -> Iterator[bytes]:
    """Cuts a stream at line ends, where a quote character is given at such as do not lie between two of them."""
    rest = b""
    while chunk := source.read(block_bytes):
        rest += chunk
        cut = _last_record_end(rest, quote)
        if cut == 0 and len(rest) >= max(_LARGEST_RECORD, block_bytes):
            # Quotes are not balanced here: go by the line ends, and let the parser sort out the lines.
            cut = rest.rfind(b"\n") + 1
        if cut:
            yield rest[:cut]
            rest = rest[cut:]
    if rest:
        yield rest


def _last_record_end(text: bytes, quote: str | None) -> int:
    cut = text.rfind(b"\n") + 1
    if quote is not None and text.count(quote.encode(), 0, cut) % 2:
        # An odd number of quotes: the last one opens a cell that goes on past the cut.
        cut = text.rfind(b"\n", 0, text.rfind(quote.encode(), 0, cut)) + 1
    return cut


def _header(head: bytes, file: SourceFile, spec: Files) -> tuple[list[str], int]:
    """Returns the column names of a CSV file and the number of bytes that they take."""
    text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    lines = io.StringIO(text, newline="")
    names = next(csv.reader(lines, delimiter=delimiter(file.name, spec), quoting=_csv_quoting(spec)), [])
    if not names:
        raise LogsError(f"{file.name} is empty: it has not even a header")
    taken = len(text[: lines.tell()].encode()) + len(head) - len(head.removeprefix(b"\xef\xbb\xbf"))
    return names, taken


def _csv_quoting(spec: Files) -> Literal[0, 3]:
    return csv.QUOTE_MINIMAL if spec.quoting else csv.QUOTE_NONE


def _read_csv(
    system: arrow_fs.FileSystem, file: SourceFile, spec: Files, columns: list[str], block_bytes: int
) -> Iterator[Block]:
    with system.open_input_stream(file.path) as source:
        names: list[str] = []
        wanted: dict[str, str] = {}
        row = 1
        for block in _blocks(source, block_bytes, '"' if spec.quoting else None):
            if not names:
                names, taken = _header(block, file, spec)
                wanted = _in_file(columns, names, file, spec)
                block = block[taken:]
            if not block.strip(b"\r\n"):
                continue
            parsed = _csv_fast(block, names, wanted, file, spec, row) or _csv_slow(
                block, names, wanted, file, spec, row
            )
            row += len(parsed.rows) + len(parsed.malformed)
            yield parsed
        if not names:
            raise LogsError(f"{file.name} is empty: it has not even a header")


def _csv_fast(
    block: bytes, names: list[str], wanted: dict[str, str], file: SourceFile, spec: Files, first_row: int
) -> Block | None:
    """Parses a block at once; None where it takes a closer look."""
    if (spec.quoting and block.count(b'"') % 2) or not _is_utf8(block):
        return None
    invalid: list[arrow_csv.InvalidRow] = []

    def set_aside(line: arrow_csv.InvalidRow) -> str:
        invalid.append(line)
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(block),
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=len(block) + 1, column_names=names),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter(file.name, spec),
                quote_char='"' if spec.quoting else False,
                newlines_in_values=spec.quoting,
                invalid_row_handler=set_aside,
            ),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=list(wanted), column_types={name: pa.string() for name in names}, check_utf8=False
            ),
        )
    except pa.ArrowException:
        return None
    lines = block.count(b"\n") + (not block.endswith(b"\n"))
    if lines != table.num_rows + len(invalid):
        return None  # Cells with line ends, or empty lines.
    rows = pl.DataFrame(pl.from_arrow(table)).rename(wanted)
    place = pl.int_range(first_row, first_row + lines, eager=True)
    if invalid:
        place = place.filter(~place.is_in([first_row + line.number - 1 for line in invalid]))
    malformed = (
        Malformed(first_row + line.number - 1, line.text, _width(line.expected_columns, line.actual_columns))
        for line in invalid
    )
    return Block(rows.with_columns(place.alias(ROW)), tuple(malformed))


def _csv_slow(
    block: bytes, names: list[str], wanted: dict[str, str], file: SourceFile, spec: Files, first_row: int
) -> Block:
    malformed: list[Malformed] = []
    cells: list[list[str]] = []
    places: list[int] = []
    for row, record in enumerate(_csv_records(block, len(names), delimiter(file.name, spec), spec), first_row):
        if isinstance(record, list):
            cells.append(record)
            places.append(row)
        else:
            malformed.append(Malformed(row, *record))
    indexes = {new: names.index(old) for old, new in wanted.items()}
    data = {new: pl.Series(new, [record[i] for record in cells], pl.String) for new, i in indexes.items()}
    return Block(pl.DataFrame({**data, ROW: pl.Series(ROW, places, pl.Int64)}), tuple(malformed))


def _csv_records(block: bytes, width: int, separator: str, spec: Files) -> Iterator[list[str] | tuple[str, str]]:
    """Gives the cells of each record, or the line and what is wrong with it."""
    lines = block.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
    at = 0
    while at < len(lines):
        line, at = lines[at], at + 1
        if not line:
            continue
        cells, why = _csv_cells(line, separator, spec)
        taken = 0
        if cells is None and spec.quoting:
            # A quoted cell may go on for some lines. If its end does not come, or leaves another number of cells, only
            # the line it began on is bad: the others are read by themselves.
            for taken in range(1, min(_LINES_IN_A_RECORD, len(lines) - at) + 1):
                if '"' in lines[at + taken - 1]:
                    cells, _ = _csv_cells("\n".join((line, *lines[at : at + taken])), separator, spec)
                    if cells is not None:
                        break
        if cells is None:
            yield _printable(line), why
        elif len(cells) != width:
            yield _printable(line), _width(width, len(cells))
        elif not _has_utf8(cells):
            yield _printable(line), "not UTF-8"
        else:
            at += taken
            yield cells


def _csv_cells(text: str, separator: str, spec: Files) -> tuple[list[str] | None, str]:
    """Returns the cells of one record, or None and why."""
    try:
        return next(csv.reader((text,), delimiter=separator, quoting=_csv_quoting(spec), strict=True)), ""
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            return None, "a quote is not closed"
        if "\n" in text or "expected after" not in str(error):
            return None, str(error)
    # Text right after a closing quote, within the line: joined to the cell, as Arrow does.
    return next(csv.reader((text,), delimiter=separator, quoting=_csv_quoting(spec))), ""


def _width(expected: int, actual: int) -> str:
    return f"{actual} cells instead of {expected}"


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _has_utf8(cells: list[str]) -> bool:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return False
    return True


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _json_names(head: bytes) -> list[str]:
    names: dict[str, None] = {}
    for line in head.split(b"\n"):
        record = _json_object(line)
        if isinstance(record, dict):
            names.update(dict.fromkeys(record))
    return list(names)


def _read_jsonl(
    system: arrow_fs.FileSystem, file: SourceFile, spec: Files, columns: list[str], block_bytes: int
) -> Iterator[Block]:
    back = {new: old for old, new in spec.rename.items()}
    wanted = {back.get(column, column): column for column in columns}
    as_text: set[str] = set()  # Columns whose texts Arrow would take for times.
    row = 1
    with system.open_input_stream(file.path) as source:
        for block in _blocks(source, block_bytes, None):
            parsed = _json_fast(block, wanted, as_text, row) or _json_slow(block, wanted, row)
            row += len(parsed.rows) + len(parsed.malformed)
            yield parsed


def _json_fast(block: bytes, wanted: dict[str, str], as_text: set[str], first_row: int) -> Block | None:
    """Parses a block at once; None where it takes a closer look. Adds to `as_text`."""
    if not _is_utf8(block):
        return None
    try:
        table = _json_table(block, as_text)
        times = {field.name for field in table.schema if field.name in wanted and _holds_times(field.type)}
        if times:
            as_text |= times
            table = _json_table(block, as_text)
        frame = pl.DataFrame(pl.from_arrow(table.select([name for name in wanted if name in table.column_names])))
    except (pa.ArrowException, UnicodeDecodeError, pl.exceptions.PolarsError):
        return None
    if table.num_rows != block.count(b"\n") + (not block.endswith(b"\n")):
        return None  # Empty lines, or objects that take several lines.
    exact = (_exact(frame.get_column(name)) for name in frame.columns)
    if not all(exact):
        return None
    texts = {new: _texts(frame, old, table.num_rows) for old, new in wanted.items()}
    if any(text is None for text in texts.values()):
        return None
    place = pl.int_range(first_row, first_row + table.num_rows, eager=True)
    return Block(pl.DataFrame({**texts, ROW: place}))


def _json_table(block: bytes, as_text: set[str]) -> pa.Table:
    return arrow_json.read_json(
        pa.BufferReader(block),
        read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(block) + 1),
        parse_options=arrow_json.ParseOptions(
            explicit_schema=pa.schema([(name, pa.string()) for name in sorted(as_text)])
        ),
    )


def _holds_times(dtype: pa.DataType) -> bool:
    return pa.types.is_timestamp(dtype)


def _exact(column: pl.Series) -> bool:
    """Whether Arrow's reading kept every number: it turns whole ones beyond 64 bits into doubles."""
    values = column.explode() if column.dtype == pl.List else column
    if not values.dtype.is_float():
        return True
    return not (values.abs() >= _EXACT_IN_DOUBLE).any()


def _texts(frame: pl.DataFrame, name: str, rows: int) -> pl.Series | None:
    """Returns a column as text or lists of text; None for what is neither a scalar nor a list of scalars."""
    if name not in frame.columns:
        return pl.Series(name, [""], pl.String).new_from_index(0, rows)
    column = frame.get_column(name)
    dtype = column.dtype
    if isinstance(dtype, pl.List):
        inner = dtype.inner
        if isinstance(inner, pl.List | pl.Struct | pl.Array | pl.Datetime | pl.Object):
            return None
        return column.list.eval(_scalar_text(pl.element(), inner).drop_nulls())
    if isinstance(dtype, pl.Struct | pl.Array | pl.Object):
        return None
    return frame.select(_scalar_text(pl.col(name), dtype).fill_null("")).to_series()


def _scalar_text(value: pl.Expr, dtype: Any) -> pl.Expr:
    """Writes whole numbers without a point, so that 5 and 5.0 are the same id."""
    if dtype.is_float():
        whole = value.is_finite() & (value == value.round()) & (value.abs() < _EXACT_IN_DOUBLE)
        return pl.when(whole).then(value.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(value.cast(pl.String))
    return value.cast(pl.String)


def _json_slow(block: bytes, wanted: dict[str, str], first_row: int) -> Block:
    cells: dict[str, list[Any]] = {old: [] for old in wanted}
    places: list[int] = []
    malformed: list[Malformed] = []
    row = first_row
    for line in block.split(b"\n"):
        if not line.strip():
            continue
        record = _json_object(line)
        if isinstance(record, dict):
            try:
                values = [_json_cell(record.get(old), old) for old in wanted]
            except ValueError as error:
                record = str(error)
        if isinstance(record, str):
            malformed.append(Malformed(row, line.rstrip(b"\r").decode("utf-8", "backslashreplace"), record))
        else:
            places.append(row)
            for old, value in zip(wanted, values, strict=True):
                cells[old].append(value)
        row += 1
    data = {new: _json_column(new, cells[old]) for old, new in wanted.items()}
    return Block(pl.DataFrame({**data, ROW: pl.Series(ROW, places, pl.Int64)}), tuple(malformed))


def _json_object(line: bytes) -> dict[str, Any] | str:
    """Returns the object on a line, or what is wrong with it."""
    try:
        record = json.loads(line)
    except UnicodeDecodeError:
        return "not UTF-8"
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    return record if isinstance(record, dict) else "JSON, but not an object"


def _json_cell(value: Any, name: str) -> str | list[str]:
    if isinstance(value, list):
        texts = [_json_cell(item, name) for item in value if item is not None]
        if any(isinstance(text, list) for text in texts):
            raise ValueError(f"'{name}' is a list of lists")
        return texts  # type: ignore[return-value]
    if isinstance(value, dict):
        raise ValueError(f"'{name}' is an object; a cell is a value or a list of values")
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_IN_DOUBLE:
        return str(int(value))
    text = str(value)
    if not _has_utf8([text]):
        raise ValueError(f"'{name}' holds half of a surrogate pair, which no text may")
    return text


def _json_column(name: str, values: list[Any]) -> pl.Series:
    if any(isinstance(value, list) for value in values):
        lists = [value if isinstance(value, list) else [value] if value else [] for value in values]
        return pl.Series(name, lists, pl.List(pl.String))
    return pl.Series(name, values, pl.String)


def _read_parquet(
    system: arrow_fs.FileSystem, file: SourceFile, spec: Files, columns: list[str], block_bytes: int
) -> Iterator[Block]:
    with system.open_input_file(file.path) as source:
        parquet = arrow_parquet.ParquetFile(source)
        wanted = _in_file(columns, parquet.schema_arrow.names, file, spec)
        # Some hundred bytes a row is what logs have; the size of a batch need not be exact.
        rows_at_once = max(1024, block_bytes // 128)
        row = 1
        for batch in parquet.iter_batches(batch_size=rows_at_once, columns=list(wanted), use_threads=False):
            yield Block(_parquet_rows(batch, wanted, file, row))
            row += batch.num_rows


def _parquet_rows(batch: pa.RecordBatch, wanted: dict[str, str], file: SourceFile, first_row: int) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {}
    frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
    for old, new in wanted.items():
        try:
            text = _texts(frame, old, batch.num_rows)
        except pl.exceptions.PolarsError as error:
            raise LogsError(f"{file.name}: column '{old}' cannot be read as text: {error}") from error
        if text is None:
            raise LogsError(
                f"{file.name}: column '{old}' is of the type {batch.schema.field(old).type}; "
                "a column holds values or lists of values"
            )
        columns[new] = text
    return pl.DataFrame({**columns, ROW: pl.int_range(first_row, first_row + batch.num_rows, eager=True)})
