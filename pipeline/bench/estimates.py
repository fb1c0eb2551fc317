"""Means over seeds, and differences of two systems paired by seed.

>>> difference({1: 0.62, 2: 0.64, 3: 0.63}, {1: 0.60, 2: 0.61, 3: 0.62}, "mmoe").mean
0.02
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CONFIDENCE = 0.95


class Estimate(BaseModel, extra="forbid", frozen=True):
    """A mean over seeds.

    Attributes:
      mean: Over the seeds.
      sd: Standard deviation from seed to seed (n - 1 in the denominator); None for one seed.
      seeds: How many there are.
    """

    mean: float
    sd: float | None
    seeds: int


class Difference(BaseModel, extra="forbid", frozen=True):
    """How much higher one system's value is than another's, of the same seeds.

    Attributes:
      against: The other system.
      mean: Of the differences, seed by seed.
      low: Lower end of the 95% confidence interval of the mean, by the t distribution; None for one seed.
      high: Its upper end.
      seeds: How many seeds both have.
    """

    against: str
    mean: float
    low: float | None
    high: float | None
    seeds: int

    @property
    def is_clear(self) -> bool:
        """Whether 0 lies outside of the interval."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


def estimate(values: Sequence[float | None]) -> Estimate | None:
    """Returns mean and standard deviation of the values that there are; None where there are none."""
    known = [value for value in values if value is not None and not math.isnan(value)]
    if not known:
        return None
    return Estimate(
        mean=float(np.mean(known)), sd=float(np.std(known, ddof=1)) if len(known) > 1 else None, seeds=len(known)
    )


def difference(ours: Mapping[int, float | None], theirs: Mapping[int, float | None], against: str) -> Difference | None:
    """Compares the values of two systems.

    Args:
      ours: By seed.
      theirs: By seed.
      against: The other system's name.

    Returns:
      None where no seed has both values.
    """
    pairs = [(ours[seed], theirs[seed]) for seed in sorted(ours.keys() & theirs.keys())]
    gaps = np.array([a - b for a, b in pairs if a is not None and b is not None])
    if not len(gaps):
        return None
    mean, low, high = round(float(gaps.mean()), 12), None, None
    if len(gaps) > 1:
        half = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(gaps) - 1) * gaps.std(ddof=1) / math.sqrt(len(gaps)))
        low, high = mean - half, mean + half
    return Difference(against=against, mean=mean, low=low, high=high, seeds=len(gaps))
