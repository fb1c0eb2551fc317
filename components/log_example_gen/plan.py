"""Settings and files -> what is to be read from where. Whatever can be found wrong before reading is found here."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from tandem.components.log_example_gen.labelled import TableLabels
from tandem.components.log_example_gen.labels import parents_first
from tandem.components.log_example_gen.numbers import Written, notation_of
from tandem.components.log_example_gen.offered import (
    check_columns,
    check_names_given,
    columns_offered,
    late_columns,
)
from tandem.components.log_example_gen.readers.block import BLOCK_BYTES
from tandem.components.log_example_gen.readers.packed import PACKED
from tandem.components.log_example_gen.readers.registry import holds_nothing, reader_of, why_missing
from tandem.components.log_example_gen.records import (
    CLICKS,
    CONVERSIONS,
    EVENT,
    FILE,
    IMPRESSIONS,
    ROW,
    TABLE,
    TIME,
    no_parent,
)
from tandem.components.log_example_gen.settings.columns import own_columns
from tandem.components.log_example_gen.sources import Found, LogsError, filesystem, look_for
from tandem.components.log_example_gen.split import by_file
from tandem.components.log_example_gen.time_check import bounds_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
    from tandem.components.log_example_gen.settings.files import Files
    from tandem.components.log_example_gen.settings.logs import LogSettings
    from tandem.components.log_example_gen.settings.sources import ClickStream, ConversionStream, LabelledTable
    from tandem.components.log_example_gen.settings.time import TimeColumn
    from tandem.components.log_example_gen.sources import SourceFile
    from tandem.components.log_example_gen.times import TimeBounds

TABLES_HAVE_NO_END = "examples of a 'table' cannot say when the logs end ('observed_until'): only streams know"

_BYTES_PER_SHARD = 256 << 20
_UNPACKED = 4  # How much larger a compressed file is once it is read, about.


@dataclass(frozen=True)
class Source:
    """A stream, the labelled table or a side table, and what is read of it.

    Attributes:
      name: What messages, counts and quarantine folders call it.
      spec: How its files are read.
      files: In the order of their names.
      columns: The columns that are kept once the rows are chosen.
      keys: Those of them that must not be empty.
      time: Where the time stands.
      bounds: Between which moments it can lie.
      event: The column with the kind of event.
      kinds: Of which label its values speak, where they are not the names of labels themselves.
      kind: The kind of all its events.
      adds: Of a side table: the columns that it adds.
      weights: Those of its columns that weigh rows.
      values: Others of its columns that hold one value each: those that labels are made of, the keys of side tables.
    """

    name: str
    spec: Files
    files: tuple[SourceFile, ...]
    columns: tuple[str, ...]
    keys: tuple[str, ...] = ()
    time: TimeColumn | None = None
    bounds: TimeBounds | None = None
    event: str | None = None
    kinds: Mapping[str, str] = dataclasses.field(default_factory=dict)
    kind: str | None = None
    adds: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    values: tuple[str, ...] = ()

    @property
    def single(self) -> tuple[str, ...]:
        """The columns whose cells are one value: no list."""
        time = self.time.column if self.time is not None else ()
        event = (self.event,) if self.event is not None else ()
        return _unique(*self.keys, *time, *event, *self.weights, *self.values, *self.spec.where)

    @property
    def read(self) -> tuple[str, ...]:
        """The columns read: those kept, and those that `where` looks at."""
        return _unique(*self.columns, *self.spec.where)

    def no_rows(self) -> pl.DataFrame:
        """Returns a frame without rows, with the columns that its rows have once they are read."""
        schema: dict[str, Any] = dict.fromkeys(self.columns, pl.String) | {ROW: pl.Int64, FILE: pl.Int32}
        if self.time is not None:
            schema[TIME] = pl.Int64
        if self.event is not None or self.kind is not None:
            schema[EVENT] = pl.String
        return pl.DataFrame(schema=schema)


@dataclass(frozen=True)
class Plan:
    """All that the reading, joining and writing goes by.

    Attributes:
      logs: The settings.
      columns: What goes into the examples.
      labels: All labels.
      data_dir: Where the files are.
      streams: Impressions, clicks and conversions, or the labelled table.
      sides: The side tables, in their order.
      shards: Into how many parts the events are divided, all events of a key in one.
      observed_until: Whether every example says when the logs end.
      block_bytes: About how much unpacked text of a file is read at once; a labelled table's file is written in blocks
        of this size.
      remarks: What is to be said about the files: which are left out, in a sentence each.
    """

    logs: LogSettings
    columns: Mapping[str, ExampleColumn]
    labels: tuple[Label, ...]
    data_dir: str
    streams: tuple[Source, ...]
    sides: tuple[Source, ...]
    shards: int
    observed_until: bool = False
    block_bytes: int = BLOCK_BYTES
    remarks: tuple[str, ...] = ()

    @property
    def parts(self) -> int:
        """Into how many parts the examples are divided: shards of their keys, or the files of the labelled table."""
        return self.shards if self.logs.table is None else len(self.source(TABLE).files)

    def written(self, source: Source) -> Written:
        """Returns how the numbers of a source are written, and in which files."""
        return Written(notation_of(source.spec), tuple(file.name for file in source.files))

    @property
    def table_labels(self) -> TableLabels | None:
        """How the labels of the table are read; None: there are streams."""
        return None if self.logs.table is None else TableLabels.of(self.logs.table, self.labels)

    @property
    def label_delays(self) -> dict[str, datetime.timedelta]:
        """How long after its impression each label may still change; those of labels that have a window."""
        return self.logs.label_delays(label.name for label in self.labels)

    def source(self, name: str) -> Source:
        """Returns the stream or side table of a name."""
        return next(source for source in (*self.streams, *self.sides) if source.name == name)

    def columns_of(self, source: Source) -> dict[str, ExampleColumn]:
        """Returns the columns of the examples that a side table adds, or (of any other source) those that none adds."""
        if source in self.sides:
            return {name: self.columns[name] for name in source.adds}
        added = {name for side in self.sides for name in side.adds}
        return {name: column for name, column in self.columns.items() if name not in added}

    def ids_of(self, source: Source) -> list[str]:
        """Returns the columns of a source that hold ids: keys, and what becomes a category."""
        ids = {*source.keys, *(side.key for side in self.logs.side_tables)}
        ids |= {name for name, column in self.columns.items() if column.kind == "bytes" and column.separator is None}
        return [name for name in source.columns if name in ids]


def all_files(logs: LogSettings, data_dir: str) -> dict[str, tuple[SourceFile, ...]]:
    """Returns the files of each source by its name.

    Raises:
      LogsError: A glob that matches nothing, a file of unknown ending, a side table with the name of another source.
    """
    return {name: found.files for name, found in _found(logs, data_dir).items()}


def _found(logs: LogSettings, data_dir: str) -> dict[str, Found]:
    """Finds the files of each source, those left out that hold nothing."""
    return {
        name: _with_contents(look_for(spec, data_dir, name), spec, data_dir, name)
        for name, spec in _specs(logs).items()
    }


def _with_contents(found: Found, spec: Files, data_dir: str, source: str) -> Found:
    system, _ = filesystem(data_dir)
    empty = [file for file in found.files if holds_nothing(system, file, spec)]
    if not empty:
        return found
    if len(empty) == len(found.files):
        raise LogsError(
            f"{source}: {empty[0].name} is empty" + (f", as all {len(empty)} files are" if empty[1:] else "")
        )
    many = f"{len(empty)} files are" if empty[1:] else "1 file is"
    return Found(
        tuple(file for file in found.files if file not in empty),
        (*found.remarks, f"{source}: {many} empty and left out: {empty[0].name}"),
    )


def _specs(logs: LogSettings) -> dict[str, Files]:
    """Returns the sources by name: streams or the table, then the side tables."""
    streams: dict[str, Files | None] = {
        IMPRESSIONS: logs.impressions,
        CLICKS: logs.clicks,
        CONVERSIONS: logs.conversions,
        TABLE: logs.table,
    }
    specs = {name: spec for name, spec in streams.items() if spec is not None}
    for side in logs.side_tables:
        if side.name in streams or side.name in specs or "/" in side.name or not side.name:
            raise LogsError(
                f"a side table cannot be called '{side.name}': it is the name of another source, is empty "
                f"or holds a '/'; taken are {[*streams, *(name for name in specs if name not in streams)]}"
            )
        specs[side.name] = side
    return specs


def make_plan(
    logs: LogSettings,
    columns: Mapping[str, ExampleColumn],
    labels: Sequence[Label],
    data_dir: str,
    observed_until: bool = False,
    now: datetime.datetime | None = None,
) -> Plan:
    """Finds the files and decides which columns are read from which source.

    Args:
      logs: The settings.
      columns: What goes into the examples, by name (that of a log's column, once renamed, or a derived one).
      labels: All labels.
      data_dir: The folder or URI that the globs are relative to.
      observed_until: Whether every example says when the logs end. Only streams know.
      now: When the logs are read, by one clock for all who read them; None: this machine's.

    Raises:
      LogsError: Something that the settings name is not there, or is there twice.
    """
    _check_labels(logs, labels)
    _check_names(logs, columns, labels, observed_until)
    if observed_until and logs.table is not None:
        raise LogsError(TABLES_HAVE_NO_END)
    found, specs = _found(logs, data_dir), _specs(logs)
    files = {name: of.files for name, of in found.items()}
    _check_shared_files(logs, files)
    if logs.split.kind == "files":
        by_file([file.name for file in files[TABLE]], logs.split)
    offered = {name: columns_offered(spec, files[name], data_dir) for name, spec in specs.items()}
    for name, spec in specs.items():
        check_names_given(name, spec, files[name], offered[name], data_dir)
    _add_late(offered, columns, logs, files, data_dir)
    owned = _owners(logs, columns, offered, files)
    now = now or datetime.datetime.now(datetime.timezone.utc)
    weights = _weights(logs, columns, owned)
    streams = (
        _table_source(logs, logs.table, labels, files, owned, weights)
        if logs.table
        else _stream_sources(logs, files, owned, weights)
    )
    sides = tuple(
        Source(
            name=side.name,
            spec=side,
            files=files[side.name],
            columns=(side.key, *owned[side.name]),
            keys=(side.key,),
            adds=tuple(owned[side.name]),
        )
        for side in logs.side_tables
    )
    streams = tuple(
        dataclasses.replace(source, bounds=bounds_of(source.time, logs.split, now)) if source.time else source
        for source in streams
    )
    for source in (*streams, *sides):
        check_columns(source.name, source.read, source.spec, source.files, offered[source.name], data_dir)
    size = sum(_size(file, source.spec) for source in streams for file in source.files)
    return Plan(
        logs=logs,
        columns=dict(columns),
        labels=tuple(labels),
        data_dir=data_dir,
        streams=streams,
        sides=sides,
        shards=max(1, math.ceil(size / _BYTES_PER_SHARD)),
        observed_until=observed_until,
        remarks=tuple(remark for of in found.values() for remark in of.remarks),
    )


def _size(file: SourceFile, spec: Files) -> int:
    """Returns about how many bytes the rows of a file take once they are read."""
    packed = file.name.endswith(PACKED) or reader_of(file.name, spec).compact
    return file.size * (_UNPACKED if packed else 1)


def _check_labels(logs: LogSettings, labels: Sequence[Label]) -> None:
    """Looks whether the labels form a tree, and whether the streams set them."""
    if not labels:
        raise LogsError("at least one label is needed")
    parents_first(labels)
    for label in labels:
        if label.parent is not None:
            no_parent(label.parent)
    if logs.table is None:
        names = [label.name for label in labels]
        if logs.clicks is not None:
            _check_click_label(logs.clicks, logs.conversions, names)
        others = [name for name in names if logs.clicks is None or name != logs.clicks.label]
        _check_conversion_labels(logs.conversions, others)


def _check_click_label(clicks: ClickStream, conversions: ConversionStream | None, names: Sequence[str]) -> None:
    if clicks.label not in names:
        raise LogsError(f"clicks: the label '{clicks.label}' is not among the labels {names}")
    if conversions is not None and clicks.label in (conversions.labels or ()):
        raise LogsError(f"clicks and conversions cannot both set the label '{clicks.label}'")


def _check_conversion_labels(conversions: ConversionStream | None, names: Sequence[str]) -> None:
    """Looks whether the labels that no click sets can come from the conversions.

    Args:
      conversions: The stream.
      names: Those labels.
    """
    if conversions is None:
        if names:
            raise LogsError(f"labels {names} come from no stream: there are no 'conversions'")
    elif conversions.label is not None and conversions.label not in names:
        raise LogsError(f"conversions: the label '{conversions.label}' is not among the labels {names}")
    elif conversions.labels is not None and (missing := [name for name in names if name not in conversions.labels]):
        raise LogsError(f"labels {missing} come from no stream: conversions set {', '.join(conversions.labels)}")


def _check_shared_files(logs: LogSettings, files: Mapping[str, Sequence[SourceFile]]) -> None:
    """Refuses two streams that take the same rows of a file at the same time: each would be both."""
    streams = {IMPRESSIONS: logs.impressions, CLICKS: logs.clicks, CONVERSIONS: logs.conversions}
    there = [(name, stream) for name, stream in streams.items() if stream is not None]
    for (one, first), (other, second) in itertools.combinations(there, 2):
        paths = {file.path for file in files[other]}
        shared = [file.name for file in files[one] if file.path in paths]
        if shared and (first.where, first.time) == (second.where, second.time):
            raise LogsError(
                f"{one} and {other} are the same rows of {shared[0]}: say which rows are which with 'where', such as "
                f"{other}: {{..., where: {{event: buy}}}}"
            )


def _check_names(
    logs: LogSettings, columns: Mapping[str, ExampleColumn], labels: Sequence[Label], observed_until: bool
) -> None:
    """Looks whether the columns that are made here have names of their own."""
    names = [label.name for label in labels]
    own = own_columns(logs, names, observed_until)
    taken = [name for name in own if name in columns]
    if taken:
        raise LogsError(f"columns {taken} have the name of a label or of a column made here; rename them")
    twice = sorted({name for name in own if own.count(name) > 1})
    if twice:
        raise LogsError(f"the labels {names} lead to several columns '{twice[0]}'; rename one")


def _add_late(
    offered: dict[str, tuple[str, ...]],
    columns: Mapping[str, ExampleColumn],
    logs: LogSettings,
    files: Mapping[str, Sequence[SourceFile]],
    data_dir: str,
) -> None:
    """Adds columns that no source offers at first sight, and whose rows begin to have them later."""
    main = TABLE if logs.table is not None else IMPRESSIONS
    missing = [name for name in columns if name not in logs.derived and not any(name in of for of in offered.values())]
    specs = _specs(logs)
    for source in (main, *(side.name for side in logs.side_tables)):
        offered[source] += late_columns(missing, specs[source], files[source], data_dir)


def _owners(
    logs: LogSettings,
    columns: Mapping[str, ExampleColumn],
    offered: Mapping[str, Sequence[str]],
    files: Mapping[str, Sequence[SourceFile]],
) -> dict[str, list[str]]:
    """Returns which of the wanted columns come from which source."""
    main = TABLE if logs.table is not None else IMPRESSIONS
    timed = logs.table is None or logs.table.time is not None
    keys = {side.name: side.key for side in logs.side_tables}
    owned: dict[str, list[str]] = {name: [] for name in (main, *keys)}
    for column in (*columns, *(name for name in logs.derived if name not in columns)):
        owners = [name for name in owned if column in offered[name] and keys.get(name) != column]
        if column in logs.derived:
            if owners:
                raise LogsError(f"derived: '{column}' is a column of '{owners[0]}' already; choose another name")
            if not timed:
                raise LogsError(f"derived: '{column}' needs the time of the impression, and the table has no 'time'")
            continue
        if not owners:
            specs = _specs(logs)
            there = "; ".join(
                f"'{name}' has {', '.join(offered[name])}"
                + why_missing([column], offered[name], files[name][0], specs[name])
                for name in owned
            )
            raise LogsError(f"column '{column}' is in no source of the examples: {there}")
        if len(owners) > 1:
            raise LogsError(
                f"column '{column}' is both in '{owners[0]}' and in '{owners[1]}'; rename one with 'rename'"
            )
        owned[owners[0]].append(column)
    return owned


def _weights(
    logs: LogSettings, columns: Mapping[str, ExampleColumn], owned: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Returns the columns that weigh rows; they are the main stream's or the table's own."""
    main = TABLE if logs.table is not None else IMPRESSIONS
    weights = tuple(name for name, column in columns.items() if column.weight)
    if logs.weight is not None and logs.weight not in weights:
        raise LogsError(f"{main}: the weight '{logs.weight}' is not among the columns that weigh rows: {list(weights)}")
    for name in weights:
        owner = next((owner for owner, names in owned.items() if name in names), "derived")
        if owner != main:
            raise LogsError(
                f"column '{name}' weighs rows and comes from '{owner}'; a weight is a column of '{main}' itself"
            )
    return weights


def _unique(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _stream_sources(
    logs: LogSettings,
    files: Mapping[str, tuple[SourceFile, ...]],
    owned: Mapping[str, Sequence[str]],
    weights: tuple[str, ...],
) -> tuple[Source, ...]:
    if logs.impressions is None or logs.join is None:
        raise LogsError("streams need 'impressions' and 'join'")
    on = logs.join.on
    side_keys = [side.key for side in logs.side_tables]
    sources = [
        Source(
            name=IMPRESSIONS,
            spec=logs.impressions,
            files=files[IMPRESSIONS],
            columns=_unique(*on, *logs.impressions.time.column, *side_keys, *logs.split.columns, *owned[IMPRESSIONS]),
            keys=on,
            time=logs.impressions.time,
            weights=weights,
            values=(*side_keys, *logs.split.columns),
        )
    ]
    if logs.clicks is not None:
        sources.append(
            Source(
                name=CLICKS,
                spec=logs.clicks,
                files=files[CLICKS],
                columns=_unique(*on, *logs.clicks.time.column),
                keys=on,
                time=logs.clicks.time,
            )
        )
    if logs.conversions is not None:
        event = logs.conversions.event
        sources.append(
            Source(
                name=CONVERSIONS,
                spec=logs.conversions,
                files=files[CONVERSIONS],
                columns=_unique(*on, *logs.conversions.time.column, *([event] if event else [])),
                keys=on,
                time=logs.conversions.time,
                event=event,
                kinds=logs.conversions.events,
                kind=logs.conversions.label,
            )
        )
    return tuple(sources)


def _table_source(
    logs: LogSettings,
    table: LabelledTable,
    labels: Sequence[Label],
    files: Mapping[str, tuple[SourceFile, ...]],
    owned: Mapping[str, Sequence[str]],
    weights: tuple[str, ...],
) -> tuple[Source, ...]:
    time = table.time
    read_as_labels = tuple(TableLabels.of(table, labels).columns())
    names = _unique(
        *read_as_labels,
        *(time.column if time else ()),
        *(side.key for side in logs.side_tables),
        *logs.split.columns,
        *owned[TABLE],
    )
    return (
        Source(
            name=TABLE,
            spec=table,
            files=files[TABLE],
            columns=names,
            time=time,
            weights=weights,
            values=(*read_as_labels, *(side.key for side in logs.side_tables), *logs.split.columns),
        ),
    )
