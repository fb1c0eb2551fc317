"""How a column of a sample tells times, if it does: a unit, or a format."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.settings.time import TimeColumn
from tandem.components.log_example_gen.times import moment_us

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNITS = {"s": (10**8, 10**10), "ms": (10**11, 10**13), "us": (10**14, 10**16), "ns": (10**17, 10**19)}
"""Between which numbers times from 1973 to 2286 lie."""

_OF_OUR_DAYS = {unit: (8 * least, 21 * least) for unit, (least, _) in _UNITS.items()}
"""The same from 1995 to 2036: what a number must be where no name says that it is a time."""

_OF_DIGITS = {
    6: ("%y%m%d",),
    8: ("%Y%m%d", "%y%m%d%H"),
    10: ("%Y%m%d%H", "%y%m%d%H%M"),
    12: ("%Y%m%d%H%M", "%y%m%d%H%M%S"),
    14: ("%Y%m%d%H%M%S",),
    17: ("%Y%m%d%H%M%S%f",),
}
"""Formats of numbers by how many digits they have."""

_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M:%S %p", " %I:%M %p")
_OF_TEXTS = (
    *(f"{day}{clock}" for day in ("%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y") for clock in _CLOCKS),
    *("apache", "rfc2822", "%d-%b-%Y", "%d %b %Y"),
)
_EARLIEST = datetime.datetime(1990, 1, 1, tzinfo=datetime.timezone.utc)
_LATEST = datetime.datetime(2100, 1, 1, tzinfo=datetime.timezone.utc)
_UNREADABLE = 0.01
_ORIGIN = "2020-01-01"


def time_of(values: pl.Series, called_so: bool, named: bool) -> TimeColumn | None:
    """Says how a column tells times; its name is left to the caller.

    Args:
      values: Its texts, without empty ones.
      called_so: Whether its name speaks of a time.
      named: Whether it has a name at all.

    Returns:
      None where it tells none.
    """
    numbers = values.cast(pl.Float64, strict=False)
    if numbers.null_count() == 0 and bool(numbers.is_finite().all()):
        if named and not called_so:
            return None
        units = _UNITS if called_so else _OF_OUR_DAYS
        low, high = numbers.quantile(0.01) or 0.0, numbers.quantile(0.99) or 0.0
        for unit, (least, most) in units.items():
            if least <= low and high < most:
                return TimeColumn.model_validate({"column": ["t"], "unit": unit})
        found = next((each for each in _of_digits(values) if _reads(each, values)), None)
        return _since_the_beginning(numbers) if found is None and called_so else found
    return next((each for each in _of_texts(called_so) if _reads(each, values)), None)


def _since_the_beginning(numbers: pl.Series) -> TimeColumn | None:
    """Takes numbers that only grow, over a day at least, for seconds since the logs began."""
    low, high = numbers.min(), numbers.max()
    if isinstance(low, float) and isinstance(high, float) and 0 <= low < 86_400 < high < 10**8 and numbers.is_sorted():
        return TimeColumn.model_validate({"column": ["t"], "unit": "s", "origin": _ORIGIN})
    return None


def _of_digits(values: pl.Series) -> Iterator[TimeColumn]:
    lengths = values.str.len_chars().unique()
    if len(lengths) == 1:
        for pattern in _OF_DIGITS.get(int(lengths[0]), ()):
            yield TimeColumn.model_validate({"column": ["t"], "format": pattern})


def _of_texts(called_so: bool) -> Iterator[TimeColumn]:
    yield TimeColumn.model_validate({"column": ["t"], "unit": "iso8601"})
    for pattern in _OF_TEXTS:
        yield TimeColumn.model_validate({"column": ["t"], "format": pattern})
    if called_so:
        year = datetime.datetime.now(tz=datetime.timezone.utc).year
        yield TimeColumn.model_validate({"column": ["t"], "format": "%m-%d", "year": year})


def _reads(time: TimeColumn, values: pl.Series) -> bool:
    """Whether nearly all values are times of our days that way."""
    moments = pl.from_epoch(values.to_frame("t").select(moment_us(time)).to_series(), time_unit="us")
    inside = moments.is_between(_EARLIEST.replace(tzinfo=None), _LATEST.replace(tzinfo=None)).fill_null(False)
    return int((~inside).sum()) <= _UNREADABLE * len(values)
