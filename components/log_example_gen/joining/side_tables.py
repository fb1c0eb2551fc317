"""Columns about users and items, added to the impressions by a key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.records import DUPLICATE, WITHOUT_KEY, set_aside
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_MUCH_BETTER = 0.25  # So much larger a share of the keys must match for a way to be told.


def _whole(key: str) -> str:
    return re.sub(r"\.0+$", "", key)


def _bare(key: str) -> str:
    return key.lstrip("0") or key[:1]


_WAYS: dict[str, Callable[[str], str]] = {
    "without spaces around them": str.strip,
    "in the same case": str.lower,
    "without leading zeros": _bare,
    "as whole numbers (12.0 against 12)": _whole,
    "as whole numbers without leading zeros": lambda key: _bare(_whole(key.strip())),
}


def one_per_key(table: pl.DataFrame, key: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns the first row of each key, and the others with `REASON`: those that repeat it or have none."""
    keyless = table.get_column(key) == ""
    if keyless.any():
        table, nothing = table.filter(~keyless), set_aside(table.filter(keyless), WITHOUT_KEY)
    else:
        nothing = set_aside(table.clear(), WITHOUT_KEY)
    first = table.get_column(key).is_first_distinct()
    return table.filter(first), pl.concat([set_aside(table.filter(~first), DUPLICATE), nothing])


def features_column(name: str) -> str:
    """Names the column with a side table's serialized features, once they stand beside the impressions' columns."""
    return f"__features_{name}"


def would_match(ours: Sequence[str], theirs: Sequence[str]) -> str | None:
    """Says how two sets of keys that hardly match would match, if one knew that they mean the same; None: not at all.

    Args:
      ours: Different keys of the examples.
      theirs: Different keys of the table.
    """

    def matching(change: Callable[[str], str]) -> float:
        there = {change(key) for key in theirs}
        return sum(change(key) in there for key in ours) / len(ours) if ours else 0.0

    found = {way: matching(change) for way, change in _WAYS.items()}
    best = max(found, key=lambda way: found[way])  # Of equals the first: the least change.
    return best if found[best] >= matching(str) + _MUCH_BETTER else None


def attach(rows: pl.DataFrame, table: pl.DataFrame, key: str) -> tuple[pl.DataFrame, int]:
    """Adds the columns of a side table to rows, which keep their order.

    Args:
      rows: With the column `key`.
      table: With `key`, each value once, and the columns to add. They are null where the table lacks a row's key.
      key: The column that both have.

    Returns:
      The rows with the columns, and how many of them have a key that the table lacks.

    Raises:
      LogsError: The rows' keys are lists.
    """
    if rows.schema[key] != pl.String:
        raise LogsError(f"column '{key}' holds lists; the key of a side table is one value")
    found = rows.join(table.with_columns(pl.lit(True).alias("__found")), on=key, how="left", maintain_order="left")
    return found.drop("__found"), found.get_column("__found").null_count()
