"""Statistics of rows that are together by score: the exact AUC of every slice, and what each cluster adds to it.

AUC over ranges of scores adds up: pairs within a range, and pairs of a positive with the negatives of lower ranges. A
range is called by the lowest score in it (a `partition` of `statistics.KEYS`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tandem.components.metrics.pairs import PairCounts, changes, ordered_bits, up_to
from tandem.components.metrics.statistics import Statistics, Table
from tandem.components.metrics.users import CLUSTERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tandem.components.metrics.rows import ScoredRows
    from tandem.components.metrics.slice_key import SliceKey
    from tandem.components.metrics.slicing import Sliced

RANGES = 16
"""Into how many ranges scores are divided at first: of equal width in log-odds, from -8 to 8."""

_ROC_POINTS = 256

_CLUSTER_BITS, _SCORE_BITS = 7, 32
_MAX_SLICES = 2 ** (64 - _CLUSTER_BITS - _SCORE_BITS - 1)


def score_ranges(scores: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Returns the range of each score, [N], ascending with the scores."""
    edges = 1 / (1 + np.exp(-np.linspace(-8, 8, RANGES + 1)[1:-1]))
    return np.searchsorted(edges.astype(np.float32), scores, side="right").astype(np.uint8)


def score_statistics(rows: ScoredRows, column: int) -> Statistics:
    """Computes the statistics of the rows of one range of scores.

    Args:
      rows: All rows of a column of scores within the range.
      column: Its number.
    """
    bits = ordered_bits(rows.scores)
    partition = int(bits.min())
    parts = []
    for sliced in (sliced.compact() for sliced in rows.slicings):
        runs = _Runs.of(rows, sliced, bits)
        tables = runs.pairs(column, partition)
        if sliced.keys == ((),):
            tables |= runs.roc(column, partition)
        parts.append(Statistics(sliced.keys, tables))
    return Statistics.merged(parts)


@dataclass(frozen=True)
class _Runs:
    """Rows in slices, ordered by slice and score, and the R runs of equal ones.

    Attributes:
      slices: [R] int64, ascending.
      starts: [R] int64, where the runs start.
      clusters: [N] int64, of the rows.
      positive: [N] bool.
      weights: [N] float64; None where rows weigh 1.
    """

    slices: NDArray[np.int64]
    starts: NDArray[np.int64]
    clusters: NDArray[np.int64]
    positive: NDArray[np.bool_]
    weights: NDArray[np.float64] | None

    @staticmethod
    def of(rows: ScoredRows, sliced: Sliced, bits: NDArray[np.uint32]) -> _Runs:
        """Sorts one uint64 per row: 24 bits of slice, 32 of score, 1 of label, 7 of cluster."""
        if len(sliced.keys) > _MAX_SLICES:
            raise ValueError(f"one way of slicing makes {len(sliced.keys)} slices, more than {_MAX_SLICES}")
        row = sliced.rows
        keys = sliced.codes.astype(np.uint64) << np.uint64(_SCORE_BITS)
        keys |= bits[row]
        keys <<= np.uint64(1)
        keys |= rows.positive[row].astype(np.uint64)
        keys <<= np.uint64(_CLUSTER_BITS)
        keys |= rows.clusters[row]
        weights = None
        if rows.weights is None:
            keys.sort()
        else:
            order = np.argsort(keys)
            keys, weights = keys[order], rows.weights[row[order]]
        clusters = (keys & np.uint64(CLUSTERS - 1)).astype(np.int64)
        keys >>= np.uint64(_CLUSTER_BITS)
        positive = (keys & np.uint64(1)).astype(bool)
        keys >>= np.uint64(1)
        starts = np.flatnonzero(changes(keys))
        return _Runs((keys[starts] >> np.uint64(_SCORE_BITS)).astype(np.int64), starts, clusters, positive, weights)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """[R], how many rows the runs have."""
        return np.diff(np.append(self.starts, len(self.positive)))

    def by_class(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Returns the numbers, or the weights, of the positive and of the negative rows of each run, [R] and [R]."""
        if self.weights is None:
            positives = np.add.reduceat(self.positive.astype(np.int64), self.starts)
            return positives, self.sizes - positives
        of_positives = self.weights * self.positive
        return np.add.reduceat(of_positives, self.starts), np.add.reduceat(self.weights - of_positives, self.starts)

    def pairs(self, column: int, partition: int) -> dict[str, Table]:
        """Counts the pairs among the rows of each slice, and in how many of them each cluster has a part."""
        positives, negatives = self.by_class()
        opens = np.flatnonzero(changes(self.slices))
        ends = np.append(opens[1:], len(self.slices))
        positives_up_to = up_to(positives, opens)
        below = up_to(negatives, opens) - negatives
        above = np.repeat(positives_up_to[ends - 1], ends - opens) - positives_up_to
        doubled_wins = positives * (2 * below + negatives)
        counts = [np.add.reduceat(each, opens) for each in (positives, negatives, doubled_wins)]
        name = "pairs"
        if self.weights is not None:
            name = "weighted_pairs"
            counts.append(np.add.reduceat(self.sizes, opens).astype(np.float64))
        return {
            name: Table(_keys(self.slices[opens], column, partition), np.stack(counts, axis=1)),
            "cluster_pairs": self._cluster_pairs(column, partition, 2 * below + negatives, 2 * above + positives),
        }

    def _cluster_pairs(
        self, column: int, partition: int, of_positive: NDArray[Any], of_negative: NDArray[Any]
    ) -> Table:
        """Adds up by slice and cluster.

        Args:
          column: The column's number.
          partition: The partition's name.
          of_positive: [R], the doubled wins of one positive row of the run.
          of_negative: [R], the doubled wins against one negative row of the run.
        """
        share = np.where(self.positive, np.repeat(of_positive, self.sizes), np.repeat(of_negative, self.sizes))
        cells, codes = np.unique(np.repeat(self.slices, self.sizes) * CLUSTERS + self.clusters, return_inverse=True)
        weights = self.weights
        if weights is not None:
            share = share * weights
        sums = [
            np.bincount(codes[of_class], None if values is None else values[of_class], len(cells))
            for values in (weights, share)
            for of_class in (self.positive, ~self.positive)
        ]
        of_slice, cluster = np.divmod(cells, CLUSTERS)
        return Table(_keys(of_slice, column, partition, cluster), np.stack(sums, axis=1).astype(np.float64))

    def roc(self, column: int, partition: int) -> dict[str, Table]:
        """Counts the rows up to some of the scores, where all rows are one slice."""
        rows = len(self.positive)
        ends = self.starts + self.sizes
        wanted = np.linspace(0, rows, min(_ROC_POINTS, rows) + 1)[1:]
        chosen = np.unique(np.searchsorted(ends, np.ceil(wanted)))
        points = np.stack([np.cumsum(each)[chosen] for each in self.by_class()], axis=1)
        keys = _keys(np.zeros(len(chosen)), column, partition, np.arange(len(chosen)))
        return {"roc" if self.weights is None else "weighted_roc": Table(keys, points)}


def tied_statistics(batches: Iterable[ScoredRows], column: int) -> Statistics:
    """Computes the statistics of rows with one and the same score, from their numbers alone.

    Args:
      batches: The rows.
      column: Of the scores.
    """
    counts: dict[SliceKey, NDArray[Any]] = {}
    weighted, partition = False, 0
    for rows in batches:
        partition, weighted = int(ordered_bits(rows.scores[:1])[0]), rows.weights is not None
        for sliced in rows.slicings:
            cells = (sliced.codes.astype(np.int64) * CLUSTERS + rows.clusters[sliced.rows]) * 2
            cells += ~rows.positive[sliced.rows]
            size = len(sliced.keys) * CLUSTERS * 2
            added = [np.bincount(cells, minlength=size)]
            if rows.weights is not None:
                added.append(np.bincount(cells, rows.weights[sliced.rows], size))
            of_slices = np.stack(added).reshape(len(added), len(sliced.keys), CLUSTERS, 2)
            for number, key in enumerate(sliced.keys):
                if of_slices[0, number].any():
                    counts[key] = counts.get(key, 0) + of_slices[:, number]
    return _tied(counts, column, partition, weighted)


def _tied(counts: dict[SliceKey, NDArray[Any]], column: int, partition: int, weighted: bool) -> Statistics:
    """Makes statistics of the numbers, or weights, of positives and negatives of each cluster.

    Args:
      counts: Slice -> [1, CLUSTERS, 2] int64, or with weights [2, CLUSTERS, 2] float64, the second of them weights.
      column: Of the scores.
      partition: The score's name.
      weighted: Whether there are weights.
    """
    pairs, of_cluster, keys = [], [], []
    for number, of_slice in enumerate(counts.values()):
        by_class = of_slice[-1]
        positives, negatives = by_class.sum(axis=0)
        rows = [of_slice[0].sum()] if weighted else []
        pairs.append((positives, negatives, positives * negatives, *rows))
        present = np.flatnonzero(of_slice[0].sum(axis=1))
        own = by_class[present]
        of_cluster.append(np.stack([own[:, 0], own[:, 1], own[:, 0] * negatives, own[:, 1] * positives], axis=1))
        keys.append(_keys(np.full(len(present), number), column, partition, present))
    tables = {
        "weighted_pairs" if weighted else "pairs": Table(
            _keys(np.arange(len(counts)), column, partition), np.array(pairs)
        ),
        "cluster_pairs": Table(np.concatenate(keys), np.concatenate(of_cluster).astype(np.float64)),
    }
    if () in counts:
        number = list(counts).index(())
        key = np.array([[number, column, partition, 0]], np.int64)
        tables["weighted_roc" if weighted else "roc"] = Table(key, np.array([pairs[number][:2]]))
    return Statistics(tuple(counts), tables)


def column_pairs(statistics: Statistics, column: int) -> Table | None:
    """Returns the pairs of a column of scores by slice and partition, in numbers or in weights; None without any."""
    return statistics.of_column("pairs", column) or statistics.of_column("weighted_pairs", column)


def total_pairs(pairs: Table) -> PairCounts:
    """Adds up the pairs of partitions: those within each, and those of positives with negatives of lower partitions.

    Args:
      pairs: A table `pairs` or `weighted_pairs` of one column, with each key once, ascending.

    Returns:
      The pairs by slice.
    """
    opens = np.flatnonzero(changes(pairs.keys[:, 0]))
    positives, negatives, wins = pairs.values.T[:3]
    below, _ = below_and_above(pairs)
    rows = positives + negatives if pairs.values.shape[1] == 3 else pairs.values[:, 3].astype(np.int64)
    sums = [np.add.reduceat(each, opens) for each in (rows, positives, negatives, wins + 2 * positives * below)]
    return PairCounts(pairs.keys[opens, 0], *sums)


def below_and_above(pairs: Table) -> tuple[NDArray[Any], NDArray[Any]]:
    """Counts, for each partition of a slice, the negatives of lower partitions and the positives of higher ones.

    Args:
      pairs: A table `pairs` or `weighted_pairs` of one column, with each key once, ascending.

    Returns:
      Two arrays [K].
    """
    opens = np.flatnonzero(changes(pairs.keys[:, 0]))
    ends = np.append(opens[1:], len(pairs.keys))
    positives, negatives = pairs.values[:, 0], pairs.values[:, 1]
    positives_up_to = up_to(positives, opens)
    above = np.repeat(positives_up_to[ends - 1], ends - opens) - positives_up_to
    return up_to(negatives, opens) - negatives, above


def _keys(slices: NDArray[Any], column: int, partition: int, *others: NDArray[np.int64]) -> NDArray[np.int64]:
    same = [np.full(len(slices), column), np.full(len(slices), partition)]
    keys: NDArray[Any] = np.stack([slices, *same, *others], axis=1)
    return keys.astype(np.int64)
