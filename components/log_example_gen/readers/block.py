"""What a reader is and gives: blocks of rows, and lines that could not be read; and what all readers share.

Every cell comes out as text (`pl.String`, an absent one as the empty string), or as a list of texts where a format
knows lists. Which lines are bad does not depend on where the blocks were cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from tandem.components.log_example_gen.readers.doubts import did_you_mean
from tandem.components.log_example_gen.records import MALFORMED, ROW, Reason
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    import polars as pl
    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.settings.files import Files
    from tandem.components.log_example_gen.sources import SourceFile

__all__ = ["ROW", "Block", "Malformed", "ReadBlocks", "Reader"]

BLOCK_BYTES = 32 << 20


@dataclass(frozen=True)
class Malformed:
    """A line that is no row: where it stands, what it says, what is wrong, and what that counts as."""

    row: int
    text: str
    why: str
    reason: Reason = MALFORMED


@dataclass(frozen=True)
class Block:
    """Rows of a file, one after the other.

    Attributes:
      rows: The columns asked for, as text or lists of text, and `ROW` (Int64).
      malformed: What stood between them and is no row.
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
      compressible: Whether its files may be compressed as a whole.
      compact: Whether the rows take several times the file's size once they are read.
      mentioned: Of a format whose rows may lack columns: which of some columns (by their names in the file) a file
        speaks of anywhere. None: each file says which columns it has.
      delimited: Whether the first row may be a header, or the settings name the columns and what stands between them.
    """

    name: str
    endings: tuple[str, ...]
    names: Callable[[AbstractFileSystem, SourceFile, Files], Sequence[str]]
    read: ReadBlocks
    compressible: bool = True
    compact: bool = False
    mentioned: Callable[[AbstractFileSystem, SourceFile, Files, Collection[str]], set[str]] | None = None
    delimited: bool = False

    @property
    def sparse(self) -> bool:
        """Whether a row may lack columns, so that one file does not tell which there are."""
        return self.mentioned is not None


# --- Columns ---


def renamed(names: Sequence[str], file: SourceFile, spec: Files, doubt: str = "") -> tuple[str, ...]:
    """Returns the columns of a file by the names that they have from here on.

    Args:
      names: As the file has them.
      file: The file.
      spec: The renaming.
      doubt: What to ask about the names where they cannot be used.

    Raises:
      LogsError: A name that comes twice.
    """
    new = tuple(spec.rename.get(name, name) for name in names)
    twice = sorted({name for name in new if new.count(name) > 1})
    if twice:
        once = " (once renamed)" if spec.rename else ""
        raise LogsError(f"{file.name}: column names that come twice{once}: {twice}{doubt}")
    return new


def in_file(
    columns: Sequence[str], names: Sequence[str], file: SourceFile, spec: Files, doubt: str = ""
) -> dict[str, str]:
    """Returns the wanted columns: name in the file -> name after the renaming (`doubt` is as for `renamed`).

    Raises:
      LogsError: A column that the file lacks.
    """
    there = dict(zip(renamed(names, file, spec, doubt), names, strict=True))
    missing = [column for column in columns if column not in there]
    if missing:
        asked = did_you_mean(missing, list(there)) + doubt
        raise LogsError(f"{file.name}: column {_quoted(missing)} is missing; the columns are {_quoted(there)}{asked}")
    return {there[column]: column for column in columns}


def _quoted(names: Collection[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
