"""Text files as streams of UTF-8 with line ends that can be cut at: unpacked, recoded, without a byte-order mark.

What is UTF-8 already, as most logs are, passes through as it is.
"""

from __future__ import annotations

import codecs
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tandem.components.log_example_gen.readers.packed import open_unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.readers.lines import Bytes
    from tandem.components.log_example_gen.settings.files import Files
    from tandem.components.log_example_gen.sources import SourceFile

_LOOK_AT = 64 << 10  # Of the beginning, to tell the encoding and the line ends.
_MARKS = {  # The longer ones first: UTF-16's is the beginning of one of UTF-32's.
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_UNDECODABLE = "tandem.undecodable"
_NO_UTF8 = "\udcff"  # Becomes a byte that no UTF-8 has, so that the row is found to be malformed.


def _keep_undecodable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return _NO_UTF8, error.end


codecs.register_error(_UNDECODABLE, _keep_undecodable)


class Peekable:
    """A stream whose beginning can be looked at before it is read."""

    def __init__(self, source: Bytes):
        self._source = source
        self._head = b""

    def peek(self, size: int) -> bytes:
        """Returns the next bytes, and leaves them where they are; fewer than `size` only at the end."""
        while len(self._head) < size and (more := self._source.read(size - len(self._head))):
            self._head += more
        return self._head[:size]

    def skip(self, size: int) -> None:
        """Leaves out bytes that were looked at."""
        self._head = self._head[size:]

    def read(self, size: int, /) -> bytes:
        """Returns the next bytes; none at the end alone."""
        if not self._head:
            return self._source.read(size)
        head, self._head = self._head[:size], self._head[size:]
        return head + self._source.read(size - len(head)) if len(head) < size else head


class _Recoded:
    """A stream of another encoding as UTF-8."""

    def __init__(self, source: Bytes, encoding: str):
        self._source = source
        self._decoder = codecs.getincrementaldecoder(encoding)(_UNDECODABLE)
        self._ended = False

    def read(self, size: int, /) -> bytes:
        while not self._ended:
            chunk = self._source.read(size)
            self._ended = not chunk
            if text := self._decoder.decode(chunk, final=self._ended):
                return text.encode("utf-8", "surrogateescape")
        return b""


class _WithLineFeeds:
    """A stream in which carriage returns end the lines, with line feeds instead."""

    def __init__(self, source: Bytes):
        self._source = source

    def read(self, size: int, /) -> bytes:
        return self._source.read(size).replace(b"\r", b"\n")


@contextmanager
def open_text(system: AbstractFileSystem, file: SourceFile, spec: Files) -> Iterator[Peekable]:
    """Opens a text file for reading from its beginning on.

    What cannot be decoded becomes a byte that is no UTF-8 either. Carriage returns that stand alone (old Macs) become
    line feeds where the beginning of the file has no others.
    """
    with open_unpacked(system, file) as unpacked:
        source = Peekable(unpacked)
        encoding = _encoding(source.peek(_LOOK_AT), spec)
        if encoding is not None:
            source = Peekable(_Recoded(source, encoding))
        head = source.peek(_LOOK_AT)
        if head.startswith(codecs.BOM_UTF8):
            source.skip(len(codecs.BOM_UTF8))
        if b"\r" in head.rstrip(b"\r") and b"\n" not in head:
            source = Peekable(_WithLineFeeds(source))
        yield source


def _encoding(head: bytes, spec: Files) -> str | None:
    """Returns what a file has to be decoded by, None for UTF-8."""
    if spec.encoding is not None:
        name = codecs.lookup(spec.encoding).name
        return None if name in ("utf-8", "utf-8-sig", "ascii") else name
    return next((encoding for mark, encoding in _MARKS.items() if head.startswith(mark)), None)
