"""Settings and files -> what is to be read from where. Whatever can be found wrong before reading is found here."""

from __future__ import annotations

import dataclasses
import datetime
import math
from typing import TYPE_CHECKING

from tandem.components.log_example_gen.labelled import TableLabels
from tandem.components.log_example_gen.planning.offered import (
    check_columns,
    check_names_given,
    columns_offered,
    late_columns,
)
from tandem.components.log_example_gen.readers.packed import PACKED
from tandem.components.log_example_gen.readers.registry import holds_nothing, reader_of, why_missing
from tandem.components.log_example_gen.records import (
    CLICKS,
    CONVERSIONS,
    IMPRESSIONS,
    TABLE,
)
from tandem.components.log_example_gen.sources import Found, LogsError, filesystem, look_for
from tandem.components.log_example_gen.split import by_file
from tandem.components.log_example_gen.time_check import bounds_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
    from tandem.components.log_example_gen.settings.files import Files
    from tandem.components.log_example_gen.settings.logs import LogSettings
    from tandem.components.log_example_gen.settings.sources import LabelledTable
    from tandem.components.log_example_gen.sources import SourceFile

from tandem.components.log_example_gen.plan import Plan, Source, unique
from tandem.components.log_example_gen.planning.checks import check_labels, check_names, check_shared_files

TABLES_HAVE_NO_END = "examples of a 'table' cannot say when the logs end ('observed_until'): only streams know"

_BYTES_PER_SHARD = 256 << 20
_UNPACKED = 4  # How much larger a compressed file is once it is read, about.


def all_files(logs: LogSettings, data_dir: str) -> dict[str, tuple[SourceFile, ...]]:
    """Returns the files of each source by its name.

    Raises:
      LogsError: A glob that matches nothing, a file of unknown ending, a side table with the name of another source.
    """
    return {name: found.files for name, found in _found(logs, data_dir).items()}


def _found(logs: LogSettings, data_dir: str) -> dict[str, Found]:
    """Finds the files of each source, those left out that hold nothing."""
    return {name: files_of(spec, data_dir, name) for name, spec in _specs(logs).items()}


def files_of(spec: Files, data_dir: str, source: str) -> Found:
    """Finds the files of a source, those left out that hold nothing.

    Args:
      spec: Its globs, and how it is read.
      data_dir: The folder that the globs are relative to.
      source: How messages call it.

    Raises:
      LogsError: A glob matches nothing, or all files are empty.
    """
    found = look_for(spec, data_dir, source)
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
    check_labels(logs, labels)
    check_names(logs, columns, labels, observed_until)
    if observed_until and logs.table is not None:
        raise LogsError(TABLES_HAVE_NO_END)
    found, specs = _found(logs, data_dir), _specs(logs)
    files = {name: of.files for name, of in found.items()}
    check_shared_files(logs, files)
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


def _main(logs: LogSettings) -> str:
    """Returns the name of the source whose rows become examples."""
    return TABLE if logs.table is not None else IMPRESSIONS


def _size(file: SourceFile, spec: Files) -> int:
    """Returns about how many bytes the rows of a file take once they are read."""
    packed = file.name.endswith(PACKED) or reader_of(file.name, spec).compact
    return file.size * (_UNPACKED if packed else 1)


def _add_late(
    offered: dict[str, tuple[str, ...]],
    columns: Mapping[str, ExampleColumn],
    logs: LogSettings,
    files: Mapping[str, Sequence[SourceFile]],
    data_dir: str,
) -> None:
    """Adds columns that no source offers at first sight, and whose rows begin to have them later."""
    main = _main(logs)
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
    main = _main(logs)
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
    main = _main(logs)
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
            columns=unique(*on, *logs.impressions.time.column, *side_keys, *logs.split.columns, *owned[IMPRESSIONS]),
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
                columns=unique(*on, *logs.clicks.time.column),
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
                columns=unique(*on, *logs.conversions.time.column, *([event] if event else [])),
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
    names = unique(
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
