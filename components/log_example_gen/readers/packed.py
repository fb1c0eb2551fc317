"""Compressed files, told by their first bytes or by the ending of their name, as streams of what is in them."""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from tandem.components.log_example_gen.sources import LogsError, is_local

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.readers.lines import Bytes
    from tandem.components.log_example_gen.sources import SourceFile

# What stands at the beginning of each kind of compressed file.
_SIGNATURES = {
    ".gz": rb"\x1f\x8b",
    ".bz2": rb"BZh[1-9]1AY&SY",
    ".xz": rb"\xfd7zXZ\x00",
    ".zst": rb"\x28\xb5\x2f\xfd",
    ".zip": rb"PK\x03\x04",
}
_BY_ARROW = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}

PACKED = tuple(_SIGNATURES)
"""The endings of compressed files."""

UNREADABLE = (OSError, EOFError, pa.ArrowException, zipfile.BadZipFile, lzma.LZMAError, zlib.error)
"""What is raised while a file is read that is damaged or out of reach."""


def bare(name: str) -> str:
    """Returns a file's name without the ending that says how it is compressed."""
    return next((name.removesuffix(ending) for ending in PACKED if name.endswith(ending)), name)


def open_file(system: AbstractFileSystem, file: SourceFile) -> pa.NativeFile:
    """Opens a file as it is, for reading at any place."""
    if is_local(system):
        return pa.OSFile(file.path)
    return pa.PythonFile(system.open(file.path, "rb"), mode="r")


@contextmanager
def open_unpacked(system: AbstractFileSystem, file: SourceFile) -> Iterator[Bytes]:
    """Opens a file for reading from its beginning on, unpacked on the way.

    Raises:
      LogsError: An archive of several files, or one that needs a password.
    """
    with ExitStack() as stack:
        opened = stack.enter_context(open_file(system, file))
        ending = _packing(opened.read(16), file.name)
        opened.seek(0)
        if ending is None:
            yield opened
        elif ending in _BY_ARROW:
            yield stack.enter_context(pa.CompressedInputStream(opened, _BY_ARROW[ending]))
        elif ending == ".xz":
            yield stack.enter_context(lzma.open(cast("IO[bytes]", opened)))
        else:
            yield stack.enter_context(_only_member(stack.enter_context(zipfile.ZipFile(opened)), file))


def _packing(head: bytes, name: str) -> str | None:
    """Returns the ending of such files, None for what is not compressed."""
    by_bytes = (ending for ending, signature in _SIGNATURES.items() if re.match(signature, head, re.DOTALL))
    by_name = (ending for ending in PACKED if name.endswith(ending))
    return next(by_bytes, next(by_name, None)) if head else None


def _only_member(archive: zipfile.ZipFile, file: SourceFile) -> IO[bytes]:
    members = [
        member
        for member in archive.infolist()
        if not member.is_dir() and not any(part.startswith((".", "__MACOSX")) for part in member.filename.split("/"))
    ]
    if len(members) != 1:
        names = ", ".join(f"'{member.filename}'" for member in members) or "none"
        raise LogsError(f"{file.name} must hold one file, it holds {len(members)}: {names}; unpack it")
    try:
        return archive.open(members[0])
    except RuntimeError as error:  # a password
        raise LogsError(f"{file.name} cannot be unpacked: {error}") from error
