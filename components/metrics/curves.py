"""What is drawn of all rows: distribution of scores, ROC, reliability, GAUC by the number of rows per user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tandem.components.metrics.by_score import beside as pieces_beside
from tandem.components.metrics.groups import CLUSTERS
from tandem.components.metrics.intervals import interval
from tandem.components.metrics.statistics import BINS, FINE, Statistics, bin_edges

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
    bins = _dense(statistics, "bins", column, BINS * FINE)
    if bins is None:
        return None
    return {
        **_distribution(bins, max(_joint(_dense(statistics, "bins", each, BINS * FINE)) for each in (column, *beside))),
        **_roc(statistics, column),
        "reliability": _reliability(bins),
        "by_activity": _by_activity(statistics, column),
    }


def _joint(bins: np.ndarray | None) -> int:
    """Returns how many fine bins have to be joined for them to be few enough; 1 where there are none."""
    if bins is None:
        return 1
    span = np.ptp(np.flatnonzero(bins[:, :, 0].sum(axis=0))) + 1
    return next(width for width in _JOINT_BINS if span <= width * SCORE_BINS)


def _distribution(bins: np.ndarray, joint: int) -> dict[str, list]:
    """The bins from the first to the last that has rows."""
    coarse = bins.sum(axis=0).reshape(-1, joint, 3).sum(axis=1)
    filled = np.flatnonzero(coarse[:, 0])
    kept = slice(filled[0], filled[-1] + 1)
    return {
        "score_edges": bin_edges(len(coarse))[filled[0] : filled[-1] + 2].tolist(),
        "positives": coarse[kept, 1].astype(int).tolist(),
        "negatives": (coarse[kept, 0] - coarse[kept, 1]).astype(int).tolist(),
    }


def _roc(statistics: Statistics, column: int) -> dict[str, list]:
    """Points of the exact curve, about evenly along it; none where there is one class only."""
    pieces, points = (statistics.tables[name].of_column(column) for name in ("pieces", "roc"))
    positives, negatives = pieces.values[:, :2].sum(axis=0)
    if not positives or not negatives:
        return {"false_positive_rate": [], "true_positive_rate": []}
    _, above = pieces_beside(pieces)
    piece = np.searchsorted(pieces.keys[:, 2], points.keys[:, 2])
    higher_positives = above[piece] + pieces.values[piece, 0] - points.values[:, 0]
    up_to = np.cumsum(pieces.values[:, 1])
    higher_negatives = negatives - up_to[piece] + pieces.values[piece, 1] - points.values[:, 1]
    true, false = np.append(1, higher_positives / positives)[::-1], np.append(1, higher_negatives / negatives)[::-1]
    way = true + false
    wanted = np.searchsorted(way, np.linspace(0, 2, ROC_POINTS))
    chosen = np.unique(np.concatenate([[0, len(way) - 1], np.minimum(wanted, len(way) - 1)]))
    return {"false_positive_rate": false[chosen].tolist(), "true_positive_rate": true[chosen].tolist()}


def _reliability(bins: np.ndarray) -> list[dict[str, float]]:
    """Neighbouring fine bins joined to about equal numbers of rows."""
    rows = bins[:, :, 0].sum(axis=0)
    middle = np.cumsum(rows) - rows / 2
    joint = np.minimum((middle * RELIABILITY_BINS / rows.sum()).astype(int), RELIABILITY_BINS - 1)
    found = []
    for number in np.unique(joint[rows > 0]):
        of_cluster = bins[:, (joint == number) & (rows > 0)].sum(axis=1)
        total = of_cluster.sum(axis=0)
        low, high = _ratio_interval(of_cluster[:, 1], of_cluster[:, 0])
        observed, predicted = total[1] / total[0], total[2] / total[0]
        found.append({"rows": int(total[0]), "predicted": predicted, "observed": observed, "low": low, "high": high})
    return found


def _by_activity(statistics: Statistics, column: int) -> list[dict[str, float | int | None]]:
    if "activity" not in statistics.tables:
        return []
    table = statistics.tables["activity"].of_column(column)
    sizes = np.minimum(table.keys[:, 2], MOST_ACTIVE)
    found: list[dict[str, float | int | None]] = []
    for size in np.unique(sizes):
        here = sizes == size
        users, aucs = (np.bincount(table.keys[here, 3], table.values[here, number], CLUSTERS) for number in (0, 1))
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


def _ratio_interval(numerators: np.ndarray, denominators: np.ndarray) -> tuple[float, float]:
    """The interval of a share that is a ratio of sums over clusters."""
    present = denominators > 0
    numerators, denominators = numerators[present], denominators[present]
    with np.errstate(invalid="ignore", divide="ignore"):
        value = numerators.sum() / denominators.sum()
        without = (numerators.sum() - numerators) / (denominators.sum() - denominators)
    low, high = interval(np.array([value]), without[:, None], ("log_odds",))
    return float(low[0]), float(high[0])


def _dense(statistics: Statistics, name: str, column: int, size: int) -> np.ndarray | None:
    """Returns [CLUSTERS, size, V]."""
    if name not in statistics.tables:
        return None
    table = statistics.tables[name].of_column(column)
    if not len(table.keys):
        return None
    dense = np.zeros((CLUSTERS, size, table.values.shape[1]))
    dense[table.keys[:, 2], table.keys[:, 3]] = table.values
    return dense
