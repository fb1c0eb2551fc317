from __future__ import annotations

import polars as pl
import pytest

from tandem.components.log_example_gen import records
from tandem.components.log_example_gen.records import EVENT, REASON, ROW, TIME, normalize, reason, stack
from tandem.components.log_example_gen.settings.time import TimeColumn
from tandem.components.log_example_gen.sources import LogsError
from tandem.components.log_example_gen.times import TimeBounds


def test_rows_without_key_or_time_are_set_aside() -> None:
    rows = pl.DataFrame(
        {"u": ["1", "", "2", ""], "i": ["a", "b", "c", ""], "t": ["5", "5", "x", "x"], ROW: [1, 2, 3, 4]}
    )
    good, bad = normalize(rows, ("u", "i"), TimeColumn.model_validate({"column": "t", "unit": "s"}), kind="buy")
    assert good.select("u", TIME, EVENT).rows() == [("1", 5_000_000, "buy")]
    assert bad.select(ROW, REASON).rows() == [(2, "missing_key"), (3, "bad_time"), (4, "missing_key")]


def test_absurd_times_are_set_aside() -> None:
    rows = pl.DataFrame({"t": ["631151999", "631152000", "700", "0", "1700000001"], ROW: [1, 2, 3, 4, 5]})
    column = TimeColumn.model_validate({"column": "t", "unit": "s"})
    good, bad = normalize(rows, (), column, bounds=TimeBounds(631_152_000_000_000, 1_700_000_000_000_000))
    assert good.get_column(ROW).to_list() == [2]
    assert bad.select(ROW, REASON).rows() == [(row, "bad_time") for row in (1, 3, 4, 5)]


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
        "not_one_value",
        "no_impression",
        "before_impression",
        "before_click",
    }
    assert reason("no_click").bad
    assert "'click'" in reason("no_click").meaning
    assert all(why.meaning.endswith(".") for why in records.REASONS.values())
    with pytest.raises(LogsError, match="cannot be called 'impression'"):
        records.no_parent("impression")
