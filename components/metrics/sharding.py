"""Batches of rows -> statistics, in one pass and in bounded memory: rows are brought together by user, then by score.

A shard of users has all rows of each of its users. It counts them, computes what is said of users, and sends the rows
that count on, column of scores by column, to shards by ranges of the score, which compute exact AUCs. What leaves these
are sums whose size does not depend on rows. A shard holds rows up to a budget; beyond it they go through local files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from tandem.components.metrics.by_score import (
    cluster_counts,
    joined,
    score_ranges,
    statistics_of_one_score,
    statistics_of_scores,
)
from tandem.components.metrics.by_user import (
    activity,
    statistics_of_pairs,
    statistics_of_rows,
    statistics_of_users,
)
from tandem.components.metrics.groups import NO_GROUP, mixed
from tandem.components.metrics.ranking import Pairs, ordered_bits
from tandem.components.metrics.rows import Layout, Rows
from tandem.components.metrics.slice_key import SliceKey
from tandem.components.metrics.spilling import Part, in_parts
from tandem.components.metrics.statistics import Statistics

BUDGET = 256 * 2**20
"""Bytes of rows that a shard holds at a time."""

PIECE_ROWS = 65_536
"""Rows that a shard of users sends on at once, at most."""

Scored = tuple[tuple[int, int], Rows]
"""Rows of one column of scores within a range: (column, range), and the rows (see `Rows.column`)."""


@dataclass(frozen=True)
class Sharding:
    """How statistics are computed.

    Attributes:
      layout: What the columns of the rows are.
      slicings: For each of the rows' ways of slicing whether it is crossed with the user's activity.
      edges: Where buckets of activity begin; () where no slicing needs them.
      users: Number of shards of users; users of one cluster share a shard.
      budget: Bytes of rows that a shard holds at a time.
    """

    layout: Layout
    slicings: tuple[bool, ...]
    edges: tuple[float, ...] = ()
    users: int = 16
    budget: int = BUDGET

    def by_user(self, rows: Rows) -> Iterator[tuple[int, Rows]]:
        """Divides a batch among the shards of users."""
        shards = rows["clusters"] % self.users
        order = np.argsort(shards, kind="stable")
        bounds = np.searchsorted(shards[order], np.arange(self.users + 1))
        for shard in np.flatnonzero(np.diff(bounds)):
            yield int(shard), rows.take(order[bounds[shard] : bounds[shard + 1]])

    def of_users(self, batches: Iterable[Rows]) -> Iterator[Statistics | Scored]:
        """Computes a shard of users.

        Args:
          batches: All its rows.

        Yields:
          Statistics, and rows that count by (column, range), for shards by score.
        """
        for part in in_parts(batches, lambda rows: mixed(rows["users"]), self.budget):
            if part.whole:
                (rows,) = part.batches
                rows = self._with_activity(rows)
                yield statistics_of_users(rows, self.layout)
                yield from self._scored(rows)
            else:
                yield from self._of_one_user(part.batches)

    def of_scores(self, column: int, batches: Iterable[Rows]) -> Iterator[Statistics]:
        """Computes a shard by score.

        Args:
          column: Of the scores.
          batches: All rows of one range of scores.
        """
        for part in in_parts(batches, _score_key, self.budget):
            yield _of_part(part, column)

    def _of_one_user(self, batches: Iterable[Rows]) -> Iterator[Statistics | Scored]:
        """Computes a user who has more rows than fit; or all rows without a user."""
        count = sum(len(rows) for rows in batches)
        cluster, named = 0, True
        for rows in batches:
            rows = self._with_activity(rows, count)
            cluster, named = int(rows["clusters"][0]), bool(rows["users"][0] != NO_GROUP)
            yield statistics_of_rows(rows, self.layout)
            yield from self._scored(rows)
        if not named:
            return
        for column, (_, output) in enumerate(self.layout.columns):
            of_column = (self._with_activity(rows, count).column(output, column) for rows in batches)
            pieces = Statistics.merged(self.of_scores(column, (rows for rows in of_column if _usable(rows))))
            yield from _of_user(pieces, column, cluster)

    def _with_activity(self, rows: Rows, count: int | None = None) -> Rows:
        if not any(self.slicings):
            return rows
        by_activity = activity(rows["users"], self.edges, count)
        slicings = []
        for needs, sliced in zip(self.slicings, rows.slicings, strict=True):
            slicings.append(sliced.cross(by_activity) if needs else sliced)
        return Rows(rows.arrays, tuple(slicings))

    def _scored(self, rows: Rows) -> Iterator[Scored]:
        for column, (_, output) in enumerate(self.layout.columns):
            of_column = rows.column(output, column)
            if not _usable(of_column):
                continue
            ranges = score_ranges(of_column["scores"])
            order = np.argsort(ranges, kind="stable")
            found, starts = np.unique(ranges[order], return_index=True)
            for number, index in zip(found, np.split(order, starts[1:]), strict=True):
                for start in range(0, len(index), PIECE_ROWS):
                    yield (column, int(number)), of_column.take(index[start : start + PIECE_ROWS])


def _of_part(part: Part, column: int) -> Statistics:
    if part.whole:
        (rows,) = part.batches
        return statistics_of_scores(rows, column)
    counts: dict[SliceKey, np.ndarray] = {}
    bits = 0
    for rows in part.batches:
        bits = int(_score_key(rows)[0])
        cluster_counts(rows, counts)
    return statistics_of_one_score(counts, bits, column)


def _of_user(pieces: Statistics, column: int, cluster: int) -> Iterator[Statistics]:
    """Makes the sums of one user's AUCs of the pairs in ranges of scores."""
    if not pieces.slices:
        return
    pairs = joined(pieces.tables["pieces"])
    clusters = np.full(1, cluster)
    for number, slice_ in enumerate(pairs.groups):
        own = Pairs(*(each[number : number + 1] for each in vars(pairs).values()))
        yield statistics_of_pairs(own, column, (pieces.slices[slice_],), np.zeros(1, np.int64), clusters)


def _score_key(rows: Rows) -> np.ndarray:
    return ordered_bits(rows["scores"]).astype(np.uint64)


def _usable(rows: Rows) -> bool:
    """Whether there are rows, and scores of them."""
    return len(rows) > 0 and not np.isnan(rows["scores"]).any()
