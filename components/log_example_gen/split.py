"""When an impression happened decides what it is for: to train, to choose the stopping point, to judge."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Literal

import polars as pl

from tandem.components.log_example_gen.records import OUTSIDE_SPLIT, TIME, set_aside
from tandem.components.log_example_gen.settings import Period, Split, final_column
from tandem.components.log_example_gen.sources import LogsError, glob_regex

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def by_time(rows: pl.DataFrame, split: Split) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Returns the rows of each split by their `TIME`, in their order, and those of no period with `REASON`."""
    name: pl.Expr = pl.lit(None, pl.String)
    for split_name, period in split.periods().items():
        inside = pl.lit(True)
        if period.start is not None:
            inside &= pl.col(TIME) >= microseconds(period.start)
        if period.end is not None:
            inside &= pl.col(TIME) < microseconds(period.end)
        name = pl.when(inside).then(pl.lit(split_name)).otherwise(name)
    where = rows.select(name.alias("split")).to_series()
    parts = {split_name: rows.filter(where == split_name) for split_name in split.periods()}
    return parts, set_aside(rows.filter(where.is_null()), OUTSIDE_SPLIT)


def by_file(names: Iterable[str], split: Split) -> dict[str, str | None]:
    """Returns the split of each file by the globs of the periods, None for one that is in no period.

    Raises:
      LogsError: A file of two splits, or a glob that names none of the files.
    """
    names = list(names)
    where: dict[str, str | None] = dict.fromkeys(names)
    for split_name, period in split.periods().items():
        for pattern in period.files or ():
            inside = [name for name in names if glob_regex(pattern).fullmatch(name)]
            if not inside:
                raise LogsError(f"split '{split_name}': '{pattern}' matches none of the table's files: {names}")
            for name in inside:
                if where[name] not in (None, split_name):
                    raise LogsError(f"{name} belongs to two splits: '{where[name]}' and '{split_name}'")
                where[name] = split_name
    return where


def describe(period: Period) -> str:
    """Says in words what a period holds."""
    if period.files is not None:
        return f"files {', '.join(period.files)}"
    parts = [f"from {period.start}"] if period.start else []
    return " ".join([*parts, *([f"before {period.end}"] if period.end else [])])


def describe_us(time_us: int) -> str:
    """Writes microseconds since 1970 as a date and time, UTC."""
    return str(_EPOCH + datetime.timedelta(microseconds=time_us))


def derive(rows: pl.DataFrame, derived: Mapping[str, Literal["hour_of_day", "day_of_week"]]) -> pl.DataFrame:
    """Adds columns made of `TIME` (UTC), as text: hours are 0 to 23, days 0 (Monday) to 6."""
    moment = pl.from_epoch(pl.col(TIME), time_unit="us")
    parts = {"hour_of_day": moment.dt.hour(), "day_of_week": moment.dt.weekday() - 1}
    return rows.with_columns(parts[what].cast(pl.String).alias(name) for name, what in derived.items())


def with_finality(rows: pl.DataFrame, delays: Mapping[str, datetime.timedelta], observed_until_us: int) -> pl.DataFrame:
    """Adds a column per label that has a window: 1 where the label cannot change any more, else 0 (Int8).

    Positive labels of young impressions are not final either: to keep them and leave out the negative ones, which wait
    for the same window, would make a label look more frequent than it is.

    Args:
      rows: Impressions with their `TIME`.
      delays: By label, how long after its impression it may change.
      observed_until_us: The end of the logs; the edge of a window lies inside.
    """
    ends = {label: pl.col(TIME) + delay // datetime.timedelta(microseconds=1) for label, delay in delays.items()}
    return rows.with_columns(
        (end <= observed_until_us).cast(pl.Int8).alias(final_column(label)) for label, end in ends.items()
    )


def microseconds(moment: datetime.datetime) -> int:
    """Returns a time as microseconds since 1970."""
    return (moment - _EPOCH) // datetime.timedelta(microseconds=1)
