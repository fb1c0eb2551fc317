from __future__ import annotations

import datetime

import polars as pl
import pytest

from tandem.components.log_example_gen.dates import describe_period, describe_us
from tandem.components.log_example_gen.derived import derive
from tandem.components.log_example_gen.joining.finality import with_finality
from tandem.components.log_example_gen.joining.side_tables import attach, one_per_key
from tandem.components.log_example_gen.records import REASON, TIME
from tandem.components.log_example_gen.settings.logs import LogSettings
from tandem.components.log_example_gen.settings.split import Split
from tandem.components.log_example_gen.sources import LogsError
from tandem.components.log_example_gen.split import by_file, by_time

DAY = 86_400_000_000
SPLIT = Split.model_validate(
    {
        "train": {"from": "1970-01-02", "before": "1970-01-04"},
        "validation": {"from": "1970-01-05", "before": "1970-01-06"},
        "eval": {"from": "1970-01-06"},
    }
)


def test_periods_hold_their_start_but_not_their_end_and_the_gap_is_set_aside() -> None:
    rows = pl.DataFrame({TIME: [DAY - 1, DAY, 3 * DAY - 1, 3 * DAY, 4 * DAY, 5 * DAY - 1, 5 * DAY]})
    parts, outside = by_time(rows, SPLIT)
    assert {name: part.get_column(TIME).to_list() for name, part in parts.items()} == {
        "train": [DAY, 3 * DAY - 1],
        "validation": [4 * DAY, 5 * DAY - 1],
        "eval": [5 * DAY],
    }
    assert outside.rows() == [(DAY - 1, "outside_split"), (3 * DAY, "outside_split")]


def test_tables_are_split_by_file() -> None:
    split = Split.model_validate({"train": {"files": ["train/*.csv"]}, "eval": {"files": "test.csv"}})
    assert by_file(["train/a.csv", "test.csv", "rest.csv"], split) == {
        "train/a.csv": "train",
        "test.csv": "eval",
        "rest.csv": None,
    }
    with pytest.raises(LogsError, match=r"split 'eval': 'test\.csv' matches none of the table's files"):
        by_file(["train/a.csv"], split)
    both = Split.model_validate({"train": {"files": "*.csv"}, "eval": {"files": "a.csv"}})
    with pytest.raises(LogsError, match=r"a\.csv belongs to two splits: 'train' and 'eval'"):
        by_file(["a.csv"], both)


def test_hours_and_days_are_those_of_utc() -> None:
    # 1970-01-01 was a Thursday.
    rows = derive(pl.DataFrame({TIME: [0, 4 * DAY - 1, 4 * DAY]}), {"h": "hour_of_day", "d": "day_of_week"})
    assert rows.select("h", "d").rows() == [("0", "3"), ("23", "6"), ("0", "0")]


def test_periods_in_words() -> None:
    assert [describe_period(period) for period in SPLIT.periods().values()] == [
        "from 1970-01-02 00:00:00+00:00 before 1970-01-04 00:00:00+00:00",
        "from 1970-01-05 00:00:00+00:00 before 1970-01-06 00:00:00+00:00",
        "from 1970-01-06 00:00:00+00:00",
    ]
    assert describe_us(DAY + 1) == "1970-01-02 00:00:00.000001+00:00"


def test_a_side_table_keeps_the_first_row_of_a_key_and_is_added_by_it() -> None:
    table, repeated = one_per_key(pl.DataFrame({"u": ["2", "1", "2"], "age": ["20", "10", "21"]}), "u")
    assert repeated.select("age", REASON).rows() == [("21", "duplicate")]
    rows, unmatched = attach(pl.DataFrame({"u": ["1", "3", "2", "1", ""]}), table, "u")
    assert rows.rows() == [("1", "10"), ("3", None), ("2", "20"), ("1", "10"), ("", None)]
    assert unmatched == 2
    with pytest.raises(LogsError, match="column 'u' holds lists"):
        attach(pl.DataFrame({"u": [["1"]]}), table, "u")


def _logs(**windows: float) -> LogSettings:
    stream = {"files": "x.csv", "time": {"column": "t", "unit": "s"}}
    return LogSettings.model_validate(
        {
            "impressions": stream,
            "clicks": stream | {"label": "tap"},
            "conversions": stream | {"event": "kind"},
            "join": {"on": "id", **windows},
            "split": {"train": {"before": "1970-01-02"}, "eval": {"from": "1970-01-12"}},
        }
    )


@pytest.mark.parametrize(
    ("windows", "hours"),
    [
        ({}, {}),
        ({"click_window_hours": 1}, {"tap": 1}),
        ({"conversion_window_hours": 36}, {"buy": 36, "return": 36}),
        ({"click_window_hours": 1, "conversion_window_hours": 36}, {"tap": 1, "buy": 37, "return": 37}),
    ],
)
def test_a_label_may_change_as_long_as_its_windows_are_open(windows: dict, hours: dict) -> None:
    delays = _logs(**windows).label_delays(["tap", "buy", "return"])
    assert delays == {name: datetime.timedelta(hours=number) for name, number in hours.items()}


def test_labels_are_final_when_their_window_has_passed() -> None:
    hour = 3_600_000_000
    rows = pl.DataFrame({TIME: [0, 3 * hour, 8 * hour, 8 * hour + 1, 9 * hour]})
    delays = {"tap": datetime.timedelta(hours=1), "buy": datetime.timedelta(hours=6)}
    found = with_finality(rows, delays, observed_until_us=9 * hour)
    assert found.get_column("tap_is_final").to_list() == [1, 1, 1, 0, 0]  # the edge lies inside
    assert found.get_column("buy_is_final").to_list() == [1, 1, 0, 0, 0]
    assert with_finality(rows, {}, 0).columns == rows.columns
