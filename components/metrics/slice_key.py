"""How a slice is named."""

from __future__ import annotations

SliceKey = tuple[tuple[str, str | int], ...]
"""Pairs of column and value, ordered by column; () is the slice of all rows."""

ACTIVITY = "activity"
"""The column, in the names of slices, of slices by the number of a user's rows."""

MISSING = "(missing)"
"""The value of rows that have none."""


def slice_text(key: SliceKey) -> str:
    """Names a slice in messages: `city=12, device=phone`; `all rows`."""
    return ", ".join(f"{column}={value}" for column, value in key) or "all rows"
