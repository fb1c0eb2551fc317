"""What is drawn of all rows: distribution of scores, ROC, reliability, GAUC by the number of rows per user.

With weights, the ROC and shares are those of the weighted rows. Distributions and bins of reliability stay counts of
rows, so that they show how much is known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tandem.components.metrics.intervals import jackknife_interval
from tandem.components.metrics.score_statistics import below_and_above, column_pairs
from tandem.components.metrics.statistics import BINS, FINE, Statistics, bin_edges
from tandem.components.metrics.users import CLUSTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

ROC_POINTS = 200
RELIABILITY_BINS = 20
SCORE_BINS = 50
"""How many bins a distribution of scores has, but for one more where they begin and end within others."""

_JOINT_BINS = (1, 2, 4, 8, 16, 32)
MOST_ACTIVE = 10
"""log2 of the number of rows from which on users are not told apart."""


def curves(statistics: Statistics, column: int, beside: Sequence[int] = ()) -> dict[str, Any] | None:
    """Computes the curves of one column of scores.

    Args:
      statistics: Of the slice of all rows, every key once.
      column: The column's number.
      beside: Columns that are drawn in the same picture: their scores' bins are as wide.

    Returns:
      The fields of `tandem.components.evaluator.results.Curves` but model and output, as lists and dictionaries of
      numbers; None where there are no scores.
    """
    histogram = _histogram(statistics, column)
    if histogram is None:
        return None
    weights = statistics.of_clusters("histogram_weights", column, BINS * FINE)
    return {
        **_distribution(histogram, max(_joint_bins(_histogram(statistics, each)) for each in (column, *beside))),
        **_roc(statistics, column),
        "reliability": _reliability(histogram, weights),
        "by_activity": _by_activity(statistics, column),
    }


def _histogram(statistics: Statistics, column: int) -> NDArray[np.float64] | None:
    return statistics.of_clusters("histogram", column, BINS * FINE)


def _joint_bins(histogram: NDArray[np.float64] | None) -> int:
    """Returns how many fine bins have to be joined for them to be few enough; 1 where there are none."""
    if histogram is None:
        return 1
    span = np.ptp(np.flatnonzero(histogram[:, :, 0].sum(axis=0))) + 1
    return next(width for width in _JOINT_BINS if span <= width * SCORE_BINS)


def _distribution(histogram: NDArray[np.float64], joint: int) -> dict[str, list[Any]]:
    """The bins from the first to the last that has rows."""
    coarse = histogram.sum(axis=0).reshape(-1, joint, 3).sum(axis=1)
    filled = np.flatnonzero(coarse[:, 0])
    kept = slice(filled[0], filled[-1] + 1)
    return {
        "score_edges": bin_edges(len(coarse))[filled[0] : filled[-1] + 2].tolist(),
        "positives": coarse[kept, 1].astype(int).tolist(),
        "negatives": (coarse[kept, 0] - coarse[kept, 1]).astype(int).tolist(),
    }


def _roc(statistics: Statistics, column: int) -> dict[str, list[float]]:
    """Points of the exact curve, about evenly along it; none where there is one class only."""
    pairs = column_pairs(statistics, column)
    points = statistics.of_column("roc", column) or statistics.of_column("weighted_roc", column)
    if pairs is None or points is None or not pairs.values[:, :2].sum(axis=0).all():
        return {"false_positive_rate": [], "true_positive_rate": []}
    positives, negatives = pairs.values[:, :2].sum(axis=0)
    _, above = below_and_above(pairs)
    partition = np.searchsorted(pairs.keys[:, 2], points.keys[:, 2])
    higher_positives = above[partition] + pairs.values[partition, 0] - points.values[:, 0]
    up_to = np.cumsum(pairs.values[:, 1])
    higher_negatives = negatives - up_to[partition] + pairs.values[partition, 1] - points.values[:, 1]
    true, false = np.append(1, higher_positives / positives)[::-1], np.append(1, higher_negatives / negatives)[::-1]
    if pairs.values.dtype == np.float64:  # sums of weights are rounded, and the highest score has nothing above it
        true, false = (np.maximum.accumulate(np.clip(np.append(0, rates[1:]), 0, 1)) for rates in (true, false))
    way = true + false
    wanted = np.searchsorted(way, np.linspace(0, 2, ROC_POINTS))
    chosen = np.unique(np.concatenate([[0, len(way) - 1], np.minimum(wanted, len(way) - 1)]))
    return {"false_positive_rate": false[chosen].tolist(), "true_positive_rate": true[chosen].tolist()}


def _reliability(histogram: NDArray[np.float64], weights: NDArray[np.float64] | None) -> list[dict[str, float | int]]:
    """Neighbouring fine bins joined to about equal numbers of rows.

    Args:
      histogram: [CLUSTERS, bins, 3], rows, positives, (weighted) sums of scores.
      weights: [CLUSTERS, bins, 2], weights of positives and negatives; None where rows weigh 1.
    """
    rows = histogram[:, :, 0].sum(axis=0)
    middle = np.cumsum(rows) - rows / 2
    joint = np.minimum((middle * RELIABILITY_BINS / rows.sum()).astype(int), RELIABILITY_BINS - 1)
    found = []
    for number in np.unique(joint[rows > 0]):
        chosen = (joint == number) & (rows > 0)
        sums = histogram[:, chosen].sum(axis=1)
        count = int(sums[:, 0].sum())
        if weights is not None:
            by_class = weights[:, chosen].sum(axis=1)
            sums[:, 0], sums[:, 1] = by_class.sum(axis=1), by_class[:, 0]
        low, high = _ratio_interval(sums[:, 1], sums[:, 0])
        weight, positive, scores = sums.sum(axis=0)
        found.append(
            {"rows": count, "predicted": scores / weight, "observed": positive / weight, "low": low, "high": high}
        )
    return found


def _by_activity(statistics: Statistics, column: int) -> list[dict[str, float | int | None]]:
    table = statistics.of_column("activity", column)
    if table is None:
        return []
    sizes = np.minimum(table.keys[:, 2], MOST_ACTIVE)
    found: list[dict[str, float | int | None]] = []
    for size in np.unique(sizes):
        here = sizes == size
        users, aucs = (
            np.bincount(table.keys[here, 3], table.values[here, number], CLUSTERS).astype(np.float64, copy=False)
            for number in (0, 1)
        )
        low, high = _ratio_interval(aucs[users > 0], users[users > 0])
        found.append(
            {
                "least": int(2**size),
                "most": None if size == MOST_ACTIVE else int(2 ** (size + 1) - 1),
                "users": int(users.sum()),
                "gauc": aucs.sum() / users.sum(),
                "low": low,
                "high": high,
            }
        )
    return found


def _ratio_interval(numerators: NDArray[np.float64], denominators: NDArray[np.float64]) -> tuple[float, float]:
    """The interval of a share that is a ratio of sums over clusters."""
    present = denominators > 0
    numerators, denominators = numerators[present], denominators[present]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = numerators.sum() / denominators.sum()
        replicates = (numerators.sum() - numerators) / (denominators.sum() - denominators)
    low, high = jackknife_interval(np.array([value]), replicates[:, None], ("log_odds",))
    return float(low[0]), float(high[0])
