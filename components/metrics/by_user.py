"""Statistics of rows that are together by user: GAUC's sums, and all that is a plain sum over rows."""

from __future__ import annotations

import numpy as np

from tandem.components.metrics.calibration import row_losses
from tandem.components.metrics.groups import CLUSTERS, NO_GROUP
from tandem.components.metrics.ranking import Pairs, pair_counts
from tandem.components.metrics.rows import NOT_COUNTED, Layout, Rows
from tandem.components.metrics.slice_key import MISSING, SliceKey
from tandem.components.metrics.slicing import Sliced, bucket_names
from tandem.components.metrics.statistics import BINS, FINE, SUMS, Statistics, Table, score_bins

ACTIVITY = "activity"
"""The column of slices by the number of a user's rows."""


def activity(users: np.ndarray, edges: tuple[float, ...], rows: int | None = None) -> Sliced:
    """Slices rows by how many their user has.

    Args:
      users: [N] int64; all rows of a user are among them, unless `rows` says how many there are.
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
    buckets[users == NO_GROUP] = len(edges) + 1
    keys = tuple(((ACTIVITY, name),) for name in [*bucket_names(edges), MISSING])
    return Sliced(keys, buckets.astype(np.min_scalar_type(len(keys))))


def statistics_of_users(rows: Rows, layout: Layout) -> Statistics:
    """Computes the statistics of rows of whole users.

    Args:
      rows: All rows of each of their users.
      layout: What the columns are.
    """
    rows = rows.compact()
    users, codes = np.unique(rows["users"], return_inverse=True)
    cluster_of = np.zeros(len(users), np.int64)
    cluster_of[codes] = rows["clusters"]
    parts = [statistics_of_rows(rows, layout)]
    named = rows["users"] != NO_GROUP
    for column, (_, output) in enumerate(layout.columns):
        labels, scores = rows["labels"][:, output], rows["scores"][:, column]
        counted = named & (labels != NOT_COUNTED)
        if np.isnan(scores).any():
            continue
        for sliced in rows.slicings:
            entries = counted[sliced.rows]
            row = sliced.rows[entries]
            groups = sliced.codes[entries].astype(np.int64) * len(users) + codes[row]
            pairs = pair_counts(groups, labels[row], scores[row])
            of_slice, of_user = np.divmod(pairs.groups, len(users))
            parts.append(statistics_of_pairs(pairs, column, sliced.keys, of_slice, cluster_of[of_user]))
    return Statistics.merged(parts)


def statistics_of_rows(rows: Rows, layout: Layout) -> Statistics:
    """Computes the statistics that do not depend on which rows are one user's: sums over rows, and rows by bin.

    Rows without a user are counted as left out of GAUC.
    """
    rows = rows.compact()
    parts = [Statistics(tuple(key for sliced in rows.slicings for key in sliced.keys), {})]
    without = rows["users"] == NO_GROUP
    answered = ~np.isnan(rows["scores"]).any(axis=0)
    bins = {column: score_bins(rows["scores"][:, column]) for column in np.flatnonzero(answered)}
    for output in range(len(layout.outputs)):
        labels = rows["labels"][:, output]
        counted = labels != NOT_COUNTED
        columns = [column for column, (_, of) in enumerate(layout.columns) if of == output]
        losses = {column: _losses(labels, rows["scores"][:, column], counted) for column in columns if column in bins}
        for sliced in rows.slicings:
            entries = counted[sliced.rows]
            row = sliced.rows[entries]
            places = sliced.codes[entries].astype(np.int64) * CLUSTERS + rows["clusters"][row]
            distinct, codes = numbered(places, len(sliced.keys) * CLUSTERS)
            positive = labels[row] == 1
            for column in columns:
                scores = rows["scores"][:, column].astype(np.float64)
                sums = np.zeros((len(distinct), len(SUMS)))
                sums[:, SUMS.index("rows")] = np.bincount(codes, minlength=len(distinct))
                sums[:, SUMS.index("positives")] = np.bincount(codes[positive], minlength=len(distinct))
                if column not in bins:
                    sums[:, 2:] = np.nan
                else:
                    sums[:, SUMS.index("scores")] = np.bincount(codes, scores[row], len(distinct))
                    sums[:, SUMS.index("losses")] = np.bincount(codes, losses[column][row], len(distinct))
                    sums[:, SUMS.index("rows_left_out")] = np.bincount(codes, without[row], len(distinct))
                    parts.append(_by_bin(sliced, column, places, bins[column][row], positive, scores[row]))
                keys = _keys(column, *np.divmod(distinct, CLUSTERS))
                parts.append(Statistics(sliced.keys, {"sums": Table(keys, sums)}))
    return Statistics.merged(parts)


def statistics_of_pairs(
    pairs: Pairs, column: int, slices: tuple[SliceKey, ...], of_slice: np.ndarray, clusters: np.ndarray
) -> Statistics:
    """Makes GAUC's sums of users' pairs.

    Args:
      pairs: Of K pairs of a user and a slice.
      column: Of the scores.
      slices: The slices.
      of_slice: [K] int64, positions in `slices`.
      clusters: [K] int64, the users' clusters.
    """
    distinct, codes = numbered(of_slice * CLUSTERS + clusters, len(slices) * CLUSTERS)
    rows = (pairs.positives + pairs.negatives).astype(np.float64)
    used = (pairs.positives > 0) & (pairs.negatives > 0)
    aucs = np.where(used, pairs.aucs, 0)
    added = {
        "users": used,
        "users_left_out": ~used,
        "rows_left_out": rows * ~used,
        "aucs": aucs,
        "user_rows": rows * used,
        "aucs_by_rows": rows * aucs,
        "user_positives": pairs.positives * used,
        "aucs_by_positives": pairs.positives * aucs,
    }
    sums = np.zeros((len(distinct), len(SUMS)))
    for name, values in added.items():
        sums[:, SUMS.index(name)] = np.bincount(codes, values, len(distinct))
    tables = {"sums": Table(_keys(column, *np.divmod(distinct, CLUSTERS)), sums)}
    if slices == ((),):
        sizes = np.floor(np.log2(rows[used])).astype(np.int64)
        keys = _keys(column, np.zeros(len(sizes), np.int64), sizes, clusters[used])
        tables["activity"] = Table(keys, np.stack([np.ones(len(sizes)), aucs[used]], axis=1)).summed()
    return Statistics(slices, tables)


def numbered(places: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the distinct places, ascending, and for each place its position among them.

    Args:
      places: [N] int64 in [0, size).
      size: Where it is not much more than N, nothing is sorted.
    """
    if size > 4 * len(places) + 4096:
        return np.unique(places, return_inverse=True)
    distinct = np.flatnonzero(np.bincount(places, minlength=size))
    positions = np.empty(size, np.int64)
    positions[distinct] = np.arange(len(distinct))
    return distinct, positions[places]


def _losses(labels: np.ndarray, scores: np.ndarray, counted: np.ndarray) -> np.ndarray:
    losses = np.zeros(len(labels))
    losses[counted] = row_losses(labels[counted] == 1, scores[counted])
    return losses


def _by_bin(
    sliced: Sliced, column: int, places: np.ndarray, bins: np.ndarray, positive: np.ndarray, scores: np.ndarray
) -> Statistics:
    tables = {"gaps": _binned(column, places, bins // FINE, BINS, len(sliced.keys), [scores - positive])}
    if sliced.keys == ((),):
        tables["bins"] = _binned(column, places, bins, BINS * FINE, 1, [None, positive, scores])
    return Statistics(sliced.keys, tables)


def _binned(
    column: int, places: np.ndarray, bins: np.ndarray, count: int, slices: int, weights: list[np.ndarray | None]
) -> Table:
    distinct, codes = numbered(places * count + bins, slices * CLUSTERS * count)
    rest, of_bin = np.divmod(distinct, count)
    sums = [np.bincount(codes, weight, len(distinct)).astype(np.float64) for weight in weights]
    return Table(_keys(column, *np.divmod(rest, CLUSTERS), of_bin), np.stack(sums, axis=1))


def _keys(column: int, of_slice: np.ndarray, *others: np.ndarray) -> np.ndarray:
    return np.stack([of_slice, np.full(len(of_slice), column), *others], axis=1).astype(np.int32)
