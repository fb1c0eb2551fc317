"""What a reader is and gives: blocks of rows, and lines that could not be read; and what all readers share.

Every cell comes out as text (`pl.String`, an absent one as the empty string), or as a list of texts where a format
knows lists. Which lines are bad does not depend on where the blocks were cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa

from tandem.components.log_example_gen.records import ROW
from tandem.components.log_example_gen.sources import LogsError, is_local

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    import polars as pl
    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.settings import Files
    from tandem.components.log_example_gen.sources import SourceFile

__all__ = ["ROW", "Block", "Malformed", "ReadBlocks", "Reader"]

BLOCK_BYTES = 32 << 20  # On Python 3.10 each call of Arrow's CSV reader costs 50 ms, whatever its size.
PACKED = ".gz"  # The ending of compressed files.


@dataclass(frozen=True)
class Malformed:
    """A line that could not be read: where it stands, what it says, what is wrong."""

    row: int
    text: str
    why: str


@dataclass(frozen=True)
class Block:
    """Rows of a file, one after the other.

    Attributes:
      rows: The columns asked for, as text or lists of text, and `ROW` (Int64).
      malformed: What stood between them and could not be read.
    """

    rows: pl.DataFrame
    malformed: tuple[Malformed, ...] = ()


class ReadBlocks(Protocol):
    """Reads some columns of a file, a block at a time."""

    def __call__(
        self, system: AbstractFileSystem, file: SourceFile, spec: Files, columns: Sequence[str], block_bytes: int
    ) -> Iterator[Block]:
        """Gives the blocks of a file.

        Args:
          system: Where the file lies.
          file: The file.
          spec: How it is read, and the renaming.
          columns: The columns wanted, by their names after the renaming.
          block_bytes: About how much (unpacked) text is parsed at once.

        Raises:
          LogsError: A column that the file does not have, or a file that is damaged as a whole.
        """
        ...


@dataclass(frozen=True)
class Reader:
    """A format of log files.

    Attributes:
      name: What `format` of the settings calls it.
      endings: Of the names of its files, each with its point.
      names: The columns of a file as they stand there, without reading all of it.
      read: The rows.
      compressible: Whether its files may end in `.gz` besides.
      compact: Whether the rows take several times the file's size once they are read.
      sparse: Whether a row may lack columns, so that one file does not tell which there are.
    """

    name: str
    endings: tuple[str, ...]
    names: Callable[[AbstractFileSystem, SourceFile, Files], Sequence[str]]
    read: ReadBlocks
    compressible: bool = True
    compact: bool = False
    sparse: bool = False


# --- Columns ---


def renamed(names: Sequence[str], file: SourceFile, spec: Files) -> tuple[str, ...]:
    """Returns the columns of a file by the names that they have from here on.

    Raises:
      LogsError: A name that comes twice.
    """
    new = tuple(spec.rename.get(name, name) for name in names)
    twice = sorted({name for name in new if new.count(name) > 1})
    if twice:
        raise LogsError(f"{file.name}: column names that come twice{' (once renamed)' if spec.rename else ''}: {twice}")
    return new


def in_file(columns: Sequence[str], names: Sequence[str], file: SourceFile, spec: Files) -> dict[str, str]:
    """Returns the wanted columns: name in the file -> name after the renaming.

    Raises:
      LogsError: A column that the file lacks.
    """
    there = dict(zip(renamed(names, file, spec), names, strict=True))
    missing = [column for column in columns if column not in there]
    if missing:
        raise LogsError(f"{file.name}: column {_quoted(missing)} is missing; the columns are {_quoted(there)}")
    return {there[column]: column for column in columns}


def _quoted(names: Collection[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


# --- Files ---


def open_file(system: AbstractFileSystem, file: SourceFile) -> pa.NativeFile:
    """Opens a file for reading at any place."""
    if is_local(system):
        return pa.OSFile(file.path)
    return pa.PythonFile(system.open(file.path, "rb"), mode="r")


def open_stream(system: AbstractFileSystem, file: SourceFile) -> pa.NativeFile:
    """Opens a file for reading from its beginning on; `.gz` is unpacked on the way."""
    opened = open_file(system, file)
    return pa.CompressedInputStream(opened, "gzip") if file.name.endswith(PACKED) else opened
