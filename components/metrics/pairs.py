"""Pairs of a positive and a negative row, counted exactly, with ties as one half: AUC and GAUC.

>>> auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
0.875
>>> grouped_auc(np.array([7, 7, 9, 9]), np.array([0, 1, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8])).users_left_out
1
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_SCORE_BITS = 32
_MAX_PACKED_GROUP = 2**31


@dataclass(frozen=True)
class GroupedAuc:
    """GAUC: the mean of the users' own AUCs, by three weightings (PICO, eq. 13; all weights 1 is its default).

    A user whose labels are all equal has no AUC and is left out. All three means are nan when no user is left.

    Attributes:
      uniform: Every user weighs 1.
      by_impressions: A user weighs the number of its rows, or the sum of their weights.
      by_positives: A user weighs the number of its positive rows, or the sum of their weights.
      users: Users with an AUC.
      users_left_out: Users with rows of one class only.
      rows_left_out: The rows of those users.
    """

    uniform: float
    by_impressions: float
    by_positives: float
    users: int
    users_left_out: int
    rows_left_out: int


@dataclass(frozen=True)
class PairCounts:
    """Pairs of a positive and a negative row of one group, by group.

    Without weights all is counted in integers, so that sums are exact; the doubled wins are good for 10^9 rows of each
    class in a group. With weights a row counts as its weight, and a pair as the product of its rows' weights.

    Attributes:
      groups: [K] int64, the codes of the groups, ascending.
      rows: [K] int64, how many rows a group has.
      positives: [K] int64, or float64 with weights.
      negatives: [K], of the same type.
      doubled_wins: [K], of the same type; 2 for a pair whose positive has the higher score, 1 for a tied one.
    """

    groups: NDArray[np.int64]
    rows: NDArray[np.int64]
    positives: NDArray[Any]
    negatives: NDArray[Any]
    doubled_wins: NDArray[Any]

    def __getitem__(self, group: slice) -> PairCounts:
        return PairCounts(*(values[group] for values in vars(self).values()))

    @property
    def have_both(self) -> NDArray[np.bool_]:
        """[K], whether a group has rows of both classes, and so an AUC."""
        both: NDArray[np.bool_] = (self.positives > 0) & (self.negatives > 0)
        return both

    @property
    def aucs(self) -> NDArray[np.float64]:
        """[K]; nan where a group has one class only."""
        with np.errstate(invalid="ignore"):
            aucs: NDArray[np.float64] = self.doubled_wins / (2 * self.positives * self.negatives)
        return aucs


def auc(labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Computes the area under the ROC curve: P(score of a positive > score of a negative), ties counted one half.

    Args:
      labels: [N], 0 or 1.
      scores: [N], float; higher means more likely positive. float32 is sorted faster than float64.
      weights: [N], not negative: a row is drawn with a probability proportional to its weight. None: all weigh 1.

    Returns:
      The area, or nan when there is one class only.

    Raises:
      ValueError: Shapes differ, a label is neither 0 nor 1, a score is nan, or a weight is negative or infinite.
    """
    pairs = pair_counts(*_checked(np.zeros(np.shape(scores), np.int64), labels, scores, weights))
    return float(pairs.aucs[0]) if len(pairs.groups) else float("nan")


def grouped_auc(
    groups: ArrayLike, labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None = None
) -> GroupedAuc:
    """Computes each group's AUC and their three means, without a loop over groups.

    Args:
      groups: [N], integer codes, equal for the rows of one user. Codes in [0, 2^31) are sorted fastest.
      labels: [N], 0 or 1.
      scores: [N], float; higher means more likely positive. float32 is sorted faster than float64.
      weights: [N], not negative; a row of weight 0 is left out. None: all weigh 1.

    Raises:
      ValueError: Shapes differ, groups are not integers, a label is neither 0 nor 1, a score is nan, or a weight is
        negative or infinite.
    """
    pairs = pair_counts(*_checked(groups, labels, scores, weights))
    used = pairs.have_both
    aucs = pairs.aucs[used]
    return GroupedAuc(
        uniform=_mean(aucs, np.ones(len(aucs))),
        by_impressions=_mean(aucs, (pairs.positives + pairs.negatives)[used]),
        by_positives=_mean(aucs, pairs.positives[used]),
        users=int(used.sum()),
        users_left_out=int((~used).sum()),
        rows_left_out=int(pairs.rows[~used].sum()),
    )


def pair_counts(
    groups: NDArray[np.integer[Any]],
    labels: NDArray[Any],
    scores: NDArray[np.floating[Any]],
    weights: NDArray[np.float64] | None = None,
) -> PairCounts:
    """Counts the pairs of each group, without a loop over groups.

    Args:
      groups: [N] integer codes. Codes in [0, 2^31) are sorted fastest.
      labels: [N], 0 or 1.
      scores: [N] float without nan.
      weights: [N], above 0. None: all weigh 1, and all is counted in integers.
    """
    if not len(groups):
        return PairCounts(*(np.zeros(0, np.int64) for _ in range(5)))
    runs = _runs(groups, labels, scores, weights)
    opens = np.flatnonzero(changes(runs.groups))
    below = up_to(runs.negatives, opens) - runs.negatives
    return PairCounts(
        groups=runs.groups[opens],
        rows=np.add.reduceat(runs.rows, opens),
        positives=np.add.reduceat(runs.positives, opens),
        negatives=np.add.reduceat(runs.negatives, opens),
        doubled_wins=np.add.reduceat(runs.positives * (2 * below + runs.negatives), opens),
    )


def up_to(values: NDArray[Any], opens: NDArray[np.int64]) -> NDArray[Any]:
    """Adds up the values of each group from its first one on, each included.

    Args:
      values: [N] int64 or float64.
      opens: [K], where groups begin, ascending from 0.

    Returns:
      [N] of the same type.
    """
    sizes = np.diff(np.append(opens, len(values)))
    if np.issubdtype(values.dtype, np.integer):
        total = np.cumsum(values)
        result: NDArray[Any] = total - np.repeat(total[opens] - values[opens], sizes)
        return result
    # The sums of earlier groups must not eat the digits of later ones; pandas adds up group by group, compensated.
    summed: NDArray[Any] = pd.Series(values).groupby(np.repeat(np.arange(len(opens)), sizes)).cumsum().to_numpy()
    return summed


def ordered_bits(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    """Maps float32 to uint32 in the same order: IEEE 754 bits, all flipped if negative, else the sign alone."""
    bits: NDArray[np.uint32] = (scores + np.float32(0)).view(np.uint32)  # adding zero makes -0.0 and 0.0 the same bits
    bits ^= np.where(bits >> np.uint32(31), np.uint32(0xFFFFFFFF), np.uint32(0x80000000))
    return bits


def changes(values: NDArray[Any]) -> NDArray[np.bool_]:
    """Marks the elements that differ from the one before; the first always does."""
    changed = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=changed[1:])
    return changed


def _mean(values: NDArray[np.float64], weights: NDArray[Any]) -> float:
    return float(np.average(values, weights=weights)) if len(values) else float("nan")


def _checked(
    groups: ArrayLike, labels: ArrayLike, scores: ArrayLike, weights: ArrayLike | None
) -> tuple[NDArray[np.integer[Any]], NDArray[np.bool_], NDArray[np.floating[Any]], NDArray[np.float64] | None]:
    """Returns the rows that weigh anything."""
    labels, scores, groups = np.asarray(labels), np.asarray(scores), np.asarray(groups)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(f"labels and scores must be of one shape [N], not {labels.shape} and {scores.shape}")
    if not np.issubdtype(groups.dtype, np.integer) or groups.shape != scores.shape:
        raise ValueError(
            f"groups must be integer codes of shape {scores.shape}, not {groups.dtype} of shape {groups.shape}"
        )
    if labels.dtype != np.bool_ and ((labels != 0) & (labels != 1)).any():
        raise ValueError(f"labels must be 0 or 1, not {labels[(labels != 0) & (labels != 1)][0]}")
    if not np.issubdtype(scores.dtype, np.floating):
        scores = scores.astype(np.float64)
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} of {len(scores)} scores are nan")
    labels = labels.astype(bool)
    if weights is None:
        return groups, labels, scores, None
    weights = checked_weights(weights, len(scores))
    kept = weights > 0
    return groups[kept], labels[kept], scores[kept], weights[kept]


def checked_weights(weights: ArrayLike, rows: int) -> NDArray[np.float64]:
    """Returns weights of so many rows, [N].

    Raises:
      ValueError: The shape is another, or a weight is negative, nan or infinite.
    """
    checked = np.asarray(weights, np.float64)
    if checked.shape != (rows,):
        raise ValueError(f"weights must be of shape ({rows},), not {checked.shape}")
    wrong = checked[~(np.isfinite(checked) & (checked >= 0))]
    if len(wrong):
        raise ValueError(f"weights must be finite and not negative; {len(wrong)} of {rows} are not, one is {wrong[0]}")
    return checked


@dataclass(frozen=True)
class _Runs:
    """Rows of one group with one score, summed up; ordered by group, then by score.

    Attributes:
      groups: [R] int64.
      rows: [R] int64.
      positives: [R] int64, or float64 with weights.
      negatives: [R], of the same type.
    """

    groups: NDArray[np.int64]
    rows: NDArray[np.int64]
    positives: NDArray[Any]
    negatives: NDArray[Any]


def _runs(
    groups: NDArray[np.integer[Any]],
    labels: NDArray[Any],
    scores: NDArray[np.floating[Any]],
    weights: NDArray[np.float64] | None,
) -> _Runs:
    """Sorts rows by group and score and adds up equal ones."""
    if weights is None and scores.dtype == np.float32:
        return _packed_runs(groups, labels, scores)
    order = np.lexsort((scores, groups))
    ordered = groups[order]
    starts = np.flatnonzero(changes(ordered) | changes(scores[order]))
    each = np.ones(len(order), np.int64) if weights is None else weights[order]
    of_positives = np.where(labels[order], each, 0)
    return _Runs(
        groups=ordered[starts],
        rows=np.diff(np.append(starts, len(order))),
        positives=np.add.reduceat(of_positives, starts),
        negatives=np.add.reduceat(each - of_positives, starts),
    )


def _packed_runs(groups: NDArray[np.integer[Any]], labels: NDArray[Any], scores: NDArray[np.float32]) -> _Runs:
    """Sorts one uint64 per row: 31 bits of group, 32 of score, 1 of label. Nothing is rounded."""
    distinct = None
    if not (groups.min() >= 0 and groups.max() < _MAX_PACKED_GROUP):
        distinct, groups = np.unique(groups, return_inverse=True)
    keys = groups.astype(np.uint64)
    keys <<= np.uint64(_SCORE_BITS)
    keys |= ordered_bits(scores)
    keys <<= np.uint64(1)
    keys |= labels.astype(np.uint64)
    keys.sort()
    starts = np.flatnonzero(changes(keys >> np.uint64(1)))
    codes = (keys[starts] >> np.uint64(_SCORE_BITS + 1)).astype(np.int64)
    rows = np.diff(np.append(starts, len(keys)))
    positives = np.add.reduceat((keys & np.uint64(1)).astype(np.int64), starts)
    return _Runs(codes if distinct is None else distinct[codes], rows, positives, rows - positives)
