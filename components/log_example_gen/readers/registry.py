"""The formats of logs by name. One more is a file beside this one, and a line here.

A format is recognized by the ending of a file's name; whoever wants to name it in `format:` as well adds it to the
literal of `Files.format` (a test compares them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from tandem.components.log_example_gen.readers.block import BLOCK_BYTES, PACKED, Block, Reader, renamed
from tandem.components.log_example_gen.readers.delimited import DELIMITED
from tandem.components.log_example_gen.readers.json_lines import JSON_LINES
from tandem.components.log_example_gen.readers.parquet import PARQUET
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.settings import Files
    from tandem.components.log_example_gen.sources import SourceFile

READERS: dict[str, Reader] = {
    "csv": DELIMITED,
    "jsonl": JSON_LINES,
    "parquet": PARQUET,
}


def endings() -> list[str]:
    """Returns the endings of all formats; most may have `.gz` behind them."""
    return [ending for reader in READERS.values() for ending in reader.endings]


def by_ending(name: str) -> Reader | None:
    """Returns what reads files with such a name; None: it has no ending that a format knows."""
    packed = name.endswith(PACKED)
    for reader in READERS.values():
        if name.removesuffix(PACKED).endswith(reader.endings) and (reader.compressible or not packed):
            return reader
    return None


def reader_of(name: str, spec: Files) -> Reader:
    """Returns what reads a file: the format that the settings name, or else the one that its name ends in.

    Raises:
      LogsError: The settings do not say, and the ending is not known.
    """
    reader = READERS[spec.format] if spec.format is not None else by_ending(name)
    if reader is None:
        plain = [ending for reader in READERS.values() if not reader.compressible for ending in reader.endings]
        but = f" but for {', '.join(plain)}" if plain else ""
        raise LogsError(
            f"{name}: unknown ending; allowed are {', '.join(endings())}, each also with {PACKED}{but} "
            "(or say what it is with 'format')"
        )
    return reader


def read_columns(system: AbstractFileSystem, file: SourceFile, spec: Files) -> tuple[str, ...]:
    """Returns the columns of a file, renamed: the header, the schema, or (JSON) what its first megabytes hold.

    Raises:
      LogsError: The file has no header, or its columns (once renamed) have names that come twice.
    """
    try:
        names = reader_of(file.name, spec).names(system, file, spec)
    except (OSError, pa.ArrowException) as error:
        raise LogsError(f"{file.name} cannot be read: {error}") from error
    return renamed(names, file, spec)


def read_file(
    system: AbstractFileSystem, file: SourceFile, spec: Files, columns: Sequence[str], block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Reads some columns of a file, a block at a time.

    Args:
      system: Where the file lies.
      file: The file; `.gz` is unpacked on the way.
      spec: Its format and the renaming.
      columns: The columns wanted, by their names after the renaming.
      block_bytes: About how much (unpacked) text is parsed at once.

    Raises:
      LogsError: A column that the file does not have, or a file that is damaged as a whole.
    """
    try:
        yield from reader_of(file.name, spec).read(system, file, spec, columns, block_bytes)
    except (OSError, pa.ArrowException) as error:
        raise LogsError(f"{file.name} cannot be read: {error}") from error
