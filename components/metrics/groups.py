"""The users of GAUC, as a number per row."""

from __future__ import annotations

import numpy as np
import pandas as pd

from components.metrics.slicing import Column

NO_GROUP = np.iinfo(np.int64).min
"""The code of a row that names no user."""


def group_codes(column: Column, name: str) -> np.ndarray:
    """Makes one int64 per row of a user column.

    Integers are their own code. Categories become 64-bit hashes (SipHash), the same in every batch and process: among a
    million users, any two share one with a probability of 3e-8.

    Args:
      column: N rows with at most one value each.
      name: Its name, for messages.

    Returns:
      [N] int64; NO_GROUP where the row has no value.

    Raises:
      ValueError: A row has several values.
    """
    if (column.counts > 1).any():
        raise ValueError(f"column '{name}' has {column.counts.max()} values in a row: a row belongs to one user")
    if column.values.dtype == object:
        codes = pd.util.hash_array(column.values).view(np.int64)
    else:
        codes = column.values.astype(np.int64)
    groups = np.full(len(column.counts), NO_GROUP)
    groups[column.counts == 1] = codes
    return groups
