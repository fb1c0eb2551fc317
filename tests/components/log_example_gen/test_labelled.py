from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from pydantic import ValidationError

from tandem.components.log_example_gen.labelled import TableLabels, check_labels, positives, unreadable
from tandem.components.log_example_gen.records import REASON
from tandem.components.log_example_gen.settings.columns import Label
from tandem.components.log_example_gen.settings.sources import LabelledTable, TableLabel
from tandem.components.log_example_gen.sources import LogsError


def test_labels_of_a_table_are_read_and_checked() -> None:
    labels = [Label(name="buy", parent="view"), Label(name="view", parent="click"), Label(name="click")]
    rows = pl.DataFrame(
        {
            "click": ["1", "true", "0", "0", "1", "2", ""],
            "view": ["0", " TRUE", "False", "1", "0", "0", "0"],
            "buy": ["0", "1", "0", "1", "1", "0", "0"],
        }
    )
    sound, unsound = check_labels(rows, TableLabels(tuple(labels)))
    assert sound.select("click", "view", "buy").rows() == [(1, 0, 0), (1, 1, 1), (0, 0, 0)]
    assert unsound.rows() == [
        ("0", "1", "1", "no_click"),
        ("1", "0", "1", "no_view"),
        ("2", "0", "0", "bad_label"),
        ("", "0", "0", "bad_label"),
    ]
    assert sound.schema["buy"] == pl.Int8


def read(said: dict[str, Any] | None, *texts: str, **table: Any) -> list[int | None]:
    """The label `y` of a table, None where it cannot be read."""
    labels = {} if said is None else {"labels": {"y": said}}
    settings = LabelledTable.model_validate({"files": "a.csv", **labels, **table})
    reading = TableLabels.of(settings, [Label(name="y")])
    rows = pl.DataFrame({reading.column("y"): texts}).with_row_index("row")
    sound, _ = check_labels(rows, reading)
    found = dict(sound.select("row", "y").iter_rows())
    return [found.get(row) for row in range(len(texts))]


@pytest.mark.parametrize(
    ("said", "texts", "values"),
    [
        (None, ["1", "0", "T", "f", "Yes", " no ", "TRUE", "False", "1.0", "0.0"], [1, 0] * 5),
        (None, ["", "2", "-1", "maybe"], [None] * 4),
        ({"positive": ">=4"}, ["4", "3", "4.5", "", "x", "1e1", "-4"], [1, 0, 1, None, None, 1, 0]),
        ({"positive": "> 0"}, ["0", "1", "17"], [0, 1, 1]),
        ({"positive": "<=2"}, ["2", "2.5"], [1, 0]),
        ({"positive": "<2"}, ["2", "1.5"], [0, 1]),
        ({"positive": "==5"}, ["5.0", "4"], [1, 0]),
        ({"positive": "50000+."}, ["50000+.", "- 50000.", ""], [1, 0, None]),
        ({"positive": ["50000+.", "yes"]}, [" 50000+. ", "yes", "Yes", "no"], [1, 1, 0, 0]),
        ({"positive": ">50K"}, [">50K", "<=50K"], [1, 0]),  # a text, for what follows is no number
        ({"positive": 1}, ["1", "1.0", "2"], [1, 1, 0]),
        ({"positive": [4, 5]}, ["4.0", "5", "3"], [1, 1, 0]),
        ({"positive": True}, ["true", "false"], [1, 0]),
        ({"positive": "yes", "negative": "no"}, ["yes", "no", "perhaps"], [1, 0, None]),
        ({"negative": -1}, ["1", "-1", "-1.0", "0", "true"], [1, 0, 0, None, 1]),
        ({"negative": [-1, 0]}, ["1", "-1", "0"], [1, 0, 0]),
        ({"empty": "negative"}, ["", " ", "1", "x"], [0, 0, 1, None]),
        ({"positive": ">0", "empty": "negative"}, ["", "3", "0"], [0, 1, 0]),
        ({"column": "stars", "positive": ">=4"}, ["5", "1"], [1, 0]),
    ],
)
def test_labels_in_other_words(said: dict[str, Any] | None, texts: list[str], values: list[int | None]) -> None:
    assert read(said, *texts) == values


def test_thresholds_read_numbers_as_the_table_writes_them() -> None:
    assert read({"positive": ">=1000"}, "1.000,5", "999,9", decimal=",", thousands=".") == [1, 0]


def test_two_labels_of_one_column() -> None:
    said = {"like": {"column": "stars", "positive": ">=4"}, "love": {"column": "stars", "positive": ">=5"}}
    table = LabelledTable.model_validate({"files": "a.csv", "labels": said})
    reading = TableLabels.of(table, [Label(name="like"), Label(name="love", parent="like")])
    assert reading.columns() == ("stars",)
    sound, _ = check_labels(pl.DataFrame({"stars": ["5", "4", "3"]}), reading)
    assert sound.select("like", "love").rows() == [(1, 1), (1, 0), (0, 0)]


def test_orphans_make_their_parents_positive_where_the_settings_say_so() -> None:
    labels = [Label(name="click"), Label(name="cart", parent="click"), Label(name="buy", parent="cart")]
    rows = pl.DataFrame({"click": ["0", "1", "0", "?"], "cart": ["0", "0", "0", "1"], "buy": ["1", "0", "0", "1"]})
    table = LabelledTable.model_validate({"files": "a.csv", "orphans": "imply"})
    sound, unsound = check_labels(rows, TableLabels.of(table, labels))
    assert sound.rows() == [(1, 1, 1), (1, 0, 0), (0, 0, 0)]
    assert unsound.rows() == [("?", "1", "1", "bad_label")]
    kept, orphans = check_labels(rows, TableLabels(tuple(labels)))
    assert kept.rows() == [(1, 0, 0), (0, 0, 0)]
    assert orphans.get_column(REASON).to_list() == ["no_cart", "bad_label"]


def test_positive_rows_are_counted_whatever_else_is_wrong_with_them() -> None:
    reading = TableLabels((Label(name="click"), Label(name="buy", parent="click")))
    rows = pl.DataFrame({"click": ["0", "1", "?", ""], "buy": ["1", "0", "2", "-1"]})  # two are bought
    assert positives(rows, reading) == {"click": 1, "buy": 2}


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("2", "a count or a rating? say what is positive, such as labels: {buy: {column: buys, positive: '>0'}}"),
        ("-1", "unknown, or a no? say so, such as labels: {buy: {column: buys, negative: -1}}"),
        ("", "say what an empty cell means, such as labels: {buy: {column: buys, empty: negative}}"),
        ("sold", "say what is positive, such as labels: {buy: {column: buys, positive: ['sold']}}"),
    ],
)
def test_what_cannot_be_read_is_said_with_a_setting_that_reads_it(text: str, advice: str) -> None:
    table = LabelledTable.model_validate({"files": "a.csv", "labels": {"buy": {"column": "buys"}}})
    assert unreadable({"buys": text}, TableLabels.of(table, [Label(name="buy")])) == [
        f"column 'buys' holds {text!r}: {advice}"
    ]


def test_settings_of_labels_that_are_none_are_refused() -> None:
    table = LabelledTable.model_validate({"files": "a.csv", "labels": {"bye": {"positive": ">0"}}})
    with pytest.raises(LogsError, match=r"'labels' speaks of \['bye'\], which are no labels; there are \['buy'\]"):
        TableLabels.of(table, [Label(name="buy")])
    with pytest.raises(ValidationError, match="a comparison in 'positive' says what is 0, too"):
        TableLabel.model_validate({"positive": ">0", "negative": -1})


def test_label_columns_cannot_be_lists() -> None:
    with pytest.raises(LogsError, match="column 'y' holds lists; a label is one value"):
        check_labels(pl.DataFrame({"y": [["1"]]}), TableLabels((Label(name="y"),)))
