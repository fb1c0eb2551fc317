"""From sums to metrics: their values, their intervals, and the difference of two models with its interval.

The catalog has the formulas. Here they are given the sums of all rows, and the same with each cluster of users left
out, which makes the replicates of the jackknife.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tandem.components.metrics.catalog import INTERVAL_METRICS, METRICS, SCALES, Scale
from tandem.components.metrics.intervals import jackknife_interval
from tandem.components.metrics.pairs import checked_weights
from tandem.components.metrics.rows import NOT_COUNTED, Rows
from tandem.components.metrics.score_statistics import score_statistics
from tandem.components.metrics.slicing import Sliced
from tandem.components.metrics.statistics import Statistics
from tandem.components.metrics.totals import Totals, jackknife_totals
from tandem.components.metrics.user_statistics import user_statistics
from tandem.components.metrics.users import cluster_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

_IDENTITY: tuple[Scale, ...] = tuple("identity" for _ in INTERVAL_METRICS)


@dataclass(frozen=True)
class IntervalEstimate:
    """A metric's value and its 95% interval; nan for what there is not."""

    value: float
    low: float = float("nan")
    high: float = float("nan")


@dataclass(frozen=True)
class JackknifedMetrics:
    """The metrics of one column of scores in one slice.

    Attributes:
      clusters: [k], the clusters that have rows that count.
      values: By metric of the catalog, of all rows.
      replicates: [k, M], the metrics that have intervals, with each of the clusters left out.
    """

    clusters: NDArray[np.int64]
    values: Mapping[str, float]
    replicates: NDArray[np.float64]

    def estimates(self) -> dict[str, IntervalEstimate]:
        """Returns the metrics with their intervals; counts have none."""
        intervals = self._with_intervals(self.values, self.replicates, SCALES)
        return {name: intervals.get(name, IntervalEstimate(value)) for name, value in self.values.items()}

    def difference(self, other: JackknifedMetrics) -> dict[str, IntervalEstimate]:
        """Returns this less the other, of the same rows, for each metric but the counts, with intervals."""
        values = {name: self.values[name] - other.values[name] for name in INTERVAL_METRICS}
        return self._with_intervals(values, self.replicates - other.replicates, _IDENTITY)

    @staticmethod
    def _with_intervals(
        values: Mapping[str, float], replicates: NDArray[np.float64], scales: tuple[Scale, ...]
    ) -> dict[str, IntervalEstimate]:
        low, high = jackknife_interval(np.array([values[name] for name in INTERVAL_METRICS]), replicates, scales)
        return {
            name: IntervalEstimate(values[name], float(low[number]), float(high[number]))
            for number, name in enumerate(INTERVAL_METRICS)
        }


def jackknifed_metrics(statistics: Statistics, columns: int) -> list[JackknifedMetrics]:
    """Computes the metrics of each column of scores.

    Args:
      statistics: Of one slice, every key once.
      columns: How many columns of scores there are.
    """
    return [_of_column(statistics, column) for column in range(columns)]


def output_estimates(
    users: NDArray[np.int64],
    labels: NDArray[Any],
    scores: NDArray[np.float32],
    counted: NDArray[np.bool_],
    weights: ArrayLike | None = None,
) -> dict[str, IntervalEstimate]:
    """Computes the catalog's metrics of one model and output, from arrays alone.

    Args:
      users: [N]; NO_USER where a row names no user.
      labels: [N]; 0 or 1 where counted.
      scores: [N]; nan where the model does not have the output: everything but the counts of rows is nan then.
      counted: [N], the output's rows.
      weights: [N], not negative; None: all weigh 1.
    """
    rows = Rows(
        users=users,
        clusters=cluster_of(users, lambda: np.arange(len(users))),
        labels=np.where(counted, labels, NOT_COUNTED).astype(np.int8)[:, None],
        scores=scores[:, None],
        slicings=(Sliced.all_rows(len(users)),),
        weights=() if weights is None else (checked_weights(weights, len(users)),),
    )
    return jackknifed_metrics(all_statistics(rows), 1)[0].estimates()


def all_statistics(rows: Rows) -> Statistics:
    """Computes the statistics of rows that fit into memory, all at once."""
    parts = [user_statistics(rows)]
    for column, output in rows.columns:
        scored = rows.scored(column, output)
        if len(scored) and not np.isnan(scored.scores).any():
            parts.append(score_statistics(scored, column))
    return Statistics.merged(parts)


def _of_column(statistics: Statistics, column: int) -> JackknifedMetrics:
    sums = statistics.of_column("sums", column)
    if sums is None:
        nothing = {name: float("nan") if name in INTERVAL_METRICS else 0.0 for name in METRICS}
        return JackknifedMetrics(np.zeros(0, np.int64), nothing, np.zeros((0, len(INTERVAL_METRICS))))
    totals = jackknife_totals(statistics, column, sums)
    metrics = {name: _metric(name, totals) for name in METRICS}
    return JackknifedMetrics(
        sums.keys[:, 2].astype(np.int64),
        {name: float(values[0]) for name, values in metrics.items()},
        np.stack([metrics[name][1:] for name in INTERVAL_METRICS], axis=1),
    )


def _metric(name: str, totals: Totals) -> NDArray[np.float64]:
    """Computes a metric of the catalog, [L]; nan where it has no value, and where there are no scores."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = METRICS[name].formula(totals)
    if name not in INTERVAL_METRICS:
        return value
    return np.where(np.isfinite(value) & ~np.isnan(totals.scores), value, np.nan)
