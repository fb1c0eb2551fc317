"""Random draws: skewed shares, choices by shares, shares of rows."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]


def skewed_shares(rng: np.random.Generator, count: int, exponent: float) -> Floats:
    """Returns shares that fall with the rank's power, in random order.

    The rank starts late so that the first alone does not dominate.
    """
    weights = (np.arange(count) + 1 + count / 50) ** -exponent
    return rng.permutation(weights / weights.sum())


def pick(rng: np.random.Generator, cumulative: Floats, count: int) -> Integers:
    """Draws `count` codes by their cumulative shares."""
    # Cumulative shares may end a rounding error below 1.
    return np.minimum(np.searchsorted(cumulative, rng.random(count), side="right"), len(cumulative) - 1)


def pick_skewed(rng: np.random.Generator, kinds: int, count: int, exponent: float = 0.8) -> Integers:
    """Draws `count` of the codes 0 ... kinds - 1 by skewed shares."""
    return pick(rng, np.cumsum(skewed_shares(rng, kinds, exponent)), count)


def rounded_share(rng: np.random.Generator, share: float, rows: int) -> int:
    """Returns share * rows, rounded up or down at random so that the mean is right."""
    return int(share * rows + rng.random())


def sample_rows(rng: np.random.Generator, share: float, rows: int) -> Integers:
    """Draws about `share` of the rows 0 ... rows - 1, with replacement."""
    return rng.integers(0, rows, rounded_share(rng, share, rows)) if rows else np.zeros(0, dtype=np.int64)
