"""Rows in parts that fit into memory, by ascending key, however many rows there are.

Rows are held up to a budget. Beyond it they are divided by ranges of their key into files, and each file is read in the
same way: what still does not fit is divided again. Rows of one key stay together; where they alone are too many, they
are handed on as a file that can be read batch by batch.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from typing_extensions import Self

FANOUT = 16
"""Into how many files rows are divided at once."""

BATCH_BYTES = 2**20
"""Rows are written and read in batches of at most about so many bytes, and a sixteenth of the budget."""


class Spillable(Protocol):
    """Rows that can be divided, put together and pickled."""

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""

    def take(self, index: NDArray[np.int64]) -> Self:
        """Returns the rows at `index`."""

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Puts rows below one another."""


R = TypeVar("R", bound=Spillable)

Key = Callable[[R], "NDArray[np.uint64]"]
"""Rows -> [N]."""


@dataclass(frozen=True)
class RowsInMemory(Generic[R]):
    """Rows between two keys, within the budget."""

    rows: R


@dataclass(frozen=True)
class RowsOnDisk(Generic[R]):
    """Rows with one and the same key, more than the budget allows.

    Attributes:
      batches: They can be read more than once, until the next part is asked for.
    """

    batches: Iterable[R]


def in_parts(
    batches: Iterable[R], key: Key[R], budget: int, folder: str | None = None
) -> Iterator[RowsInMemory[R] | RowsOnDisk[R]]:
    """Divides rows by key.

    Args:
      batches: The rows, in any order; read once.
      key: What they are divided by.
      budget: Bytes of rows that are held at a time. Each part within it is put together once more in memory.
      folder: Where files go; None: the system's temporary folder. What is written there is removed.

    Yields:
      Parts by ascending key, each to be dealt with before the next is asked for.
    """
    source = iter(batches)
    held: list[R] = []
    size = 0
    for batch in source:
        held.append(batch)
        size += batch.nbytes
        if size > budget:
            break
    if size <= budget:
        if held:
            yield RowsInMemory(_concatenated(held))
        return
    with tempfile.TemporaryDirectory(prefix="tandem-rows-", dir=folder) as own:
        files = _Files(key, budget, Path(own))
        yield from files.parts(files.divide(chain(_drain(held), source), 0, 2**64 - 1))


def _drain(held: list[R]) -> Iterator[R]:
    while held:
        yield held.pop()


def _concatenated(parts: Sequence[R]) -> R:
    return type(parts[0]).concatenate(parts)


@dataclass(frozen=True)
class _Files(Generic[R]):
    """Rows that are divided into files of a folder by key; see `in_parts`."""

    key: Key[R]
    budget: int
    folder: Path

    def parts(self, files: Iterable[_File[R]]) -> Iterator[RowsInMemory[R] | RowsOnDisk[R]]:
        """Yields what is in the files in parts, and removes them."""
        for file in files:
            if file.size <= self.budget:
                yield RowsInMemory(_concatenated(list(file)))
            elif file.low == file.high:
                yield RowsOnDisk(file)
            else:
                yield from self.parts(self.divide(file, file.low, file.high))
            file.path.unlink()

    def divide(self, batches: Iterable[R], low: int, high: int) -> list[_File[R]]:
        """Writes rows with keys in [low, high] to files by range of the key; returns those that have rows."""
        step = (high - low) // FANOUT + 1
        batch_bytes = min(BATCH_BYTES, max(self.budget // FANOUT, 1))
        files: list[_File[R]] = [_File(self.folder, batch_bytes) for _ in range(FANOUT)]
        for batch in batches:
            keys = self.key(batch)
            ranges = ((keys - np.uint64(low)) // np.uint64(step)).astype(np.int64)
            order = np.argsort(ranges, kind="stable")
            bounds = np.searchsorted(ranges[order], np.arange(FANOUT + 1))
            for number in np.flatnonzero(np.diff(bounds)):
                index = order[bounds[number] : bounds[number + 1]]
                files[number].add(batch.take(index), int(keys[index].min()), int(keys[index].max()))
        for file in files:
            file.flush()
            if not file.size:
                file.path.unlink()
        return [file for file in files if file.size]


class _File(Generic[R]):
    """Batches of rows on disk, and what their keys lie between."""

    def __init__(self, folder: Path, batch_bytes: int):
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            self.path = Path(file.name)
        self.size, self.low, self.high = 0, 2**64, -1
        self._batch_bytes = batch_bytes
        self._held: list[R] = []
        self._held_bytes = 0

    def add(self, rows: R, low: int, high: int) -> None:
        """Adds rows with keys from `low` to `high`."""
        self.low, self.high = min(self.low, low), max(self.high, high)
        self.size += rows.nbytes
        self._held.append(rows)
        self._held_bytes += rows.nbytes
        if self._held_bytes >= self._batch_bytes:
            self.flush()

    def flush(self) -> None:
        """Writes what has been added."""
        if self._held:
            with self.path.open("ab") as file:
                pickle.dump(_concatenated(self._held), file, protocol=pickle.HIGHEST_PROTOCOL)
        self._held, self._held_bytes = [], 0

    def __iter__(self) -> Iterator[R]:
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(0)
            while file.tell() < end:
                yield pickle.load(file)
