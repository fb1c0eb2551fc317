"""When an impression happened, or which file it stands in, decides what it is for: to train, to choose, to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.dates import microseconds
from tandem.components.log_example_gen.records import OUTSIDE_SPLIT, TIME, set_aside
from tandem.components.log_example_gen.sources import LogsError, glob_pattern

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tandem.components.log_example_gen.settings import Split


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
      LogsError: A file of two splits, or a glob that is none or names none of the files.
    """
    names = list(names)
    where: dict[str, str | None] = dict.fromkeys(names)
    for split_name, period in split.periods().items():
        for pattern in period.files or ():
            inside = [name for name in names if glob_pattern(pattern).match(name)]
            if not inside:
                raise LogsError(f"split '{split_name}': '{pattern}' matches none of the table's files: {names}")
            for name in inside:
                if where[name] not in (None, split_name):
                    raise LogsError(f"{name} belongs to two splits: '{where[name]}' and '{split_name}'")
                where[name] = split_name
    return where
