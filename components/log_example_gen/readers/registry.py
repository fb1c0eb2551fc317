"""The formats of logs by name. One more is a file beside this one, and a line here.

A format is recognized by the ending of a file's name; whoever wants to name it in `format:` as well adds it to the
literal of `Files.format` (a test compares them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tandem.components.log_example_gen.readers.block import BLOCK_BYTES, Block, Reader, renamed
from tandem.components.log_example_gen.readers.delimited import DELIMITED
from tandem.components.log_example_gen.readers.dialects import Dialect
from tandem.components.log_example_gen.readers.doubts import did_you_mean, doubts
from tandem.components.log_example_gen.readers.json_lines import JSON_LINES
from tandem.components.log_example_gen.readers.packed import PACKED, UNREADABLE, bare
from tandem.components.log_example_gen.readers.parquet import PARQUET
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.settings import Files
    from tandem.components.log_example_gen.sources import SourceFile

READERS: dict[str, Reader] = {
    "csv": DELIMITED,
    "jsonl": JSON_LINES,
    "parquet": PARQUET,
}


def endings() -> list[str]:
    """Returns the endings of all formats; most may have one of `PACKED` behind them."""
    return [ending for reader in READERS.values() for ending in reader.endings]


def by_ending(name: str) -> Reader | None:
    """Returns what reads files with such a name; None: it has no ending that a format knows."""
    plain = bare(name)
    for reader in READERS.values():
        if plain.endswith(reader.endings) and (reader.compressible or plain == name):
            return reader
    return None


def reader_of(name: str, spec: Files) -> Reader:
    """Returns what reads a file: the format that the settings name, or else the one that its name ends in.

    Raises:
      LogsError: The settings do not say, and the ending is not known; or they name columns that the file names itself.
    """
    reader = READERS[spec.format] if spec.format is not None else by_ending(name)
    if reader is None:
        plain = [ending for reader in READERS.values() if not reader.compressible for ending in reader.endings]
        but = f" but for {', '.join(plain)}" if plain else ""
        raise LogsError(
            f"{name}: unknown ending; allowed are {', '.join(endings())}, each also with {', '.join(PACKED)}{but} "
            "(or say what it is with 'format')"
        )
    if spec.columns and not reader.delimited:
        raise LogsError(f"{name}: 'columns' are for CSV files without a header; {reader.name} files name theirs")
    return reader


def read_columns(system: AbstractFileSystem, file: SourceFile, spec: Files) -> tuple[str, ...]:
    """Returns the columns of a file, renamed: the header, the schema, or (JSON) what its first megabytes hold.

    Raises:
      LogsError: The file has no header, or its columns (once renamed) have names that come twice.
    """
    reader = reader_of(file.name, spec)
    try:
        names = reader.names(system, file, spec)
    except UNREADABLE as error:
        raise LogsError(f"{file.name} cannot be read: {error}") from error
    return renamed(names, file, spec, _doubts(names, file, spec))


def why_missing(columns: Collection[str], names: Sequence[str], file: SourceFile, spec: Files) -> str:
    """Returns what to ask about columns that a file lacks; empty: nothing comes to mind.

    Args:
      columns: Those that are missing.
      names: Those that it has, from `read_columns`.
      file: The file.
      spec: How it is read.
    """
    return did_you_mean(columns, names) + _doubts(names, file, spec)


def _doubts(names: Sequence[str], file: SourceFile, spec: Files) -> str:
    guessed = reader_of(file.name, spec).delimited and not spec.columns
    return doubts(names, Dialect.of(file, spec)) if guessed else ""


def read_file(
    system: AbstractFileSystem, file: SourceFile, spec: Files, columns: Sequence[str], block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Reads some columns of a file, a block at a time.

    Args:
      system: Where the file lies.
      file: The file; what is compressed is unpacked on the way.
      spec: Its format and the renaming.
      columns: The columns wanted, by their names after the renaming.
      block_bytes: About how much (unpacked) text is parsed at once.

    Raises:
      LogsError: A column that the file does not have, or a file that is damaged as a whole.
    """
    try:
        yield from reader_of(file.name, spec).read(system, file, spec, columns, block_bytes)
    except UNREADABLE as error:
        raise LogsError(f"{file.name} cannot be read: {error}") from error
