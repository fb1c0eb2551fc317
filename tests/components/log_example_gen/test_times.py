from __future__ import annotations

import datetime
import random
import re
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tandem.components.log_example_gen.derived import derive
from tandem.components.log_example_gen.records import TIME
from tandem.components.log_example_gen.settings.time import TimeColumn
from tandem.components.log_example_gen.time_formats import expression
from tandem.components.log_example_gen.times import moment_us

UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = datetime.timedelta(microseconds=1)


def read(said: dict[str, object], *texts: str) -> list[int | None]:
    column = TimeColumn.model_validate({"column": "t", **said})
    return pl.DataFrame({"t": texts}, schema={"t": pl.String}).select(moment_us(column)).to_series().to_list()


def times(unit: str, *texts: str) -> list[int | None]:
    return read({"unit": unit}, *texts)


def us(text: str) -> int:
    return (datetime.datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // MICROSECOND


def test_times_of_every_unit() -> None:
    assert times("s", "1650812934", "1650812934.25", " 7 ", "0") == [1650812934000000, 1650812934250000, 7000000, 0]
    assert times("ms", "1650812934945", "1.5") == [1650812934945000, 1500]
    assert times("us", "1650812934945001") == [1650812934945001]
    assert times("ns", "1650812934945001999", "2500.0") == [1650812934945001, 2]
    assert times("s", "1.65e9") == [1650000000000000]
    assert times(
        "iso8601",
        "1970-01-02",
        "1970-01-01T00:00:01Z",
        "1970-01-01 00:01",
        "1970-01-01T02:00:00.000001+02:00",
        "1970-01-01T00:00:00,5-0130",
        "2022-02-28 23:59:59.123456789",
    ) == [86_400_000_000, 1_000_000, 60_000_000, 1, 5_400_500_000, 1646092799123456]


def test_iso_times_may_be_written_without_separators_or_without_the_zero_of_the_hour() -> None:
    assert times("iso8601", "20231114T221300Z", "20231114", "2017-11-07 9:30") == [
        us("2023-11-14T22:13:00"),
        us("2023-11-14"),
        us("2017-11-07T09:30:00"),
    ]
    assert times("iso8601", "2017-11-07 930", "20171107093000", "2017-11-07 9") == [None, None, None]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "iso8601"])
def test_what_is_no_time_is_null(unit: str) -> None:
    texts = ("", "never", "-1", "nan", "inf", "1e30", "9" * 30, "2022-02-30", "2022-01-01T25:00:00", "0x1")
    assert times(unit, *texts) == [None] * len(texts)
    assert unit == "ns" or times(unit, "9" * 18) == [None]  # no year beyond 9999


def test_seconds_that_are_milliseconds_are_no_times() -> None:
    assert times("s", "1650812934945") == [None]


@settings(deadline=None)
@given(st.integers(86_400_000_000, 230 * 31_536_000_000_000), st.integers(-12, 12))
def test_iso_times_equal_those_of_the_standard_library(expected: int, hours: int) -> None:
    moment = EPOCH + datetime.timedelta(microseconds=expected)
    zoned = moment.astimezone(datetime.timezone(datetime.timedelta(hours=hours)))
    assert times("iso8601", zoned.isoformat(), moment.isoformat().replace("+00:00", "")) == [expected, expected]


# --- Patterns ---


@pytest.mark.parametrize(
    ("said", "text", "expected"),
    [
        ({"format": "%y%m%d%H"}, "14102100", "2014-10-21"),
        ({"format": "%Y%m%d%H%M%S"}, "20131112093000", "2013-11-12T09:30:00"),
        ({"format": "%Y%m%d%H%M%S%f"}, "20130606000000123", "2013-06-06T00:00:00.123000"),
        ({"format": "%Y-%m-%d %H:%M"}, "2017-11-07 9:30", "2017-11-07T09:30:00"),
        ({"format": "%Y/%m/%d"}, "2023/11/14", "2023-11-14"),
        ({"format": "%m/%d/%Y %H:%M"}, "11/14/2023 22:13", "2023-11-14T22:13:00"),
        ({"format": "%Y%m%dT%H%M%S%z"}, "20231114T221300Z", "2023-11-14T22:13:00"),
        ({"format": "apache"}, "14/Nov/2023:22:13:00 +0800", "2023-11-14T14:13:00"),
        ({"format": "rfc2822"}, "Tue, 14 Nov 2023 22:13:00 +0000", "2023-11-14T22:13:00"),
        ({"format": "%m-%d", "year": 2014}, "6-25", "2014-06-25"),
        ({"format": "%m-%d", "year": 2016}, "2-29", "2016-02-29"),
        ({"format": "%d.%m.%Y %I:%M %p"}, "3.5.2023 12:05 am", "2023-05-03T00:05:00"),
        ({"format": "%d.%m.%Y %I:%M %p"}, "3.5.2023 12:05 PM", "2023-05-03T12:05:00"),
        ({"format": "%B %d, %Y"}, "march  1, 2024", "2024-03-01"),
        ({"format": "%y/%m/%d"}, "70/01/02", "1970-01-02"),
        ({"format": "%y/%m/%d"}, "68/01/02", "2068-01-02"),
        ({"format": "[%Y.%m.%d] 100%%"}, "[2024.03.01] 100%", "2024-03-01"),
    ],
)
def test_patterns_by_hand(said: dict[str, object], text: str, expected: str) -> None:
    assert read(said, text, f" {text} ") == [us(expected)] * 2


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("%Y-%m-%d", "2023-02-29"),
        ("%Y-%m-%d %H:%M", "2023-02-28"),
        ("%Y-%m-%d", "2023-02-28 10:00"),
        ("%Y-%m-%d %H", "2023-02-28 24"),
        ("%Y/%m/%d", "2023-02-28"),
        ("%d.%m.%Y", "02/28/2023"),
        ("%Y%m%d", "2023228"),  # February 28 or the 22nd of August without its end: strptime would choose
        ("%Y%m%d %H%M", "20230228 15"),
    ],
)
def test_what_a_pattern_does_not_say_is_no_time(pattern: str, text: str) -> None:
    assert read({"format": pattern}, text) == [None]


PATTERNS = (
    *("%Y%m%d%H%M%S%f", "%Y-%m-%d %H:%M:%S.%f", "%d/%b/%Y:%H:%M:%S.%f", "%B %d %Y %I:%M:%S.%f %p", "%A %Y/%m/%d"),
    *("%y%m%d%H", "%a %b %d %H:%M:%S %Y", "%m/%d/%y %H.%M", "%Y%m%dT%H%M%S"),
)


@settings(deadline=None)
@given(st.datetimes(datetime.datetime(1971, 1, 1), datetime.datetime(2068, 1, 1)), st.sampled_from(PATTERNS))
def test_patterns_read_what_the_standard_library_writes(moment: datetime.datetime, pattern: str) -> None:
    text = moment.strftime(pattern)
    expected = datetime.datetime.strptime(text, pattern).replace(tzinfo=UTC)
    assert read({"format": pattern}, text, text.upper()) == [(expected - EPOCH) // MICROSECOND] * 2


@settings(deadline=None)
@given(st.datetimes(datetime.datetime(1971, 1, 1), datetime.datetime(2100, 1, 1)), st.integers(-14 * 60, 14 * 60))
def test_zones_of_patterns_equal_those_of_the_standard_library(moment: datetime.datetime, minutes: int) -> None:
    zoned = moment.replace(tzinfo=datetime.timezone(datetime.timedelta(minutes=minutes)))
    text = zoned.strftime("%Y-%m-%d %H:%M:%S.%f %z")
    assert read({"format": "%Y-%m-%d %H:%M:%S.%f %z"}, text) == [(zoned - EPOCH) // MICROSECOND]


def test_a_number_beside_another_keeps_its_zeros_where_strptime_would_guess() -> None:
    assert re.match(expression("%H%M"), "930")
    assert datetime.datetime.strptime("15", "%H%M").hour == 1
    assert not re.match(expression("%H%M"), "15")


# --- Two columns, an origin ---


def two(said: dict[str, object], *rows: tuple[str, str]) -> list[int | None]:
    column = TimeColumn.model_validate({"column": ["day", "then"], **said})
    return pl.DataFrame(rows, schema=["day", "then"], orient="row").select(moment_us(column)).to_series().to_list()


def test_two_columns_are_one_text() -> None:
    rows = [("20220408", "930"), ("20220408", "1200"), ("20220408", ""), ("", "1200")]
    assert two({"format": "%Y%m%d %H%M"}, *rows) == [us("2022-04-08T09:30:00"), us("2022-04-08T12:00:00"), None, None]
    assert two({"unit": "iso8601"}, ("2022-04-08", "9:30"), ("2022-04-08", " ")) == [us("2022-04-08T09:30:00"), None]


def test_the_second_column_may_be_the_time_since_the_first() -> None:
    said: dict[str, object] = {"format": "%Y%m%d", "offset": "ms", "timezone": "Asia/Shanghai"}
    assert two(said, ("20220408", "1500"), ("20220408", ""), ("20220408", "-1")) == [
        us("2022-04-07T16:00:01.500000"),
        None,
        None,
    ]


def test_numbers_may_count_from_another_moment() -> None:
    assert read({"unit": "s", "origin": "2017-01-01"}, "0", "65000") == [
        us("2017-01-01"),
        us("2017-01-01") + 65_000_000_000,
    ]


# --- Local times ---

ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Asia/Shanghai")


def local_us(moment: datetime.datetime, zone: str, fold: int = 0) -> int:
    return (moment.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) - EPOCH) // MICROSECOND


def is_missing(moment: datetime.datetime, zone: str) -> bool:
    there = moment.replace(tzinfo=ZoneInfo(zone))
    return there.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != moment


def comes_twice(moment: datetime.datetime, zone: str) -> bool:
    return not is_missing(moment, zone) and local_us(moment, zone) != local_us(moment, zone, fold=1)


CHANGES = (  # local days on which some zone of `ZONES` changes its clock, and one that Samoa left out
    *("2023-03-26", "2023-10-29", "2023-03-12", "2023-11-05", "2023-04-02", "2023-10-01", "1986-05-04", "1986-01-01"),
    *("2011-12-29", "2011-12-30", "2011-12-31", "1986-09-14", "2012-04-01"),
)


@pytest.mark.parametrize("zone", ZONES)
def test_local_times_equal_those_of_the_standard_library(zone: str) -> None:
    chance = random.Random(zone)
    days = [datetime.datetime.fromisoformat(day) for day in CHANGES] * 100
    moments = [
        day + datetime.timedelta(microseconds=chance.randrange(14_400_000_000)) for day in days
    ]  # the small hours
    days += [datetime.datetime(1971, 1, 1) + datetime.timedelta(days=chance.randrange(19_000)) for _ in range(1000)]
    moments += [day + datetime.timedelta(microseconds=chance.randrange(86_400_000_000)) for day in days]
    texts = [moment.isoformat(sep=" ") for moment in moments]
    first = [local_us(moment, zone) for moment in moments]
    second = [local_us(moment, zone, fold=1) for moment in moments]
    missing = [is_missing(moment, zone) for moment in moments]
    twice = [comes_twice(moment, zone) for moment in moments]
    assert any(missing)
    assert any(twice) == (zone != "Asia/Kathmandu")  # which only ever put its clock forward
    local: dict[str, object] = {"unit": "iso8601", "timezone": zone}
    assert read(local, *texts) == first
    assert read({**local, "ambiguous": "later"}, *texts) == [
        b if t else a for a, b, t in zip(first, second, twice, strict=True)
    ]
    expected = [None if m or t else a for a, m, t in zip(first, missing, twice, strict=True)]
    assert read({**local, "ambiguous": "bad", "missing": "bad"}, *texts) == expected


def test_clock_changes_by_hand() -> None:
    berlin: dict[str, object] = {"unit": "iso8601", "timezone": "Europe/Berlin"}
    spring, autumn = "2024-03-31 02:30", "2024-10-27 02:30"
    assert read(berlin, spring, autumn) == [us("2024-03-31T01:30:00"), us("2024-10-27T00:30:00")]
    assert read({**berlin, "ambiguous": "later"}, autumn) == [us("2024-10-27T01:30:00")]
    assert read({**berlin, "ambiguous": "bad", "missing": "bad"}, spring, autumn) == [None, None]
    assert read(berlin, "2024-07-01 12:00+00:00", "2024-07-01 12:00") == [
        us("2024-07-01T12:00:00"),
        us("2024-07-01T10:00:00"),
    ]


@settings(deadline=None)
@given(st.integers(631_152_000_000_000, 1_900_000_000_000_000), st.sampled_from(ZONES))
def test_hours_and_days_are_those_of_the_zone(moment: int, zone: str) -> None:
    there = (EPOCH + datetime.timedelta(microseconds=moment)).astimezone(ZoneInfo(zone))
    rows = derive(pl.DataFrame({TIME: [moment]}), {"hour": "hour_of_day", "day": "day_of_week"}, zone)
    assert rows.select("hour", "day").row(0) == (str(there.hour), str(there.weekday()))


# --- Settings ---


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({}, "give either 'unit'"),
        ({"unit": "s", "format": "%Y"}, "give either 'unit'"),
        ({"format": "yyyyMMddHHmmssSSS"}, "did you mean '%Y%m%d%H%M%S%f'?"),
        ({"format": "%Y-%m-%d %q"}, "'%q' in '%Y-%m-%d %q' is not known; known are %Y %y %m"),
        ({"format": "%m-%d"}, "names no year (%Y, %y); give it as 'year'"),
        ({"format": "%Y-%m-%d", "year": 2014}, "names the year; 'year' is for formats that do not"),
        ({"format": "%Y %H"}, "needs a month (%m, %b, %B) and a day (%d)"),
        ({"format": "%Y-%m-%d %m"}, "names the month twice"),
        ({"format": "%Y-%m-%d %b"}, "names the year, the month or the hour twice"),
        ({"format": "%Y-%m-%d %I"}, "%I and %p belong together"),
        ({"unit": "iso8601", "timezone": "Europe/Berln"}, "is no IANA name; did you mean 'Europe/Berlin'?"),
        ({"unit": "iso8601", "origin": "2017-01-01"}, "'origin' is the moment of 0"),
        ({"unit": "iso8601", "year": 2014}, "'year' goes with a 'format'"),
        ({"unit": "iso8601", "offset": "s"}, "'offset' is the unit of a second column"),
        ({"unit": "s", "column": ["a", "b"]}, "two columns are a date and a time of day"),
    ],
)
def test_settings_that_name_no_time(said: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        TimeColumn.model_validate({"column": "t", **said})
