"""Files -> samples: those with the same columns together, and some rows from all over them."""

from __future__ import annotations

import codecs
import glob
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from tandem.components.log_example_gen.readers.packed import bare
from tandem.components.log_example_gen.readers.registry import READERS, by_ending, endings, read_columns, read_file
from tandem.components.log_example_gen.readers.text import open_text
from tandem.components.log_example_gen.records import ROW, stack
from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.sources import LogsError, SourceFile, filesystem, find_files
from tandem.pipeline.starter.findings import Sample
from tandem.pipeline.starter.headerless import named_alike
from tandem.pipeline.starter.shape import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from fsspec import AbstractFileSystem

ROWS = 50_000
"""So many rows of a sample are kept, at most."""

_OF_A_BLOCK = 10_000

READ_BYTES = 256 << 20
"""Of a group of files about so much is read; of what is larger, the first and the last files."""

_HEAD_BYTES = 256 << 10
_NUMBERED = re.compile(r"\d+")
_PART = re.compile(r"(?<![a-z])(?:training|train|validation|valid|val|dev|test|eval)(?![a-z])")


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
    groups: dict[tuple[str, str, tuple[str, ...]], list[SourceFile]] = {}
    written: dict[tuple[str, str, tuple[str, ...]], dict[str, Any]] = {}
    for path in sorted(paths):
        name = path.absolute().relative_to(folder).as_posix()
        (file,) = find_files(Files(files=(glob.escape(name),)), str(folder), name)
        settings = _settings(system, file)
        columns = read_columns(system, file, Files(files=(name,), **settings))
        group = (_alike(name), repr(settings), columns)
        groups.setdefault(group, []).append(file)
        written[group] = settings
    taken = {path.absolute() for path in paths}
    found = [_sample(folder, files, group[2], written[group], taken) for group, files in groups.items()]
    return folder, named_alike(found)


def _alike(name: str) -> str:
    """Returns what names of files of one source have in common: numbers and what a part is for do not count."""
    return _PART.sub("*", _NUMBERED.sub("*", name.lower()))


def _settings(system: AbstractFileSystem, file: SourceFile) -> dict[str, Any]:
    """Returns what has to be said of a text file: its format, delimiter and columns; nothing of other files."""
    reader = by_ending(file.name)
    if reader is not None and reader is not READERS["csv"]:
        return {}
    head, settings = _head(system, file)
    usual = None if reader is None else "\t" if bare(file.name).endswith(".tsv") else ","
    shape = shape_of(head, usual)
    if shape is None:
        return {}  # The reader says what is wrong.
    if reader is None:
        settings["format"] = "csv"
    if shape.delimiter != (usual or ","):
        settings["delimiter"] = shape.delimiter
    if any(line.count('"') % 2 for line in head.split("\n")[:-1]):
        settings["quoting"] = False
    if not shape.header:
        settings["columns"] = tuple(f"column_{number}" for number in range(1, shape.width + 1))
    return settings


def _head(system: AbstractFileSystem, file: SourceFile) -> tuple[str, dict[str, Any]]:
    """Returns the beginning of a text file, and its encoding where that has to be said."""
    with open_text(system, file, Files(files=(file.name,))) as source:
        head = source.peek(_HEAD_BYTES)
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(head), {}
    except UnicodeDecodeError:
        return head.decode("latin-1"), {"encoding": "latin-1"}


def _sample(
    folder: Path, files: list[SourceFile], columns: tuple[str, ...], settings: dict[str, Any], taken: set[Path]
) -> Sample:
    names = tuple(file.name for file in files)
    spec = Files(files=names, **settings)
    system, _ = filesystem(str(folder))
    parts = [pl.DataFrame(schema=dict.fromkeys(columns, pl.String))]
    for file in _chosen(files):
        parts += [_thinned(block.rows.drop(ROW), _OF_A_BLOCK) for block in read_file(system, file, spec, columns)]
    rows = _thinned(stack(parts), ROWS)
    return Sample(_pattern(folder, names, taken), rows, tuple(map(_stem, names)), settings)


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
