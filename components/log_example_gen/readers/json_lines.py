"""JSON lines: an object per line, whose values are cells or lists of cells.

Arrow parses a block at once; only a block in which it meets something odd (a line that is no object, an id too long for
a double) is gone through line by line.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
from pyarrow import json as arrow_json

from tandem.components.log_example_gen.readers.block import BLOCK_BYTES, ROW, Block, Malformed, Reader
from tandem.components.log_example_gen.readers.cells import EXACT_IN_DOUBLE, texts
from tandem.components.log_example_gen.readers.lines import cut, has_utf8, is_utf8
from tandem.components.log_example_gen.readers.nulls import null_words, without_nulls
from tandem.components.log_example_gen.readers.text import open_text
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.settings.files import Files
    from tandem.components.log_example_gen.sources import SourceFile

_PEEK_BYTES = 4 << 20
_BEGINNING = 4 << 10
_ROWS_OF_ARROW = 100_000


def _names(system: AbstractFileSystem, file: SourceFile, spec: Files) -> Sequence[str]:
    with open_text(system, file, spec) as source:
        _check_lines(source.peek(_BEGINNING), file)
        return _names_in(next(cut(source, _PEEK_BYTES), b""))


def _mentioned(system: AbstractFileSystem, file: SourceFile, spec: Files, names: Collection[str]) -> set[str]:
    """Returns which fields a file speaks of, wherever in it: by their names in quotes, without parsing."""
    written = {name: {json.dumps(name).encode(), json.dumps(name, ensure_ascii=False).encode()} for name in names}
    found: set[str] = set()
    with open_text(system, file, spec) as source:
        for block in cut(source, BLOCK_BYTES):
            found |= {name for name in written.keys() - found if any(text in block for text in written[name])}
            if len(found) == len(written):
                break
    return found


def _check_lines(head: bytes, file: SourceFile) -> None:
    """Looks whether a file begins with an array of objects rather than with an object.

    Raises:
      LogsError: It does.
    """
    if re.match(rb"\s*\[\s*(?:\{|\]\s*$)", head):
        raise LogsError(
            f"{file.name} is one JSON array; JSON lines have an object per line, without brackets and commas around "
            "them (`jq -c '.[]' FILE` writes such)"
        )


def _names_in(head: bytes) -> list[str]:
    names: dict[str, None] = {}
    for line in head.split(b"\n"):
        record = _object(line)
        if isinstance(record, dict):
            names.update(dict.fromkeys(record))
    return list(names)


def _read(
    system: AbstractFileSystem, file: SourceFile, spec: Files, columns: Sequence[str], block_bytes: int
) -> Iterator[Block]:
    back = {new: old for old, new in spec.rename.items()}
    wanted = {back.get(column, column): column for column in columns}
    words = null_words(spec, columns)
    as_text: set[str] = set()  # Columns whose texts Arrow would take for times.
    row = 1
    with open_text(system, file, spec) as source:
        _check_lines(source.peek(_BEGINNING), file)
        for block in cut(source, block_bytes):
            parsed = _fast(block, wanted, words, as_text, row) or _slow(block, wanted, words, row)
            row += len(parsed.rows) + len(parsed.malformed)
            yield parsed


def _fast(
    block: bytes, wanted: dict[str, str], words: Mapping[str, Sequence[str]], as_text: set[str], first_row: int
) -> Block | None:
    """Parses a block at once; None where it takes a closer look. Adds to `as_text`."""
    if not is_utf8(block):
        return None
    try:
        table = _table(block, as_text)
        times = {field.name for field in table.schema if field.name in wanted and pa.types.is_timestamp(field.type)}
        if times:
            as_text |= times
            table = _table(block, as_text)
        frame = pl.DataFrame(pl.from_arrow(table.select([name for name in wanted if name in table.column_names])))
    except (pa.ArrowException, UnicodeDecodeError, pl.exceptions.PolarsError):
        return None
    if table.num_rows != block.count(b"\n") + (not block.endswith(b"\n")):
        return None  # Empty lines, or objects that take several lines.
    if not all(_exact(column) for column in frame.iter_columns()):
        return None
    cells = {new: texts(frame, old, table.num_rows, words[new]) for old, new in wanted.items()}
    if any(column is None for column in cells.values()):
        return None
    place = pl.int_range(first_row, first_row + table.num_rows, eager=True)
    return Block(pl.DataFrame({**cells, ROW: place}))


def _table(block: bytes, as_text: set[str]) -> pa.Table:
    rows = block.count(b"\n")
    # Arrow takes so many rows at once and no more; of a longer block it takes pieces of half as many, more or less.
    piece = len(block) + 1 if rows < _ROWS_OF_ARROW else len(block) * (_ROWS_OF_ARROW // 2) // rows
    return arrow_json.read_json(
        pa.BufferReader(block),
        read_options=arrow_json.ReadOptions(use_threads=False, block_size=piece),
        parse_options=arrow_json.ParseOptions(
            explicit_schema=pa.schema([(name, pa.string()) for name in sorted(as_text)])
        ),
    )


def _exact(column: pl.Series) -> bool:
    """Whether Arrow's reading kept every number: it turns whole ones beyond 64 bits into doubles."""
    values = column.explode() if column.dtype == pl.List else column
    return not values.dtype.is_float() or not bool((values.abs() >= EXACT_IN_DOUBLE).any())


def _slow(block: bytes, wanted: dict[str, str], words: Mapping[str, Sequence[str]], first_row: int) -> Block:
    cells: dict[str, list[Any]] = {old: [] for old in wanted}
    places: list[int] = []
    malformed: list[Malformed] = []
    row = first_row
    for line in block.split(b"\n"):
        if not line.strip():
            continue
        record = _object(line)
        if isinstance(record, dict):
            try:
                values = [_cell(record.get(old), old) for old in wanted]
            except ValueError as error:
                record = str(error)
        if isinstance(record, str):
            malformed.append(Malformed(row, line.rstrip(b"\r").decode("utf-8", "backslashreplace"), record))
        else:
            places.append(row)
            for old, value in zip(wanted, values, strict=True):
                cells[old].append(value)
        row += 1
    data = {new: _column(new, cells[old]) for old, new in wanted.items()}
    rows = without_nulls(pl.DataFrame(data), words)
    return Block(rows.with_columns(pl.Series(ROW, places, pl.Int64)), tuple(malformed))


def _object(line: bytes) -> dict[str, Any] | str:
    """Returns the object on a line, or what is wrong with it."""
    try:
        record = json.loads(line)
    except UnicodeDecodeError:
        return "not UTF-8"
    except (ValueError, RecursionError) as error:
        return f"no JSON: {error}"
    return record if isinstance(record, dict) else "JSON, but not an object"


def _cell(value: Any, name: str) -> str | list[str]:
    if isinstance(value, list):
        if any(isinstance(item, list) for item in value):
            raise ValueError(f"'{name}' is a list of lists")
        return [_scalar(item, name) for item in value]
    return _scalar(value, name)


def _scalar(value: Any, name: str) -> str:
    if isinstance(value, dict):
        raise ValueError(f"'{name}' is an object; a cell is a value or a list of values")
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_IN_DOUBLE:
        return str(int(value))
    text = str(value)
    if not has_utf8([text]):
        raise ValueError(f"'{name}' holds half of a surrogate pair, which no text may")
    return text


def _column(name: str, values: list[Any]) -> pl.Series:
    if any(isinstance(value, list) for value in values):
        lists = [value if isinstance(value, list) else [value] if value else [] for value in values]
        return pl.Series(name, lists, pl.List(pl.String))
    return pl.Series(name, values, pl.String)


JSON_LINES = Reader(name="jsonl", endings=(".jsonl", ".ndjson"), names=_names, read=_read, mentioned=_mentioned)
