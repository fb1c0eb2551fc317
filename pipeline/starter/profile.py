"""What a column of a sample looks like: a time, a label, a number, a category, several values in a cell.

Pure: polars frames of texts in, as the readers give them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.numbers import PLAIN, Notation, number
from tandem.models.features import WEIGHT_NUMBER
from tandem.pipeline.starter.time_guess import time_of

if TYPE_CHECKING:
    from tandem.components.log_example_gen.settings.time import TimeColumn

_TIME_WORDS = {"time", "timestamp", "ts", "date", "datetime", "day", "hour", "at", "when", "timestep"}
_ID_WORDS = {"id", "uid", "uuid", "guid", "key", "no", "number", "code", "hash", "index", "idx", "type", "zip"}
_SEPARATORS = ("\x01", "\x02", "|", ";", "^", ",", " ")
_WEIGHT_SEPARATORS = ("\x03", ":", "=")
_CURRENCIES = "$€£¥%"
_MARKS = ((".", ","), (",", None), (",", "."))
"""Before a fraction, and between thousands: 1,234.5, then 12,5, then 1.234,5."""
_ANSWERS = {"0", "1", "false", "true", "f", "t", "no", "yes", "-1", "0.0", "1.0"}
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
      time: How it tells times, the column's name aside; None: it tells none.
      binary: Whether all values are answers, such as 0 and 1, or false and true.
      numeric: Whether all values are numbers, and more than codes.
      notation: How its numbers are written.
      largest: The largest number; None: not all are numbers.
      separator: Between the values of a cell that has several; None: one value. Empty: lists already.
      weight_separator: Between these values and their weights; None: they have none.
    """

    name: str
    rows: int
    filled: int
    distinct: int
    time: TimeColumn | None = None
    binary: bool = False
    numeric: bool = False
    notation: Notation = PLAIN
    largest: float | None = None
    separator: str | None = None
    weight_separator: str | None = None

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


def profile(sample: pl.DataFrame, name: str, named: bool = True) -> Profile:
    """Looks at a column.

    Args:
      sample: Rows of texts, or lists of texts; an empty text is no value.
      name: The column.
      named: Whether that is what the logs call it; False: they do not.
    """
    column = sample.get_column(name)
    if isinstance(column.dtype, pl.List):
        values = column.explode().drop_nulls().cast(pl.String)
        values = values.filter(values != "")
        filled, weight_separator = int((column.list.len() > 0).sum()), _weight_separator(values)
        return Profile(name, len(column), filled, values.n_unique(), separator="", weight_separator=weight_separator)
    values = column.filter(column != "").str.strip_chars()
    filled, distinct = len(values), values.n_unique() if len(values) else 0
    found = Profile(name, len(column), filled, distinct)
    if not filled:
        return found
    notation, numbers = _notation(values)
    all_numbers = not numbers.null_count() and bool(numbers.is_finite().all())
    separator, weight_separator = (None, None) if all_numbers else _separators(values)
    called_so = any(word in _TIME_WORDS or word.endswith(("time", "stamp", "date")) for word in found.words)
    return Profile(
        name,
        len(column),
        filled,
        distinct,
        time=None if notation != PLAIN else time_of(values, named and called_so, named),
        binary=_are_answers(values),
        numeric=all_numbers and (_is_quantity(found, numbers) if named else _is_amount(found, numbers)),
        notation=notation,
        largest=float(numbers.max()) if all_numbers else None,  # type: ignore[arg-type]
        separator=separator,
        weight_separator=weight_separator,
    )


def _notation(values: pl.Series) -> tuple[Notation, pl.Series]:
    """Returns how numbers are written, and the numbers; null where texts are none in any way."""
    plainly = values.cast(pl.Float64, strict=False)
    if not plainly.null_count():
        return PLAIN, plainly
    around = "".join(sign for sign in _CURRENCIES if bool(values.str.contains(sign, literal=True).any()))
    often = int(values.str.contains(",", literal=True).sum()) > 0.5 * len(values)
    ways = [Notation(strip=around)] if around else []
    ways += [Notation(decimal, thousands, around) for decimal, thousands in _MARKS] if often else []
    for way in ways:
        read = values.to_frame("n").select(number(pl.col("n"), way)).to_series()
        if not read.null_count():
            return way, read
    return PLAIN, plainly


def _are_answers(values: pl.Series) -> bool:
    answers = set(values.str.to_lowercase().unique().head(len(_ANSWERS) + 1))
    return answers <= _ANSWERS and len(answers) <= 2


def _is_amount(column: Profile, numbers: pl.Series) -> bool:
    """Tells amounts from codes where no name helps: fractions, or whole numbers of which most are small."""
    if _has_fractions(numbers):
        return True
    middle, high = numbers.median(), numbers.max()
    skewed = isinstance(middle, int | float) and isinstance(high, int | float) and 10 * abs(middle) < high
    return column.distinct > _FEW and skewed


def _has_fractions(numbers: pl.Series) -> bool:
    return bool((numbers != numbers.round()).any())


def _is_quantity(column: Profile, numbers: pl.Series) -> bool:
    """Tells amounts from codes: fractions, or many whole numbers that are not called an id."""
    if column.words & _ID_WORDS:
        return False
    if _has_fractions(numbers):
        return True
    return column.distinct > _FEW and not column.unique


def _separators(values: pl.Series) -> tuple[str | None, str | None]:
    """Finds what stands between the values of a cell, and between each of them and its weight.

    Between values stands a sign with words on both sides, in several rows.
    """
    for separator in _SEPARATORS:
        parts = values.str.split(separator)
        several = parts.list.len() > 1
        if int(several.sum()) < max(2, 0.02 * len(values)):
            continue
        pieces = parts.filter(several).explode().str.strip_chars()
        longest = pieces.str.len_chars().max()
        weight_separator = _weight_separator(pieces)
        # Words of a language come in sentences; values come again and again.
        repeated = _without_weights(pieces, weight_separator).n_unique() < 0.7 * len(pieces)
        if bool((pieces != "").all()) and isinstance(longest, int) and longest <= 40 and repeated:
            return separator, weight_separator
    return None, None


def _weight_separator(pieces: pl.Series) -> str | None:
    """Finds the sign that a number follows in all values. Two whole numbers may be a time of day."""
    for separator in _WEIGHT_SEPARATORS:
        between = re.escape(separator)
        weighted = pieces.str.contains(rf"(?s)^.+{between}{WEIGHT_NUMBER}$")
        if len(pieces) and bool(weighted.all()) and not bool(pieces.str.contains(rf"^\d+{between}\d+$").all()):
            return separator
    return None


def _without_weights(pieces: pl.Series, separator: str | None) -> pl.Series:
    return pieces if separator is None else pieces.str.extract(rf"(?s)^(.*){re.escape(separator)}", 1)
