"""What a first row that lacks columns looks like: no header, another delimiter, another name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tandem.validation.words import closest

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tandem.components.log_example_gen.readers.dialects import Dialect

_DELIMITERS = ("::", "||", "\t", ";", "|", ",", "\x01")
# Numbers, dates and times, hashes.
_DATA = re.compile(
    r"\s*(?:[-+]?\d+(?:[.,]\d+)*(?:[eE][-+]?\d+)?|\d{4}[-/]\d{1,2}[-/]\d{1,2}.*|[0-9a-fA-F-]*\d[0-9a-fA-F-]{7,})\s*"
)
_LONGEST = 200


def did_you_mean(missing: Collection[str], names: Sequence[str]) -> str:
    """Returns a question that names the columns which are called nearly so; empty where none is."""
    alike = {name.strip().lower(): name for name in names}
    near = (closest(column.strip().lower(), alike) for column in missing)
    close = [alike[name] for name in near if name is not None]
    return f"; did you mean {', '.join(f'{name!r}' for name in dict.fromkeys(close))}?" if close else ""


def doubts(names: Sequence[str], dialect: Dialect) -> str:
    """Returns what to ask about the cells of a first row that was taken for a header; empty: it looks like one."""
    return delimiter_doubt(names, dialect) + _header_doubt(names, dialect)


def delimiter_doubt(names: Sequence[str], dialect: Dialect) -> str:
    """Returns what to ask about a row that seems to be a single cell, or of another encoding; empty: it does not."""
    if any("\0" in name for name in names):
        return "; it holds NUL bytes: is it UTF-16? Then say so with 'encoding'"
    if any("\ufffd" in name for name in names):
        return "; it is not UTF-8: say with 'encoding' what it is"
    if len(names) > 1:
        return ""
    others = [each for each in _DELIMITERS if each != dialect.delimiter and each in names[0]]
    return f"; is the delimiter {others[0]!r}? Then say so with 'delimiter'" if others else ""


def _header_doubt(names: Sequence[str], dialect: Dialect) -> str:
    data = [name for name in names if _DATA.fullmatch(name)]
    empty_or_repeated = sum(not name.strip() or names.count(name) > 1 for name in names)
    if not data and empty_or_repeated < max(2, len(names) / 2):
        return ""
    row = dialect.delimiter.join(names)
    shown = row if len(row) <= _LONGEST else f"{row[:_LONGEST]}..."
    return f"; no header? Then name the columns with 'columns'. The first row is: {shown}"
