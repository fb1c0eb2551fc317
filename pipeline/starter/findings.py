"""What files seem to be: the words in which a guess is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    import polars as pl

    from tandem.components.log_example_gen.settings.time import TimeColumn
    from tandem.pipeline.starter.event_log import EventLog
    from tandem.pipeline.starter.label_guess import LabelRule
    from tandem.pipeline.starter.profile import Profile

Role = Literal["impressions", "clicks", "conversions", "table"]


@dataclass(frozen=True)
class Sample:
    """Files with the same columns, and some rows of the first.

    Attributes:
      files: A glob, or names, relative to the data folder.
      rows: Rows as the readers give them: texts, or lists of texts.
      names: What the files are called, without folder and endings.
      settings: What has to be said of how they are read: format, delimiter, columns ...
    """

    files: tuple[str, ...]
    rows: pl.DataFrame
    names: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def named(self) -> bool:
        """Whether the files name their columns."""
        return "columns" not in self.settings


@dataclass(frozen=True)
class Stream:
    """A stream or table and what was found in it.

    Attributes:
      sample: Its rows.
      columns: By name.
      time: The column that says when, and how it does.
    """

    sample: Sample
    columns: Mapping[str, Profile]
    time: tuple[str, TimeColumn] | None = None


@dataclass(frozen=True)
class Side:
    """A table about users or items.

    Attributes:
      name: What it is called.
      key: Its column that the impressions have, too.
      stream: What is in it.
    """

    name: str
    key: str
    stream: Stream


@dataclass
class Guess:
    """What the files seem to be.

    Attributes:
      streams: By role.
      sides: Tables that are added by a key.
      unused: Files that fit nowhere.
      on: The columns by which events find their impression.
      unique: Whether these name one impression.
      event: The column of the conversions that names the kind of event, and the kinds.
      labels: Of a labelled table, parents first.
      log: What the kinds of events mean, where one log holds all of them; it is the stream `impressions`, too.
      first: The earliest time seen among impressions or rows.
      last: The latest.
      days_only: Whether times are days.
      notes: What a user should know of how it was guessed.
    """

    streams: dict[Role, Stream] = field(default_factory=dict)
    sides: list[Side] = field(default_factory=list)
    unused: list[Sample] = field(default_factory=list)
    on: tuple[str, ...] = ()
    unique: bool = True
    event: tuple[str, tuple[str, ...]] | None = None
    labels: tuple[LabelRule, ...] = ()
    log: EventLog | None = None
    first: datetime.datetime | None = None
    last: datetime.datetime | None = None
    days_only: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def clicks(self) -> bool:
        """Whether there are clicks beside the impressions."""
        return "clicks" in self.streams or (self.log is not None and self.log.clicked is not None)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The labels of what follows a click, or the impression."""
        if self.log is not None:
            return tuple(self.log.following.values())
        if "conversions" not in self.streams:
            return ()
        return self.event[1] if self.event else ("conversion",)

    @property
    def follows(self) -> bool:
        """Whether events follow a click, or the impression where there are none."""
        return "conversions" in self.streams or (self.log is not None and bool(self.log.following))

    @property
    def main(self) -> Stream:
        """The impressions, or the labelled table."""
        return self.streams.get("impressions") or self.streams["table"]


class CannotGuess(ValueError):
    """The files do not look like logs that a configuration can be guessed for; the message says why."""
