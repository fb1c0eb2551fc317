"""Rows in parts that fit into memory, by ascending key, however many rows there are.

Rows are held up to a budget. Beyond it they are divided by ranges of their key into files, and each file is read in the
same way: what still does not fit is divided again. Rows of one key stay together; where they alone are too many, they
are handed on as a file that can be read batch by batch.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np

from tandem.components.metrics.rows import Rows

Key = Callable[[Rows], np.ndarray]
"""Rows -> [N] uint64."""

FANOUT = 16
"""Into how many files rows are divided at once."""

BATCH_BYTES = 2**20
"""Rows are written and read in batches of at most about so many bytes, and a sixteenth of the budget."""


@dataclass(frozen=True)
class Part:
    """Rows between two keys.

    Attributes:
      batches: The rows; can be read more than once.
      whole: Whether they are one batch, within the budget; else they all have the same key.
    """

    batches: Iterable[Rows]
    whole: bool


def in_parts(batches: Iterable[Rows], key: Key, budget: int, folder: str | None = None) -> Iterator[Part]:
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
    held, size = [], 0
    for batch in source:
        held.append(batch)
        size += batch.nbytes
        if size > budget:
            break
    if size <= budget:
        if held:
            yield Part([Rows.concatenate(held)], whole=True)
        return
    with tempfile.TemporaryDirectory(prefix="tandem-rows-", dir=folder) as own:
        first = _divide(chain(_drain(held), source), key, 0, 2**64 - 1, budget, own)
        yield from _parts(first, key, budget, own)


def _parts(files: list[_File], key: Key, budget: int, folder: str) -> Iterator[Part]:
    for file in files:
        if file.size <= budget:
            yield Part([Rows.concatenate(list(file))], whole=True)
        elif file.low == file.high:
            yield Part(file, whole=False)
        else:
            yield from _parts(_divide(file, key, file.low, file.high, budget, folder), key, budget, folder)
        os.unlink(file.path)


def _drain(held: list[Rows]) -> Iterator[Rows]:
    while held:
        yield held.pop()


def _divide(batches: Iterable[Rows], key: Key, low: int, high: int, budget: int, folder: str) -> list[_File]:
    """Writes rows with keys in [low, high] to files by range of the key; returns those that have rows."""
    step = (high - low) // FANOUT + 1
    files = []
    for _ in range(FANOUT):
        handle, path = tempfile.mkstemp(dir=folder)
        os.close(handle)
        files.append(_File(path, min(BATCH_BYTES, max(budget // FANOUT, 1))))
    for batch in batches:
        keys = key(batch)
        ranges = ((keys - np.uint64(low)) // np.uint64(step)).astype(np.int64)
        order = np.argsort(ranges, kind="stable")
        bounds = np.searchsorted(ranges[order], np.arange(FANOUT + 1))
        for number in np.flatnonzero(np.diff(bounds)):
            index = order[bounds[number] : bounds[number + 1]]
            files[number].add(batch.take(index), int(keys[index].min()), int(keys[index].max()))
    for file in files:
        file.flush()
        if not file.size:
            os.unlink(file.path)
    return [file for file in files if file.size]


class _File:
    """Batches of rows on disk, and what their keys lie between."""

    def __init__(self, path: str, batch_bytes: int):
        self.path, self.size, self.low, self.high = path, 0, 2**64, -1
        self._batch_bytes = batch_bytes
        self._held: list[Rows] = []
        self._held_bytes = 0

    def add(self, rows: Rows, low: int, high: int) -> None:
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
            with open(self.path, "ab") as file:
                pickle.dump(Rows.concatenate(self._held), file, protocol=pickle.HIGHEST_PROTOCOL)
        self._held, self._held_bytes = [], 0

    def __iter__(self) -> Iterator[Rows]:
        with open(self.path, "rb") as file:
            while True:
                try:
                    yield pickle.load(file)
                except EOFError:
                    return
