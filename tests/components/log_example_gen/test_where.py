"""Which rows satisfy which conditions, worked out by hand; and how conditions are written and refused."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.components.log_example_gen.numbers import Notation
from tandem.components.log_example_gen.settings.files import Files
from tandem.components.log_example_gen.sources import LogsError
from tandem.components.log_example_gen.where import satisfying
from tandem.validation.draft import Draft

CELLS = ["", "1", "1.0", " 1", "01", "true", "True", "2", "view", "-3.5", "nan", "9007199254740993"]


def chosen(condition: Any, cells: list[str] = CELLS) -> list[str]:
    where = Files.model_validate({"files": "x", "where": {"c": condition}}).where
    rows = pl.DataFrame({"c": cells}, schema={"c": pl.String})
    return rows.filter(satisfying(rows, where)).get_column("c").to_list()


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("view", ["view"]),
        ("1", ["1"]),  # A text is compared as it stands,
        (1, ["1", "1.0", " 1", "01"]),  # a number as what it reads as.
        (1.0, ["1", "1.0", " 1", "01"]),
        (-3.5, ["-3.5"]),
        (9007199254740993, ["9007199254740993"]),  # No double: that would be 9007199254740992.
        (True, ["true", "True"]),
        (False, []),
        ([2, "view"], ["2", "view"]),
        ({"in": ["1", "2"]}, ["1", "2"]),
        ("not_null", CELLS[1:]),
        ({"not_null": False}, [""]),
        ({"equals": "not_null"}, []),
        ({"not": 1}, ["", "true", "True", "2", "view", "-3.5", "nan", "9007199254740993"]),
        ({"not_in": [1, 2, "view"], "not_null": True}, ["true", "True", "-3.5", "nan", "9007199254740993"]),
        ({"at_least": 1, "at_most": 2}, ["1", "1.0", " 1", "01", "2"]),
        ({"above": 1, "below": 3}, ["2"]),
        ({"at_least": -100}, ["1", "1.0", " 1", "01", "2", "-3.5", "9007199254740993"]),  # nan is no number
        ({"below": 0}, ["-3.5"]),
    ],
)
def test_a_condition_chooses_cells(condition: Any, expected: list[str]) -> None:
    assert chosen(condition) == expected


def test_all_conditions_must_hold() -> None:
    rows = pl.DataFrame({"event": ["view", "view", "buy"], "price": ["5", "9", "7"]})
    where = Files.model_validate({"files": "x", "where": {"event": "view", "price": {"at_least": 5, "not": 9}}}).where
    assert satisfying(rows, where).to_list() == [True, False, False]
    assert satisfying(rows, {}).to_list() == [True] * 3
    assert satisfying(rows.clear(), where).to_list() == []


numbers = st.integers(-50, 50) | st.floats(-50, 50).map(lambda number: round(number, 2))


@given(st.lists(numbers.map(str) | st.text(max_size=3)), numbers, numbers)
def test_a_condition_and_its_opposite_part_the_cells(cells: list[str], low: float, value: float) -> None:
    def count(condition: Any) -> int:
        return len(chosen(condition, cells))

    assert count({"equals": value}) + count({"not": value}) == len(cells)
    assert count({"in": [low, value]}) + count({"not_in": [low, value]}) == len(cells)
    assert count({"below": low}) + count({"at_least": low}) == count({"above": low}) + count({"at_most": low})
    assert count({"at_least": low, "at_most": low}) == count({"equals": low})


def test_bounds_are_compared_with_numbers_as_the_files_write_them() -> None:
    where = Files.model_validate({"files": "x", "where": {"price": {"at_least": 1000}}}).where
    rows = pl.DataFrame({"price": ["1.200,50", "1,5", "999", "1.000"]})
    written = Notation(decimal=",", thousands=".")
    assert satisfying(rows, where, written).to_list() == [True, False, False, True]
    assert satisfying(rows, where).to_list() == [False] * 4


def test_lists_are_not_compared() -> None:
    where = Files.model_validate({"files": "x", "where": {"tags": "a"}}).where
    with pytest.raises(LogsError, match="where: column 'tags' holds lists"):
        satisfying(pl.DataFrame({"tags": [["a"]]}), where)


def test_conditions_survive_being_written_as_json() -> None:
    spec = Files.model_validate(
        {"files": "x", "where": {"a": 1, "b": 1.0, "c": "1", "d": True, "e": [1, "x"], "f": {"not": 2, "below": 3}}}
    )
    again = Files.model_validate_json(spec.model_dump_json(by_alias=True))
    assert again == spec
    assert [type(condition.equals) for condition in again.where.values()][:4] == [int, float, str, bool]
    assert {name: str(condition) for name, condition in again.where.items()} == {
        "a": "equals 1",
        "b": "equals 1",
        "c": "equals 1",
        "d": "equals true",
        "e": "in [1, x]",
        "f": "not 2, below 3",
    }


@pytest.mark.parametrize(
    ("where", "path", "message"),
    [
        ("type = 0", ("where",), "got 'type = 0', expected a mapping (key: value)"),
        ({"c": {"atleast": 5}}, ("where", "c", "atleast"), "unknown key 'atleast'; did you mean 'at_least'?"),
        ({"c": {"at_least": "x"}}, ("where", "c", "at_least"), "got 'x', expected a number"),
        ({"c": {}}, ("where", "c"), "a condition says at least one thing"),
        ({"c": None}, ("where", "c"), "got nothing: expected a value, a list of values, or a mapping"),
        ({"c": [[1]]}, ("where", "c", 0), "expected a text, a number, true or false"),
    ],
)
def test_what_is_no_condition_is_told_where_it_stands(where: Any, path: tuple[Any, ...], message: str) -> None:
    ((found, sentence),) = Draft(Files, {"files": "x", "where": where}).problems
    assert (found, sentence[: len(message)]) == (path, message)
