"""The `logs:` section of a configuration file."""

from __future__ import annotations

import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from tandem.components.log_example_gen.settings.join import Join
from tandem.components.log_example_gen.settings.sources import (
    ClickStream,
    ConversionStream,
    ImpressionStream,
    LabelledTable,
    SideTable,
)
from tandem.components.log_example_gen.settings.split import Split
from tandem.components.log_example_gen.settings.written import Names, UtcTime
from tandem.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable


def _absent(value: Any) -> Any:
    """Reads the word `absent` as nothing."""
    return None if value == "absent" else value


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
