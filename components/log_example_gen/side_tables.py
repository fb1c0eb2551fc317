"""Columns about users and items, added to the impressions by a key."""

from __future__ import annotations

import polars as pl

from tandem.components.log_example_gen.records import DUPLICATE, set_aside
from tandem.components.log_example_gen.sources import LogsError


def one_per_key(table: pl.DataFrame, key: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns the first row of each key, and the others with `REASON`."""
    first = table.get_column(key).is_first_distinct()
    return table.filter(first), set_aside(table.filter(~first), DUPLICATE)


def features_column(name: str) -> str:
    """Names the column with a side table's serialized features, once they stand beside the impressions' columns."""
    return f"__features_{name}"


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
