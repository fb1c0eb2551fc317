import polars as pl
import pytest

from tandem.pipeline.starter.profile import profile


def of(name, values, **changed):
    return profile(pl.DataFrame({name: values}, **changed), name)


@pytest.mark.parametrize(
    ("name", "values", "unit"),
    [
        ("time_ms", ["1709251200000", "1709251300000"], "ms"),
        ("timestamp", ["1709251200", "1709251300"], "s"),
        ("eventTime", ["1709251200000000", "1709251300000000"], "us"),
        ("visited", ["2024-03-01 10:00:00", "2024-03-02T11:00:00Z"], "iso8601"),
        ("when", ["2024-03-01", ""], "iso8601"),
        ("user_id", ["1709251200000", "1709251300000"], None),  # a number that nobody calls a time
        ("date", ["17", "18"], None),
        ("time", ["1709251200000", "nonsense"], None),
    ],
)
def test_times(name, values, unit):
    found = of(name, values).time
    assert (found and found.unit) == unit


@pytest.mark.parametrize(
    ("name", "values", "numeric"),
    [
        ("price", ["1.5", "2", ""], True),
        ("count", [str(n) for n in [*range(100), 5]], True),
        ("user_id", [str(n) for n in [*range(100), 5]], False),  # called an id
        ("position", ["1", "2", "3"], False),  # few: codes
        ("row", [str(n) for n in range(100)], False),  # one each: a number of the row
        ("city", ["Oslo", "Rome"], False),
        ("ratio", ["0.5", "nan"], False),
    ],
)
def test_numbers(name, values, numeric):
    assert of(name, values).numeric == numeric


@pytest.mark.parametrize(
    ("values", "separator"),
    [
        (["a|b", "b|c|a", "a", "b|a"], "|"),
        (["a,b", "b,c,a", "", "b,a"], ","),
        (["rock punk", "punk rock", "punk"], " "),
        (["a|b", "c", "d"], None),  # once is chance
        (["a great red shoe", "the last of them", "something new here"], None),  # sentences
        (["a||b", "b||a"], None),
        (["1.5", "2.5"], None),
    ],
)
def test_several_values_in_a_cell(values, separator):
    assert of("tags", values).separator == separator


def test_lists():
    found = of("tags", [["a", "b"], [], ["a"]], schema={"tags": pl.List(pl.String)})
    assert (found.separator, found.filled, found.distinct) == ("", 2, 2)


def test_labels_and_empty_columns():
    assert of("click", ["0", "1", ""]).binary
    assert of("click", ["True", "false"]).binary
    assert not of("click", ["0", "1", "2"]).binary
    nothing = of("note", ["", ""])
    assert (nothing.filled, nothing.constant, nothing.binary, nothing.separator) == (0, True, False, None)


@pytest.mark.parametrize(
    ("values", "separators"),
    [
        (["a:0.5,b:2", "b:1.5,a:0.25", "a:1,c:0.5"], (",", ":")),
        (["1\x02a\x032.5\x011\x02b\x031.0", "1\x02a\x030.5\x011\x02b\x033.0"], ("\x01", "\x03")),
        (["10:30,11:45", "11:45,10:30"], (",", None)),  # times of a day
        (["a:x,b:y", "b:y,a:x"], (",", None)),
        (["a:0.5,b", "a:0.5,b"], (",", None)),
    ],
)
def test_values_with_weights(values, separators):
    found = of("tags", values)
    assert (found.separator, found.weight_separator) == separators


def test_lists_of_values_with_weights():
    found = of("tags", [["a:0.5", "b:2"], ["c:1", ""]])
    assert (found.separator, found.weight_separator, found.distinct) == ("", ":", 3)
