"""Files -> samples: those with the same columns together, and some rows from all over them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.readers.registry import by_ending, endings, read_columns, read_file
from tandem.components.log_example_gen.records import ROW, stack
from tandem.components.log_example_gen.settings import Files
from tandem.components.log_example_gen.sources import LogsError, SourceFile, filesystem, find_files
from tandem.pipeline.starter.guess import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROWS = 50_000
"""So many rows of a sample are kept, at most."""

_OF_A_BLOCK = 10_000

READ_BYTES = 256 << 20
"""Of a group of files about so much is read; of what is larger, the first and the last files."""

_NUMBERED = re.compile(r"\d+")


def samples(paths: Sequence[Path]) -> tuple[Path, list[Sample]]:
    """Reads some rows of files.

    Args:
      paths: Files of known formats.

    Returns:
      The folder that they have in common, and a sample per group of files with the same columns and like names.

    Raises:
      LogsError: A file that cannot be read, or of a format that is not known.
    """
    folder = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    system, _ = filesystem(str(folder))
    groups: dict[tuple[str, tuple[str, ...]], list[SourceFile]] = {}
    for path in sorted(paths):
        name = path.absolute().relative_to(folder).as_posix()
        spec = Files(files=(name,))
        (file,) = find_files(spec, str(folder), name)
        columns = read_columns(system, file, spec)
        groups.setdefault((_NUMBERED.sub("*", name), columns), []).append(file)
    taken = {path.absolute() for path in paths}
    return folder, [_sample(folder, files, columns, taken) for (_, columns), files in groups.items()]


def _sample(folder: Path, files: list[SourceFile], columns: tuple[str, ...], taken: set[Path]) -> Sample:
    names = tuple(file.name for file in files)
    spec = Files(files=names)
    system, _ = filesystem(str(folder))
    parts = [pl.DataFrame(schema=dict.fromkeys(columns, pl.String))]
    for file in _chosen(files):
        parts += [_thinned(block.rows.drop(ROW), _OF_A_BLOCK) for block in read_file(system, file, spec, columns)]
    return Sample(_pattern(folder, names, taken), _thinned(stack(parts), ROWS), tuple(map(_stem, names)))


def _thinned(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """Keeps every n-th row, so that there are so many at most."""
    return rows.gather_every(max(1, -(-len(rows) // most)))


def _chosen(files: list[SourceFile]) -> list[SourceFile]:
    """Takes files from both ends in turn until there is enough."""
    order = [file for pair in zip(files, reversed(files), strict=True) for file in pair]
    chosen: dict[str, SourceFile] = {}
    for file in order:
        if chosen and sum(each.size for each in chosen.values()) >= READ_BYTES:
            break
        chosen[file.name] = file
    return [file for file in files if file.name in chosen]


def _pattern(folder: Path, names: Sequence[str], taken: set[Path]) -> tuple[str, ...]:
    """Returns one glob for numbered files, if it means these files and no others; else their names."""
    globs = {_NUMBERED.sub("*", name) for name in names}
    if len(names) > 1 and len(globs) == 1:
        pattern = re.sub(r"\*(?:[-_.]\*)+", "*", globs.pop())
        meant = {path.absolute() for path in folder.glob(pattern)}
        if meant <= taken and len(meant) == len(names):
            return (pattern,)
    return tuple(names)


def _stem(name: str) -> str:
    return name.rpartition("/")[2].partition(".")[0]


def expanded(patterns: Iterable[str]) -> Iterator[Path]:
    """Yields the files that names, folders and globs mean; of a folder those that can be logs.

    Raises:
      LogsError: One that means none.
    """
    for pattern in patterns:
        path = Path(pattern)
        if path.is_file():
            yield path
            continue
        found = path.iterdir() if path.is_dir() else Path(path.anchor).glob(str(path.relative_to(path.anchor)))
        files = sorted(each for each in found if each.is_file() and _may_be_logs(each))
        if not files:
            raise LogsError(f"there is no file of a known format ({', '.join(endings())}) for '{pattern}'")
        yield from files


def _may_be_logs(path: Path) -> bool:
    """Tells logs from what lies beside them: other endings, hidden files."""
    return by_ending(path.name) is not None and not path.name.startswith((".", "_"))
