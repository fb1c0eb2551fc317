"""What a user says about the logs: streams, join, side tables, split.

These classes are the `logs:` section of a configuration file. They are strict (an unknown key is an error), frozen, and
import nothing but pydantic, so that reading a configuration costs nothing.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, model_validator


def _listed(value: Any) -> Any:
    """Reads one name as a list of one; makes tuples of lists, which strict validation does not do here."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _utc(value: Any) -> Any:
    """Reads dates as midnight UTC and times without a zone as UTC."""
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if isinstance(value, datetime.datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=datetime.timezone.utc)
    return value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
UtcTime = Annotated[datetime.datetime, BeforeValidator(_utc)]


class TimeColumn(BaseModel, extra="forbid", frozen=True):
    """The column that says when an event happened."""

    column: str
    unit: Literal["s", "ms", "us", "iso8601"]


class Files(BaseModel, extra="forbid", frozen=True):
    """A set of files with the same columns.

    Attributes:
      files: Globs, relative to the data folder. They are read in the order of their sorted names.
      format: None: from the name's ending (.csv, .tsv, .jsonl, .parquet, each also .gz but for Parquet).
      delimiter: Of CSV cells; None: a comma, or a tab where the file is called .tsv.
      quoting: Of CSV cells: a double quote at the start of a cell opens a quoted one. False: it is a character like any
        other.
      rename: Column in the file -> the name it has from here on.
    """

    files: Names = Field(min_length=1)
    format: Literal["csv", "jsonl", "parquet"] | None = None
    delimiter: str | None = Field(default=None, min_length=1, max_length=1)
    quoting: bool = True
    rename: dict[str, str] = {}


class EventStream(Files, extra="forbid", frozen=True):
    """Impressions: one row per item shown."""

    time: TimeColumn


class ClickStream(EventStream, extra="forbid", frozen=True):
    """Clicks: one row per click.

    Attributes:
      label: The label that a row of this stream sets to 1.
    """

    label: str = "click"


class ConversionStream(EventStream, extra="forbid", frozen=True):
    """Conversions: one row per post-click event; the kind of event is the name of the label it sets to 1.

    Attributes:
      event: Where the kind stands: the name of a column. None: all rows are of the kind `label`.
      label: The kind of every row, where there is no such column.
    """

    event: str | None = None
    label: str | None = None

    @model_validator(mode="after")
    def _one_of(self) -> ConversionStream:
        if (self.event is None) == (self.label is None):
            raise ValueError(
                "give either 'event' (a column that names the kind of event) or 'label' (the kind of all rows)"
            )
        return self


class SideTable(Files, extra="forbid", frozen=True):
    """Columns about a user or an item, joined to every impression by `key`.

    Attributes:
      name: How messages and counts call it.
      key: The column, here and among the impressions.
    """

    name: str
    key: str


class LabelledTable(Files, extra="forbid", frozen=True):
    """One table whose rows carry their labels already (0/1, true/false).

    Attributes:
      time: When the impression happened; None where rows are split by file.
    """

    time: TimeColumn | None = None


class Join(BaseModel, extra="forbid", frozen=True):
    """How clicks and conversions find their impression.

    Attributes:
      on: The key columns, present in all three streams.
      attribution: `impression_id`: the key names one impression. `last_touch`: the key (user and item, say) repeats; an
        event belongs to the latest impression (a conversion: to the latest click) of its key at or before it.
      click_window_hours: A click later than this after its impression does not count; the edge itself counts. None: no
        limit.
      conversion_window_hours: The same for a conversion after its click.
      orphan_conversions: A conversion whose parent event is missing is quarantined, or makes the parent's label 1.
    """

    on: Names = Field(min_length=1)
    attribution: Literal["impression_id", "last_touch"] = "impression_id"
    click_window_hours: float | None = Field(default=None, gt=0)
    conversion_window_hours: float | None = Field(default=None, gt=0)
    orphan_conversions: Literal["quarantine", "imply_click"] = "quarantine"

    @model_validator(mode="after")
    def _last_touch_needs_windows(self) -> Join:
        if self.attribution == "last_touch" and (
            self.click_window_hours is None or self.conversion_window_hours is None
        ):
            raise ValueError("attribution 'last_touch' needs click_window_hours and conversion_window_hours")
        return self

    @property
    def label_delay(self) -> datetime.timedelta:
        """How long after its impression a label may still change; zero without windows."""
        return datetime.timedelta(hours=(self.click_window_hours or 0) + (self.conversion_window_hours or 0))


class Period(BaseModel, extra="forbid", frozen=True, populate_by_name=True):
    """The rows of one split: impressions in [start, end), or (labelled tables only) all rows of some files."""

    start: UtcTime | None = Field(default=None, alias="from")
    end: UtcTime | None = Field(default=None, alias="before")
    files: Names | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Period:
        if self.files is None and self.start is None and self.end is None:
            raise ValueError("give 'from', 'before' or both (times), or 'files' (a labelled table split by file)")
        if self.files is not None and (self.start or self.end):
            raise ValueError("'files' does not go with 'from' and 'before'")
        if self.start and self.end and self.start >= self.end:
            raise ValueError(f"'from' ({self.start}) must lie before 'before' ({self.end})")
        return self


class Split(BaseModel, extra="forbid", frozen=True):
    """Which impressions are trained on, which choose the stopping point (optional), which judge the model."""

    train: Period
    validation: Period | None = None
    eval: Period

    def periods(self) -> dict[str, Period]:
        """Returns the periods by split name, in the order of time."""
        named = {"train": self.train, "validation": self.validation, "eval": self.eval}
        return {name: period for name, period in named.items() if period is not None}

    @model_validator(mode="after")
    def _in_order(self) -> Split:
        periods = list(self.periods().items())
        if len({period.files is None for _, period in periods}) > 1:
            raise ValueError("split all parts by time, or all parts by file")
        if periods[0][1].files is None:
            for (earlier, a), (later, b) in pairwise(periods):
                if a.end is None or b.start is None:
                    raise ValueError(f"'{earlier}' needs 'before' and '{later}' needs 'from'")
                if a.end > b.start:
                    raise ValueError(f"'{earlier}' ends at {a.end}, after '{later}' begins at {b.start}")
        return self


class LogSettings(BaseModel, extra="forbid", frozen=True):
    """The `logs:` section: either three streams and how to join them, or one labelled table.

    Attributes:
      post_impression: Columns that are known only after the impression (play time, say). They cannot be features.
      derived: New column -> what of the impression's time (UTC) it holds.
      observed_until: What happened later is not in the logs. None: the time of the latest event of any stream.
      max_bad_share: A run fails when more than this share of a stream's rows is quarantined for being malformed or
        unattributable (see `tandem.components.log_example_gen.records`).
    """

    impressions: EventStream | None = None
    clicks: ClickStream | None = None
    conversions: ConversionStream | None = None
    table: LabelledTable | None = None
    side_tables: tuple[SideTable, ...] = ()
    join: Join | None = None
    split: Split
    post_impression: Names = ()
    derived: dict[str, Literal["hour_of_day", "day_of_week"]] = {}
    observed_until: UtcTime | None = None
    max_bad_share: float = Field(default=0.05, ge=0, le=1)

    @model_validator(mode="after")
    def _streams_or_table(self) -> LogSettings:
        if (self.impressions is None) == (self.table is None):
            raise ValueError(
                "give either 'impressions' (with 'clicks', 'conversions', 'join') or 'table' (already labelled)"
            )
        if self.impressions is not None:
            if self.clicks is None or self.join is None:
                raise ValueError("'impressions' need 'clicks' and 'join'")
            if self.split.train.files is not None:
                raise ValueError("streams are split by time: 'files' in 'split' is for labelled tables")
            self._enough_gap(self.join.label_delay)
        elif self.clicks or self.conversions or self.join:
            raise ValueError("'clicks', 'conversions' and 'join' do not go with 'table'")
        elif self.observed_until is not None:
            raise ValueError("'observed_until' does not go with 'table', whose labels are taken as they are")
        elif self.table is not None and self.table.time is None and self.split.train.files is None:
            raise ValueError("a 'table' without 'time' can only be split by 'files'")
        return self

    def label_delays(self, names: Iterable[str]) -> dict[str, datetime.timedelta]:
        """Returns how long after its impression each label may still change; those of labels that have a window.

        A click's is the click window. A conversion's is both windows together: it may come so long after a click that
        came so long after the impression.

        Args:
          names: The labels.
        """
        if self.join is None or self.clicks is None:
            return {}
        click = datetime.timedelta(hours=self.join.click_window_hours or 0)
        conversion = self.join.label_delay if self.join.conversion_window_hours else datetime.timedelta()
        delays = {name: click if name == self.clicks.label else conversion for name in names}
        return {name: delay for name, delay in delays.items() if delay}

    def _enough_gap(self, delay: datetime.timedelta) -> None:
        """Refuses a split in which a training label could come from the days that judge the model."""
        periods = list(self.split.periods().items())
        for (earlier, a), (later, b) in pairwise(periods):
            if a.end and b.start and b.start - a.end < delay:
                raise ValueError(
                    f"split: '{later}' must begin at least {delay} (click and conversion window together) after "
                    f"'{earlier}' ends, so that no label of '{earlier}' comes from '{later}'; "
                    f"it begins {b.start - a.end} after"
                )


class ExampleColumn(BaseModel, extra="forbid", frozen=True):
    """A column that goes into the examples.

    Attributes:
      kind: `bytes` (categories), `float` (numbers; an unparsable cell is empty) or `int`.
      separator: Between the values of a cell that holds several; None: one value, or a list already (JSON, Parquet).
    """

    kind: Literal["bytes", "float", "int"] = "bytes"
    separator: str | None = None


def final_column(label: str) -> str:
    """Names the column of the examples that is 1 where a label cannot change any more."""
    return f"{label}_is_final"


class Label(BaseModel, extra="forbid", frozen=True):
    """A label of the examples: 1 only where the parent's is 1 (a like without a click is an orphan)."""

    name: str
    parent: str | None = None
