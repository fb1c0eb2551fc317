"""The users of GAUC, as a number per row, and the clusters of users that intervals are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tandem.components.metrics.slicing import Column

NO_USER = np.iinfo(np.int64).min
"""The code of a row that names no user."""

CLUSTERS = 128
"""Into how many clusters users are divided (fits into 7 bits)."""


def user_codes(column: Column, name: str) -> NDArray[np.int64]:
    """Makes one int64 per row of a user column.

    Integers are their own code. Categories become 64-bit hashes (SipHash), the same in every batch and process: among a
    million users, any two share one with a probability of 3e-8.

    A row without a value, or with an empty one, is anonymous: many strangers are no user.

    Args:
      column: N rows with at most one value each.
      name: Its name, for messages.

    Returns:
      [N] int64; NO_USER where the row is anonymous.

    Raises:
      ValueError: A row has several values.
    """
    if (column.counts > 1).any():
        raise ValueError(f"column '{name}' has {column.counts.max()} values in a row: a row belongs to one user")
    users = no_users(len(column.counts))
    if column.values.dtype == object:
        users[column.counts == 1] = np.where(column.values.astype(bool), hash_codes(column.values), NO_USER)
    else:
        users[column.counts == 1] = column.values.astype(np.int64)
    return users


def no_users(rows: int) -> NDArray[np.int64]:
    """Returns the codes of rows that name no user, [rows]."""
    return np.full(rows, NO_USER)


def hash_codes(values: NDArray[Any]) -> NDArray[np.int64]:
    """Hashes [N] bytes or texts (dtype object) to int64: SipHash, the same in every process."""
    hashes: NDArray[np.uint64] = pd.util.hash_array(values)
    return hashes.view(np.int64)


def cluster_of(users: NDArray[np.int64], ids: Callable[[], NDArray[np.int64]]) -> NDArray[np.uint8]:
    """Divides the rows into clusters by user, for intervals: rows of one user lie in one cluster.

    A row without a user is a user of its own: its cluster is that of its id.

    Args:
      users: [N] int64, as from `user_codes`.
      ids: Gives [N] int64, a number per row that does not depend on what is measured; only asked where it is needed.

    Returns:
      [N] uint8, below CLUSTERS.
    """
    unnamed = users == NO_USER
    codes = np.where(unnamed, ids(), users) if unnamed.any() else users
    cluster: NDArray[np.uint64] = scatter(codes) % np.uint64(CLUSTERS)
    return cluster.astype(np.uint8)


def scatter(codes: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Spreads [N] codes over all uint64, different ones to different places (the last steps of SplitMix64)."""
    bits = codes.view(np.uint64).copy()
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        bits ^= bits >> np.uint64(shift)
        bits *= np.uint64(factor)
    return bits ^ (bits >> np.uint64(31))
