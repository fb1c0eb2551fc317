"""What a column of a sample looks like: a time, a label, a number, a category, several values in a cell.

Pure: polars frames of texts in, as the readers give them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import polars as pl

from tandem.components.log_example_gen.settings import TimeColumn
from tandem.components.log_example_gen.times import moment_us

TimeUnit = Literal["s", "ms", "us", "iso8601"]

_UNITS: dict[TimeUnit, tuple[int, int]] = {"s": (10**8, 10**10), "ms": (10**11, 10**13), "us": (10**14, 10**16)}
"""Between which numbers times from 1973 to 2286 lie."""

_TIME_WORDS = {"time", "timestamp", "ts", "date", "datetime", "day", "hour", "at", "when", "timestep"}
_ID_WORDS = {"id", "uid", "uuid", "guid", "key", "no", "number", "code", "hash", "index", "idx", "type", "zip"}
_SEPARATORS = ("|", ";", "^", ",", " ")
_FEW = 32
"""A whole number with at most so many different values is taken for a code."""


@dataclass(frozen=True)
class Profile:
    """One column of a sample.

    Attributes:
      name: Its name.
      rows: Rows of the sample.
      filled: Rows with a value.
      distinct: Different values among these.
      unit: Of a time; None: it is none.
      binary: Whether all values are 0 or 1, or false or true.
      numeric: Whether all values are numbers, and more than codes.
      separator: Between the values of a cell that has several; None: one value. Empty: lists already.
    """

    name: str
    rows: int
    filled: int
    distinct: int
    unit: TimeUnit | None = None
    binary: bool = False
    numeric: bool = False
    separator: str | None = None

    @property
    def words(self) -> set[str]:
        """The words that the name is made of, in lower case."""
        return words_of(self.name)

    @property
    def unique(self) -> bool:
        """Whether every row has a value of its own."""
        return self.filled == self.rows == self.distinct and self.rows > 1

    @property
    def constant(self) -> bool:
        """Whether there is at most one value."""
        return self.distinct <= 1


def words_of(name: str) -> set[str]:
    """Returns the words that a name is made of, in lower case.

    >>> sorted(words_of("impressionId_v2")), sorted(words_of("USER-ID"))
    (['id', 'impression', 'v2'], ['id', 'user'])
    """
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return {word for word in re.split(r"[^A-Za-z0-9]+", apart.lower()) if word}


def profile(sample: pl.DataFrame, name: str) -> Profile:
    """Looks at a column.

    Args:
      sample: Rows of texts, or lists of texts; an empty text is no value.
      name: The column.
    """
    column = sample.get_column(name)
    if isinstance(column.dtype, pl.List):
        values = column.explode().drop_nulls()
        return Profile(name, len(column), int((column.list.len() > 0).sum()), values.n_unique(), separator="")
    values = column.filter(column != "").str.strip_chars()
    filled, distinct = len(values), values.n_unique() if len(values) else 0
    found = Profile(name, len(column), filled, distinct)
    if not filled:
        return found
    numbers = values.cast(pl.Float64, strict=False)
    all_numbers = not numbers.null_count() and bool(numbers.is_finite().all())
    return Profile(
        name,
        len(column),
        filled,
        distinct,
        unit=_unit(found.words, values, numbers if all_numbers else None),
        binary=set(values.str.to_lowercase().unique()) <= {"0", "1", "true", "false"},
        numeric=all_numbers and _is_quantity(found, numbers),
        separator=None if all_numbers else _separator(values),
    )


def _unit(words: set[str], values: pl.Series, numbers: pl.Series | None) -> TimeUnit | None:
    """Says what kind of time a column holds, if its name speaks of one and its values are such."""
    if numbers is not None:
        if not any(words & _TIME_WORDS or word.endswith(("time", "stamp", "date")) for word in words):
            return None
        low, high = numbers.quantile(0.01) or 0, numbers.quantile(0.99) or 0
        return next((unit for unit, (least, most) in _UNITS.items() if least <= low and high < most), None)
    read = values.to_frame("t").select(moment_us(TimeColumn(column=("t",), unit="iso8601"))).to_series()
    return "iso8601" if read.null_count() <= 0.01 * len(values) else None


def _is_quantity(column: Profile, numbers: pl.Series) -> bool:
    """Tells amounts from codes: fractions, or many whole numbers that are not called an id."""
    if column.words & _ID_WORDS:
        return False
    if bool((numbers != numbers.round()).any()):
        return True
    return column.distinct > _FEW and not column.unique


def _separator(values: pl.Series) -> str | None:
    """Finds what stands between the values of a cell: a sign with words on both sides, in several rows."""
    for separator in _SEPARATORS:
        parts = values.str.split(separator)
        several = parts.list.len() > 1
        if int(several.sum()) < max(2, 0.02 * len(values)):
            continue
        pieces = parts.filter(several).explode().str.strip_chars()
        longest = pieces.str.len_chars().max()
        # Words of a language come in sentences; values come again and again.
        repeated = pieces.n_unique() < 0.7 * len(pieces)
        if bool((pieces != "").all()) and isinstance(longest, int) and longest <= 40 and repeated:
            return separator
    return None
