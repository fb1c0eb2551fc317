"""The users of GAUC, as a number per row, and the clusters that intervals are made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from tandem.components.metrics.slicing import Column

NO_GROUP = np.iinfo(np.int64).min
"""The code of a row that names no user."""

CLUSTERS = 128
"""Into how many clusters users are divided (fits into 7 bits)."""


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


def clusters(groups: np.ndarray, ids: Callable[[], np.ndarray]) -> np.ndarray:
    """Divides the rows into clusters by user, for intervals: rows of one user lie in one cluster.

    A row without a user is a user of its own: its cluster is that of its id.

    Args:
      groups: [N] int64, as from `group_codes`.
      ids: Gives [N] int64, a number per row that does not depend on what is measured; only asked where it is needed.

    Returns:
      [N] uint8, below CLUSTERS.
    """
    without = groups == NO_GROUP
    codes = np.where(without, ids(), groups) if without.any() else groups
    return (mixed(codes) % np.uint64(CLUSTERS)).astype(np.uint8)


def mixed(codes: np.ndarray) -> np.ndarray:
    """Scatters codes over all uint64, different ones to different places (the last steps of SplitMix64).

    Args:
      codes: [N] int64.
    """
    bits = codes.view(np.uint64).copy()
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits ^= bits >> np.uint64(shift)
        bits *= np.uint64(factor)
    return bits ^ (bits >> np.uint64(31))
