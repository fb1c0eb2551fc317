"""Sums over all rows of a slice, and over all but each cluster of users: what the catalog's formulas are given."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tandem.components.metrics.score_statistics import below_and_above, column_pairs, total_pairs
from tandem.components.metrics.statistics import BINS, SUMS, Statistics, Table
from tandem.components.metrics.users import CLUSTERS

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Totals:
    """Sums over L sets of rows, from which the catalog's formulas make metrics. All are [L] float64.

    Attributes:
      rows: Rows that count.
      positives: Those whose label is 1.
      positive_weight: The sum of their weights; without weights, their number.
      negative_weight: That of the others.
      scores: Weighted sum of the scores.
      losses: Weighted sum of the log losses.
      residuals: By bins of the score, the distance of the weighted sums of scores and labels; added up over the bins.
      auc: AUC, which is no function of sums.
      users: Users with an AUC of their own.
      users_left_out: Users without.
      rows_left_out: Their rows, and those that name no user.
      rows_unnamed: The rows that name no user.
      aucs: The sum of the users' AUCs.
      user_weight: The sum of the weights of the rows of users with an AUC.
      aucs_by_weight: The sum of AUCs times that of each user.
      user_positives: The sum of the weights of the positive rows of users with an AUC.
      aucs_by_positives: The sum of AUCs times that of each user.
    """

    rows: NDArray[np.float64]
    positives: NDArray[np.float64]
    positive_weight: NDArray[np.float64]
    negative_weight: NDArray[np.float64]
    scores: NDArray[np.float64]
    losses: NDArray[np.float64]
    residuals: NDArray[np.float64]
    auc: NDArray[np.float64]
    users: NDArray[np.float64]
    users_left_out: NDArray[np.float64]
    rows_left_out: NDArray[np.float64]
    rows_unnamed: NDArray[np.float64]
    aucs: NDArray[np.float64]
    user_weight: NDArray[np.float64]
    aucs_by_weight: NDArray[np.float64]
    user_positives: NDArray[np.float64]
    aucs_by_positives: NDArray[np.float64]

    @cached_property
    def weight(self) -> NDArray[np.float64]:
        """The sum of the weights of all rows; without weights, their number."""
        return self.positive_weight + self.negative_weight

    @cached_property
    def entropy(self) -> NDArray[np.float64]:
        """The entropy of the share of positives, in nats; nan where there is one class only."""
        rate = self.positive_weight / self.weight
        entropy: NDArray[np.float64] = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
        return entropy


def jackknife_totals(statistics: Statistics, column: int, sums: Table) -> Totals:
    """Adds up over all clusters, and over all but each.

    Args:
      statistics: Of one slice.
      column: Of the scores.
      sums: Its table `sums`, of k clusters.

    Returns:
      Of L = 1 + k sets of rows: all, and those without each of the clusters.
    """
    clusters = sums.keys[:, 2].astype(np.int64)
    of = dict(zip(SUMS, _leaving_out(sums.values).T, strict=True))
    positives, negatives = of["positives"], of["rows"] - of["positives"]
    by_class = np.stack([positives, negatives], axis=1)
    weights = statistics.of_column("weights", column)
    if weights is not None:
        # Sums of weights less those left out are rounded: without rows or users they are made exactly 0.
        by_class = _leaving_out(weights.values) * (by_class > 0)
        of |= {name: of[name] * (of["users"] > 0) for name in ("user_weight", "user_positives")}
    residuals = np.zeros((len(clusters), BINS))
    found = statistics.of_column("residuals", column)
    if found is not None:
        residuals[np.searchsorted(clusters, found.keys[:, 2]), found.keys[:, 3]] = found.values[:, 0]
    return Totals(
        **of,
        positive_weight=by_class[:, 0],
        negative_weight=by_class[:, 1],
        residuals=np.abs(_leaving_out(residuals)).sum(axis=1),
        auc=_auc(statistics, column, clusters, (positives > 0) & (negatives > 0)),
    )


def _leaving_out(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adds up [k, S] over all clusters, and over all but each: [1 + k, S]."""
    total = sums.sum(axis=0)
    return np.concatenate([total[None], total - sums])


def _auc(
    statistics: Statistics, column: int, clusters: NDArray[np.int64], have_both: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Computes AUC of all rows, and with each of the clusters left out.

    DeLong's components (1988), summed by cluster: `gain` is by how many of the pairs that a cluster has to do with were
    won beyond the share A of all pairs. Without the cluster, A changes by -gain / (pairs that are left); pairs within
    the cluster are taken to be won at the rate A.

    Args:
      statistics: Of one slice.
      column: Of the scores.
      clusters: [k], those that have rows.
      have_both: [1 + k], whether there are rows of both classes.

    Returns:
      [1 + k].
    """
    result = np.full(1 + len(clusters), np.nan)
    pairs = column_pairs(statistics, column)
    cluster_pairs = statistics.of_column("cluster_pairs", column)
    if pairs is None or cluster_pairs is None or not have_both[0]:
        return result
    total = total_pairs(pairs)
    positives, negatives = total.positives[0], total.negatives[0]
    auc = result[0] = total.aucs[0]
    below, above = below_and_above(pairs)
    partition = np.searchsorted(pairs.keys[:, 2], cluster_pairs.keys[:, 2])
    own_positives, own_negatives, own_wins, own_losses = cluster_pairs.values.T
    each = (
        own_positives,
        own_negatives,
        own_wins + 2 * own_positives * below[partition],
        own_losses + 2 * own_negatives * above[partition],
    )
    own_positives, own_negatives, own_wins, own_losses = (
        np.bincount(cluster_pairs.keys[:, 3], values, CLUSTERS)[clusters] for values in each
    )
    gain = (own_wins + own_losses) / 2 - auc * (own_positives * negatives + own_negatives * positives)
    left = (positives - own_positives) * (negatives - own_negatives)
    with np.errstate(invalid="ignore", divide="ignore"):
        result[1:] = np.where(have_both[1:], auc - gain / left, np.nan)
    return result
