"""Draws lots by a hash of what is drawn: the same on every machine, with every release, however rows are cut up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import polars as pl

_FNV_OFFSET, _FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_MIX = (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53))
_SHIFT = np.uint64(33)


def lots(texts: pl.Series) -> npt.NDArray[np.float64]:
    """Returns a number in [0, 1) for each text, equal ones for equal texts, and otherwise as good as random: [rows]."""
    state = fnv1a(texts)
    for factor in _MIX:  # FNV alone mixes the last bytes badly, and ids differ in these (MurmurHash3's finalizer).
        state ^= state >> _SHIFT
        state *= factor
    state ^= state >> _SHIFT
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def fnv1a(texts: pl.Series) -> npt.NDArray[np.uint64]:
    """Returns the FNV-1a hash of 64 bits of the UTF-8 bytes of each text: [rows]."""
    lengths = texts.str.len_bytes().to_numpy().astype(np.int64)
    ends = np.cumsum(lengths)
    data = np.frombuffer("".join(texts.to_list()).encode(), np.uint8)
    state = np.full(len(texts), _FNV_OFFSET)
    for position in range(int(lengths.max(initial=0))):
        longer = np.flatnonzero(lengths > position)
        state[longer] = (state[longer] ^ data[(ends - lengths)[longer] + position]) * _FNV_PRIME
    return state
