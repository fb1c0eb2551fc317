"""What a model asks for, out of files as users have them: read, derived from the time, or joined by a key.

All of it is done by the parts that ingestion is made of, so that a row gives the same example here and there.
"""

from __future__ import annotations

import dataclasses
import glob
import posixpath
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.derived import derive
from tandem.components.log_example_gen.examples import examples_of, features_of
from tandem.components.log_example_gen.joining.side_tables import attach, features_column, one_per_key
from tandem.components.log_example_gen.numbers import Written, notation_of
from tandem.components.log_example_gen.planning.making import files_of
from tandem.components.log_example_gen.readers.registry import READERS, by_ending, read_columns, read_file
from tandem.components.log_example_gen.records import REASON, ROW, TIME, normalize, single_values, stack
from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.sources import LogsError, SourceFile, filesystem, find_files
from tandem.components.log_example_gen.where import satisfying

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.readers.block import Block
    from tandem.components.log_example_gen.settings.columns import ExampleColumn
    from tandem.components.log_example_gen.settings.logs import LogSettings
    from tandem.components.log_example_gen.settings.sources import EventStream, LabelledTable, SideTable
    from tandem.components.log_example_gen.settings.time import TimeColumn

_FIRST_BYTES = 1 << 16
_OF_TEXT_FILES = frozenset(
    {"format", "columns", "delimiter", "quoting", "escape", "encoding", "decimal", "thousands", "strip"}
)


@dataclasses.dataclass(frozen=True)
class InputFile:
    """A file to score.

    Attributes:
      folder: Where it lies: a path or URI.
      source: As the readers take it; its name is what the user called it.
      spec: How it is read.
      columns: All that it has, by their names after `rename`.
    """

    folder: str
    source: SourceFile
    spec: Files
    columns: tuple[str, ...]

    def blocks(self, columns: Sequence[str]) -> Iterator[Block]:
        """Reads some columns."""
        system, _ = filesystem(self.folder)
        return read_file(system, self.source, self.spec, columns)


def find(paths: Sequence[str], logs: LogSettings | None, labels: Sequence[str] = ()) -> tuple[InputFile, ...]:
    """Finds the files to score, and their columns.

    Args:
      paths: Paths or URIs.
      logs: How the impressions (or the labelled table) are read; these files are read alike. None: by their endings.
      labels: The labels, whose columns a file without a header may lack.

    Raises:
      LogsError: There is no such file, or it cannot be read.
    """
    return tuple(_input_file(path, logs, labels) for path in paths)


def _input_file(path: str, logs: LogSettings | None, labels: Sequence[str]) -> InputFile:
    remote = "://" in path
    if not remote and not Path(path).is_file():
        raise LogsError(f"{path}: there is no such file")
    whole = path if remote else Path(path).absolute().as_posix()
    folder, name = posixpath.split(whole)
    (source,) = find_files(Files(files=(glob.escape(name),)), folder, "predict")
    source = dataclasses.replace(source, name=path)
    spec = _spec(path, logs)
    system, _ = filesystem(folder)
    unlabelled = _without_labels(spec, logs, labels)
    if unlabelled is not None and _malformed(system, source, unlabelled) < _malformed(system, source, spec):
        spec = unlabelled
    return InputFile(folder, source, spec, read_columns(system, source, spec))


def _without_labels(spec: Files, logs: LogSettings | None, labels: Sequence[str]) -> Files | None:
    """Returns how a file without a header is read that lacks the labels of its table; None: that cannot be."""
    if logs is None or logs.table is None or not spec.columns:
        return None
    said = {label: settings.column or label for label, settings in logs.table.labels.items()}
    columns = {said.get(label, label) for label in labels}
    others = tuple(name for name in spec.columns if spec.rename.get(name, name) not in columns)
    return spec.model_copy(update={"columns": others}) if 0 < len(others) < len(spec.columns) else None


def _malformed(system: AbstractFileSystem, source: SourceFile, spec: Files) -> int:
    """Returns how many of a file's first lines cannot be read in some way."""
    first = spec.rename.get(spec.columns[0], spec.columns[0])
    block = next(read_file(system, source, spec, (first,), _FIRST_BYTES), None)
    return 0 if block is None else len(block.malformed)


def _spec(path: str, logs: LogSettings | None) -> Files:
    """Returns how a file is read: as the logs are, as far as that goes for its format."""
    main = None if logs is None else logs.impressions or logs.table
    settings = {} if main is None else {name: getattr(main, name) for name in Files.model_fields if name != "files"}
    known = by_ending(path)
    if known is not None:
        if known is not READERS["csv"]:
            settings = {name: value for name, value in settings.items() if name not in _OF_TEXT_FILES}
        settings["format"] = None
    return Files(files=(path,), **settings)


class Examples:
    """What makes examples of the rows of files.

    Attributes:
      columns: The columns that are read from the files.
      unmatched: By side table, how many rows had a key that it lacks, so far.
      unreadable: By column, how many of its values were no numbers, so far.
    """

    def __init__(
        self,
        inputs: Mapping[str, ExampleColumn],
        files: Sequence[InputFile],
        logs: LogSettings | None,
        data_dir: str,
    ):
        """Decides where each column comes from, and reads the side tables.

        Args:
          inputs: The columns that the model takes.
          files: The files to score.
          logs: The configuration's, which say what is derived and joined; None: the files have all that it takes.
          data_dir: Where the files of the side tables are.

        Raises:
          LogsError: A column is nowhere.
        """
        there = set(files[0].columns).intersection(*(file.columns for file in files))
        absent = [name for name in inputs if name not in there]
        self._derived = {} if logs is None else {name: logs.derived[name] for name in absent if name in logs.derived}
        self._time = _time_column(logs) if self._derived else None
        self._inputs = {name: column for name, column in inputs.items() if name in there or name in self._derived}
        wanted = {name: inputs[name] for name in absent if name not in self._derived}
        self._sides = _side_tables(logs, wanted, data_dir)
        found = {name for side in self._sides for name in side.columns}
        missing = [name for name in wanted if name not in found]
        if missing:
            raise _missing(missing, files, logs)
        self.columns = tuple(
            dict.fromkeys(
                [
                    *(name for name in self._inputs if name not in self._derived),
                    *(self._time.column if self._time else ()),
                    *(side.key for side in self._sides),
                ]
            )
        )
        of_one_value = {name for name, column in self._inputs.items() if column.single or column.kind != "bytes"}
        of_one_value |= {*(self._time.column if self._time else ()), *(side.key for side in self._sides)}
        self._single = tuple(name for name in self.columns if name in of_one_value)
        self._written = Written(notation_of(files[0].spec))
        self.unmatched: Counter[str] = Counter()
        self.unreadable: Counter[str] = Counter()
        _check(self.columns, files)

    def of(self, rows: pl.DataFrame) -> tuple[pl.DataFrame, Iterator[list[bytes]]]:
        """Makes the examples of some rows.

        Args:
          rows: As they were read, with `ROW`.

        Returns:
          `ROW` and `REASON` of the rows without an example; and the serialized tf.Examples of the others, in order
          and in pieces.
        """
        rows, unusable = single_values(rows, self._single)
        told = [unusable.select(ROW, REASON)]
        if self._time is not None:
            rows, unusable = normalize(rows, (), self._time)
            rows = derive(rows, self._derived, self._time.timezone)
            told.append(unusable.select(ROW, REASON))
        return pl.concat(told), self._serialized(rows)

    def _serialized(self, rows: pl.DataFrame) -> Iterator[list[bytes]]:
        for side in self._sides:
            rows, unmatched = attach(rows, side.table, side.key)
            self.unmatched[side.name] += unmatched
        rows = rows.drop(TIME, strict=False)
        serialized = [features_column(side.name) for side in self._sides]
        for examples, counts in examples_of(rows, self._inputs, (), serialized=serialized, written=self._written):
            self.unreadable.update(counts.unreadable)
            yield examples


@dataclasses.dataclass(frozen=True)
class _Side:
    """A side table: each key once, with its serialized features."""

    name: str
    key: str
    columns: tuple[str, ...]
    table: pl.DataFrame


def _main(logs: LogSettings) -> EventStream | LabelledTable | None:
    return logs.impressions or logs.table


def _time_column(logs: LogSettings | None) -> TimeColumn | None:
    main = None if logs is None else _main(logs)
    return None if main is None else main.time


def _side_tables(logs: LogSettings | None, wanted: Mapping[str, ExampleColumn], data_dir: str) -> list[_Side]:
    """Reads the side tables that have any of the columns."""
    sides = []
    for spec in () if logs is None or not wanted else logs.side_tables:
        files = files_of(spec, data_dir, spec.name).files
        system, _ = filesystem(data_dir)
        offered = read_columns(system, files[0], spec)
        columns = {name: column for name, column in wanted.items() if name in offered and name != spec.key}
        if columns:
            table = _side_table(spec, files, columns, data_dir)
            features = features_of(table, columns, Written(notation_of(spec))).serialized
            named = table.select(spec.key, features.alias(features_column(spec.name)))
            sides.append(_Side(spec.name, spec.key, tuple(columns), named))
    return sides


def _side_table(
    spec: SideTable, files: Sequence[SourceFile], columns: Mapping[str, ExampleColumn], data_dir: str
) -> pl.DataFrame:
    """Returns each key once, with the columns as texts."""
    system, _ = filesystem(data_dir)
    names = (spec.key, *columns)
    read = tuple(dict.fromkeys((*names, *spec.where)))
    parts = [pl.DataFrame(schema=dict.fromkeys(names, pl.String) | {ROW: pl.Int64})]
    for file in files:
        for block in read_file(system, file, spec, read):
            rows, _ = single_values(block.rows, (spec.key,))
            rows = rows.filter(satisfying(rows, spec.where, notation_of(spec))).select(*names, ROW)
            parts.append(normalize(rows, (spec.key,))[0])
    return one_per_key(stack(parts), spec.key)[0]


def _check(columns: Sequence[str], files: Sequence[InputFile]) -> None:
    for file in files:
        missing = [name for name in columns if name not in file.columns]
        if missing:
            raise LogsError(f"{file.source.name}: {_lacking(missing)}; it has {_listed(file.columns)}")


def _missing(names: Sequence[str], files: Sequence[InputFile], logs: LogSettings | None) -> LogsError:
    file = next(file for file in files if any(name not in file.columns for name in names))
    names = [name for name in names if name not in file.columns]
    advice = (
        "; if they are derived from the time or joined from a side table, name the configuration instead of the model"
        if logs is None
        else ", and the configuration neither derives it nor has a side table with it"
    )
    return LogsError(
        f"{file.source.name}: {_lacking(names)}, which the model takes{advice}; it has {_listed(file.columns)}"
    )


def _lacking(names: Sequence[str]) -> str:
    return f"column {_listed(names)} is missing"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
