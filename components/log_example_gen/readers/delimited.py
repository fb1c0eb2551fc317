"""CSV and TSV.

Arrow parses a block at once; only a block in which it meets something odd (a line of another width, a quote that is not
closed, bytes that are no UTF-8) is gone through line by line.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import polars as pl
import pyarrow as pa
from pyarrow import csv as arrow_csv

from tandem.components.log_example_gen.readers.block import PACKED, ROW, Block, Malformed, Reader, in_file, open_stream
from tandem.components.log_example_gen.readers.lines import cut, has_utf8, is_utf8
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.settings import Files
    from tandem.components.log_example_gen.sources import SourceFile

_PEEK_BYTES = 4 << 20
# A quoted cell with more line ends than this is taken for a quote that was never closed.
_LINES_IN_A_RECORD = 1000


@dataclass(frozen=True)
class _Dialect:
    """What stands between two cells, and what may stand around one (None: nothing)."""

    delimiter: str
    quote: str | None

    @classmethod
    def of(cls, file: SourceFile, spec: Files) -> _Dialect:
        usual = "\t" if file.name.removesuffix(PACKED).endswith(".tsv") else ","
        return cls(spec.delimiter or usual, '"' if spec.quoting else None)

    @property
    def quoting(self) -> Literal[0, 3]:
        return csv.QUOTE_NONE if self.quote is None else csv.QUOTE_MINIMAL


def _names(system: AbstractFileSystem, file: SourceFile, spec: Files) -> Sequence[str]:
    dialect = _Dialect.of(file, spec)
    with open_stream(system, file) as source:
        return _header(next(cut(source, _PEEK_BYTES, dialect.quote), b""), file, dialect)[0]


def _read(
    system: AbstractFileSystem, file: SourceFile, spec: Files, columns: Sequence[str], block_bytes: int
) -> Iterator[Block]:
    dialect = _Dialect.of(file, spec)
    with open_stream(system, file) as source:
        names: list[str] = []
        wanted: dict[str, str] = {}
        row = 1
        for block in cut(source, block_bytes, dialect.quote):
            if not names:
                names, taken = _header(block, file, dialect)
                wanted = in_file(columns, names, file, spec)
                block = block[taken:]
            if not block.strip(b"\r\n"):
                continue
            parsed = _fast(block, names, wanted, dialect, row) or _slow(block, names, wanted, dialect, row)
            row += len(parsed.rows) + len(parsed.malformed)
            yield parsed
        if not names:
            raise LogsError(f"{file.name} is empty: it has not even a header")


def _fast(block: bytes, names: list[str], wanted: dict[str, str], dialect: _Dialect, first_row: int) -> Block | None:
    """Parses a block at once; None where it takes a closer look."""
    if (dialect.quote is not None and block.count(dialect.quote.encode()) % 2) or not is_utf8(block):
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
                delimiter=dialect.delimiter,
                quote_char=dialect.quote or False,
                newlines_in_values=dialect.quote is not None,
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


def _slow(block: bytes, names: list[str], wanted: dict[str, str], dialect: _Dialect, first_row: int) -> Block:
    malformed: list[Malformed] = []
    cells: list[list[str]] = []
    places: list[int] = []
    for row, record in enumerate(_records(block, len(names), dialect), first_row):
        if isinstance(record, list):
            cells.append(record)
            places.append(row)
        else:
            malformed.append(Malformed(row, *record))
    indexes = {new: names.index(old) for old, new in wanted.items()}
    data = {new: pl.Series(new, [record[i] for record in cells], pl.String) for new, i in indexes.items()}
    return Block(pl.DataFrame({**data, ROW: pl.Series(ROW, places, pl.Int64)}), tuple(malformed))


def _records(block: bytes, width: int, dialect: _Dialect) -> Iterator[list[str] | tuple[str, str]]:
    """Gives the cells of each record, or the line and what is wrong with it."""
    lines = block.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
    at = 0
    while at < len(lines):
        line, at = lines[at], at + 1
        if not line:
            continue
        cells, why = _cells(line, dialect)
        taken = 0
        if cells is None and dialect.quote is not None:
            # A quoted cell may go on for some lines. If its end does not come, or leaves another number of cells, only
            # the line it began on is bad: the others are read by themselves.
            for taken in range(1, min(_LINES_IN_A_RECORD, len(lines) - at) + 1):
                if dialect.quote in lines[at + taken - 1]:
                    cells, _ = _cells("\n".join((line, *lines[at : at + taken])), dialect)
                    if cells is not None:
                        break
        if cells is None:
            yield _printable(line), why
        elif len(cells) != width:
            yield _printable(line), _width(width, len(cells))
        elif not has_utf8(cells):
            yield _printable(line), "not UTF-8"
        else:
            at += taken
            yield cells


def _cells(text: str, dialect: _Dialect) -> tuple[list[str] | None, str]:
    """Returns the cells of one record, or None and why."""
    try:
        return next(csv.reader((text,), delimiter=dialect.delimiter, quoting=dialect.quoting, strict=True)), ""
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            return None, "a quote is not closed"
        if "\n" in text or "expected after" not in str(error):
            return None, str(error)
    # Text right after a closing quote, within the line: joined to the cell, as Arrow does.
    return next(csv.reader((text,), delimiter=dialect.delimiter, quoting=dialect.quoting)), ""


def _width(expected: int, actual: int) -> str:
    return f"{actual} cells instead of {expected}"


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _header(head: bytes, file: SourceFile, dialect: _Dialect) -> tuple[list[str], int]:
    """Returns the column names of a CSV file and the number of bytes that they take."""
    text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    lines = io.StringIO(text, newline="")
    names = next(csv.reader(lines, delimiter=dialect.delimiter, quoting=dialect.quoting), [])
    if not names:
        raise LogsError(f"{file.name} is empty: it has not even a header")
    taken = len(text[: lines.tell()].encode()) + len(head) - len(head.removeprefix(b"\xef\xbb\xbf"))
    return names, taken


DELIMITED = Reader(name="csv", endings=(".csv", ".tsv"), names=_names, read=_read)
