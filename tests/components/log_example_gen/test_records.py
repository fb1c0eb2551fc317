from __future__ import annotations

import datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.components.log_example_gen import records
from tandem.components.log_example_gen.records import EVENT, REASON, ROW, TIME, normalize, reason, stack, time_us
from tandem.components.log_example_gen.settings import TimeColumn
from tandem.components.log_example_gen.sources import LogsError

UTC = datetime.timezone.utc


def times(unit: str, *texts: str) -> list[int | None]:
    return pl.DataFrame({"t": texts}).select(time_us("t", unit)).to_series().to_list()


def test_times_of_every_unit() -> None:
    assert times("s", "1650812934", "1650812934.25", " 7 ", "0") == [1650812934000000, 1650812934250000, 7000000, 0]
    assert times("ms", "1650812934945", "1.5") == [1650812934945000, 1500]
    assert times("us", "1650812934945001") == [1650812934945001]
    assert times(
        "iso8601",
        "1970-01-02",
        "1970-01-01T00:00:01Z",
        "1970-01-01 00:01",
        "1970-01-01T02:00:00.000001+02:00",
        "1970-01-01T00:00:00,5-0130",
        "2022-02-28 23:59:59.123456789",
    ) == [86_400_000_000, 1_000_000, 60_000_000, 1, 5_400_500_000, 1646092799123456]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "iso8601"])
def test_what_is_no_time_is_null(unit: str) -> None:
    texts = ("", "never", "-1", "nan", "inf", "1e30", "9" * 18, "9" * 30, "2022-02-30", "2022-01-01T25:00:00", "0x1")
    assert times(unit, *texts) == [None] * len(texts)


def test_seconds_that_are_milliseconds_are_no_times() -> None:
    assert times("s", "1650812934945") == [None]


@given(
    st.integers(86_400_000_000, 230 * 31_536_000_000_000),
    st.integers(-12, 12),
)
def test_iso_times_equal_those_of_the_standard_library(expected: int, hours: int) -> None:
    moment = datetime.datetime(1970, 1, 1, tzinfo=UTC) + datetime.timedelta(microseconds=expected)
    zoned = moment.astimezone(datetime.timezone(datetime.timedelta(hours=hours)))
    assert times("iso8601", zoned.isoformat(), moment.isoformat().replace("+00:00", "")) == [expected, expected]


def test_rows_without_key_or_time_are_set_aside() -> None:
    rows = pl.DataFrame(
        {"u": ["1", "", "2", ""], "i": ["a", "b", "c", ""], "t": ["5", "5", "x", "x"], ROW: [1, 2, 3, 4]}
    )
    good, bad = normalize(rows, ("u", "i"), TimeColumn(column="t", unit="s"), kind="buy")
    assert good.select("u", TIME, EVENT).rows() == [("1", 5_000_000, "buy")]
    assert bad.select(ROW, REASON).rows() == [(2, "missing_key"), (3, "bad_time"), (4, "missing_key")]


def test_the_kind_of_event_may_stand_in_a_column() -> None:
    good, _ = normalize(pl.DataFrame({"u": ["1"], "e": ["like"]}), ("u",), event="e")
    assert good.get_column(EVENT).to_list() == ["like"]


def test_keys_cannot_be_lists() -> None:
    with pytest.raises(LogsError, match="column 'u' holds lists"):
        normalize(pl.DataFrame({"u": [["1"]]}), ("u",))


def test_a_column_that_is_a_list_somewhere_is_one_everywhere() -> None:
    one, many = pl.DataFrame({"t": ["a", ""], "x": ["1", "2"]}), pl.DataFrame({"t": [["b", "c"]], "x": ["3"]})
    assert stack([one, many]).rows() == [(["a"], "1"), ([], "2"), (["b", "c"], "3")]


def test_every_reason_has_its_meaning_and_those_that_count_as_bad_are_these() -> None:
    assert {name for name, why in records.REASONS.items() if why.bad} == {
        "malformed",
        "missing_key",
        "bad_time",
        "bad_label",
        "bad_weight",
        "no_impression",
    }
    assert reason("no_click").bad
    assert "'click'" in reason("no_click").meaning
    assert all(why.meaning.endswith(".") for why in records.REASONS.values())
    with pytest.raises(LogsError, match="cannot be called 'impression'"):
        records.no_parent("impression")
