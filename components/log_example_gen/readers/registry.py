"""The formats of logs by name. One more is a file beside this one, and a line here.

A format is recognized by the ending of a file's name; whoever wants to name it in `format:` as well adds it to the
literal of `Files.format` (a test compares them).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.readers.block import BLOCK_BYTES, ROW, Block, Reader, renamed
from tandem.components.log_example_gen.readers.delimited import DELIMITED
from tandem.components.log_example_gen.readers.dialects import Dialect
from tandem.components.log_example_gen.readers.doubts import did_you_mean, doubts
from tandem.components.log_example_gen.readers.folders import told_by_folders
from tandem.components.log_example_gen.readers.json_lines import JSON_LINES
from tandem.components.log_example_gen.readers.nulls import null_words
from tandem.components.log_example_gen.readers.packed import PACKED, UNREADABLE, bare, open_unpacked
from tandem.components.log_example_gen.readers.parquet import PARQUET
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.settings.files import Files
    from tandem.components.log_example_gen.sources import SourceFile

_NOTHING_PACKED = 256  # Of so many bytes at most is a compressed file that holds nothing.

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


def names_in(system: AbstractFileSystem, file: SourceFile, spec: Files) -> tuple[str, ...]:
    """Returns the columns of a file as they stand there: its header, its schema, or what its first megabytes hold.

    Raises:
      LogsError: The file has no header, or cannot be read.
    """
    try:
        return tuple(reader_of(file.name, spec).names(system, file, spec))
    except UNREADABLE as error:
        raise LogsError(f"{file.name} cannot be read: {error}") from error


def read_columns(system: AbstractFileSystem, file: SourceFile, spec: Files) -> tuple[str, ...]:
    """Returns the columns of a file, renamed, and those that the names of its folders tell.

    Raises:
      LogsError: The file has no header, or its columns (once renamed) have names that come twice.
    """
    names = names_in(system, file, spec)
    own = renamed(names, file, spec, _doubts(names, file, spec))
    return (*own, *(name for name in told_by_folders(file, spec) if name not in own))


def mentioned(system: AbstractFileSystem, file: SourceFile, spec: Files, columns: Collection[str]) -> set[str]:
    """Returns which of some columns (by their names after the renaming) a file speaks of anywhere, not only at first.

    Raises:
      LogsError: The file cannot be read.
    """
    search = reader_of(file.name, spec).mentioned
    if search is None:
        return set()
    back = {new: old for old, new in spec.rename.items()}
    names = {back.get(column, column): column for column in columns}
    try:
        return {names[name] for name in search(system, file, spec, names)}
    except UNREADABLE as error:
        raise LogsError(f"{file.name} cannot be read: {error}") from error


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
    told = {name: value for name, value in told_by_folders(file, spec).items() if name in columns}
    own = renamed(names_in(system, file, spec), file, spec) if told else ()
    told = {name: value for name, value in told.items() if name not in own}
    # Some column is always read: it tells how many rows there are.
    inside = [name for name in columns if name not in told] or own[:1]
    words = null_words(spec, told)
    try:
        for block in reader_of(file.name, spec).read(system, file, spec, inside, block_bytes):
            if told:
                cells = [pl.lit("" if value in words[name] else value).alias(name) for name, value in told.items()]
                block = replace(block, rows=block.rows.with_columns(cells).select(*columns, ROW))
            yield block
    except UNREADABLE as error:
        raise LogsError(f"{file.name} cannot be read: {error}") from error


def holds_nothing(system: AbstractFileSystem, file: SourceFile, spec: Files) -> bool:
    """Whether a file is empty, or compressed and empty once it is unpacked: not even a header.

    Raises:
      LogsError: The file cannot be read.
    """
    if file.size == 0 or file.size > _NOTHING_PACKED or not reader_of(file.name, spec).compressible:
        return file.size == 0
    try:
        with open_unpacked(system, file) as source:
            return not source.read(1)
    except UNREADABLE as error:
        raise LogsError(f"{file.name} cannot be read: {error}") from error
