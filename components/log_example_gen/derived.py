"""Columns made of the time of the impression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import polars as pl

from tandem.components.log_example_gen.records import TIME

if TYPE_CHECKING:
    from collections.abc import Mapping


def derive(
    rows: pl.DataFrame, derived: Mapping[str, Literal["hour_of_day", "day_of_week"]], timezone: str | None = None
) -> pl.DataFrame:
    """Adds columns made of `TIME`, as text: hours are 0 to 23, days 0 (Monday) to 6.

    Args:
      rows: With `TIME`, in UTC.
      derived: What is made, by the names of the new columns.
      timezone: Whose hours and days these are; None: those of UTC.
    """
    moment = pl.from_epoch(pl.col(TIME), time_unit="us")
    if timezone is not None:
        moment = moment.dt.replace_time_zone("UTC").dt.convert_time_zone(timezone)
    parts = {"hour_of_day": moment.dt.hour(), "day_of_week": moment.dt.weekday() - 1}
    return rows.with_columns(parts[what].cast(pl.String).alias(name) for name, what in derived.items())
