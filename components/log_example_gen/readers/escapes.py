r"""Quotes within quoted cells that are escaped (`\"`) become doubled ones (`""`), as the parsers want them."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tandem.components.log_example_gen.readers.dialects import Dialect
    from tandem.components.log_example_gen.readers.lines import Bytes

USUAL = "\\"


class Unescaped:
    """A stream in which quotes are doubled instead of escaped."""

    def __init__(self, source: Bytes, escape: str):
        self._source = source
        self._escape = escape.encode()
        self._held = b""  # What may stand before a quote that has not been read yet.

    def read(self, size: int, /) -> bytes:
        """Returns the next bytes; none at the end alone."""
        while chunk := self._source.read(size):
            text = self._held + chunk
            whole = text.rstrip(self._escape)
            self._held = text[len(whole) :]
            if whole:
                return with_doubled_quotes(whole, self._escape)
        rest, self._held = self._held, b""
        return rest


def with_doubled_quotes(text: bytes, escape: bytes) -> bytes:
    """Doubles escaped quotes, and halves the escapes before them: each two stand for one character."""
    if escape + b'"' not in text:
        return text
    if escape * 2 + b'"' not in text:
        return text.replace(escape + b'"', b'""')

    def quoted(found: re.Match[bytes]) -> bytes:
        literal, odd = divmod(len(found[1]), 2)
        return escape * literal + (b'""' if odd else b'"')

    return re.sub(b"(" + re.escape(escape) + b'+)"', quoted, text)


def suspected(why: str, line: str) -> str:
    """Returns why a line is malformed, with a question where it has an escaped quote."""
    return f"{why}; is {USUAL} the 'escape'?" if f'{USUAL}"' in line else why


def guessed_escape(head: bytes, width: int, dialect: Dialect) -> str | None:
    """Returns a backslash where it makes sense of rows that else are odd, None where nothing speaks for it.

    Args:
      head: The first lines of a file.
      width: How many cells a row has.
      dialect: With a delimiter of one byte.
    """
    escape = USUAL.encode()
    lines = [line.rstrip(b"\r") for line in head.split(b"\n")[:-1] if escape + b'"' in line]
    as_they_are = sum(_is_odd(line, width, dialect) for line in lines)
    escaped = sum(_is_odd(with_doubled_quotes(line, escape), width, dialect) for line in lines)
    return USUAL if escaped < as_they_are else None


def _is_odd(line: bytes, width: int, dialect: Dialect) -> bool:
    """Whether a line has another number of cells, or goes on after a closing quote."""
    text = line.decode("utf-8", "replace").replace("\0", "")
    try:
        cells = next(csv.reader((text,), delimiter=dialect.delimiter, quoting=dialect.quoting, strict=True))
    except csv.Error:
        return True
    return len(cells) != width
