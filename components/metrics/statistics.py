"""What is known of slices: sums that add up over parts of the rows, and from which every metric is computed.

They are kept by cluster of users (see `groups.clusters`), so that every metric can also be computed with a cluster left
out, which is what intervals are made of. Their size depends on the numbers of slices, clusters and bins, not on rows.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from tandem.components.metrics.slice_key import SliceKey

SUMS = (
    "rows",
    "positives",
    "scores",
    "losses",
    "users",
    "users_left_out",
    "rows_left_out",
    "aucs",
    "user_rows",
    "aucs_by_rows",
    "user_positives",
    "aucs_by_positives",
)
"""The columns of the table `sums`: rows that count, the positive ones, sums of scores and of log losses; users with an
AUC, without, and the rows of the latter; the sum of the users' AUCs, and for each weighting of them the sum of the
weights and the weighted sum."""

KEYS = {
    "sums": ("column", "cluster"),
    "gaps": ("column", "cluster", "bin"),
    "bins": ("column", "cluster", "fine bin"),
    "pieces": ("column", "piece"),
    "piece_clusters": ("column", "piece", "cluster"),
    "roc": ("column", "piece", "point"),
    "activity": ("column", "activity", "cluster"),
}
"""The tables and their keys, after the slice. `column` is one of the scores', a `fine bin` as in `score_bins`.

- `sums`: see SUMS.
- `gaps`: sum of scores less positives; this is the largest, and has nothing that another table has.
- `bins`, of the slice of all rows: rows, positives, sum of scores.
- `pieces`: of the rows in a range of scores, the positives, the negatives and the doubled wins among themselves;
  pieces ascend with their scores.
- `piece_clusters`: of a cluster's rows in such a range, the positives, the negatives, the doubled wins of the positives
  and the doubled wins against the negatives.
- `roc`, of the slice of all rows: positives and negatives of a piece up to a score, counted from the lowest.
- `activity`, of the slice of all rows: users with an AUC and the sum of their AUCs, by log2 of their rows.
"""

BINS = 40
"""Bins of the calibration error: half a unit wide in log-odds."""

FINE = 32
"""Into how many parts a bin is divided in the slice of all rows, for curves."""

_WIDEST = 10.0


def score_bins(scores: np.ndarray) -> np.ndarray:
    """Returns the fine bin of each score, [N] int64: BINS * FINE bins of equal width in log-odds from -10 to 10.

    Scores beyond 10 (0.99995) lie in the last bin, those beyond -10 in the first.
    """
    with np.errstate(divide="ignore"):
        probabilities = np.asarray(scores, np.float64)
        log_odds = np.log(probabilities) - np.log1p(-probabilities)
    places = np.floor((log_odds + _WIDEST) * (BINS * FINE / (2 * _WIDEST)))
    return np.clip(places, 0, BINS * FINE - 1).astype(np.int64)


def bin_edges(count: int = BINS) -> np.ndarray:
    """Returns the scores between which bins lie, [count + 1], from 0 to 1; BINS * FINE of them are the fine ones."""
    edges = 1 / (1 + np.exp(-np.linspace(-_WIDEST, _WIDEST, count + 1)))
    edges[0], edges[-1] = 0, 1
    return edges


@dataclass(frozen=True)
class Table:
    """Sums by key; a key may stand there more than once.

    Attributes:
      keys: [K, D] integers.
      values: [K, V] float64 or int64.
    """

    keys: np.ndarray
    values: np.ndarray

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

    def by_place(self, places: int) -> Iterator[tuple[int, Statistics]]:
        """Divides the slices among places; a slice's place is always the same."""
        place = np.array([zlib.crc32(repr(key).encode()) % places for key in self.slices], np.int64)
        for number, part in enumerate(self._divided(place, places)):
            if part.slices:
                yield number, part

    def _divided(self, place: np.ndarray, places: int) -> Iterator[Statistics]:
        order = np.argsort(place, kind="stable")
        within = np.empty(len(order), np.int64)
        bounds = np.searchsorted(place[order], np.arange(places + 1))
        within[order] = np.arange(len(order)) - bounds[place[order]]
        cut = {}
        for name, table in self.tables.items():
            target = place[table.keys[:, 0]]
            by_target = np.argsort(target, kind="stable")
            keys = table.keys[by_target]
            ends = np.searchsorted(target[by_target], np.arange(places + 1))
            keys[:, 0] = within[keys[:, 0]]
            cut[name] = (keys, table.values[by_target], ends)
        for number in range(places):
            yield Statistics(
                tuple(self.slices[code] for code in order[bounds[number] : bounds[number + 1]]),
                {
                    name: Table(keys[ends[number] : ends[number + 1]], values[ends[number] : ends[number + 1]])
                    for name, (keys, values, ends) in cut.items()
                },
            )
