"""Texts -> moments: microseconds since 1970 in UTC, exact, a column at a time.

Zones and their clock changes are those of the IANA database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import polars as pl

from tandem.components.log_example_gen import time_formats
from tandem.components.log_example_gen.dates import microseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tandem.components.log_example_gen.settings.time import TimeColumn

US_PER_SECOND = 1_000_000
END_OF_TIME = 253_402_300_800_000_000  # The year 10000: what Python's datetime cannot hold is no time.

_US_IN = {"s": 1_000_000.0, "ms": 1_000.0, "us": 1.0, "ns": 0.001}
_LARGEST = 2**63 - 1
_AMBIGUOUS: Mapping[str, Literal["earliest", "latest", "null"]] = {
    "earlier": "earliest",
    "later": "latest",
    "bad": "null",
}
# Longer than any clock was ever put forward: a whole day was left out where the date line moved.
_BEFORE_ANY_GAP = 25 * 3600 * US_PER_SECOND
_ISO8601 = (
    r"^\s*(?P<year>\d{4})-?(?P<month>\d{2})-?(?P<day>\d{2})"
    r"(?:[T ](?:(?P<hour>\d{2}):?|(?P<short_hour>\d):)(?P<minute>\d{2})"
    r"(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<zone>Z|z|UTC|(?P<sign>[+-])(?P<zone_hour>\d{2}):?(?P<zone_minute>\d{2})?)?)?\s*$"
)
_ISO8601_GROUPS = frozenset(
    {"year", "month", "day", "hour", "short_hour", "minute", "second", "fraction", "zone", "sign"}
) | {"zone_hour", "zone_minute"}


class TimeBounds(NamedTuple):
    """Between which moments the times of a stream can lie, in microseconds since 1970, both inside."""

    earliest_us: int
    latest_us: int


def moment_us(time: TimeColumn) -> pl.Expr:
    """Reads what a time column says as microseconds since 1970 (UTC), null where that cannot be done.

    Args:
      time: The columns, of texts, and how they are read.
    """
    first, *others = (pl.col(name) for name in time.column)
    text = first
    if others and time.offset is None:
        there = pl.all_horizontal(each.str.strip_chars() != "" for each in (first, *others))
        text = pl.when(there).then(pl.concat_str([first, *others], separator=" "))
    if time.unit in _US_IN:
        moment = since_us(text, time.unit)
    elif time.unit == "iso8601":
        moment = _of_parts(text, _ISO8601, _ISO8601_GROUPS, time)
    else:
        pattern = time.format or ""
        moment = _of_parts(text, time_formats.expression(pattern), time_formats.groups(pattern), time)
    if time.offset is not None:
        moment = moment + since_us(others[0], time.offset)
    if time.origin is not None:
        moment = moment + microseconds(time.origin)
    return pl.when(moment.is_between(0, END_OF_TIME, closed="left")).then(moment)


def since_us(text: pl.Expr, unit: str) -> pl.Expr:
    """Reads numbers of 0 or more as microseconds, those of nanoseconds without what is left over.

    Args:
      text: Numbers as texts; fractions are allowed.
      unit: `s`, `ms`, `us` or `ns`.
    """
    text = text.str.strip_chars()
    us_in = _US_IN[unit]
    # Most are whole and stay exact; only the others go through a double.
    whole = text.cast(pl.Int64, strict=False)
    last = min(int(END_OF_TIME / us_in), _LARGEST)
    scaled = whole * round(us_in) if us_in >= 1 else whole // round(1 / us_in)
    broken = text.cast(pl.Float64, strict=False) * us_in
    broken = pl.when(broken.is_between(0, END_OF_TIME)).then(broken.round()).cast(pl.Int64, strict=False)
    return pl.coalesce(pl.when(whole.is_between(0, last)).then(scaled), broken)


def _of_parts(text: pl.Expr, expression: str, groups: frozenset[str], time: TimeColumn) -> pl.Expr:
    """Reads texts by a regular expression with a group per part of a time."""
    part = text.str.extract_groups(expression)

    def number(name: str, default: int = 0) -> pl.Expr:
        if name not in groups:
            return pl.lit(default, pl.Int64)
        return part.struct.field(name).str.strip_chars().cast(pl.Int64, strict=False).fill_null(default)

    hour = number("hour")
    if "short_hour" in groups:
        hour = hour + number("short_hour")
    if "half" in groups:
        afternoon = part.struct.field("half").str.to_lowercase() == "pm"
        hour = number("hour_of_12") % 12 + pl.when(afternoon).then(12).otherwise(0)
    sound = (hour < 24) & (number("minute") < 60) & (number("second") < 60)
    seconds = ((_day(part, groups, time.year) * 24 + hour) * 60 + number("minute")) * 60 + number("second")
    local = seconds * US_PER_SECOND
    if "fraction" in groups:
        digits = part.struct.field("fraction").fill_null("").str.pad_end(6, "0").str.slice(0, 6)
        local = local + digits.cast(pl.Int64, strict=False)
    if "zone" not in groups:
        return pl.when(sound).then(_in_utc(local, time))
    offset = (number("zone_hour") * 60 + number("zone_minute")) * (60 * US_PER_SECOND)
    sign = pl.when(part.struct.field("sign") == "-").then(-1).otherwise(1) if "sign" in groups else pl.lit(1)
    zoned = local - sign * offset
    if time.timezone is not None:
        zoned = pl.when(part.struct.field("zone").is_null()).then(_in_utc(local, time)).otherwise(zoned)
    return pl.when(sound).then(zoned)


def _day(part: pl.Expr, groups: frozenset[str], year: int | None) -> pl.Expr:
    """Days since 1970; null where there is no such day."""
    if "short_year" in groups:  # As POSIX has it: 69 is 1969, 68 is 2068.
        short = part.struct.field("short_year")
        year_text = pl.when(short < "69").then(pl.lit("20")).otherwise(pl.lit("19")) + short
    elif "year" in groups:
        year_text = part.struct.field("year")
    else:
        year_text = pl.lit(f"{year:04d}")
    if "month_name" in groups:
        numbers = {name: f"{number:02d}" for number, name in enumerate(time_formats.MONTHS, 1)}
        name = part.struct.field("month_name").str.slice(0, 3).str.to_lowercase()
        month = name.replace_strict(numbers, default=None, return_dtype=pl.String)
    else:
        month = part.struct.field("month")
    if groups != _ISO8601_GROUPS:
        month = month.str.zfill(2)
    day = part.struct.field("day")
    day = day if groups == _ISO8601_GROUPS else day.str.strip_chars().str.zfill(2)
    # The calendar says whether there is such a day; polars' datetime() raises where there is none.
    text = pl.concat_str([year_text, month, day], separator="-")
    return text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Int64)


def _in_utc(local: pl.Expr, time: TimeColumn) -> pl.Expr:
    """Reads clock times (microseconds) of the settings' zone as UTC; without a zone they are UTC."""
    zone = time.timezone
    if zone is None:
        return local

    def placed(us: pl.Expr, ambiguous: Literal["earliest", "latest", "null"]) -> pl.Expr:
        clock = pl.from_epoch(us, time_unit="us")
        return clock.dt.replace_time_zone(zone, ambiguous=ambiguous, non_existent="null").dt.epoch("us")

    within = pl.when(local.is_between(0, END_OF_TIME, closed="left")).then(local)
    found = placed(within, _AMBIGUOUS[time.ambiguous])
    if time.missing == "bad":
        return found
    # An hour that the clock leaves out lies as long after the last change as if the clock had not been changed.
    shifted = placed(within - _BEFORE_ANY_GAP, "latest") + _BEFORE_ANY_GAP
    left_out = placed(within, "earliest").is_null()
    return pl.when(left_out).then(shifted).otherwise(found)
