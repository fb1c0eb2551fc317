"""Serialized examples, read back with TensorFlow's own parsers."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import tensorflow as tf

from tandem.components.log_example_gen.counts import merged
from tandem.components.log_example_gen.examples import (
    examples_of,
    features_of,
    filled_column,
    serialize,
    serialize_features,
    sparse_feature,
    to_record_batch,
)
from tandem.components.log_example_gen.numbers import Notation, Written
from tandem.components.log_example_gen.records import FILE, TIME
from tandem.components.log_example_gen.settings.columns import ExampleColumn
from tandem.components.log_example_gen.sources import LogsError


def values(example: bytes) -> dict[str, list[Any]]:
    features = tf.train.Example.FromString(example).features.feature
    return {
        name: list(getattr(feature, feature.WhichOneof("kind")).value) if feature.WhichOneof("kind") else []
        for name, feature in features.items()
    }


def test_every_kind_of_column() -> None:
    rows = pl.DataFrame(
        {
            "word": ["é", "", None],
            "bag": [" a, b,,a", ",", ""],
            "listed": [["x ", ""], None, []],
            "price": ["1.5", "dear", "1e39"],
            "prices": ["1|nan|2", "", "x"],
            "count": ["9223372036854775807", "5.0", "5.5"],
            "click": pl.Series([1, 0, 0], dtype=pl.Int8),
            TIME: [1, 2, 3],
        }
    )
    columns = {
        "word": ExampleColumn(),
        "bag": ExampleColumn(separator=","),
        "listed": ExampleColumn(separator=","),
        "price": ExampleColumn(kind="float"),
        "prices": ExampleColumn(kind="float", separator="|"),
        "count": ExampleColumn(kind="int"),
    }
    batch, counts = to_record_batch(rows, columns, ["click"])
    assert [values(example) for example in serialize(batch)] == [
        {
            "word": ["é".encode()],
            "bag": [b"a", b"b", b"a"],
            "listed": [b"x"],
            "price": [1.5],
            "prices": [1.0, 2.0],
            "count": [2**63 - 1],
            "click": [1],
            "impression_time_us": [1],
        },
        {
            "word": [],
            "bag": [],
            "listed": [],
            "price": [],
            "prices": [],
            "count": [5],
            "click": [0],
            "impression_time_us": [2],
        },
        {
            "word": [],
            "bag": [],
            "listed": [],
            "price": [],
            "prices": [],
            "count": [],
            "click": [0],
            "impression_time_us": [3],
        },
    ]
    assert counts.unreadable == {"price": 2, "prices": 2, "count": 1}
    assert counts.numbers == {"price": 1, "prices": 2, "count": 2}
    assert counts.unreadable_values == {
        "price": [("1e39", ""), ("dear", "")],
        "prices": [("nan", ""), ("x", "")],
        "count": [("5.5", "")],
    }


@pytest.mark.parametrize("length", [0, 1, 60, 110, 120, 125, 130, 16_300, 16_380, 17_000, 2_097_100, 2_097_200])
def test_features_serialized_apart_make_the_same_example(length: int) -> None:
    rows = pl.DataFrame({"u": ["x" * length, "y"], "i": ["1", ""], "click": [1, 0]})
    labels = ["click"]
    together, _ = to_record_batch(rows, {"u": ExampleColumn(), "i": ExampleColumn()}, labels)
    main, _ = to_record_batch(rows, {"i": ExampleColumn()}, labels)
    apart, _ = to_record_batch(rows, {"u": ExampleColumn()}, ())
    joined = serialize(main, [serialize_features(apart), pl.Series([None, None], dtype=pl.Binary)])
    assert [len(example) for example in joined] == [len(example) for example in serialize(together)]
    assert [values(example) for example in joined] == [values(example) for example in serialize(together)]
    parsed = tf.io.parse_example(
        joined, {"u": tf.io.VarLenFeature(tf.string), "click": tf.io.FixedLenFeature([], tf.int64)}
    )
    np.testing.assert_array_equal(parsed["click"], [1, 0])
    assert [len(value) for value in parsed["u"].values.numpy()] == ([length, 1] if length else [1])


def test_no_rows_are_no_examples() -> None:
    rows = pl.DataFrame(schema={"u": pl.String, "click": pl.Int8})
    batch, _ = to_record_batch(rows, {"u": ExampleColumn()}, ["click"])
    assert serialize(batch) == []
    assert serialize_features(batch).to_list() == []


def test_a_number_that_a_row_lacks_costs_no_bytes() -> None:
    rows = pl.DataFrame({"u": ["a", "b", "c", "d"], "t": pl.Series([None, 5, None, 2**60], dtype=pl.Int64)})
    columns = {"u": ExampleColumn()}
    ((with_times, _),) = examples_of(rows, columns, (), sparse_numbers=["t"])
    ((without, _),) = examples_of(rows, columns, ())
    assert [values(example) for example in with_times] == [
        {"u": [b"a"]},
        {"u": [b"b"], "t": [5]},
        {"u": [b"c"]},
        {"u": [b"d"], "t": [2**60]},
    ]
    assert [len(a) - len(b) > 0 for a, b in zip(with_times, without, strict=True)] == [False, True, False, True]
    assert [with_times[row] for row in (0, 2)] == [without[row] for row in (0, 2)]


@pytest.mark.parametrize("numbers", [[], [None, None], [1, 2]])
def test_sparse_features_of_no_row_and_of_all(numbers: list[int | None]) -> None:
    feature = sparse_feature(pl.Series("t", numbers, dtype=pl.Int64))
    assert [value is None for value in feature.to_list()] == [number is None for number in numbers]


def test_large_frames_are_serialized_in_pieces_and_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tandem.components.log_example_gen.examples._ROWS_AT_ONCE", 3)
    rows = pl.DataFrame(
        {"n": ["1", "x", "3", "4", "y", "6", "7"], "t": pl.Series([1, None, 3, None, 5, None, 7], dtype=pl.Int64)}
    )
    pieces = list(examples_of(rows, {"n": ExampleColumn(kind="int")}, (), sparse_numbers=["t"]))
    assert [len(examples) for examples, _ in pieces] == [3, 3, 1]
    assert [counts.unreadable for _, counts in pieces] == [{"n": 1}, {"n": 1}, {}]
    found = [values(example) for examples, _ in pieces for example in examples]
    assert [row.get("t") for row in found] == [[1], None, [3], None, [5], None, [7]]
    assert [row["n"] for row in found] == [[1], [], [3], [4], [], [6], [7]]


def test_values_and_their_weights_keep_their_places() -> None:
    rows = pl.DataFrame(
        {
            "tags": ["a,,c", ",", "", None, "b"],
            "scores": ["1,2,x", "5,6", "", "7", ",2"],
            "listed": [["a", "", "c"], [], None, [""], ["b"]],
        }
    )
    columns = {
        "tags": ExampleColumn(separator=",", keeps_places=True),
        "scores": ExampleColumn(kind="float", separator=",", keeps_places=True),
        "listed": ExampleColumn(keeps_places=True),
    }
    batch, counts = to_record_batch(rows, columns, [])
    found = [values(example) for example in serialize(batch)]
    assert [row["tags"] for row in found] == [[b"a", b"", b"c"], [], [], [], [b"b"]]
    assert [row["listed"] for row in found] == [[b"a", b"", b"c"], [], [], [], [b"b"]]
    np.testing.assert_array_equal(found[0]["scores"], [1, 2, np.nan])
    np.testing.assert_array_equal(found[4]["scores"], [np.nan, 2])
    assert [row["scores"] for row in found[1:4]] == [[5, 6], [], [7]]
    assert counts.unreadable == {"scores": 1}
    assert counts.numbers["scores"] == 6


def test_weights_behind_values_that_are_no_numbers_are_counted_and_left() -> None:
    rows = pl.DataFrame({"tags": ["a:1|b:x|c", "a:b:2|d:", None]})
    batch, counts = to_record_batch(rows, {"tags": ExampleColumn(separator="|", weight_separator=":")}, [])
    found = [values(example)["tags"] for example in serialize(batch)]
    assert found == [[b"a:1", b"b:x", b"c"], [b"a:b:2", b"d:"], []]
    assert counts.unreadable == {"tags": 2}
    assert counts.numbers == {"tags": 2}
    assert counts.unreadable_values == {"tags": [("b:x", ""), ("d:", "")]}


def test_weights_behind_values_have_a_point_whatever_other_numbers_have() -> None:
    rows = pl.DataFrame({"tags": ["a:0,5|b:0.5"], "price": ["1,5"]})
    columns = {"tags": ExampleColumn(separator="|", weight_separator=":"), "price": ExampleColumn(kind="float")}
    _, counts = to_record_batch(rows, columns, [], Written(Notation(decimal=",")))
    assert counts.unreadable_values == {"tags": [("a:0,5", "")]}
    assert counts.numbers == {"tags": 1, "price": 1}


def test_values_that_are_no_numbers_are_told_with_their_files() -> None:
    rows = pl.DataFrame({"n": [["1", "x"], ["", "y"], ["z"], ["w", "w"]], FILE: [0, 0, 1, 1]})
    written = Written(files=("a.jsonl", "b.jsonl"))
    _, counts = to_record_batch(rows, {"n": ExampleColumn(kind="float")}, (), written)
    assert counts.unreadable == {"n": 5}
    assert counts.unreadable_values == {"n": [("w", "b.jsonl"), ("x", "a.jsonl"), ("y", "a.jsonl")]}
    halves = [
        to_record_batch(rows[part], {"n": ExampleColumn(kind="float")}, (), written)[1] for part in ([2, 3], [0, 1])
    ]
    assert merged(halves) == counts


def test_truth_is_a_number() -> None:
    rows = pl.DataFrame({"x": ["true", "False", "", "0.5", "yes"]})
    for kind, numbers in (("float", [[1.0], [0.0], [], [0.5], []]), ("int", [[1], [0], [], [], []])):
        batch, _ = to_record_batch(rows, {"x": ExampleColumn(kind=kind)}, ())
        assert [values(example)["x"] for example in serialize(batch)] == numbers


def test_numbers_as_their_files_write_them() -> None:
    rows = pl.DataFrame({"x": ["1.234,5", "7", "1.5"], "n": ["1.234", "-5", "9.007.199.254.740.993"]})
    columns = {"x": ExampleColumn(kind="float"), "n": ExampleColumn(kind="int")}
    batch, counts = to_record_batch(rows, columns, (), Written(Notation(decimal=",", thousands=".")))
    found = [values(example) for example in serialize(batch)]
    assert [row["x"] for row in found] == [[1234.5], [7.0], []]
    assert [row["n"] for row in found] == [[1234], [-5], [9007199254740993]]
    assert counts.unreadable == {"x": 1}


def test_a_list_where_one_value_is_asked_is_refused_by_its_file() -> None:
    rows = pl.DataFrame({"x": [["a"], [], ["b", "c"]], FILE: [0, 0, 1]})
    written = Written(files=("a.jsonl", "b.jsonl"))
    with pytest.raises(
        LogsError, match=r"b\.jsonl: column 'x' holds several values, such as \['b', 'c'\], where one is asked"
    ):
        to_record_batch(rows, {"x": ExampleColumn(single=True)}, (), written)
    batch, _ = to_record_batch(rows[:2], {"x": ExampleColumn(single=True)}, (), written)
    assert [values(example)["x"] for example in serialize(batch)] == [[b"a"], []]


def test_features_of_a_side_table_say_where_there_is_a_number() -> None:
    rows = pl.DataFrame({"age": ["30", "", "old"], "city": ["x", "", "y"]})
    features = features_of(rows, {"age": ExampleColumn(kind="float"), "city": ExampleColumn()})
    assert features.filled.to_dict(as_series=False) == {filled_column("age"): [True, False, False]}
    assert features.counts.unreadable == {"age": 1}
    assert features_of(rows, {}).filled.columns == []


def test_one_value_and_empty_ones_in_a_list_are_one_value() -> None:
    rows = pl.DataFrame({"word": [["a", ""], ["", "b"], [""], None]})
    batch, _ = to_record_batch(rows, {"word": ExampleColumn(single=True)}, [])
    assert [values(example)["word"] for example in serialize(batch)] == [[b"a"], [b"b"], [], []]
