"""Which rows belong to which slice, for columns that may be missing or hold several values in a row."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tandem.components.metrics.slice_key import MISSING, SliceKey

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

_FEW_KEYS = 64


@dataclass(frozen=True)
class Column:
    """A column of N rows with any number of values in a row.

    Attributes:
      values: [V], bytes (dtype object), integers or floats; the rows' values one after the other.
      counts: [N], how many of them each row has.
    """

    values: NDArray[Any]
    counts: NDArray[np.int64]

    @staticmethod
    def concatenate(columns: Sequence[Column]) -> Column:
        """Puts rows below one another; columns without any value do not decide the type."""
        filled = [column.values for column in columns if len(column.values)] or [columns[0].values]
        return Column(np.concatenate(filled), np.concatenate([column.counts for column in columns]))

    def sliced(self, name: str, edges: Sequence[float] = ()) -> Sliced:
        """Makes a slice of every value, or of every bucket.

        Args:
          name: The column's name in the slices' keys.
          edges: Where buckets begin, ascending; none: a slice for every value.
        """
        if edges:
            return _bucketed(self.values, self.counts, name, edges)
        codes, distinct = pd.factorize(self.values)
        return _with_missing(codes, self.counts, name, [_readable(value) for value in distinct])


@dataclass(frozen=True)
class Sliced:
    """The slices that N rows belong to, by one way of slicing: at least one per row, none twice.

    Attributes:
      keys: What the codes stand for.
      codes: [E] unsigned integers of the smallest size, indices into `keys`; the rows' codes one after the other.
      counts: [N] int64, how many of them each row has; None: one each.
    """

    keys: tuple[SliceKey, ...]
    codes: NDArray[np.unsignedinteger[Any]]
    counts: NDArray[np.int64] | None = None

    @staticmethod
    def all_rows(rows: int) -> Sliced:
        """Puts all rows into the slice of all rows."""
        return Sliced(((),), np.zeros(rows, np.uint8))

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.codes.nbytes + (0 if self.counts is None else self.counts.nbytes)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """[E] int64, the row of every code."""
        if self.counts is None:
            return np.arange(len(self.codes))
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def take(self, index: NDArray[np.int64]) -> Sliced:
        """Returns the rows at `index` ([M] int64)."""
        if self.counts is None:
            return Sliced(self.keys, self.codes[index])._small()
        counts = self.counts[index]
        starts = (np.cumsum(self.counts) - self.counts)[index]
        return Sliced(self.keys, self.codes[_ranges(starts, counts)], counts)._small()

    @staticmethod
    def concatenate(parts: Sequence[Sliced]) -> Sliced:
        """Puts rows below one another."""
        numbers: dict[SliceKey, int] = {}
        recoded = [
            np.array([numbers.setdefault(key, len(numbers)) for key in part.keys], np.int64)[part.codes]
            for part in parts
        ]
        counts = None
        if any(part.counts is not None for part in parts):
            counts = np.concatenate(
                [np.ones(len(part.codes), np.int64) if part.counts is None else part.counts for part in parts]
            )
        return Sliced(tuple(numbers), _small(np.concatenate(recoded), len(numbers)), counts)

    def cross(self, other: Sliced) -> Sliced:
        """Pairs each of a row's slices here with each of its slices there; keys are ordered by column."""
        if self.counts is None and other.counts is None:
            here, there, counts = self.codes.astype(np.int64), other.codes.astype(np.int64), None
        else:
            of_other = np.bincount(other.rows, minlength=0 if other.counts is None else len(other.counts))
            repeats = of_other[self.rows]
            here = np.repeat(self.codes.astype(np.int64), repeats)
            starts = (np.cumsum(of_other) - of_other)[self.rows]
            there = other.codes[_ranges(starts, repeats)].astype(np.int64)
            counts = of_other if self.counts is None else of_other * self.counts
        used, codes = np.unique(here * len(other.keys) + there, return_inverse=True)
        pairs = zip(*np.divmod(used, len(other.keys)), strict=True)
        keys = tuple(tuple(sorted((*self.keys[a], *other.keys[b]), key=lambda part: part[0])) for a, b in pairs)
        return Sliced(keys, _small(codes, len(keys)), counts)

    def compact(self) -> Sliced:
        """Forgets keys without rows."""
        used = np.flatnonzero(np.bincount(self.codes, minlength=len(self.keys)))
        if len(used) == len(self.keys):
            return self
        codes = _small(np.searchsorted(used, self.codes), len(used))
        return Sliced(tuple(self.keys[code] for code in used), codes, self.counts)

    def _small(self) -> Sliced:
        return self if len(self.keys) <= _FEW_KEYS else self.compact()


def crossed(columns: Mapping[str, Sliced], names: Sequence[str], rows: int) -> Sliced:
    """Slices N rows by a column, by several columns crossed, or not at all.

    Args:
      columns: By name; all of N rows.
      names: Which of them to slice by; none: the slice of all rows.
      rows: N.
    """
    if not names:
        return Sliced.all_rows(rows)
    return reduce(Sliced.cross, [columns[name] for name in names])


def bucket_names(edges: Sequence[float]) -> list[str]:
    """Names the buckets of a number.

    >>> bucket_names([10, 50])
    ['<10', '10..50', '>=50']
    """
    texts = [f"{edge:.12g}" for edge in edges]
    between = [f"{low}..{high}" for low, high in pairwise(texts)]
    return [f"<{texts[0]}", *between, f">={texts[-1]}"]


def _bucketed(values: NDArray[Any], counts: NDArray[np.int64], name: str, edges: Sequence[float]) -> Sliced:
    numbers = np.asarray(values, np.float64)
    codes = np.searchsorted(np.asarray(edges, np.float64), numbers, side="right")
    present = ~np.isnan(numbers)
    if not present.all():
        counts = np.bincount(np.repeat(np.arange(len(counts)), counts)[present], minlength=len(counts))
    return _with_missing(codes[present], counts, name, bucket_names(edges))


def _with_missing(
    codes: NDArray[np.int64], counts: NDArray[np.int64], name: str, values: Sequence[str | int]
) -> Sliced:
    """Gives rows without a value the slice that says so, and a row no slice twice."""
    keys: list[SliceKey] = [((name, value),) for value in values]
    if (counts == 1).all():
        return Sliced(tuple(keys), _small(codes, len(keys)))
    rows = np.repeat(np.arange(len(counts)), counts)
    without = np.flatnonzero(counts == 0)
    if len(without):
        rows = np.concatenate([rows, without])
        codes = np.concatenate([codes, np.full(len(without), len(keys))])
        keys.append(((name, MISSING),))
    rows, codes = np.divmod(np.unique(rows * len(keys) + codes), len(keys))
    found = np.bincount(rows, minlength=len(counts))
    return Sliced(tuple(keys), _small(codes, len(keys)), None if (found == 1).all() else found)


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Lists start, start + 1, ... of every range, one range after the other."""
    offsets = np.cumsum(counts) - counts
    numbers: NDArray[np.int64] = np.arange(counts.sum()) + np.repeat(starts - offsets, counts)
    return numbers


def _small(codes: NDArray[np.integer[Any]], count: int) -> NDArray[np.unsignedinteger[Any]]:
    return codes.astype(np.min_scalar_type(max(count - 1, 0)))


def _readable(value: bytes | str | int) -> str | int:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    return value if isinstance(value, str) else int(value)
