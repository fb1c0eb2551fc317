"""Statistics of rows that are together by score: the exact AUC of every slice, and what each cluster adds to it.

AUC over ranges of scores adds up: pairs within a range, and pairs of a positive with the negatives of lower ranges.
"""

from __future__ import annotations

import numpy as np

from tandem.components.metrics.groups import CLUSTERS
from tandem.components.metrics.ranking import Pairs, changes, ordered_bits
from tandem.components.metrics.rows import Rows
from tandem.components.metrics.slicing import Sliced
from tandem.components.metrics.statistics import Statistics, Table

RANGES = 16
"""Into how many ranges scores are divided at first: of equal width in log-odds, from -8 to 8."""

_ROC_POINTS = 256

_CLUSTER_BITS, _SCORE_BITS = 7, 32
_MAX_SLICES = 2 ** (64 - _CLUSTER_BITS - _SCORE_BITS - 1)


def score_ranges(scores: np.ndarray) -> np.ndarray:
    """Returns the range of each score, [N] uint8, ascending with the scores."""
    edges = 1 / (1 + np.exp(-np.linspace(-8, 8, RANGES + 1)[1:-1]))
    return np.searchsorted(edges.astype(np.float32), scores, side="right").astype(np.uint8)


def statistics_of_scores(rows: Rows, column: int) -> Statistics:
    """Computes the statistics of the rows of one range of scores.

    Args:
      rows: All rows of a column of scores within the range (see `Rows.column`).
      column: Its number.
    """
    rows = rows.compact()
    bits = ordered_bits(rows["scores"])
    return Statistics.merged(
        Statistics(sliced.keys, _sorted_tables(rows, sliced, bits, column)) for sliced in rows.slicings
    )


def _sorted_tables(rows: Rows, sliced: Sliced, bits: np.ndarray, column: int) -> dict[str, Table]:
    """Sorts one uint64 per row: 24 bits of slice, 32 of score, 1 of label, 7 of cluster."""
    if len(sliced.keys) > _MAX_SLICES:
        raise ValueError(f"one way of slicing makes {len(sliced.keys)} slices, more than {_MAX_SLICES}")
    row = sliced.rows
    keys = sliced.codes.astype(np.uint64) << np.uint64(_SCORE_BITS)
    keys |= bits[row]
    keys <<= np.uint64(1)
    keys |= rows["labels"][row].astype(np.uint64)
    keys <<= np.uint64(_CLUSTER_BITS)
    keys |= rows["clusters"][row]
    keys.sort()
    clusters = (keys & np.uint64(CLUSTERS - 1)).astype(np.int64)
    keys >>= np.uint64(_CLUSTER_BITS)
    positive = (keys & np.uint64(1)).astype(bool)
    keys >>= np.uint64(1)
    starts = np.flatnonzero(changes(keys))
    sizes = np.diff(np.append(starts, len(keys)))
    of_slice = (keys[starts] >> np.uint64(_SCORE_BITS)).astype(np.int64)
    tables = _tables(of_slice, clusters, positive, starts, sizes, column, int(bits.min()))
    if sliced.keys == ((),):
        tables["roc"] = _roc(positive, starts, sizes, column, int(bits.min()))
    return tables


def _tables(
    of_slice: np.ndarray,
    clusters: np.ndarray,
    positive: np.ndarray,
    starts: np.ndarray,
    sizes: np.ndarray,
    column: int,
    piece: int,
) -> dict[str, Table]:
    """Counts pairs from runs of one slice and score.

    Args:
      of_slice: [R] int64, ascending.
      clusters: [N] int64, of the sorted rows.
      positive: [N] bool.
      starts: [R] where runs start.
      sizes: [R] how many rows they have.
      column: The column's number.
      piece: The piece's name.
    """
    positives = np.add.reduceat(positive.astype(np.int64), starts)
    negatives = sizes - positives
    opens = np.flatnonzero(changes(of_slice))
    last = np.append(opens[1:], len(of_slice)) - 1
    runs = np.diff(np.append(opens, len(of_slice)))
    up_to_positives, up_to_negatives = np.cumsum(positives), np.cumsum(negatives)
    below = up_to_negatives - negatives
    below -= np.repeat(below[opens], runs)
    above = np.repeat(up_to_positives[last], runs) - up_to_positives
    wins = positives * (2 * below + negatives)
    slices = of_slice[opens]
    pieces = np.stack([np.add.reduceat(each, opens) for each in (positives, negatives, wins)], axis=1)

    # What a row has to do with doubled wins: a positive has won so many, a negative lost so many.
    share = np.where(positive, np.repeat(2 * below + negatives, sizes), np.repeat(2 * above + positives, sizes))
    places = np.repeat(of_slice, sizes) * CLUSTERS + clusters
    distinct, codes = np.unique(places, return_inverse=True)
    count = len(distinct)
    of_cluster = np.stack(
        [
            np.bincount(codes[positive], minlength=count),
            np.bincount(codes[~positive], minlength=count),
            np.bincount(codes[positive], share[positive], count),
            np.bincount(codes[~positive], share[~positive], count),
        ],
        axis=1,
    ).astype(np.float64)
    cluster_slices, cluster = np.divmod(distinct, CLUSTERS)
    return {
        "pieces": Table(_keys(slices, column, piece), pieces),
        "piece_clusters": Table(_keys(cluster_slices, column, piece, cluster), of_cluster),
    }


def statistics_of_one_score(counts: dict[tuple, np.ndarray], score_bits: int, column: int) -> Statistics:
    """Computes the statistics of rows with one and the same score, from their numbers alone.

    Args:
      counts: Slice -> [CLUSTERS, 2] int64, positives and negatives of each cluster.
      score_bits: The score, as `ordered_bits`.
      column: The column's number.
    """
    pieces, of_cluster, keys = [], [], []
    for number, table in enumerate(counts.values()):
        positives, negatives = table.sum(axis=0)
        pieces.append((positives, negatives, positives * negatives))
        present = np.flatnonzero(table.sum(axis=1))
        own = table[present]
        of_cluster.append(np.stack([own[:, 0], own[:, 1], own[:, 0] * negatives, own[:, 1] * positives], axis=1))
        keys.append(_keys(np.full(len(present), number), column, score_bits, present))
    tables = {
        "pieces": Table(_keys(np.arange(len(counts)), column, score_bits), np.array(pieces, np.int64)),
        "piece_clusters": Table(np.concatenate(keys), np.concatenate(of_cluster).astype(np.float64)),
    }
    if () in counts:
        number = list(counts).index(())
        key = np.array([[number, column, score_bits, 0]], np.int64)
        tables["roc"] = Table(key, np.array([pieces[number][:2]], np.int64))
    return Statistics(tuple(counts), tables)


def cluster_counts(rows: Rows, counts: dict[tuple, np.ndarray]) -> None:
    """Adds positives and negatives by slice and cluster to `counts` (see `statistics_of_one_score`)."""
    for sliced in rows.slicings:
        places = sliced.codes.astype(np.int64) * CLUSTERS + rows["clusters"][sliced.rows]
        added = np.bincount(places * 2 + (1 - rows["labels"][sliced.rows]), minlength=len(sliced.keys) * CLUSTERS * 2)
        for key, of_slice in zip(sliced.keys, added.reshape(-1, CLUSTERS, 2), strict=True):
            if of_slice.any():
                counts[key] = counts.get(key, 0) + of_slice


def joined(pieces: Table) -> Pairs:
    """Adds up the pairs of pieces: those within each, and those of positives with negatives of lower pieces.

    Args:
      pieces: A table `pieces` of one column; a key is a slice, the column and the piece.

    Returns:
      The pairs by slice.
    """
    table = pieces.summed()
    slices, starts = np.unique(table.keys[:, 0], return_index=True)
    positives, negatives, wins = table.values.T
    below, _ = beside(table)
    sums = [np.add.reduceat(each, starts) for each in (positives, negatives, wins + 2 * positives * below)]
    return Pairs(slices, *sums)


def beside(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Counts, for each piece of a slice and column, the negatives of lower pieces and the positives of higher ones.

    Args:
      table: A table `pieces`, with each key once, ascending.

    Returns:
      Two arrays [K] int64.
    """
    group = changes(table.keys[:, 0]) | changes(table.keys[:, 1])
    starts = np.flatnonzero(group)
    sizes = np.diff(np.append(starts, len(group)))
    positives, negatives = table.values[:, 0], table.values[:, 1]
    up_to_positives, up_to_negatives = np.cumsum(positives), np.cumsum(negatives)
    below = up_to_negatives - negatives
    below = below - np.repeat(below[starts], sizes)
    above = np.repeat(up_to_positives[np.append(starts[1:], len(group)) - 1], sizes) - up_to_positives
    return below, above


def _roc(positive: np.ndarray, starts: np.ndarray, sizes: np.ndarray, column: int, piece: int) -> Table:
    ends = starts + sizes
    wanted = np.linspace(0, len(positive), min(_ROC_POINTS, len(positive)) + 1)[1:]
    chosen = ends[np.unique(np.searchsorted(ends, np.ceil(wanted)))]
    positives = np.cumsum(positive)[chosen - 1]
    keys = _keys(np.zeros(len(chosen)), column, piece, np.arange(len(chosen)))
    return Table(keys, np.stack([positives, chosen - positives], axis=1).astype(np.int64))


def _keys(slices: np.ndarray, column: int, piece: int, *others: np.ndarray) -> np.ndarray:
    same = [np.full(len(slices), column), np.full(len(slices), piece)]
    return np.stack([slices, *same, *others], axis=1).astype(np.int64)
