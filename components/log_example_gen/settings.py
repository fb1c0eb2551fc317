"""What a user says about the logs: streams, join, side tables, split.

These classes are the `logs:` section of a configuration file. They are strict (an unknown key is an error), frozen, and
import nothing but pydantic, so that reading a configuration costs nothing.
"""

from __future__ import annotations

import datetime
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from tandem.components.log_example_gen.conditions import Where
from tandem.components.log_example_gen.split_settings import Split
from tandem.components.log_example_gen.time_formats import check_format, check_timezone
from tandem.components.log_example_gen.written import Names, UtcTime
from tandem.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def _kinds(value: Any) -> Any:
    """Reads the kinds of events as texts: in a file, 1 is a number and the cell is a text."""
    return {str(kind): label for kind, label in value.items()} if isinstance(value, dict) else value


def _absent(value: Any) -> Any:
    """Reads the word `absent` as nothing."""
    return None if value == "absent" else value


def _words(value: Any) -> Any:
    """Reads texts and numbers, one or a list of them, as texts."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    texts = [str(each).lower() if isinstance(each, bool) else each for each in values]
    return tuple(str(each) if isinstance(each, int | float) else each for each in texts)


def _delimiter(value: Any) -> Any:
    """Reads the words for delimiters, and what stands for a character where YAML leaves a backslash as it is."""
    if not isinstance(value, str):
        return value
    return _ESCAPED.sub(_character, _DELIMITERS.get(value, value))


def _character(written: re.Match[str]) -> str:
    code = written[1]
    return "\t" if code == "t" else chr(int(code.lstrip("xu"), 8 if code[0] == "0" else 16))


_DELIMITERS = {"tab": "\t", "space": " ", "comma": ",", "semicolon": ";", "pipe": "|"}
_ESCAPED = re.compile(r"\\(t|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|0[0-7]{2})")

WHITESPACE = "whitespace"
"""The delimiter that is any run of spaces and tabs."""

NULL_WORDS = ("\\N", "NULL", "null", "NA", "NaN", "nan", "None")
"""What other programs write where there is no value."""

_MARK = r"^[^0-9A-Za-z+-]$"  # What can stand within a number and is no part of it.
_COMPARISON = re.compile(r"^\s*(?P<sign>>=|>|<=|<|==)\s*(?P<number>[+-]?\d+(\.\d*)?)\s*$")

# What a user may write is the type of the JSON schema.
Kinds = Annotated[dict[str, str], BeforeValidator(_kinds)]
Words = Annotated[
    tuple[str, ...],
    BeforeValidator(_words, json_schema_input_type=str | float | bool | tuple[str | float | bool, ...]),
]
Delimiter = Annotated[str, BeforeValidator(_delimiter), Field(min_length=1, max_length=10)]


class TimeColumn(Settings):
    """Where it stands when an event happened, and how that is read: by `unit` or by `format`."""

    column: Names = Field(min_length=1, max_length=2)
    """The column, by its name after `rename`; or two of them, whose texts are read as one with a space between (a date
    and a time of day), or which are a date and the time since then (see `offset`).
    """

    unit: Literal["s", "ms", "us", "ns", "iso8601"] | None = None
    """`s`, `ms`, `us`, `ns`: seconds, milliseconds, microseconds or nanoseconds since 1970 (UTC), fractions allowed;
    `iso8601`: texts such as 2024-03-11T06:00:00+01:00, 2024-03-11 6:00 or 20240311T060000Z.
    """

    format: str | None = None
    """Instead of `unit`: a pattern of Python's `strptime`, such as `%Y/%m/%d %H:%M`, or a word for one: `apache`
    (14/Nov/2023:22:13:00 +0000), `rfc2822` (Tue, 14 Nov 2023 22:13:00 +0000). Names of months and days are English.
    Where numbers stand side by side, only the first may lack its leading zero.
    """

    offset: Literal["s", "ms", "us", "ns"] | None = None
    """The second column is the time since the first one's, in this unit: `s`, `ms`, `us` or `ns`. None: both are one
    text.
    """

    year: int | None = Field(default=None, ge=1, le=9998)
    """The year of all times, where `format` names none."""

    timezone: str | None = None
    """The IANA name (Asia/Shanghai) of the zone of texts that name none themselves, and of hours and days in `derived`.
    None: UTC. Numbers since 1970 are UTC in any case. Dates of `split` are UTC unless they name a zone.
    """

    ambiguous: Literal["earlier", "later", "bad"] = "earlier"
    """What a time means that comes twice because the clock is set back: the `earlier` moment, the `later` one, or no
    time at all (`bad`).
    """

    missing: Literal["shift", "bad"] = "shift"
    """What a time means that the clock leaves out: the moment as long after midnight as if it had not been set forward
    (`shift`: 02:30 becomes 03:30), or no time at all (`bad`).
    """

    origin: UtcTime | None = None
    """The moment that 0 stands for, where numbers do not count since 1970. Then any time of theirs is taken: without
    it, one before 1990 is bad, unless a part of `split` begins or ends there.
    """

    @model_validator(mode="after")
    def _readable(self) -> TimeColumn:
        if (self.unit is None) == (self.format is None):
            raise ValueError(
                "give either 'unit' (s, ms, us, ns since 1970, or iso8601) or 'format' (a pattern such as "
                "'%Y-%m-%d %H:%M')"
            )
        counted = self.unit is not None and self.unit != "iso8601"
        if self.origin is not None and not counted:
            raise ValueError("'origin' is the moment of 0 and goes with a 'unit' that counts (s, ms, us, ns)")
        if self.offset is not None and (len(self.column) < 2 or counted):
            raise ValueError("'offset' is the unit of a second column, which counts since the date in the first")
        if len(self.column) > 1 and counted:
            raise ValueError("two columns are a date and a time of day, or a date and an 'offset', not numbers")
        if self.format is not None:
            check_format(self.format, self.year)
        elif self.year is not None:
            raise ValueError("'year' goes with a 'format' that names none")
        if self.timezone is not None:
            check_timezone(self.timezone)
        return self


class Files(Settings):
    """A set of files with the same columns."""

    files: Names = Field(min_length=1)
    """Globs, relative to the data folder; what they match is read in the order of the sorted names. `*` and `?` stay
    within a folder, `**` does not. A glob that matches nothing is an error. Hidden files (`.x`, `_x`, or in such a
    folder) are left out unless a glob says the point or the underscore.
    """

    format: Literal["csv", "jsonl", "parquet"] | None = None
    """`csv`, `jsonl` or `parquet`. None: by the name's ending (.csv, .tsv, .jsonl, .ndjson, .parquet, each but the last
    also with .gz, .bz2, .xz, .zst or .zip behind it).
    """

    columns: Names = ()
    """The columns of CSV files without a header, in their order: as many as a row has cells. Empty: the first row names
    them.
    """

    delimiter: Delimiter | None = None
    """Between the cells of a CSV file: one or several characters (`"::"`), `\\t`, `\\x01`, or a word: `comma`,
    `semicolon`, `tab`, `space`, `pipe`, or `whitespace` (any run of spaces and tabs). None: a comma, or a tab where the
    file is called .tsv.
    """

    quoting: bool = True
    """Whether a double quote at the start of a CSV cell opens a quoted one. If not, it is a character like any other.
    """

    escape: str | None = Field(default=None, min_length=1, max_length=1)
    """The character that stands before a quote within a quoted CSV cell (a backslash: Spark, MySQL). None: the quote is
    doubled, unless the beginning of the file can only be read with a backslash; then it is said in the log.
    """

    encoding: str | None = None
    """Of text files, as Python calls it (`utf-16`, `cp1252`, `gbk`). None: by the byte-order mark, else UTF-8."""

    null_values: Names | dict[str, Names] = NULL_WORDS
    """Cells that mean that there is no value: they count as empty. A list for all columns, or a list by column (by its
    name after `rename`; the other columns keep the default). `[]`: none but the empty cell.
    """

    rename: dict[str, str] = Field(default_factory=dict)
    """Name in the file -> the column's name from here on, in all other settings. A name that no file has is an error.
    """

    @field_validator("columns")
    @classmethod
    def _once(cls, columns: tuple[str, ...]) -> tuple[str, ...]:
        twice = sorted({name for name in columns if columns.count(name) > 1})
        if twice:
            raise ValueError(f"names that come twice: {twice}")
        return columns

    @field_validator("delimiter")
    @classmethod
    def _between_cells(cls, delimiter: str | None) -> str | None:
        if delimiter is not None and set(delimiter) & set('\r\n\0"'):
            raise ValueError("a delimiter holds no line end, no double quote and no NUL")
        return delimiter

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str | None) -> str | None:
        if encoding is not None:
            try:
                "".encode(encoding)
            except LookupError as error:
                raise ValueError(f"Python knows no encoding of texts called '{encoding}'") from error
        return encoding

    @model_validator(mode="after")
    def _sound_escape(self) -> Files:
        if self.escape is not None and (not self.escape.isascii() or self.escape in '"\r\n\0'):
            raise ValueError("'escape' is one ASCII character, and no double quote: None stands for doubled quotes")
        if self.escape is not None and not self.quoting:
            raise ValueError("'escape' is about quotes, and 'quoting' is false")
        return self

    where: Where = Field(default_factory=dict)
    """Conditions on columns; only rows that satisfy all of them are read, the others are counted as `not_asked_for`. So
    one file may be several streams.
    """

    decimal: str = Field(default=".", pattern=_MARK)
    """The mark before the fraction of a number in text: `","` for 12,5."""

    thousands: str | None = Field(default=None, pattern=_MARK)
    """The mark between groups of three digits of a number in text: `","` for 1,234.5. None: there is none."""

    strip: str = ""
    """Characters that may stand around a number in text and say nothing: `"$€%"` for $12, 5 € and 12%, which is 12."""

    @model_validator(mode="after")
    def _different_marks(self) -> Files:
        if self.decimal == self.thousands:
            raise ValueError(f"'decimal' and 'thousands' are both {self.decimal!r}; give both where they change places")
        return self


class EventStream(Files):
    """Impressions, clicks or conversions: one row per event."""

    time: TimeColumn
    """When the event happened."""


class ImpressionStream(EventStream):
    """Impressions: one row per item shown."""

    weight: str | None = None
    """A numeric column that weighs rows: in every row one finite number, 0 or more. None: all rows weigh the same."""


class ClickStream(EventStream):
    """Clicks: one row per click."""

    label: str = "click"
    """The label that a row of this stream sets to 1."""


class ConversionStream(EventStream):
    """Conversions: one row per post-click event; the kind of event is the name of the label it sets to 1."""

    event: str | None = None
    """The column that names the kind of event; the kind is the name of the label that the row sets to 1. Kinds that no
    task asks for are counted and left aside. None: all rows are of the kind `label`.
    """

    events: Kinds = Field(default_factory=dict)
    """What the values of the column `event` mean: value -> name of the label, such as {"1": buy, "3": cart}. Rows with
    another value are left aside. Empty: the values are the names of the labels.
    """

    label: str | None = None
    """The kind of all rows, where no column names it."""

    @model_validator(mode="after")
    def _one_of(self) -> ConversionStream:
        if (self.event is None) == (self.label is None):
            raise ValueError(
                "give either 'event' (a column that names the kind of event) or 'label' (the kind of all rows)"
            )
        if self.events and self.event is None:
            raise ValueError("'events' says what the values of the column 'event' mean; give 'event', too")
        return self

    @property
    def labels(self) -> tuple[str, ...] | None:
        """The labels that its rows can set; None: only the rows themselves say which."""
        if self.label is not None:
            return (self.label,)
        return tuple(dict.fromkeys(self.events.values())) or None


class SideTable(Files):
    """Columns about a user or an item, joined to every impression by `key`."""

    name: str
    """What messages and counts call the table."""

    key: str
    """The key column, with the same name here and among the impressions (`rename` helps)."""


class TableLabel(Settings):
    """What a label of a table is read from.

    What nothing is said of is 1, true, t, yes or 1.0, or else 0, false, f, no or 0.0, in any case.
    """

    column: str | None = None
    """The column, by its name after `rename`. None: the one called like the label."""

    positive: Words | None = Field(default=None, min_length=1)
    """What is 1: a comparison of numbers (`">=4"`, also with >, <=, <, ==), or a text, a number, or a list of them. All
    else but an empty cell is then 0, unless `negative` says what is. None: the usual words.
    """

    negative: Words | None = Field(default=None, min_length=1)
    """What is 0: a text, a number (`-1`), or a list of them; all else is a bad label. None: the usual words, or what is
    not `positive` where that is given.
    """

    empty: Literal["negative", "bad"] = "bad"
    """What an empty cell is: 0 (`negative`), or a bad label (`bad`)."""

    @model_validator(mode="after")
    def _one_rule(self) -> TableLabel:
        if self.negative is not None and self.comparison is not None:
            raise ValueError("a comparison in 'positive' says what is 0, too: 'negative' does not go with it")
        return self

    @property
    def comparison(self) -> tuple[str, float] | None:
        """The comparison that `positive` is, as its sign and its number; None: it is none."""
        found = _COMPARISON.match(self.positive[0]) if self.positive is not None and len(self.positive) == 1 else None
        return None if found is None else (found["sign"], float(found["number"]))


class LabelledTable(Files):
    """One table whose rows carry their labels already (0/1, true/false)."""

    labels: dict[str, TableLabel] = Field(default_factory=dict)
    """By the name of a label: the column that it is read from, and what is positive there."""

    orphans: Literal["bad", "imply"] = "bad"
    """What a row is in which a label is 1 and its parent is 0 (an order without its click): bad (`bad`), or one whose
    parents are 1 as well (`imply`).
    """

    time: TimeColumn | None = None
    """When the impression happened. None: the rows are split by file."""

    weight: str | None = None
    """A numeric column that weighs rows: in every row one finite number, 0 or more. None: all rows weigh the same."""


class Join(Settings):
    """How clicks and conversions find their impression."""

    on: Names = Field(min_length=1)
    """The key columns, present in all streams."""

    attribution: Literal["impression_id", "last_touch"] = "impression_id"
    """`impression_id`: the key names one impression. `last_touch`: the key (user and item, say) repeats; an event
    belongs to the latest impression (a conversion: to the latest click) of its key at or before it; this needs the
    windows of the streams that there are.
    """

    click_window_hours: float | None = Field(default=None, gt=0)
    """A click later than this after its impression does not count; the edge itself counts. None: no limit."""

    conversion_window_hours: float | None = Field(default=None, gt=0)
    """A conversion later than this after its click does not count; the edge itself counts. Where there are no clicks,
    this is counted from the impression. None: no limit.
    """

    orphan_conversions: Literal["quarantine", "imply_click"] = "quarantine"
    """What becomes of a conversion whose click is missing: it is set aside (`quarantine`), or makes the click's label 1
    (`imply_click`).
    """


class LogSettings(Settings):
    """The `logs:` section: either three streams and how to join them, or one labelled table."""

    impressions: ImpressionStream | None = None
    """What was shown, a row per item: each row becomes an example. Excludes `table`; needs `join`, and `clicks`,
    `conversions` or both. Where the logs begin with clicks, these are the impressions.
    """

    clicks: Annotated[
        ClickStream | None, BeforeValidator(_absent, json_schema_input_type=ClickStream | Literal["absent"] | None)
    ] = None
    """What was clicked, a row per click. None, or the word `absent`: the logs have no clicks, and conversions belong to
    the impression itself.
    """

    conversions: ConversionStream | None = None
    """What came of it (purchases, likes, installs), a row per event after a click (where there are clicks), of one kind
    or several.
    """

    table: LabelledTable | None = None
    """One table whose rows carry their labels already. Excludes `impressions`, `clicks`, `conversions` and `join`."""

    side_tables: tuple[SideTable, ...] = ()
    """Columns about users or items, joined to every impression by a key."""

    join: Join | None = None
    """How clicks and conversions find their impression."""

    split: Split
    """Which impressions train, and which judge."""

    post_impression: Names = ()
    """Columns that are known only after the impression (play time, say). They are refused as features and slices."""

    derived: dict[str, Literal["hour_of_day", "day_of_week"]] = Field(default_factory=dict)
    """New columns, made of the impression's time: name -> `hour_of_day` (0 to 23) or `day_of_week` (0, Monday, to 6),
    in the `timezone` of that time, or in UTC where it has none. Both are categories, that is, texts.
    """

    observed_until: UtcTime | None = None
    """When the logs were taken: what happened later is not in them. None: the latest time of what counts,
    impressions and the clicks and conversions that belong to them.
    """

    max_unmatched_share: float | None = Field(default=0.5, ge=0, le=1)
    """The run fails when a side table lacks the keys of a larger share of the examples that have one: then the keys are
    likely written in two ways. None: there is no bound but that some must match.
    """

    max_bad_share: float = Field(default=0.05, ge=0, le=1)
    """The run fails when a larger share of the rows of a stream or table is bad: unreadable, without a key or a time,
    or without the event that it belongs to.
    """

    max_unreadable_share: float = Field(default=0.05, ge=0, le=1)
    """The run fails when a larger share of a numeric column's values, the empty ones left out, are no numbers. See
    `decimal`, `thousands`, `strip` and `null_values`.
    """

    max_lost_positives_share: float | None = Field(default=None, ge=0, le=1)
    """The run fails when a larger share of the rows that make a label 1 is bad, in a table or of a kind of conversions:
    4% of the rows can be 20% of the orders. None: as `max_bad_share`.
    """

    @model_validator(mode="after")
    def _streams_or_table(self) -> LogSettings:
        if (self.impressions is None) == (self.table is None):
            raise ValueError(
                "give either 'impressions' (with 'clicks', 'conversions', 'join') or 'table' (already labelled)"
            )
        if self.impressions is not None:
            if self.join is None or (self.clicks is None and self.conversions is None):
                raise ValueError("'impressions' need 'join', and 'clicks', 'conversions' or both")
            if self.split.kind == "files":
                raise ValueError("streams are not split by file: 'files' in 'split' is for labelled tables")
            self._needed_windows(self.join)
            self._enough_gap(self.label_delay)
        elif self.clicks or self.conversions or self.join:
            raise ValueError("'clicks', 'conversions' and 'join' do not go with 'table'")
        elif self.observed_until is not None:
            raise ValueError("'observed_until' does not go with 'table', whose labels are taken as they are")
        elif self.table is not None and self.table.time is None and self.split.kind == "time":
            raise ValueError(
                "a 'table' without 'time' cannot be split by time; say 'files', 'share', 'values' of a 'column', or "
                "'leave_last_out'"
            )
        return self

    @property
    def weight(self) -> str | None:
        """The column of the impressions or the table that weighs rows; None: all weigh the same."""
        main = self.impressions or self.table
        return main.weight if main is not None else None

    @property
    def weight_place(self) -> tuple[tuple[str, ...], str] | None:
        """Where a configuration names the column that weighs rows, and that column; None: all weigh the same."""
        section = "impressions" if self.impressions is not None else "table"
        return None if self.weight is None else (("logs", section, "weight"), self.weight)

    def label_delays(self, names: Iterable[str]) -> dict[str, datetime.timedelta]:
        """Returns how long after its impression each label may still change; those of labels that have a window.

        A click's is the click window. A conversion's is both windows together (where there are clicks): it may come so
        long after a click that came so long after the impression.

        Args:
          names: The labels.
        """
        if self.join is None:
            return {}
        click_label = None if self.clicks is None else self.clicks.label
        click = datetime.timedelta(hours=self.join.click_window_hours or 0)
        conversion = self.label_delay if self.join.conversion_window_hours else datetime.timedelta()
        delays = {name: click if name == click_label else conversion for name in names}
        return {name: delay for name, delay in delays.items() if delay}

    @property
    def label_delay(self) -> datetime.timedelta:
        """How long after its impression a label may still change: the windows of the streams that there are."""
        if self.join is None:
            return datetime.timedelta()
        click = self.join.click_window_hours if self.clicks is not None else None
        conversion = self.join.conversion_window_hours if self.conversions is not None else None
        return datetime.timedelta(hours=(click or 0) + (conversion or 0))

    def _needed_windows(self, join: Join) -> None:
        """Looks whether each stream has the window that it needs, and no other stream one."""
        if self.clicks is None and join.click_window_hours is not None:
            raise ValueError("join: 'click_window_hours' says nothing here: there are no 'clicks'")
        windows = {
            "click_window_hours": self.clicks is not None and join.click_window_hours is None,
            "conversion_window_hours": self.conversions is not None and join.conversion_window_hours is None,
        }
        missing = [name for name, needed in windows.items() if needed]
        if join.attribution == "last_touch" and missing:
            raise ValueError(f"join: attribution 'last_touch' needs {' and '.join(missing)}")

    def _enough_gap(self, delay: datetime.timedelta) -> None:
        """Refuses a split in which a training label could come from the days that judge the model."""
        periods = list(self.split.periods().items())
        for (earlier, a), (later, b) in pairwise(periods):
            if a.end and b.start and b.start - a.end < delay:
                raise ValueError(
                    f"split: '{later}' must begin at least {delay} (the windows together) after "
                    f"'{earlier}' ends, so that no label of '{earlier}' comes from '{later}'; "
                    f"it begins {b.start - a.end} after"
                )


class ExampleColumn(Settings):
    """A column that goes into the examples."""

    kind: Literal["bytes", "float", "int"] = "bytes"
    """`bytes` (categories), `float` (numbers; an unparsable cell is empty) or `int`."""

    separator: str | None = None
    """Between the values of a cell that holds several; None: one value, or a list already (JSON, Parquet)."""

    single: bool = False
    """Whether a row has one value at most: then a list of several is an error."""

    weight: bool = False
    """A row weight: in every row one finite number, 0 or more. Its `kind` is `float`, also where none is given."""

    keeps_places: bool = False
    """Whether a value of a list that is empty (or no number) keeps its place, as "" or NaN: another column's values
    stand beside these.
    """

    weight_separator: str | None = None
    """Between a value and its weight, where they are one text; what follows it and is no number is counted. None: texts
    are values alone.
    """

    @model_validator(mode="before")
    @classmethod
    def _weights_are_numbers(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("weight") and "kind" not in data:
            return {**data, "kind": "float"}
        return data

    @model_validator(mode="after")
    def _one_number(self) -> ExampleColumn:
        if self.weight and (self.kind != "float" or self.separator is not None):
            separated = "" if self.separator is None else f" separated by {self.separator!r}"
            raise ValueError(f"a row weight is one number in each row: kind 'float', not '{self.kind}'{separated}")
        return self


class Label(Settings):
    """A label of the examples: 1 only where the parent's is 1 (a like without a click is an orphan)."""

    name: str
    """Its column in the examples."""

    parent: str | None = None
    """The label that must be 1 for it to be 1; None: it stands alone."""


IMPRESSION_TIME = "impression_time_us"
"""The column of the examples with the time of the impression, in microseconds since 1970 (UTC)."""

OBSERVED_UNTIL = "observed_until_us"
"""The column of the examples with the end of the logs, the same in all rows, in microseconds since 1970 (UTC)."""


def final_column(label: str) -> str:
    """Names the column of the examples that is 1 where a label cannot change any more."""
    return f"{label}_is_final"


def time_column(label: str) -> str:
    """Names the column of the examples with the time of the event that set a label; without a value where it is 0."""
    return f"{label}_time_us"


def own_columns(logs: LogSettings, labels: Sequence[str], observed_until: bool = False) -> tuple[str, ...]:
    """Returns the columns that ingestion itself adds to the examples: labels, whether they are final, times.

    Args:
      logs: The streams, or the labelled table.
      labels: All labels.
      observed_until: Whether the examples say when the logs end (see `LogExampleGen`).
    """
    joined = logs.table is None
    return (
        *labels,
        *(final_column(label) for label in logs.label_delays(labels)),
        *(time_column(label) for label in labels if joined),
        *([IMPRESSION_TIME] if joined or (logs.table is not None and logs.table.time is not None) else []),
        *([OBSERVED_UNTIL] if observed_until else []),
    )
