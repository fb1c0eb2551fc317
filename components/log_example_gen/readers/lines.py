"""Text files are cut into blocks at line ends, and are UTF-8 or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LARGEST_RECORD = 64 << 20


class Bytes(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Returns the next bytes, about so many; none at the end alone."""
        ...


def cut(source: Bytes, block_bytes: int, quote: str | None = None) -> Iterator[bytes]:
    """Cuts a stream at line ends, where a quote character is given at such as do not lie between two of them."""
    rest = b""
    while chunk := source.read(block_bytes):
        rest += chunk
        end = _last_record_end(rest, quote)
        if end == 0 and len(rest) >= max(LARGEST_RECORD, block_bytes):
            # Quotes are not balanced here: go by the line ends, and let the parser sort out the lines.
            end = rest.rfind(b"\n") + 1
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest


def _last_record_end(text: bytes, quote: str | None) -> int:
    end = text.rfind(b"\n") + 1
    if quote is not None and text.count(quote.encode(), 0, end) % 2:
        # An odd number of quotes: the last one opens a cell that goes on past the cut.
        end = text.rfind(b"\n", 0, text.rfind(quote.encode(), 0, end)) + 1
    return end


def is_utf8(text: bytes) -> bool:
    """Whether bytes are text."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def has_utf8(texts: Sequence[str]) -> bool:
    """Whether texts can be written as UTF-8: a half of a surrogate pair cannot."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True
