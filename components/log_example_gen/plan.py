"""What is to be read from where, and how: all that the reading, joining and writing goes by."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from tandem.components.log_example_gen.labelled import TableLabels
from tandem.components.log_example_gen.numbers import Written, notation_of
from tandem.components.log_example_gen.readers.block import BLOCK_BYTES
from tandem.components.log_example_gen.records import (
    EVENT,
    FILE,
    ROW,
    TABLE,
    TIME,
)

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
    from tandem.components.log_example_gen.settings.files import Files
    from tandem.components.log_example_gen.settings.logs import LogSettings
    from tandem.components.log_example_gen.settings.time import TimeColumn
    from tandem.components.log_example_gen.sources import SourceFile
    from tandem.components.log_example_gen.times import TimeBounds


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
        return unique(*self.keys, *time, *event, *self.weights, *self.values, *self.spec.where)

    @property
    def read(self) -> tuple[str, ...]:
        """The columns read: those kept, and those that `where` looks at."""
        return unique(*self.columns, *self.spec.where)

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


def unique(*names: str) -> tuple[str, ...]:
    """Returns names in their order, each once."""
    return tuple(dict.fromkeys(names))
