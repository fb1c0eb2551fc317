"""What rows are for: to train, to choose, to judge.

Their time decides, or the file they stand in, a hash, a column, or whether they are the last of their user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tandem.components.log_example_gen.dates import microseconds
from tandem.components.log_example_gen.drawing import lots
from tandem.components.log_example_gen.records import FILE, OUTSIDE_SPLIT, ROW, TIME, set_aside
from tandem.components.log_example_gen.sources import LogsError, glob_pattern
from tandem.components.log_example_gen.where import one_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tandem.components.log_example_gen.settings.split import Split

_USER = "__user"
_PART = "__part"
_NEWEST = 3  # Rows of a user: the last one judges, the one before may validate, and a third must be there to train.


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
    return _divided(rows, rows.select(name.alias(_PART)).to_series(), split)


def by_share(rows: pl.DataFrame, split: Split, files: Sequence[str]) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Draws rows, or the values of a key, by a hash; returns what `by_time` does.

    A key's value always draws the same, whatever else is in the logs. A row (also one whose key is empty) draws by the
    name of its file and its place there.

    Args:
      rows: With `FILE`, `ROW` and the key.
      split: The shares; what they leave belongs to no part.
      files: The names of the files.
    """
    names = pl.Series(files, dtype=pl.String).gather(rows.get_column(FILE))
    place = pl.concat_str([names, pl.lit("\n"), pl.col(ROW).cast(pl.String)])
    drawn = place if split.key is None else pl.when(pl.col(split.key) == "").then(place).otherwise(pl.col(split.key))
    parts = split.periods()
    edges = np.cumsum([period.share or 0 for period in parts.values()])
    edges = np.where(np.abs(edges - 1) < 1e-9, 1, edges)
    number = np.searchsorted(edges, lots(rows.select(drawn.alias(_PART)).to_series()), side="right")
    part = pl.Series([*parts, None], dtype=pl.String).gather(number)
    return _divided(rows, part, split)


def by_value(rows: pl.DataFrame, split: Split) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Divides rows by the value of a column; returns what `by_time` does."""
    name: pl.Expr = pl.lit(None, pl.String)
    for split_name, period in split.periods().items():
        inside = one_of(str(split.column), period.values or ())
        name = pl.when(inside).then(pl.lit(split_name)).otherwise(name)
    return _divided(rows, rows.select(name.alias(_PART)).to_series(), split)


def last_rows(rows: pl.DataFrame, user: str) -> pl.DataFrame:
    """Returns the places of the last rows of each user, those of nobody left out.

    Args:
      rows: With `FILE`, `ROW`, the user's column, and `TIME` where there is one.
      user: The column.

    Returns:
      User, `TIME` (0 where there is none), `FILE`, `ROW`; of each user at most three, the last one first. Rows of one
      time stand in the order of the files and of their rows.
    """
    time = pl.col(TIME) if TIME in rows.columns else pl.lit(0, pl.Int64).alias(TIME)
    told = rows.filter(pl.col(user) != "").select(pl.col(user).alias(_USER), time, FILE, ROW)
    return _newest(told)


def last_of_all(parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    """Brings the last rows of parts of the logs together."""
    none = pl.DataFrame(schema={_USER: pl.String, TIME: pl.Int64, FILE: pl.Int32, ROW: pl.Int64})
    return _newest(pl.concat([none, *parts]))


def _newest(rows: pl.DataFrame) -> pl.DataFrame:
    ordered = rows.sort(_USER, TIME, FILE, ROW, descending=[False, True, True, True])
    return ordered.group_by(_USER, maintain_order=True).head(_NEWEST)


def by_last(rows: pl.DataFrame, split: Split, last: pl.DataFrame) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Leaves the last row of each user out of the training; returns what `by_time` does.

    Who has a single row trains with it, and so do the rows of nobody. A row validates only where a third one trains.

    Args:
      rows: With `FILE` and `ROW`.
      split: Whether the row before the last validates.
      last: The last rows of all users (`last_of_all`).
    """
    place, number = pl.int_range(pl.len()).over(_USER), pl.len().over(_USER)
    validates = (place == 1) & (number > 2) & pl.lit(split.validation is not None)
    part = pl.when((place == 0) & (number > 1)).then(pl.lit("eval")).when(validates).then(pl.lit("validation"))
    chosen = last.with_columns(part.alias(_PART)).select(FILE, ROW, _PART)
    found = rows.select(FILE, ROW).join(chosen, on=[FILE, ROW], how="left", maintain_order="left")
    return _divided(rows, found.get_column(_PART).fill_null("train"), split)


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


def _divided(rows: pl.DataFrame, part: pl.Series, split: Split) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
    """Returns the rows by the names of their parts, and those of none with `REASON`."""
    parts = {name: rows.filter(part == name) for name in split.periods()}
    return parts, set_aside(rows.filter(part.is_null()), OUTSIDE_SPLIT)
