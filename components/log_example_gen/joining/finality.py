"""When the logs end, and whether a label can still change after that."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.records import TIME
from tandem.components.log_example_gen.settings.columns import final_column, time_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def end_of_logs(rows: pl.DataFrame, labels: Iterable[str]) -> int:
    """Returns the latest time of what counts: of the impressions, and of the events that set their labels.

    An event that counts for nothing says nothing about how far the logs go: its time may be wrong.

    Args:
      rows: Impressions with their `TIME` and the times of their labels.
      labels: All labels.

    Returns:
      Microseconds since 1970; 0 where there are no rows.
    """
    times = [TIME, *map(time_column, labels)]
    latest: int | None = rows.select(pl.max_horizontal(pl.col(times).max())).item()
    return latest or 0


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
