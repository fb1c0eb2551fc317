"""Statistics of rows that are together by user: GAUC's sums, and all that is a plain sum over rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tandem.components.metrics.pairs import PairCounts, pair_counts
from tandem.components.metrics.slice_key import ACTIVITY, MISSING, SliceKey
from tandem.components.metrics.slicing import Sliced, bucket_names
from tandem.components.metrics.statistics import BINS, FINE, SUMS, Statistics, Table, score_bins
from tandem.components.metrics.users import CLUSTERS, NO_USER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tandem.components.metrics.rows import Rows

_CLOSEST_TO_CERTAIN = 1e-7


def user_statistics(rows: Rows) -> Statistics:
    """Computes the statistics of rows of whole users.

    Args:
      rows: All rows of each of their users.
    """
    users, codes = np.unique(rows.users, return_inverse=True)
    cluster_of = np.zeros(len(users), np.int64)
    cluster_of[codes] = rows.clusters
    parts = [row_statistics(rows)]
    named = rows.users != NO_USER
    slicings = [sliced.compact() for sliced in rows.slicings]
    for column, output in rows.columns:
        if not rows.answered(column):
            continue
        counted = named & rows.counted(output)
        weights = rows.weights_of(output)
        for sliced in slicings:
            entries = counted[sliced.rows]
            row = sliced.rows[entries]
            of_user_in_slice = pair_counts(
                sliced.codes[entries].astype(np.int64) * len(users) + codes[row],
                rows.labels[row, output],
                rows.scores[row, column],
                None if weights is None else weights[row],
            )
            of_slice, of_user = np.divmod(of_user_in_slice.groups, len(users))
            parts.append(gauc_statistics(of_user_in_slice, column, sliced.keys, of_slice, cluster_of[of_user]))
    return Statistics.merged(parts)


def gauc_statistics(
    pairs: PairCounts,
    column: int,
    slices: tuple[SliceKey, ...],
    of_slice: NDArray[np.int64],
    clusters: NDArray[np.int64],
) -> Statistics:
    """Makes GAUC's sums of users' pairs.

    Args:
      pairs: Of K pairs of a user and a slice.
      column: Of the scores.
      slices: The slices.
      of_slice: [K], positions in `slices`.
      clusters: [K], the users' clusters.
    """
    distinct, codes = unique_inverse(of_slice * CLUSTERS + clusters, len(slices) * CLUSTERS)
    used = pairs.have_both
    aucs = np.where(used, pairs.aucs, 0)
    weight = (pairs.positives + pairs.negatives).astype(np.float64)
    added = {
        "users": used,
        "users_left_out": ~used,
        "rows_left_out": pairs.rows * ~used,
        "aucs": aucs,
        "user_weight": weight * used,
        "aucs_by_weight": weight * aucs,
        "user_positives": pairs.positives * used,
        "aucs_by_positives": pairs.positives * aucs,
    }
    sums = np.zeros((len(distinct), len(SUMS)))
    for name, values in added.items():
        sums[:, SUMS.index(name)] = np.bincount(codes, values, len(distinct))
    tables = {"sums": Table(_keys(column, *np.divmod(distinct, CLUSTERS)), sums)}
    if slices == ((),):
        sizes = np.floor(np.log2(pairs.rows[used])).astype(np.int64)
        keys = _keys(column, np.zeros(len(sizes), np.int64), sizes, clusters[used])
        tables["activity"] = Table(keys, np.stack([np.ones(len(sizes)), aucs[used]], axis=1)).summed()
    return Statistics(slices, tables)


def row_statistics(rows: Rows) -> Statistics:
    """Computes the statistics that do not depend on which rows are one user's: sums over rows, and rows by bin.

    Rows without a user are counted as left out of GAUC.
    """
    slicings = [sliced.compact() for sliced in rows.slicings]
    parts = [Statistics(tuple(key for sliced in slicings for key in sliced.keys), {})]
    bins = {column: score_bins(rows.scores[:, column]) for column, _ in rows.columns if rows.answered(column)}
    for output in range(rows.labels.shape[1]):
        columns = [column for column, of in rows.columns if of == output]
        counted = rows.counted(output)
        losses = {column: _row_losses(rows, column, output, counted) for column in columns if column in bins}
        for sliced in slicings:
            cells = _Cells.of(rows, output, sliced, counted)
            for column in columns:
                if column not in bins:
                    parts.append(Statistics(sliced.keys, {"sums": cells.counts_alone(column)}))
                else:
                    scores = rows.scores[cells.row, column].astype(np.float64)
                    tables = cells.sums(column, scores, losses[column][cells.row])
                    tables |= cells.by_bin(column, scores, bins[column][cells.row])
                    parts.append(Statistics(sliced.keys, tables))
    return Statistics.merged(parts)


@dataclass(frozen=True)
class _Cells:
    """The E entries of rows in slices that count for an output, and their cells: pairs of a slice and a cluster.

    Attributes:
      slices: The slices.
      row: [E] int64, the entries' rows.
      cells: [E] int64, slice * CLUSTERS + cluster.
      distinct: [C] int64, the cells that have entries, ascending.
      codes: [E] int64, positions in `distinct`.
      positive: [E] bool.
      unnamed: [E] bool, whether the row names no user.
      weights: [E] float64, or None where rows weigh 1.
    """

    slices: tuple[SliceKey, ...]
    row: NDArray[np.int64]
    cells: NDArray[np.int64]
    distinct: NDArray[np.int64]
    codes: NDArray[np.int64]
    positive: NDArray[np.bool_]
    unnamed: NDArray[np.bool_]
    weights: NDArray[np.float64] | None

    @staticmethod
    def of(rows: Rows, output: int, sliced: Sliced, counted: NDArray[np.bool_]) -> _Cells:
        entries = counted[sliced.rows]
        row = sliced.rows[entries]
        cells = sliced.codes[entries].astype(np.int64) * CLUSTERS + rows.clusters[row]
        weights = rows.weights_of(output)
        return _Cells(
            sliced.keys,
            row,
            cells,
            *unique_inverse(cells, len(sliced.keys) * CLUSTERS),
            positive=rows.labels[row, output] == 1,
            unnamed=rows.users[row] == NO_USER,
            weights=None if weights is None else weights[row],
        )

    def counts_alone(self, column: int) -> Table:
        """The sums where a model does not have the output: all but the counts of rows are nan."""
        sums = np.full((len(self.distinct), len(SUMS)), np.nan)
        self._count(sums)
        return Table(self._keys(column), sums)

    def sums(self, column: int, scores: NDArray[np.float64], losses: NDArray[np.float64]) -> dict[str, Table]:
        """The tables `sums` and, with weights, `weights`; scores and losses are those of the entries."""
        sums = np.zeros((len(self.distinct), len(SUMS)))
        self._count(sums)
        sums[:, SUMS.index("scores")] = self._added(self._weighed(scores))
        sums[:, SUMS.index("losses")] = self._added(self._weighed(losses))
        sums[:, SUMS.index("rows_left_out")] = sums[:, SUMS.index("rows_unnamed")] = self._added(self.unnamed)
        tables = {"sums": Table(self._keys(column), sums)}
        if self.weights is not None:
            by_class = [self._added(self.weights * self.positive), self._added(self.weights * ~self.positive)]
            tables["weights"] = Table(self._keys(column), np.stack(by_class, axis=1))
        return tables

    def by_bin(self, column: int, scores: NDArray[np.float64], bins: NDArray[np.int64]) -> dict[str, Table]:
        """The table `residuals` and, of the slice of all rows, the histograms."""
        tables = {"residuals": self._binned(column, bins // FINE, BINS, [self._weighed(scores - self.positive)])}
        if self.slices == ((),):
            values = [None, self.positive, self._weighed(scores)]
            tables["histogram"] = self._binned(column, bins, BINS * FINE, values)
            if self.weights is not None:
                by_class = [self.weights * self.positive, self.weights * ~self.positive]
                tables["histogram_weights"] = self._binned(column, bins, BINS * FINE, by_class)
        return tables

    def _count(self, sums: NDArray[np.float64]) -> None:
        sums[:, SUMS.index("rows")] = np.bincount(self.codes, minlength=len(self.distinct))
        sums[:, SUMS.index("positives")] = np.bincount(self.codes[self.positive], minlength=len(self.distinct))

    def _weighed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        return values if self.weights is None else values * self.weights

    def _added(self, values: NDArray[Any]) -> NDArray[np.float64]:
        return np.bincount(self.codes, values, len(self.distinct)).astype(np.float64, copy=False)

    def _binned(self, column: int, bins: NDArray[np.int64], count: int, values: Sequence[NDArray[Any] | None]) -> Table:
        """Adds up values by cell and bin; None counts entries."""
        distinct, codes = unique_inverse(self.cells * count + bins, len(self.slices) * CLUSTERS * count)
        cell, of_bin = np.divmod(distinct, count)
        sums = [np.bincount(codes, each, len(distinct)).astype(np.float64) for each in values]
        return Table(_keys(column, *np.divmod(cell, CLUSTERS), of_bin), np.stack(sums, axis=1))

    def _keys(self, column: int) -> NDArray[np.int32]:
        return _keys(column, *np.divmod(self.distinct, CLUSTERS))


def activity_slices(users: NDArray[np.int64], edges: tuple[float, ...], rows: int | None = None) -> Sliced:
    """Slices rows by how many their user has.

    Args:
      users: [N]; all rows of a user are among them, unless `rows` says how many there are.
      edges: Where buckets begin, ascending.
      rows: How many rows every one of these users has; None: count them.

    Returns:
      The slices; rows without a user are `(missing)`.
    """
    if rows is None:
        _, codes, counts = np.unique(users, return_inverse=True, return_counts=True)
        of_user = counts[codes]
    else:
        of_user = np.full(len(users), rows)
    buckets = np.searchsorted(np.asarray(edges), of_user, side="right")
    buckets[users == NO_USER] = len(edges) + 1
    keys = tuple(((ACTIVITY, name),) for name in [*bucket_names(edges), MISSING])
    return Sliced(keys, buckets.astype(np.min_scalar_type(len(keys))))


def log_losses(positive: NDArray[np.bool_], probabilities: NDArray[Any]) -> NDArray[np.float64]:
    """Computes each row's negative log likelihood, in nats.

    Args:
      positive: [N], whether the label is 1.
      probabilities: [N]; kept 1e-7 away from 0 and 1, as float32 models saturate there.
    """
    kept = np.clip(np.asarray(probabilities, np.float64), _CLOSEST_TO_CERTAIN, 1 - _CLOSEST_TO_CERTAIN)
    losses: NDArray[np.float64] = -np.log(np.where(positive, kept, 1 - kept))
    return losses


def unique_inverse(values: NDArray[np.int64], size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the distinct values, ascending, and for each value its position among them.

    Args:
      values: [N] int64 in [0, size).
      size: Where it is not much more than N, nothing is sorted.
    """
    if size > 4 * len(values) + 4096:
        distinct, inverse = np.unique(values, return_inverse=True)
        return distinct, inverse
    distinct = np.flatnonzero(np.bincount(values, minlength=size))
    positions = np.empty(size, np.int64)
    positions[distinct] = np.arange(len(distinct))
    return distinct, positions[values]


def _row_losses(rows: Rows, column: int, output: int, counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Computes the log losses of the rows that count, [N]; 0 for others."""
    losses = np.zeros(len(rows))
    losses[counted] = log_losses(rows.labels[counted, output] == 1, rows.scores[counted, column])
    return losses


def _keys(column: int, of_slice: NDArray[np.int64], *others: NDArray[np.int64]) -> NDArray[np.int32]:
    keys: NDArray[np.int64] = np.stack([of_slice, np.full(len(of_slice), column), *others], axis=1)
    return keys.astype(np.int32)
