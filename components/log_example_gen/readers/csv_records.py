"""CSV line by line: slow, and exact about which lines are bad and why."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from tandem.components.log_example_gen.readers.lines import LARGEST_RECORD, has_utf8

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tandem.components.log_example_gen.readers.dialects import Dialect

# A quoted cell with more line ends than this is taken for a quote that was never closed.
_LINES_IN_A_RECORD = 1000

csv.field_size_limit(LARGEST_RECORD)  # Python's own limit, 128 KiB, would make sound rows malformed.


def records(block: bytes, width: int | None, dialect: Dialect) -> Iterator[list[str] | tuple[str, str]]:
    """Gives the cells of each record, or the line and what is wrong with it.

    Args:
      block: Lines.
      width: How many cells a record has; None: any number.
      dialect: With a delimiter of one byte.
    """
    lines = block.decode("utf-8", "surrogateescape").replace("\r\n", "\n").split("\n")
    at = 0
    while at < len(lines):
        line, at = lines[at], at + 1
        if not line:
            continue
        if "\0" in line:
            yield _printable(line), "holds a NUL byte"
            continue
        cells, why = _cells(line, dialect)
        taken = 0
        if cells is None and dialect.quote is not None:
            cells, taken = _over_lines(lines, at - 1, dialect.quote, dialect)
        if cells is None:
            yield _printable(line), why
        elif width is not None and len(cells) != width:
            yield _printable(line), wrong_width(width, len(cells))
        elif not has_utf8(cells):
            yield _printable(line), "not UTF-8"
        else:
            at += taken
            yield cells


def _over_lines(lines: list[str], first: int, quote: str, dialect: Dialect) -> tuple[list[str] | None, int]:
    """Reads a record whose quoted cell goes on for some lines; gives its cells, and how many more lines it takes.

    If its end does not come, or leaves another number of cells, only the line it began on is bad: the others are read
    by themselves.
    """
    for last in range(first + 1, min(first + _LINES_IN_A_RECORD, len(lines) - 1) + 1):
        if quote in lines[last]:
            cells, _ = _cells("\n".join(lines[first : last + 1]), dialect)
            if cells is not None:
                return cells, last - first
    return None, 0


def wrong_width(expected: int, actual: int) -> str:
    """Says what is wrong with a row of another width."""
    return f"{actual} cells instead of {expected}"


def _cells(text: str, dialect: Dialect) -> tuple[list[str] | None, str]:
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


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
