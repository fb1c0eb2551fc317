"""What the logs hold: streams of events, side tables, or a table with labels."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, model_validator

from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.settings.time import TimeColumn
from tandem.components.log_example_gen.settings.written import Kinds, Words
from tandem.settings import Settings

_COMPARISON = re.compile(r"^\s*(?P<sign>>=|>|<=|<|==)\s*(?P<number>[+-]?\d+(\.\d*)?)\s*$")


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
