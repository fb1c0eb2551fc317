from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tensorflow_model_analysis.proto import config_pb2

from tandem.components.metrics import extractors
from tandem.components.metrics.extractors import custom_extractors, group_codes, read_column
from tandem.components.metrics.groups import NO_GROUP
from tandem.components.metrics.rows import NOT_COUNTED
from tandem.components.metrics.slicing import Column


def _batch(**columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


_BYTES = pa.large_list(pa.large_binary())
_INTS = pa.large_list(pa.int64())


def test_reads_lists_nulls_and_absent_columns() -> None:
    batch = _batch(
        tags=pa.array([[b"a", b"b"], None, [], [b"a"]], _BYTES),
        city=pa.array([[1], [2], None, [3]], _INTS),
        empty=pa.nulls(4),
    )
    tags, city = read_column(batch, "tags"), read_column(batch, "city")
    assert (tags.values.tolist(), tags.counts.tolist()) == ([b"a", b"b", b"a"], [2, 0, 0, 1])
    assert (city.values.tolist(), city.counts.tolist()) == ([1, 2, 3], [1, 1, 0, 1])
    for name in ("empty", "nowhere"):
        assert read_column(batch, name).counts.tolist() == [0, 0, 0, 0]


def test_refuses_columns_of_numbers() -> None:
    with pytest.raises(ValueError, match="column 'price' is large_list<item: float>: users and slices need categories"):
        read_column(_batch(price=pa.array([[0.5]], pa.large_list(pa.float32()))), "price")


def test_buckets_read_numbers() -> None:
    batch = _batch(price=pa.array([[0.5], None], pa.large_list(pa.float32())), tags=pa.array([[b"a"], []], _BYTES))
    assert read_column(batch, "price", numbers=True).values.tolist() == [0.5]
    with pytest.raises(ValueError, match=r"column 'tags' is large_list<item: large_binary>: buckets need numbers"):
        read_column(batch, "tags", numbers=True)


def test_integer_users_are_their_own_code() -> None:
    column = Column(np.array([2**62, -5]), np.array([1, 0, 1]))
    assert group_codes(column, "user").tolist() == [2**62, NO_GROUP, -5]


def test_codes_of_users_are_the_same_in_every_batch() -> None:
    users = np.array([f"user {number}".encode() for number in range(10_000)], object)
    one = group_codes(Column(users, np.ones(10_000, int)), "user")
    other = group_codes(Column(users[::-1].copy(), np.ones(10_000, int)), "user")
    assert len(np.unique(one)) == 10_000
    assert one.tolist() == other[::-1].tolist()


def test_a_row_belongs_to_one_user() -> None:
    with pytest.raises(ValueError, match="column 'user' has 2 values in a row"):
        group_codes(Column(np.array([1, 2, 3]), np.array([2, 1])), "user")


def _config(**metric: str) -> config_pb2.EvalConfig:
    config = config_pb2.EvalConfig(model_specs=[config_pb2.ModelSpec(label_keys={"x": "x"})])
    config.metrics_specs.add().metrics.add(**metric)
    return config


def test_refuses_what_it_does_not_do() -> None:
    with pytest.raises(ValueError, match=r"one column as 'group_by', they name \[\]"):
        custom_extractors([], _config(config="{}"))
    config = _config(config='{"group_by": "user"}')
    config.slicing_specs.add(feature_values={"city": "1"})
    with pytest.raises(ValueError, match="feature_keys alone"):
        custom_extractors([], config)


def _stages(*models: str, slices: tuple[str, ...] = (), buckets: str = "{}") -> tuple[Any, Any]:
    """The two functions around the models, as the hook builds them; `buy_given_click` counts clicked rows only."""
    config = _config(config=f'{{"group_by": "user", "buckets": {buckets}}}')
    del config.model_specs[:]
    for name in models:
        spec = config.model_specs.add(name=name, label_keys={"click": "click", "buy_given_click": "buy"})
        spec.example_weight_keys["buy_given_click"] = "click"
    for name in slices:
        config.slicing_specs.add(feature_keys=[name])
    shared = [SimpleNamespace(model_name=name, is_baseline=name == "baseline") for name in models]
    stages = {stage.stage_name: stage.ptransform for stage in custom_extractors(shared, config)}
    return stages["ReadColumns"].fn, stages["ExtractSliceKeys"]._make_rows


def _examples(click: list, buy: list, **columns: pa.Array) -> dict[str, pa.RecordBatch]:
    lists = {"click": pa.array([[v] for v in click], _INTS), "buy": pa.array([[v] for v in buy], _INTS)}
    users = pa.array([[b"u"]] * len(click), _BYTES)
    raw = pa.array([[b"%d" % row] for row in range(len(click))], _BYTES)
    return {"arrow_record_batch": _batch(user=users, __raw_record__=raw, **lists, **columns)}


def _read(stage: Any, *batches: dict) -> list[dict]:
    stage.start_bundle()
    filled = [extracts for batch in batches for extracts in stage.process(batch)]
    return filled + [windowed.value for windowed in stage.finish_bundle()]


def test_small_batches_are_filled_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extractors, "BATCH_ROWS", 5)
    reading, _ = _stages("")
    batches = _read(reading, *[_examples([1, 0], [0, 0])] * 4)
    assert [batch["input"].tolist() for batch in batches] == [[b"0", b"1"] * 3, [b"0", b"1"]]
    assert [len(batch["task_columns"]) for batch in batches] == [6, 2]
    assert _read(reading) == []


def test_rows_by_slice_with_conditions() -> None:
    reading, slicing = _stages("", slices=("city",))
    city = pa.array([[4], None, [4]], _INTS)
    (batch,) = _read(reading, _examples([1, 0, 1], [1, 0, 0], city=city))
    batch["predictions"] = {"click": np.array([0.5, 0.25, 0.75]), "buy_given_click": np.array([[0.1], [0.2], [0.3]])}
    (rows,) = slicing.process(batch)
    (by_city,) = rows.slicings
    assert [by_city.keys[code] for code in by_city.codes] == [(("city", 4),), (("city", "(missing)"),), (("city", 4),)]
    # Outputs in the order of their names: buy_given_click, click.
    assert rows["labels"].tolist() == [[1, 1], [NOT_COUNTED, 0], [0, 1]]
    np.testing.assert_array_equal(rows["scores"], np.array([[0.1, 0.5], [0.2, 0.25], [0.3, 0.75]], np.float32))
    assert len(set(rows["users"])) == len(set(rows["clusters"])) == 1


def test_rows_without_a_user_are_spread_over_clusters() -> None:
    reading, _ = _stages("")
    examples = _examples([0] * 50, [0] * 50)["arrow_record_batch"]
    table = pa.Table.from_batches([examples])
    (batch,) = table.set_column(0, "user", pa.array([None] * 50, _BYTES)).to_batches()
    (read,) = _read(reading, {"arrow_record_batch": batch})
    assert (read["task_columns"].groups == NO_GROUP).all()
    assert len(set(read["task_columns"].clusters)) > 30


def test_rows_in_buckets() -> None:
    reading, slicing = _stages("", slices=("price", "activity"), buckets='{"price": [1, 2], "activity": [5]}')
    price = pa.array([[1.5], [2.0], None], pa.large_list(pa.float32()))
    (batch,) = _read(reading, _examples([1, 0, 1], [1, 0, 0], price=price))
    batch["predictions"] = {"click": np.full(3, 0.5), "buy_given_click": np.full(3, 0.5)}
    (rows,) = slicing.process(batch)
    by_price, before_activity = rows.slicings
    assert [by_price.keys[code][0][1] for code in by_price.codes] == ["1..2", ">=2", "(missing)"]
    assert before_activity.keys == ((),)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"click": [0.5, 0.5]}, r"the candidate model does not answer 'buy_given_click'; it answers \['click'\]"),
        (
            {"click": [0.5, 1.5], "buy_given_click": [0.1, 0.1]},
            r"probabilities; 1 of 2 answers lie outside \[0, 1\], one is 1.5",
        ),
        ({"click": [0.5, np.nan], "buy_given_click": [0.1, 0.1]}, "one is nan"),
        ({"click": [[0.5, 0.5], [0.1, 0.2]], "buy_given_click": [0.1, 0.1]}, r"shape \[2\] or \[2, 1\], not \[2, 2\]"),
    ],
)
def test_answers_must_be_probabilities(answers: dict, message: str) -> None:
    reading, slicing = _stages("candidate", "baseline")
    (batch,) = _read(reading, _examples([1, 0], [0, 0]))
    batch["predictions"] = {"candidate": answers, "baseline": {"click": [0.5, 0.5]}}
    with pytest.raises(ValueError, match=message):
        list(slicing.process(batch))


def test_a_baseline_may_lack_outputs(caplog: pytest.LogCaptureFixture) -> None:
    reading, slicing = _stages("candidate", "baseline")
    (batch,) = _read(reading, _examples([1, 0], [0, 0]))
    whole = {"click": [0.5, 0.5], "buy_given_click": [0.1, 0.1]}
    batch["predictions"] = {"candidate": whole, "baseline": {"click": [0.2, 0.3]}}
    (rows,) = slicing.process(batch)
    np.testing.assert_array_equal(rows["scores"][:, 2], [np.nan, np.nan])
    assert "the baseline model does not answer 'buy_given_click': nothing to compare with" in caplog.text


@pytest.mark.parametrize(
    ("click", "message"),
    [
        (pa.array([[1], None], _INTS), "label 'click' must have one value in every example; 1 of 2 have not"),
        (pa.array([[1], [2]], _INTS), "label 'click' must be 0 or 1, an example has 2"),
        (pa.array([[b"1"], [b"0"]], _BYTES), "label 'click' must be 0 or 1, an example has b'1'"),
    ],
)
def test_labels_are_0_or_1_in_every_example(click: pa.Array, message: str) -> None:
    reading, _ = _stages("")
    examples = pa.Table.from_batches([_examples([1, 0], [0, 0])["arrow_record_batch"]])
    (batch,) = examples.set_column(examples.schema.get_field_index("click"), "click", click).to_batches()
    with pytest.raises(ValueError, match=message):
        _read(reading, {"arrow_record_batch": batch})
