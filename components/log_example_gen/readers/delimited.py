"""CSV and TSV.

Arrow parses a block at once; only a block in which it meets something odd (a line of another width, a quote that is not
closed, bytes that are no UTF-8) is gone through line by line.
"""

from __future__ import annotations

import csv
import io
import logging
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
from pyarrow import csv as arrow_csv

from tandem.components.log_example_gen.readers.block import ROW, Block, Malformed, Reader, in_file
from tandem.components.log_example_gen.readers.csv_records import records, wrong_width
from tandem.components.log_example_gen.readers.dialects import Dialect
from tandem.components.log_example_gen.readers.doubts import delimiter_doubt, doubts
from tandem.components.log_example_gen.readers.escapes import Unescaped, guessed_escape, suspected
from tandem.components.log_example_gen.readers.lines import cut, is_utf8
from tandem.components.log_example_gen.readers.nulls import null_words, without_nulls
from tandem.components.log_example_gen.readers.text import open_text
from tandem.components.log_example_gen.records import REPEATED_HEADER
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.readers.lines import Bytes
    from tandem.components.log_example_gen.settings.files import Files
    from tandem.components.log_example_gen.sources import SourceFile

_LOG = logging.getLogger("tandem.ingest")
_PEEK_BYTES = 4 << 20
_GUESSED_FROM = 256 << 10
_COUNTED_ROWS = 1000
_HEADER_BYTES = 1 << 20  # More are looked at only where the first line is longer.
_NEARLY_ALL = 0.9


@dataclass(frozen=True)
class _Layout:
    """What the rows of a file are read by.

    Attributes:
      names: The columns of the file.
      wanted: Those asked for: name in the file -> name after the renaming.
      words: By name after the renaming, the texts that count as empty.
    """

    names: list[str]
    wanted: dict[str, str]
    words: Mapping[str, tuple[str, ...]]

    @property
    def common_words(self) -> tuple[str, ...] | None:
        """The words where they are those of all columns."""
        different = set(self.words.values())
        return different.pop() if len(different) == 1 else None


def _names(system: AbstractFileSystem, file: SourceFile, spec: Files) -> Sequence[str]:
    dialect = Dialect.of(file, spec)
    with _open(system, file, spec, dialect) as (source, _):
        block, plain = dialect.of_one_byte(next(cut(source, _PEEK_BYTES, dialect.quote), b""), file)
    if not spec.columns:
        return _header(block, file, plain)[0]
    _check_width(block, file, spec, plain)
    return spec.columns


def _read(
    system: AbstractFileSystem, file: SourceFile, spec: Files, columns: Sequence[str], block_bytes: int
) -> Iterator[Block]:
    dialect = Dialect.of(file, spec)
    with _open(system, file, spec, dialect) as (source, guessed):
        if guessed:
            _LOG.warning("%s: quotes are read as escaped by %s; 'escape' says so for all files", file.name, guessed)
        layout: _Layout | None = None
        row = 1
        for part in cut(source, block_bytes, dialect.quote):
            block, plain = dialect.of_one_byte(part, file)
            if layout is None:
                names, taken = (list(spec.columns), 0) if spec.columns else _header(block, file, plain)
                doubt = "" if spec.columns else doubts(names, dialect)
                layout = _Layout(names, in_file(columns, names, file, spec, doubt), null_words(spec, columns))
                block = block[taken:]
            if not block.strip(b"\r\n"):
                continue
            parsed = _fast(block, layout, plain, row) or _slow(block, layout, plain, row)
            row += len(parsed.rows) + len(parsed.malformed)
            yield parsed
        if layout is None:
            raise LogsError(f"{file.name} is empty: it has not even a header")


@contextmanager
def _open(
    system: AbstractFileSystem, file: SourceFile, spec: Files, dialect: Dialect
) -> Iterator[tuple[Bytes, str | None]]:
    """Opens a file whose quotes are not escaped, and says whether a character was guessed that escapes them."""
    with open_text(system, file, spec) as source:
        escape, guessed = spec.escape, None
        if escape is None and dialect.quote is not None:
            escape = guessed = _guessed(source.peek(_GUESSED_FROM), file, spec, dialect)
        yield (source if escape is None else Unescaped(source, escape)), guessed


def _guessed(head: bytes, file: SourceFile, spec: Files, dialect: Dialect) -> str | None:
    if b'\\"' not in head:
        return None
    head, plain = dialect.of_one_byte(head, file)
    width = len(spec.columns or _header(head, file, plain)[0])
    return guessed_escape(head, width, plain)


def _fast(block: bytes, layout: _Layout, dialect: Dialect, first_row: int) -> Block | None:
    """Parses a block at once; None where it takes a closer look."""
    quotes = 0 if dialect.quote is None else block.count(dialect.quote.encode())
    if quotes % 2 or b"\0" in block or not is_utf8(block):
        return None
    invalid: list[arrow_csv.InvalidRow] = []
    words = layout.common_words
    try:
        rows = _table(block, layout.names, list(layout.wanted), dialect, words or (), invalid)
        again = _headers_again(rows, block, layout, dialect)
    except pa.ArrowException:
        return None
    lines = block.count(b"\n") + (not block.endswith(b"\n"))
    if lines != len(rows) + len(invalid):
        return None  # Cells with line ends, or empty lines.
    rows = _filled(rows.rename(layout.wanted))
    if dialect.meant is not None and quotes:
        rows = rows.with_columns(pl.all().str.replace_all(dialect.delimiter, dialect.meant, literal=True))
    if words is None:
        rows = without_nulls(rows, layout.words)
    place = pl.int_range(first_row, first_row + lines, eager=True)
    if invalid:
        place = place.filter(~place.is_in([first_row + line.number - 1 for line in invalid]))
    rows = rows.with_columns(place.alias(ROW))
    bad = [
        Malformed(
            first_row + line.number - 1,
            dialect.as_written(line.text),
            suspected(wrong_width(line.expected_columns, line.actual_columns), line.text),
        )
        for line in invalid
    ]
    if again is not None:
        bad += [_header_again(layout, dialect, row) for row in place.filter(again)]
        rows = rows.filter(~again)
    return Block(rows, tuple(sorted(bad, key=lambda line: line.row)))


def _table(
    block: bytes,
    names: list[str],
    wanted: list[str],
    dialect: Dialect,
    words: Sequence[str] = (),
    invalid: list[arrow_csv.InvalidRow] | None = None,
) -> pl.DataFrame:
    """Parses lines: texts, null where they are one of the words."""

    def set_aside(line: arrow_csv.InvalidRow) -> str:
        if invalid is not None:
            invalid.append(line)
        return "skip"

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
            include_columns=wanted,
            column_types={name: pa.string() for name in names},
            check_utf8=False,
            strings_can_be_null=bool(words),
            null_values=words,
        ),
    )
    return pl.DataFrame(pl.from_arrow(table))


def _filled(rows: pl.DataFrame) -> pl.DataFrame:
    """Makes empty cells of those that Arrow found to mean that there is no value."""
    return rows.with_columns(column.fill_null("") for column in rows.iter_columns() if column.null_count())


def _headers_again(rows: pl.DataFrame, block: bytes, layout: _Layout, dialect: Dialect) -> pl.Series | None:
    """Returns which rows equal the names; None: none does."""
    if _equal_names(rows) is None:
        return None
    # All that is wanted equals; whether the rest does as well is worth a second look at the whole rows.
    return _equal_names(_table(block, layout.names, layout.names, dialect))


def _equal_names(rows: pl.DataFrame) -> pl.Series | None:
    equal: pl.Series | None = None
    for column in rows.iter_columns():
        same = column == column.name
        equal = same if equal is None else equal & same
        if not equal.any():
            return None
    return None if equal is None else equal.fill_null(False)


def _header_again(layout: _Layout, dialect: Dialect, row: int) -> Malformed:
    text = dialect.as_written(dialect.delimiter.join(layout.names))
    return Malformed(row, text, "the header again", REPEATED_HEADER)


def _slow(block: bytes, layout: _Layout, dialect: Dialect, first_row: int) -> Block:
    bad: list[Malformed] = []
    cells: list[list[str]] = []
    places: list[int] = []
    for row, record in enumerate(records(block, len(layout.names), dialect), first_row):
        if isinstance(record, tuple):
            bad.append(Malformed(row, dialect.as_written(record[0]), suspected(record[1], record[0])))
        elif record == layout.names:
            bad.append(_header_again(layout, dialect, row))
        else:
            cells.append(record)
            places.append(row)
    indexes = {new: layout.names.index(old) for old, new in layout.wanted.items()}
    data = {
        new: pl.Series(new, [dialect.as_written(record[i]) for record in cells], pl.String)
        for new, i in indexes.items()
    }
    rows = without_nulls(pl.DataFrame(data), layout.words)
    return Block(rows.with_columns(pl.Series(ROW, places, pl.Int64)), tuple(bad))


def _header(head: bytes, file: SourceFile, dialect: Dialect) -> tuple[list[str], int]:
    """Returns the column names of a CSV file and the number of bytes that they take."""
    some = head[:_HEADER_BYTES]
    text = (some if b"\n" in some else head).decode("utf-8", "surrogateescape")
    lines = io.StringIO(text, newline="")
    try:
        names = next(csv.reader(lines, delimiter=dialect.delimiter, quoting=dialect.quoting), [])
    except csv.Error as error:
        raise LogsError(
            f"{file.name}: the header cannot be read: {error}"
            + ("; is it UTF-16? Then say so with 'encoding'" if "\0" in text else "")
        ) from error
    if not names:
        raise LogsError(f"{file.name} is empty: it has not even a header")
    taken = len(text[: lines.tell()].encode("utf-8", "surrogateescape"))
    shown = (name.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for name in names)
    return [dialect.as_written(name) for name in shown], taken


def _check_width(head: bytes, file: SourceFile, spec: Files, dialect: Dialect) -> None:
    """Looks whether rows have as many cells as the settings name columns.

    Raises:
      LogsError: Nearly none has.
    """
    lines = head.split(b"\n", _COUNTED_ROWS)[:_COUNTED_ROWS]
    rows = [record for record in records(b"\n".join(lines), None, dialect) if isinstance(record, list)]
    widths = Counter(map(len, rows))
    if not rows or widths[len(spec.columns)] > len(rows) * (1 - _NEARLY_ALL):
        return
    width = widths.most_common(1)[0][0]
    row = next(row for row in rows if len(row) == width)
    raise LogsError(
        f"{file.name}: its rows have {width} cell{'s' if width != 1 else ''}, and 'columns' names {len(spec.columns)}; "
        f"the first row is: {dialect.as_written(dialect.delimiter.join(row))}{delimiter_doubt(row, dialect)}"
    )


DELIMITED = Reader(name="csv", endings=(".csv", ".tsv"), names=_names, read=_read, delimited=True)
