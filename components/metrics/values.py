"""From sums to metrics: their values, their intervals, and the difference of two models with its interval.

One function, `_metrics`, has the formulas. It is given sums of all rows, and the same without each cluster of users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tandem.components.metrics.by_score import beside, joined, statistics_of_scores
from tandem.components.metrics.by_user import statistics_of_users
from tandem.components.metrics.catalog import METRICS
from tandem.components.metrics.groups import CLUSTERS, NO_GROUP, clusters
from tandem.components.metrics.intervals import Scale, interval
from tandem.components.metrics.rows import NOT_COUNTED, Layout, OutputColumns, Rows
from tandem.components.metrics.slicing import Sliced
from tandem.components.metrics.statistics import BINS, SUMS, Statistics

_COUNTS = ("example_count", "positive_count", "gauc_users", "gauc_users_left_out", "gauc_rows_left_out")
_MEASURED = tuple(name for name in METRICS if name not in _COUNTS)
_SCALES: dict[str, Scale] = {
    **dict.fromkeys(("auc", "gauc", "gauc_by_impressions", "gauc_by_positives"), "log_odds"),
    "expected_calibration_error": "from_0",
}
"""Others: as logarithms."""

_IDENTITY: tuple[Scale, ...] = tuple("identity" for _ in _MEASURED)


@dataclass(frozen=True)
class Value:
    """A metric's value and its 95% interval; nan for what there is not."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class Measured:
    """The metrics of one column of scores in one slice.

    Attributes:
      clusters: [k] int64, the clusters that have rows that count.
      totals: By metric of the catalog, of all rows.
      without: [k, M], the metrics but the counts, with each cluster left out.
    """

    clusters: np.ndarray
    totals: Mapping[str, float]
    without: np.ndarray

    def values(self) -> dict[str, Value]:
        """Returns the metrics with their intervals; counts have none."""
        measured = np.array([self.totals[name] for name in _MEASURED])
        low, high = interval(measured, self.without, tuple(_SCALES.get(name, "log") for name in _MEASURED))
        ends = {name: (float(low[i]), float(high[i])) for i, name in enumerate(_MEASURED)}
        return {name: Value(float(value), *ends.get(name, ())) for name, value in self.totals.items()}

    def less(self, other: Measured) -> dict[str, Value]:
        """Returns this less the other, of the same rows, for each metric but the counts, with intervals."""
        totals = {name: float(self.totals[name] - other.totals[name]) for name in _MEASURED}
        low, high = interval(
            np.array([totals[name] for name in _MEASURED]),
            self.without - other.without,
            _IDENTITY,
        )
        return {name: Value(totals[name], float(low[i]), float(high[i])) for i, name in enumerate(_MEASURED)}


def measured(statistics: Statistics, columns: int) -> list[Measured]:
    """Computes the metrics of each column of scores.

    Args:
      statistics: Of one slice, every key once.
      columns: How many columns of scores there are.
    """
    return [_measured(statistics, column) for column in range(columns)]


def output_values(
    users: np.ndarray, labels: np.ndarray, scores: np.ndarray, counted: np.ndarray, grouped: np.ndarray
) -> dict[str, Value]:
    """Computes the catalog's metrics of one model and output, from arrays alone.

    Args:
      users: [N] int64.
      labels: [N] int8; 0 or 1 where counted.
      scores: [N] float32; nan where the model does not have the output: everything but the counts of rows is nan then.
      counted: [N] bool, the output's rows.
      grouped: [N] bool, those of them that name a user.
    """
    named = np.where(grouped | ~counted, users, NO_GROUP).astype(np.int64)
    rows = Rows(
        {
            "users": named,
            "clusters": clusters(named, lambda: np.arange(len(named))),
            "labels": np.where(counted, labels, NOT_COUNTED).astype(np.int8)[:, None],
            "scores": scores[:, None],
        },
        (Sliced.all_rows(len(named)),),
    )
    layout = Layout(("",), (OutputColumns("", "", None),))
    return measured(statistics_of(rows, layout), 1)[0].values()


def statistics_of(rows: Rows, layout: Layout) -> Statistics:
    """Computes the statistics of rows that fit into memory, all at once."""
    parts = [statistics_of_users(rows, layout)]
    for column, (_, output) in enumerate(layout.columns):
        of_column = rows.column(output, column)
        if len(of_column) and not np.isnan(of_column["scores"]).any():
            parts.append(statistics_of_scores(of_column, column))
    return Statistics.merged(parts)


def _measured(statistics: Statistics, column: int) -> Measured:
    sums = _of_column(statistics, "sums", column)
    if sums is None:
        totals = dict.fromkeys(METRICS, float("nan")) | {"example_count": 0.0, "positive_count": 0.0}
        totals |= dict.fromkeys(_COUNTS, 0.0)
        return Measured(np.zeros(0, np.int64), totals, np.zeros((0, len(_MEASURED))))
    present, of_cluster = sums[0][:, 0], sums[1]
    total = of_cluster.sum(axis=0)
    gaps = _gaps(statistics, column, present)
    auc = _auc(statistics, column, present)
    all_gaps = gaps.sum(axis=0)
    everything = _metrics(total[None], all_gaps[None], auc[:1])
    without = _metrics(total - of_cluster, all_gaps - gaps, auc[1:])
    totals = {name: everything[name][0] for name in _MEASURED} | {
        "example_count": total[SUMS.index("rows")],
        "positive_count": total[SUMS.index("positives")],
        "gauc_users": total[SUMS.index("users")],
        "gauc_users_left_out": total[SUMS.index("users_left_out")],
        "gauc_rows_left_out": total[SUMS.index("rows_left_out")],
    }
    return Measured(
        present,
        {name: float(totals[name]) for name in METRICS},
        np.stack([without[name] for name in _MEASURED], axis=1),
    )


def _metrics(sums: np.ndarray, gaps: np.ndarray, auc: np.ndarray) -> dict[str, np.ndarray]:
    """Computes the metrics of L sets of rows.

    Args:
      sums: [L, S], see SUMS.
      gaps: [L, BINS], sums of scores less positives.
      auc: [L], which is no function of sums.

    Returns:
      [L] each.
    """
    of = dict(zip(SUMS, sums.T, strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = of["positives"] / of["rows"]
        entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
        log_loss = of["losses"] / of["rows"]
        values = {
            "auc": auc,
            "gauc": of["aucs"] / of["users"],
            "gauc_by_impressions": of["aucs_by_rows"] / of["user_rows"],
            "gauc_by_positives": of["aucs_by_positives"] / of["user_positives"],
            "log_loss": log_loss,
            "normalized_entropy": log_loss / entropy,
            "calibration": np.where(of["positives"] > 0, of["scores"] / of["positives"], np.nan),
            "expected_calibration_error": np.abs(gaps).sum(axis=1) / of["rows"],
        }
    return {name: np.where(np.isnan(of["scores"]), np.nan, value) for name, value in values.items()}


def _auc(statistics: Statistics, column: int, present: np.ndarray) -> np.ndarray:
    """Computes AUC of all rows, and with each of the clusters left out.

    DeLong's components (1988), summed by cluster: `gain` is by how many of the pairs that a cluster has to do with were
    won beyond the share A of all pairs. Without the cluster, A changes by -gain / (pairs that are left); pairs within
    the cluster are taken to be won at the rate A.

    Returns:
      [1 + k].
    """
    result = np.full(1 + len(present), np.nan)
    if "pieces" not in statistics.tables:
        return result
    table = statistics.tables["pieces"].of_column(column)
    if not len(table.keys):
        return result
    pairs = joined(table)
    positives, negatives = int(pairs.positives[0]), int(pairs.negatives[0])
    if not positives or not negatives:
        return result
    auc = result[0] = pairs.aucs[0]
    below, above = beside(table)
    keys, values = _of_column(statistics, "piece_clusters", column) or (np.zeros((0, 2)), np.zeros((0, 4)))
    piece = np.searchsorted(table.keys[:, 2], keys[:, 0])
    wins = values[:, 2] + 2 * values[:, 0] * below[piece]
    losses = values[:, 3] + 2 * values[:, 1] * above[piece]
    sums = np.zeros((CLUSTERS, 4))
    for number, each in enumerate((values[:, 0], values[:, 1], wins, losses)):
        sums[:, number] = np.bincount(keys[:, 1].astype(np.int64), each, CLUSTERS)
    own_positives, own_negatives, own_wins, own_losses = sums[present].T
    gain = (own_wins + own_losses) / 2 - auc * (own_positives * negatives + own_negatives * positives)
    left = (positives - own_positives) * (negatives - own_negatives)
    with np.errstate(invalid="ignore", divide="ignore"):
        result[1:] = np.where(left > 0, auc - gain / left, np.nan)
    return result


def _gaps(statistics: Statistics, column: int, present: np.ndarray) -> np.ndarray:
    """Returns [k, BINS] for the clusters that are present."""
    dense = np.zeros((len(present), BINS))
    found = _of_column(statistics, "gaps", column)
    if found is not None:
        keys, values = found
        dense[np.searchsorted(present, keys[:, 0]), keys[:, 1]] = values[:, 0]
    return dense


def _of_column(statistics: Statistics, name: str, column: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Returns a table's keys after slice and column, and its values; None where it has none."""
    if name not in statistics.tables:
        return None
    table = statistics.tables[name].of_column(column)
    return (table.keys[:, 2:], table.values) if len(table.keys) else None
