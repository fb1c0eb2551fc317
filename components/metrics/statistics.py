"""What is known of slices: partial sums that add up over parts of the rows, from which every metric is computed.

They are kept by cluster of users (see `users.cluster_of`), so that every metric can also be computed with a cluster
left out, which is what intervals are made of. Their size depends on the numbers of slices, clusters and bins, not on
rows.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tandem.components.metrics.users import CLUSTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import ArrayLike, NDArray

    from tandem.components.metrics.slice_key import SliceKey

SUMS = (
    "rows",
    "positives",
    "scores",
    "losses",
    "users",
    "users_left_out",
    "rows_left_out",
    "rows_unnamed",
    "aucs",
    "user_weight",
    "aucs_by_weight",
    "user_positives",
    "aucs_by_positives",
)
"""The columns of the table `sums`: rows that count, the positive ones, sums of scores and of log losses; users with an
AUC, without, the rows of the latter and those that name no user, and how many name none; the sum of the users' AUCs,
and for each weighting of them the sum of the weights and the weighted sum. Where rows have weights, scores and losses
are weighted by them, and a user weighs the sum of its rows' weights, or of its positive rows' weights; without, the
numbers of these rows."""

KEYS = {
    "sums": ("column", "cluster"),
    "weights": ("column", "cluster"),
    "residuals": ("column", "cluster", "bin"),
    "histogram": ("column", "cluster", "fine bin"),
    "histogram_weights": ("column", "cluster", "fine bin"),
    "pairs": ("column", "partition"),
    "weighted_pairs": ("column", "partition"),
    "cluster_pairs": ("column", "partition", "cluster"),
    "roc": ("column", "partition", "point"),
    "weighted_roc": ("column", "partition", "point"),
    "activity": ("column", "activity", "cluster"),
}
"""The tables and their keys, after the slice. `column` is one of the scores', a `fine bin` as in `score_bins`. A
`partition` is a range of scores, called by the lowest one; partitions ascend with their scores.

- `sums`: see SUMS.
- `weights`: sums of the weights of positive and of negative rows. Columns without weights are not in it.
- `residuals`: sum of scores less labels; this is the largest, and has nothing that another table has.
- `histogram`, of the slice of all rows: rows, positives, sum of scores.
- `histogram_weights`, of the slice of all rows: as `weights`.
- `pairs`: of the rows in a partition, the positives, the negatives and the doubled wins among themselves.
- `weighted_pairs`: the same in weights (see `pairs.PairCounts`), and the number of rows; of columns with weights, which
  are not in `pairs`.
- `cluster_pairs`: of a cluster's rows in a partition, the positives, the negatives, the doubled wins of the positives
  and the doubled wins against the negatives.
- `roc`, of the slice of all rows: positives and negatives of a partition up to a score, counted from the lowest.
- `weighted_roc`: the same in weights.
- `activity`, of the slice of all rows: users with an AUC and the sum of their AUCs, by log2 of their rows.
"""

BINS = 40
"""Bins of the calibration error: half a unit wide in log-odds."""

FINE = 32
"""Into how many parts a bin is divided in the slice of all rows, for curves."""

_WIDEST = 10.0


def score_bins(scores: ArrayLike) -> NDArray[np.int64]:
    """Returns the fine bin of each score, [N] int64: BINS * FINE bins of equal width in log-odds from -10 to 10.

    Scores beyond 10 (0.99995) lie in the last bin, those beyond -10 in the first.
    """
    with np.errstate(divide="ignore"):
        probabilities = np.asarray(scores, np.float64)
        log_odds = np.log(probabilities) - np.log1p(-probabilities)
    places = np.floor((log_odds + _WIDEST) * (BINS * FINE / (2 * _WIDEST)))
    inside: NDArray[np.float64] = np.clip(places, 0, BINS * FINE - 1)
    return inside.astype(np.int64)


def bin_edges(count: int = BINS) -> NDArray[np.float64]:
    """Returns the scores between which bins lie, [count + 1], from 0 to 1; BINS * FINE of them are the fine ones."""
    edges: NDArray[np.float64] = 1 / (1 + np.exp(-np.linspace(-_WIDEST, _WIDEST, count + 1)))
    edges[0], edges[-1] = 0, 1
    return edges


@dataclass(frozen=True)
class Table:
    """Sums by key; a key may stand there more than once.

    Attributes:
      keys: [K, D] integers.
      values: [K, V] float64 or int64.
    """

    keys: NDArray[np.integer[Any]]
    values: NDArray[Any]

    def of_column(self, column: int) -> Table:
        """Returns the rows of a column of scores."""
        chosen = self.keys[:, 1] == column
        return Table(self.keys[chosen], self.values[chosen])

    def summed(self) -> Table:
        """Returns every key once, ascending."""
        if not len(self.keys):
            return self
        sizes = [int(column.max()) + 1 for column in self.keys.T]
        if math.prod(sizes) < 2**63:
            packed = np.ravel_multi_index(tuple(self.keys.T.astype(np.int64)), sizes)
            order = np.argsort(packed, kind="stable")
            starts = np.flatnonzero(np.diff(packed[order], prepend=-1))
        else:
            order = np.lexsort(self.keys.T[::-1])
            starts = np.flatnonzero(np.append(True, (self.keys[order[1:]] != self.keys[order[:-1]]).any(axis=1)))
        keys = self.keys[order[starts]]
        if len(starts) == len(order):
            return Table(keys, self.values[order])
        return Table(keys, np.add.reduceat(self.values[order], starts, axis=0))


@dataclass(frozen=True)
class Statistics:
    """The sums of some slices.

    Attributes:
      slices: The slices.
      tables: By the names of KEYS; a key begins with the position in `slices`.
    """

    slices: tuple[SliceKey, ...]
    tables: Mapping[str, Table]

    def of_column(self, name: str, column: int) -> Table | None:
        """Returns the rows of a table for a column of scores; None where there are none."""
        if name not in self.tables:
            return None
        table = self.tables[name].of_column(column)
        return table if len(table.keys) else None

    def of_clusters(self, name: str, column: int, bins: int) -> NDArray[np.float64] | None:
        """Returns the sums by cluster and bin of a column of scores, [CLUSTERS, bins, V]; None where there are none."""
        table = self.of_column(name, column)
        if table is None:
            return None
        sums = np.zeros((CLUSTERS, bins, table.values.shape[1]))
        sums[table.keys[:, 2], table.keys[:, 3]] = table.values
        return sums

    @staticmethod
    def merged(parts: Iterable[Statistics]) -> Statistics:
        """Adds up the statistics of parts of the rows, in whatever order."""
        numbers: dict[SliceKey, int] = {}
        gathered: dict[str, list[Table]] = {}
        for part in parts:
            codes = np.array([numbers.setdefault(key, len(numbers)) for key in part.slices], np.int64)
            for name, table in part.tables.items():
                keys = table.keys.copy()
                keys[:, 0] = codes[keys[:, 0]]
                gathered.setdefault(name, []).append(Table(keys, table.values))
        tables = {
            name: Table(
                np.concatenate([table.keys for table in tables]), np.concatenate([table.values for table in tables])
            ).summed()
            for name, tables in gathered.items()
        }
        return Statistics(tuple(numbers), tables)

    def each(self) -> Iterator[Statistics]:
        """Yields the statistics of each slice."""
        return self._divided(np.arange(len(self.slices)), len(self.slices))

    def by_shard(self, shards: int) -> Iterator[tuple[int, Statistics]]:
        """Divides the slices among shards; a slice's shard is always the same."""
        shard = np.array([zlib.crc32(repr(key).encode()) % shards for key in self.slices], np.int64)
        for number, part in enumerate(self._divided(shard, shards)):
            if part.slices:
                yield number, part

    def _divided(self, target_of: NDArray[np.int64], targets: int) -> Iterator[Statistics]:
        """Yields the statistics of each target's slices.

        Args:
          target_of: [slices], each slice's target.
          targets: How many there are.
        """
        order = np.argsort(target_of, kind="stable")
        within = np.empty(len(order), np.int64)
        bounds = np.searchsorted(target_of[order], np.arange(targets + 1))
        within[order] = np.arange(len(order)) - bounds[target_of[order]]
        cut = {}
        for name, table in self.tables.items():
            target = target_of[table.keys[:, 0]]
            by_target = np.argsort(target, kind="stable")
            keys = table.keys[by_target]
            ends = np.searchsorted(target[by_target], np.arange(targets + 1))
            keys[:, 0] = within[keys[:, 0]]
            cut[name] = (keys, table.values[by_target], ends)
        for number in range(targets):
            yield Statistics(
                tuple(self.slices[code] for code in order[bounds[number] : bounds[number + 1]]),
                {
                    name: Table(keys[ends[number] : ends[number + 1]], values[ends[number] : ends[number + 1]])
                    for name, (keys, values, ends) in cut.items()
                },
            )
