"""What a text file of rows looks like: what stands between the cells, and whether the first row names them.

Pure: the beginning of a file in, as text.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass

from tandem.components.log_example_gen.settings.files import NULL_WORDS

DELIMITERS = ("\x01", "\t", "::", "||", "|", ";", ",")
"""In the order in which they are looked for: a comma also stands in texts."""

_ROWS = 200
_NO_VALUE = frozenset({"", *NULL_WORDS})
# Numbers, dates and times, hashes: what is seldom the name of a column.
_DATA = re.compile(
    r"\s*(?:[-+]?\d+(?:[.,:/-]\d+)*(?:[eE][-+]?\d+)?|\d{4}[-/]\d{1,2}[-/]\d{1,2}.*|[0-9a-fA-F-]*\d[0-9a-fA-F-]{7,})\s*"
)


@dataclass(frozen=True)
class Shape:
    """How the rows of a file are written.

    Attributes:
      delimiter: Between cells.
      width: How many cells a row has.
      header: Whether the first row names the columns.
    """

    delimiter: str
    width: int
    header: bool


def shape_of(head: str, usual: str | None = None) -> Shape | None:
    """Looks at the beginning of a file.

    Args:
      head: Whole lines; the last may be cut.
      usual: The delimiter that the file's name speaks of; it is preferred.

    Returns:
      None where rows have no cells in common.
    """
    lines = [line for line in head.split("\n")[:_ROWS] if line.strip("\r")]
    if len(lines) > 1 and not head.endswith("\n"):
        lines.pop()  # It may be cut.
    order = [*([usual] if usual else []), *(each for each in DELIMITERS if each != usual)]
    found = [(delimiter, width) for delimiter in order if (width := _width(lines, delimiter)) > 1]
    if not found:
        return None
    delimiter, width = found[0]
    rows = [cells for line in lines if len(cells := _cells(line, delimiter)) == width]
    return Shape(delimiter, width, _names_columns(rows))


def _width(lines: list[str], delimiter: str) -> int:
    """Returns the number of cells that nearly all rows have; 1 where they do not agree."""
    counted = Counter(len(_cells(line, delimiter)) for line in lines)
    if not counted:
        return 1
    width, rows = counted.most_common(1)[0]
    # A header has the delimiter, too; commas of numbers it has not.
    return width if rows >= 0.9 * len(lines) and len(_cells(lines[0], delimiter)) == width else 1


def _cells(line: str, delimiter: str) -> list[str]:
    line = line.rstrip("\r")
    if len(delimiter) > 1 or line.count('"') % 2:
        return line.split(delimiter)
    return next(csv.reader([line], delimiter=delimiter), [])


def _names_columns(rows: list[list[str]]) -> bool:
    """Whether the first row is unlike the others: words stand above numbers, and nothing in it is a value."""
    first, others = rows[0], rows[1:]
    values = sum(bool(_DATA.fullmatch(cell)) or cell.strip() in _NO_VALUE for cell in first)
    above = 0
    for cell, column in zip(first, zip(*others, strict=True), strict=True):
        word = bool(cell.strip()) and not _DATA.fullmatch(cell) and cell.strip() not in _NO_VALUE
        filled = [each for each in column if each.strip()]
        above += word and bool(filled) and sum(bool(_DATA.fullmatch(each)) for each in filled) >= 0.95 * len(filled)
    if above and (above > 1 or not values):
        return True  # Where names are numbers, too, one word may be chance.
    empty_or_repeated = sum(not cell.strip() or first.count(cell) > 1 for cell in first)
    return not values and empty_or_repeated < 2
