"""Batches of rows -> statistics, in one pass and in bounded memory: rows are brought together by user, then by score.

A shard of users has all rows of each of its users. It counts them, computes what is said of users, and sends the rows
that count on, column of scores by column, to shards by ranges of the score, which compute exact AUCs. What leaves these
are sums whose size does not depend on rows. A shard holds rows up to a budget; beyond it they go through local files.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tandem.components.metrics.pairs import ordered_bits
from tandem.components.metrics.rows import Rows, ScoredRows
from tandem.components.metrics.score_statistics import (
    column_pairs,
    score_ranges,
    score_statistics,
    tied_statistics,
    total_pairs,
)
from tandem.components.metrics.spilling import RowsInMemory, in_parts
from tandem.components.metrics.statistics import Statistics
from tandem.components.metrics.user_statistics import (
    activity_slices,
    gauc_statistics,
    row_statistics,
    user_statistics,
)
from tandem.components.metrics.users import NO_USER, scatter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

BUDGET = 256 * 2**20
"""Bytes of rows that a shard holds at a time."""

SENT_ROWS = 65_536
"""Rows that a shard of users sends on at once, at most."""

ToScoreShard = tuple[tuple[int, int], ScoredRows]
"""Rows of one column of scores within a range, and where they go: (column, range)."""


@dataclass(frozen=True)
class Sharding:
    """How statistics are computed.

    Attributes:
      slicings: For each of the rows' ways of slicing whether it is crossed with the user's activity.
      edges: Where buckets of activity begin; () where no slicing needs them.
      users: Number of shards of users; users of one cluster share a shard.
      budget: Bytes of rows that a shard holds at a time.
    """

    slicings: tuple[bool, ...]
    edges: tuple[float, ...] = ()
    users: int = 16
    budget: int = BUDGET

    def by_user(self, rows: Rows) -> Iterator[tuple[int, Rows]]:
        """Divides a batch among the shards of users."""
        shards = rows.clusters % self.users
        order = np.argsort(shards, kind="stable")
        bounds = np.searchsorted(shards[order], np.arange(self.users + 1))
        for shard in np.flatnonzero(np.diff(bounds)):
            yield int(shard), rows.take(order[bounds[shard] : bounds[shard + 1]])

    def of_users(self, batches: Iterable[Rows]) -> Iterator[Statistics | ToScoreShard]:
        """Computes a shard of users.

        Args:
          batches: All its rows.

        Yields:
          Statistics, and rows that count, for shards by score.
        """
        for part in in_parts(batches, lambda rows: scatter(rows.users), self.budget):
            if isinstance(part, RowsInMemory):
                rows = self._with_activity(part.rows)
                yield user_statistics(rows)
                yield from self._by_score(rows)
            else:
                yield from self._of_one_user(part.batches)

    def of_scores(self, column: int, batches: Iterable[ScoredRows]) -> Iterator[Statistics]:
        """Computes a shard by score.

        Args:
          column: Of the scores.
          batches: All rows of one range of scores.
        """
        for part in in_parts(batches, _score_key, self.budget):
            if isinstance(part, RowsInMemory):
                yield score_statistics(part.rows, column)
            else:
                yield tied_statistics(part.batches, column)

    def _of_one_user(self, batches: Iterable[Rows]) -> Iterator[Statistics | ToScoreShard]:
        """Computes a user who has more rows than fit; or all rows without a user."""
        count = sum(len(rows) for rows in batches)
        for rows in batches:
            of_batch = self._with_activity(rows, count)
            yield row_statistics(of_batch)
            yield from self._by_score(of_batch)
        first = next(iter(batches))
        if first.users[0] == NO_USER:
            return
        for column, output in first.columns:
            scored = (self._with_activity(rows, count).scored(column, output) for rows in batches)
            by_score = Statistics.merged(self.of_scores(column, (rows for rows in scored if _usable(rows))))
            found = column_pairs(by_score, column)
            if found is None:
                continue
            pairs = total_pairs(found)
            cluster = np.full(1, first.clusters[0], np.int64)
            for number, of_slice in enumerate(pairs.groups):
                own = pairs[number : number + 1]
                yield gauc_statistics(own, column, (by_score.slices[of_slice],), np.zeros(1, np.int64), cluster)

    def _with_activity(self, rows: Rows, count: int | None = None) -> Rows:
        """Crosses the slicings that need it with the number of rows that users have (`count`, where it is known)."""
        if not any(self.slicings):
            return rows
        activity = activity_slices(rows.users, self.edges, count)
        slicings = tuple(
            sliced.cross(activity) if needs else sliced
            for needs, sliced in zip(self.slicings, rows.slicings, strict=True)
        )
        return replace(rows, slicings=slicings)

    def _by_score(self, rows: Rows) -> Iterator[ToScoreShard]:
        """Divides the rows that count among the shards by score."""
        for column, output in rows.columns:
            scored = rows.scored(column, output)
            if not _usable(scored):
                continue
            ranges = score_ranges(scored.scores)
            order = np.argsort(ranges, kind="stable")
            found, starts = np.unique(ranges[order], return_index=True)
            for number, index in zip(found, np.split(order, starts[1:]), strict=True):
                for start in range(0, len(index), SENT_ROWS):
                    yield (column, int(number)), scored.take(index[start : start + SENT_ROWS])


def _score_key(rows: ScoredRows) -> NDArray[np.uint64]:
    return ordered_bits(rows.scores).astype(np.uint64)


def _usable(rows: ScoredRows) -> bool:
    """Whether there are rows, and scores of them."""
    return len(rows) > 0 and not np.isnan(rows.scores).any()
