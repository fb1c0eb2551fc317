"""AUC and GAUC, exact, with ties counted as one half.

>>> auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.8]))
0.875
>>> grouped_auc(np.array([7, 7, 9, 9]), np.array([0, 1, 1, 1]), np.array([0.1, 0.4, 0.4, 0.8])).users_left_out
1
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

_SCORE_BITS = 32
_MAX_PACKED_GROUP = 2**31


@dataclass(frozen=True)
class GroupedAuc:
    """GAUC: the mean of the users' own AUCs, by three weightings (PICO, eq. 13; all weights 1 is its default).

    A user whose labels are all equal has no AUC and is left out. All three means are nan when no user is left.

    Attributes:
      uniform: Every user weighs 1.
      by_impressions: A user weighs the number of its rows.
      by_positives: A user weighs the number of its positive rows.
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
class Pairs:
    """Pairs of a positive and a negative row of one group, by group.

    Attributes:
      groups: [K] int64, the codes of the groups, ascending.
      positives: [K] int64.
      negatives: [K] int64.
      doubled_wins: [K] int64, 2 for a pair whose positive has the higher score, 1 for a tied one. Doubled, it is an
        integer, so that sums are exact. It is good for 10^9 rows of each class in a group.
    """

    groups: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray
    doubled_wins: np.ndarray

    @property
    def aucs(self) -> np.ndarray:
        """[K] float64; nan where a group has one class only."""
        with np.errstate(invalid="ignore"):
            return self.doubled_wins / (2 * self.positives * self.negatives)


@dataclass(frozen=True)
class _Runs:
    """Rows of one group with one score, as counts; ordered by group, then by score.

    Attributes:
      groups: [R] int64.
      opens_group: [R] bool, whether the run is the first of its group.
      positives: [R] int64.
      negatives: [R] int64.
    """

    groups: np.ndarray
    opens_group: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Computes the area under the ROC curve: P(score of a positive > score of a negative), ties counted one half.

    Args:
      labels: [N], 0 or 1.
      scores: [N], float; higher means more likely positive. float32 is sorted faster than float64.

    Returns:
      The area, or nan when there is one class only.

    Raises:
      ValueError: Shapes differ, a label is neither 0 nor 1, or a score is nan.
    """
    labels, scores = _checked(labels, scores)
    pairs = pair_counts(np.zeros(len(scores), np.int64), labels, scores)
    return float(pairs.aucs[0]) if len(scores) else float("nan")


def grouped_auc(groups: ArrayLike, labels: ArrayLike, scores: ArrayLike) -> GroupedAuc:
    """Computes each group's AUC and their three means, without a loop over groups.

    Args:
      groups: [N], integer codes, equal for the rows of one user. Codes in [0, 2^31) are sorted fastest.
      labels: [N], 0 or 1.
      scores: [N], float; higher means more likely positive. float32 is sorted faster than float64.

    Raises:
      ValueError: Shapes differ, groups are not integers, a label is neither 0 nor 1, or a score is nan.
    """
    labels, scores = _checked(labels, scores)
    codes = np.asarray(groups)
    if not np.issubdtype(codes.dtype, np.integer) or codes.shape != scores.shape:
        raise ValueError(
            f"groups must be integer codes of shape {scores.shape}, not {codes.dtype} of shape {codes.shape}"
        )
    pairs = pair_counts(codes, labels, scores)
    rows = pairs.positives + pairs.negatives
    used = (pairs.positives > 0) & (pairs.negatives > 0)
    aucs = pairs.aucs[used]
    return GroupedAuc(
        uniform=_mean(aucs, np.ones(len(aucs))),
        by_impressions=_mean(aucs, rows[used]),
        by_positives=_mean(aucs, pairs.positives[used]),
        users=int(used.sum()),
        users_left_out=int((~used).sum()),
        rows_left_out=int(rows[~used].sum()),
    )


def pair_counts(groups: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> Pairs:
    """Counts the pairs of each group, without a loop over groups.

    Args:
      groups: [N] integer codes. Codes in [0, 2^31) are sorted fastest.
      labels: [N], 0 or 1.
      scores: [N] float without nan.
    """
    if not len(groups):
        return Pairs(*(np.zeros(0, np.int64) for _ in range(4)))
    runs = _runs(groups, labels, scores)
    opens = np.flatnonzero(runs.opens_group)
    below_anywhere = np.cumsum(runs.negatives) - runs.negatives
    below = below_anywhere - np.repeat(below_anywhere[opens], np.diff(np.append(opens, len(below_anywhere))))
    return Pairs(
        groups=runs.groups[opens],
        positives=np.add.reduceat(runs.positives, opens),
        negatives=np.add.reduceat(runs.negatives, opens),
        doubled_wins=np.add.reduceat(_doubled_wins(runs, below), opens),
    )


def _mean(values: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average(values, weights=weights)) if len(values) else float("nan")


def _doubled_wins(runs: _Runs, below: np.ndarray) -> np.ndarray:
    """Counts, per run, twice the pairs that its positives win: 2 for a negative below, 1 for a tied one."""
    return runs.positives * (2 * below + runs.negatives)


def _checked(labels: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.ndim != 1 or labels.shape != scores.shape:
        raise ValueError(f"labels and scores must be of one shape [N], not {labels.shape} and {scores.shape}")
    if labels.dtype != np.bool_ and ((labels != 0) & (labels != 1)).any():
        raise ValueError(f"labels must be 0 or 1, not {labels[(labels != 0) & (labels != 1)][0]}")
    if not np.issubdtype(scores.dtype, np.floating):
        scores = scores.astype(np.float64)
    if np.isnan(scores).any():
        raise ValueError(f"{int(np.isnan(scores).sum())} of {len(scores)} scores are nan")
    return labels.astype(bool), scores


def _runs(groups: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> _Runs:
    """Sorts rows by group and score and counts the labels of equal ones."""
    sort = _sort_packed if scores.dtype == np.float32 else _sort_by_keys
    starts, sorted_groups, sorted_labels = sort(groups, labels, scores)
    sizes = np.diff(np.append(starts, len(scores)))
    positives = np.add.reduceat(sorted_labels.astype(np.int64), starts) if len(starts) else np.zeros(0, np.int64)
    return _Runs(sorted_groups, changes(sorted_groups), positives, sizes - positives)


def _sort_by_keys(
    groups: np.ndarray, labels: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns where runs start, [R]; their groups, [R]; and the labels of all rows, sorted, [N]."""
    order = np.lexsort((scores, groups))
    ordered = groups[order]
    starts = np.flatnonzero(changes(ordered) | changes(scores[order]))
    return starts, ordered[starts], labels[order]


def _sort_packed(
    groups: np.ndarray, labels: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sorts one uint64 per row: 31 bits of group, 32 of score, 1 of label. Nothing is rounded."""
    distinct = None
    if len(groups) and not (groups.min() >= 0 and groups.max() < _MAX_PACKED_GROUP):
        distinct, groups = np.unique(groups, return_inverse=True)
    keys = groups.astype(np.uint64)
    keys <<= np.uint64(_SCORE_BITS)
    keys |= ordered_bits(scores)
    keys <<= np.uint64(1)
    keys |= labels.astype(np.uint64)
    keys.sort()
    starts = np.flatnonzero(changes(keys >> np.uint64(1)))
    codes = (keys[starts] >> np.uint64(_SCORE_BITS + 1)).astype(np.int64)
    return starts, codes if distinct is None else distinct[codes], keys & np.uint64(1)


def ordered_bits(scores: np.ndarray) -> np.ndarray:
    """Maps float32 to uint32 in the same order: IEEE 754 bits, all flipped if negative, else the sign alone."""
    bits = (scores + np.float32(0)).view(np.uint32)  # adding zero makes -0.0 and 0.0 the same bits
    return bits ^ np.where(bits >> np.uint32(31), np.uint32(0xFFFFFFFF), np.uint32(0x80000000))


def changes(values: np.ndarray) -> np.ndarray:
    """Marks the elements that differ from the one before; the first always does."""
    changed = np.ones(len(values), bool)
    np.not_equal(values[1:], values[:-1], out=changed[1:])
    return changed
