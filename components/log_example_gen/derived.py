"""Columns made of the time of the impression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import polars as pl

from tandem.components.log_example_gen.records import TIME

if TYPE_CHECKING:
    from collections.abc import Mapping


def derive(rows: pl.DataFrame, derived: Mapping[str, Literal["hour_of_day", "day_of_week"]]) -> pl.DataFrame:
    """Adds columns made of `TIME` (UTC), as text: hours are 0 to 23, days 0 (Monday) to 6."""
    moment = pl.from_epoch(pl.col(TIME), time_unit="us")
    parts = {"hour_of_day": moment.dt.hour(), "day_of_week": moment.dt.weekday() - 1}
    return rows.with_columns(parts[what].cast(pl.String).alias(name) for name, what in derived.items())
