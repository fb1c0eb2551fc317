"""95% intervals by user: what the metrics are with a cluster of users left out says how sure they are.

The jackknife over clusters (Efron & Tibshirani 1993, chapter 11): with k clusters and a metric's replicates x_1 to
x_k, each with one of the clusters left out, the variance is (k - 1) / k * sum((x_i - mean)^2). As rows of one user lie
in one cluster, they may depend on each other in any way. Quantiles are Student's. Where a few clusters make most of the
variance, as they do with few positive rows, it is known less well than k clusters would let it: the degrees of freedom
are Satterthwaite's, 3 * (sum d^2)^2 / sum d^4 - 2, where d are the deviations (3 for the kurtosis of the normal
distribution), from 1 to k - 1.

Bounded metrics have their interval made where they are not: areas in log-odds, losses and ratios as logarithms. An
interval `from_0` is symmetric, and cut off at 0.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtrit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tandem.components.metrics.catalog import Scale

LEVEL = 0.95

LEAST_CLUSTERS = 10
"""With fewer clusters that have rows, there is no interval."""

_LARGEST = 300.0  # of an exponent: far beyond all that is of use, and no overflow

_WIDEST_FACTOR = 1000.0
"""An interval between so many times less and so many times more says nothing, and there is none."""


def jackknife_interval(
    values: NDArray[np.float64], replicates: NDArray[np.float64], scales: tuple[Scale, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Computes the lower and the upper ends of M metrics.

    Args:
      values: [M], of all rows.
      replicates: [k, M], with each of the clusters that have rows left out.
      scales: [M], where the intervals are symmetric.

    Returns:
      [M] and [M]. nan where there are fewer than LEAST_CLUSTERS clusters, where a metric has no value with one of them
      left out (as AUC, if all positive rows lie in one), where leaving out changes nothing, and where a ratio might be
      a thousand times as large or as small.
    """
    clusters = len(replicates)
    nothing = np.full(len(values), np.nan)
    if clusters < LEAST_CLUSTERS:
        return nothing, nothing.copy()
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        deviations = replicates - replicates.mean(axis=0)
        squares = (deviations**2).sum(axis=0)
        freedom = np.clip(3 * squares**2 / (deviations**4).sum(axis=0) - 2, 1, clusters - 1)
        half = stdtrit(freedom, (1 + LEVEL) / 2) * np.sqrt((clusters - 1) / clusters * squares)
        half = np.where(np.sqrt(squares) > 1e-12 * np.abs(values), half, np.nan)
        low, high = nothing, nothing.copy()
        for number, scale in enumerate(scales):
            low[number], high[number] = _ends(float(values[number]), float(half[number]), scale)
    return low, high


def _ends(value: float, half: float, scale: Scale) -> tuple[float, float]:
    """Makes the interval on a scale, with the half width that it has there to first order."""
    if math.isnan(half) or scale == "identity":
        return value - half, value + half
    if scale == "from_0":
        return max(value - half, 0.0), value + half
    if value <= 0:
        return math.nan, math.nan
    if scale == "log":
        factor = math.exp(min(half / value, _LARGEST))
        if factor > _WIDEST_FACTOR:
            return math.nan, math.nan
        return value / factor, value * factor
    if value >= 1:
        return math.nan, math.nan
    odds, factor = value / (1 - value), math.exp(min(half / (value * (1 - value)), _LARGEST))
    low, high = odds / factor, odds * factor
    return low / (1 + low), high / (1 + high)
