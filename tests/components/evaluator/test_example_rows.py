from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tandem.components.evaluator import beam_steps
from tandem.components.evaluator.beam_steps import MakeRows, ReadColumns
from tandem.components.evaluator.example_rows import ExampleColumns, read_column
from tandem.components.evaluator.plan import EvaluationPlan, OutputColumns
from tandem.components.evaluator.settings import EvaluationSettings
from tandem.components.metrics.rows import NOT_COUNTED
from tandem.components.metrics.slicing import Column
from tandem.components.metrics.users import NO_USER, user_codes


def _batch(**columns: pa.Array) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns.values()), list(columns))


_BYTES = pa.large_list(pa.large_binary())
_INTS = pa.large_list(pa.int64())
_FLOATS = pa.large_list(pa.float32())


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


def test_buckets_and_weights_read_numbers() -> None:
    batch = _batch(price=pa.array([[0.5], None], pa.large_list(pa.float32())), tags=pa.array([[b"a"], []], _BYTES))
    assert read_column(batch, "price", numbers=True).values.tolist() == [0.5]
    with pytest.raises(
        ValueError, match=r"column 'tags' is large_list<item: large_binary>: buckets and weights need numbers"
    ):
        read_column(batch, "tags", numbers=True)


def test_integer_users_are_their_own_code() -> None:
    column = Column(np.array([2**62, -5]), np.array([1, 0, 1]))
    assert user_codes(column, "user").tolist() == [2**62, NO_USER, -5]


def test_codes_of_users_are_the_same_in_every_batch() -> None:
    users = np.array([f"user {number}".encode() for number in range(10_000)], object)
    one = user_codes(Column(users, np.ones(10_000, int)), "user")
    other = user_codes(Column(users[::-1].copy(), np.ones(10_000, int)), "user")
    assert len(np.unique(one)) == 10_000
    assert one.tolist() == other[::-1].tolist()


def test_a_row_whose_user_is_empty_is_anonymous() -> None:
    column = Column(np.array([b"", b"u", ""], object), np.array([1, 0, 1, 1]))
    codes = user_codes(column, "user")
    assert codes[[0, 1, 3]].tolist() == [NO_USER] * 3
    assert codes[2] != NO_USER


def test_without_users_every_row_is_anonymous_and_its_cluster_is_that_of_its_bytes() -> None:
    plan = _plan()
    settings = plan.settings.model_copy(update={"group_by": None})
    plan = plan.model_copy(update={"settings": settings})
    rows = [_examples([0] * 40, [0] * 40)] * 2
    ((_, columns),) = _read(plan, *rows)
    assert set(columns.users.tolist()) == {NO_USER}
    assert columns.clusters[:40].tolist() == columns.clusters[40:].tolist()
    assert len(set(columns.clusters[:40].tolist())) > 20


def test_a_row_belongs_to_one_user() -> None:
    with pytest.raises(ValueError, match="column 'user' has 2 values in a row"):
        user_codes(Column(np.array([1, 2, 3]), np.array([2, 1])), "user")


_THRESHOLD = {"metric": "auc", "output": "click", "at_least": 0.5}


def _plan(*slices: Any, weights: dict[str, tuple[str, ...]] | None = None) -> EvaluationPlan:
    """`buy_given_click` counts clicked rows only."""
    of = weights or {}
    return EvaluationPlan(
        settings=EvaluationSettings(group_by="user", slices=slices, thresholds=[_THRESHOLD]),
        outputs=(
            OutputColumns(name="buy_given_click", label="buy", given="click", weights=of.get("buy_given_click", ())),
            OutputColumns(name="click", label="click", weights=of.get("click", ())),
        ),
    )


def _examples(click: list, buy: list, **columns: pa.Array) -> pa.RecordBatch:
    lists = {"click": pa.array([[v] for v in click], _INTS), "buy": pa.array([[v] for v in buy], _INTS)}
    users = pa.array([[b"u"]] * len(click), _BYTES)
    raw = pa.array([[b"%d" % row] for row in range(len(click))], _BYTES)
    return _batch(user=users, __raw_record__=raw, **lists, **columns)


def _read(plan: EvaluationPlan, *batches: pa.RecordBatch) -> list[tuple[np.ndarray, ExampleColumns]]:
    stage = ReadColumns(plan)
    stage.start_bundle()
    filled = list(itertools.chain.from_iterable(map(stage.process, batches)))
    return filled + [windowed.value for windowed in stage.finish_bundle()]


def test_small_batches_are_filled_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beam_steps, "BATCH_ROWS", 5)
    batches = _read(_plan(), *[_examples([1, 0], [0, 0])] * 4)
    assert [examples.tolist() for examples, _ in batches] == [[b"0", b"1"] * 3, [b"0", b"1"]]
    assert [len(columns) for _, columns in batches] == [6, 2]
    assert _read(_plan()) == []


def test_rows_by_slice_with_conditions() -> None:
    plan = _plan("city")
    city = pa.array([[4], None, [4]], _INTS)
    ((_, columns),) = _read(plan, _examples([1, 0, 1], [1, 0, 0], city=city))
    answers = {"click": np.array([0.5, 0.25, 0.75]), "buy_given_click": np.array([[0.1], [0.2], [0.3]])}
    (rows,) = MakeRows(plan).process((columns, {"candidate": answers}))
    everything, by_city = rows.slicings
    assert everything.keys == ((),)
    assert [by_city.keys[code] for code in by_city.codes] == [(("city", 4),), (("city", "(missing)"),), (("city", 4),)]
    # Outputs in the order of the plan: buy_given_click, click.
    assert rows.labels.tolist() == [[1, 1], [NOT_COUNTED, 0], [0, 1]]
    np.testing.assert_array_equal(rows.scores, np.array([[0.1, 0.5], [0.2, 0.25], [0.3, 0.75]], np.float32))
    assert len(set(rows.users)) == len(set(rows.clusters)) == 1
    assert rows.weights == ()


def test_rows_without_a_user_are_spread_over_clusters() -> None:
    table = pa.Table.from_batches([_examples([0] * 50, [0] * 50)])
    (batch,) = table.set_column(0, "user", pa.array([None] * 50, _BYTES)).to_batches()
    ((_, columns),) = _read(_plan(), batch)
    assert (columns.users == NO_USER).all()
    assert len(set(columns.clusters)) > 30


def test_rows_in_buckets() -> None:
    plan = _plan({"column": "price", "edges": [1, 2]}, {"activity": [5]})
    price = pa.array([[1.5], [2.0], None], _FLOATS)
    ((_, columns),) = _read(plan, _examples([1, 0, 1], [1, 0, 0], price=price))
    answers = {"click": np.full(3, 0.5), "buy_given_click": np.full(3, 0.5)}
    (rows,) = MakeRows(plan).process((columns, {"candidate": answers}))
    _, by_price, before_activity = rows.slicings
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
    ((_, columns),) = _read(_plan(), _examples([1, 0], [0, 0]))
    with pytest.raises(ValueError, match=message):
        list(MakeRows(_plan()).process((columns, {"candidate": answers, "baseline": {"click": [0.5, 0.5]}})))


def test_a_baseline_may_lack_outputs(caplog: pytest.LogCaptureFixture) -> None:
    ((_, columns),) = _read(_plan(), _examples([1, 0], [0, 0]))
    whole = {"click": [0.5, 0.5], "buy_given_click": [0.1, 0.1]}
    (rows,) = MakeRows(_plan()).process((columns, {"candidate": whole, "baseline": {"click": [0.2, 0.3]}}))
    np.testing.assert_array_equal(rows.scores[:, 2], [np.nan, np.nan])
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
    examples = pa.Table.from_batches([_examples([1, 0], [0, 0])])
    (batch,) = examples.set_column(examples.schema.get_field_index("click"), "click", click).to_batches()
    with pytest.raises(ValueError, match=message):
        _read(_plan(), batch)


def test_a_rows_weight_is_the_product_of_its_columns() -> None:
    plan = _plan(weights={"buy_given_click": ("row_weight", "buy_weight")})
    weights = {
        "row_weight": pa.array([[0.5], [2.0], [0.0]], _FLOATS),
        "buy_weight": pa.array([[3], [4], [5]], _INTS),
    }
    ((_, columns),) = _read(plan, _examples([1, 1, 1], [1, 0, 0], **weights))
    answers = {"click": np.full(3, 0.5), "buy_given_click": np.full(3, 0.5)}
    (rows,) = MakeRows(plan).process((columns, {"candidate": answers}))
    of_buys, of_clicks = rows.weights
    assert of_clicks is None
    assert of_buys is not None
    assert of_buys.tolist() == [1.5, 8.0, 0.0]
    assert rows.counted(0).tolist() == [True, True, False]
    assert rows.counted(1).tolist() == [True, True, True]


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (pa.array([[1.0], None], _FLOATS), "weight 'w' must have one value in every example; 1 of 2 have not"),
        (pa.array([[1.0], [-0.5]], _FLOATS), r"column 'w': .* not negative; 1 of 2 are not, one is -0\.5"),
        (pa.array([[1.0], [np.inf]], _FLOATS), r"column 'w': weights must be finite .* one is inf"),
        (pa.array([[1.0], [np.nan]], _FLOATS), r"column 'w': weights must be finite .* one is nan"),
        (pa.array([[b"1"], [b"2"]], _BYTES), r"column 'w' is large_list<item: large_binary>: .* weights need numbers"),
    ],
)
def test_weights_are_finite_and_not_negative_in_every_example(weight: pa.Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _read(_plan(weights={"click": ("w",)}), _examples([1, 0], [0, 0], w=weight))


def test_a_weight_that_no_example_has_is_an_error() -> None:
    with pytest.raises(ValueError, match="weight 'w' must have one value in every example; 2 of 2 have not"):
        _read(_plan(weights={"click": ("w",)}), _examples([1, 0], [0, 0]))
