from __future__ import annotations

import datetime
from typing import Any

import polars as pl
import pytest

from tandem.components.log_example_gen.dates import microseconds
from tandem.components.log_example_gen.records import normalize
from tandem.components.log_example_gen.settings.split import Split
from tandem.components.log_example_gen.settings.time import TimeColumn
from tandem.components.log_example_gen.sources import LogsError
from tandem.components.log_example_gen.time_check import TimeCheck, bounds_of, fitting
from tandem.components.log_example_gen.times import END_OF_TIME

NOW = datetime.datetime(2024, 3, 10, tzinfo=datetime.timezone.utc)
SECONDS = [str(1_709_510_400 + 60 * i) for i in range(20)]  # March 4 and after
MILLISECONDS = [f"{text}000" for text in SECONDS]


def split(before: str = "2024-03-05", start: str = "2024-03-06") -> Split:
    return Split.model_validate({"train": {"before": before}, "eval": {"from": start}})


def column(**settings: Any) -> TimeColumn:
    return TimeColumn.model_validate({"column": "time", **settings})


def check(texts: list[str], time: TimeColumn, blocks: int = 1) -> None:
    bounds = bounds_of(time, split(), NOW)
    watched = TimeCheck("clicks", "clicks-1.csv", time, bounds)
    for start in range(0, len(texts), len(texts) // blocks):
        rows = pl.DataFrame({"time": texts[start : start + len(texts) // blocks]})
        watched.see(*normalize(rows, (), time, bounds=bounds))
    watched.judge()


def test_bounds_lie_between_1990_and_two_days_after_the_reading() -> None:
    assert bounds_of(column(unit="s"), split(), NOW) == (631_152_000_000_000, microseconds(NOW) + 2 * 86_400_000_000)


def test_bounds_give_way_where_the_settings_say_that_the_logs_lie_elsewhere() -> None:
    assert bounds_of(column(unit="s", origin="1970-01-01"), split(), NOW).earliest_us == 0
    assert bounds_of(column(unit="s"), split("1970-01-02", "1970-01-03"), NOW).earliest_us == 0
    assert bounds_of(column(unit="s"), split("2024-03-05", "2099-01-01"), NOW).latest_us == END_OF_TIME
    closed = Split.model_validate(
        {"train": {"before": "2024-03-05"}, "eval": {"from": "2024-03-06", "before": "2100-01-01"}}
    )
    assert bounds_of(column(unit="s"), closed, NOW).latest_us < END_OF_TIME


@pytest.mark.parametrize(
    ("texts", "declared", "fits", "example"),
    [
        (SECONDS, "ms", "unit 's'", "'1709510400' would be 1970-01-20 18:51:50.400000+00:00"),
        (MILLISECONDS, "s", "unit 'ms'", "'1709510400000'"),
        ([f"{text}000" for text in MILLISECONDS], "ms", "unit 'us'", "'1709510400000000'"),
        ([f"{text}000000" for text in MILLISECONDS], "us", "unit 'ns'", "'1709510400000000000'"),
        (["2024-03-04T00:00:00Z"] * 3, "s", "unit 'iso8601'", "'2024-03-04T00:00:00Z'"),
        (["20240304000000"] * 3, "iso8601", "format '%Y%m%d%H%M%S'", "'20240304000000'"),
        (["03/04/2024 00:00"] * 3, "iso8601", "format '%m/%d/%Y %H:%M'", "'03/04/2024 00:00'"),
        (["04/Mar/2024:00:00:00 +0000"] * 3, "iso8601", "format 'apache'", "'04/Mar/2024:00:00:00 +0000'"),
    ],
)
def test_a_file_in_another_unit_is_named_with_an_example_and_the_unit_that_fits(
    texts: list[str], declared: str, fits: str, example: str
) -> None:
    with pytest.raises(LogsError) as caught:
        check(texts, column(unit=declared))
    message = str(caught.value)
    assert message.startswith(f"clicks: {len(texts)} of {len(texts)} times in clicks-1.csv (column 'time')")
    assert f"are none by unit '{declared}': {example}" in message
    assert f"By {fits} it is 2024-03-04 00:00:00+00:00" in message


@pytest.mark.parametrize("blocks", [1, 2, 19])
def test_most_of_a_file_decides_however_it_is_cut(blocks: int) -> None:
    check([*MILLISECONDS[:10], *SECONDS[:9]], column(unit="ms"), blocks)
    with pytest.raises(LogsError, match="10 of 19 times"):
        check([*MILLISECONDS[:9], *SECONDS[:10]], column(unit="ms"), blocks)


def test_times_that_fit_nowhere_are_left_to_the_share_of_bad_rows() -> None:
    check(["0"] * 5 + ["yesterday"] * 5 + [""] * 5, column(unit="s"))
    check([*SECONDS, *[""] * 100], column(unit="s"))


def test_how_times_can_be_read_takes_the_first_way_that_fits_most() -> None:
    found = fitting(pl.Series("t", ["20240304", "0", "20240305"]), column(unit="s"), microseconds(NOW))
    assert found is not None
    assert found[0].unit == "iso8601"
    assert found[1:] == ("20240304", 1_709_510_400_000_000)
