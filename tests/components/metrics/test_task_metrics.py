from __future__ import annotations

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.metrics import catalog, task_metrics
from components.metrics.groups import NO_GROUP
from components.metrics.ranking import auc, grouped_auc
from components.metrics.rows import NOT_COUNTED, Layout, OutputColumns, Rows

_LAYOUT = Layout(("a", "b"), (OutputColumns("x", "x", None), OutputColumns("y_given_x", "y", "x")))


def _rows(count: int = 50) -> Rows:
    rng = np.random.default_rng(3)
    x = rng.integers(0, 2, count)
    y = np.where(x == 1, rng.integers(0, 2, count), NOT_COUNTED)
    groups = rng.integers(0, 6, count)
    groups[:3] = NO_GROUP
    return Rows(groups, np.stack([x, y], 1).astype(np.int8), np.round(rng.random((count, 4)), 1).astype(np.float32))


def _computed(*parts: Rows) -> dict[tuple[str, str, str], float]:
    combiner = task_metrics.TaskMetricsCombiner(_LAYOUT)
    accumulators = []
    for part in parts:
        accumulator = combiner.add_input(combiner.create_accumulator(), part)
        accumulators.append(pickle.loads(pickle.dumps(accumulator)))
    output = combiner.extract_output(combiner.merge_accumulators(accumulators))
    return {(key.name.removeprefix("_task_"), key.model_name, key.output_name): value for key, value in output.items()}


def test_every_metric_of_the_catalog_is_a_registered_class() -> None:
    assert list(task_metrics.METRIC_CLASSES) == list(catalog.METRICS)
    for cls in task_metrics.METRIC_CLASSES.values():
        assert metric_types.registered_metrics()[cls.__name__] is cls


def test_values_are_those_of_the_pure_functions() -> None:
    rows = _rows()
    computed = _computed(rows)
    counted = rows.labels[:, 1] != NOT_COUNTED
    grouped = counted & (rows.groups != NO_GROUP)
    labels, scores = rows.labels[:, 1], rows.scores[:, 3]  # model b, output y_given_x
    by_user = grouped_auc(rows.groups[grouped], labels[grouped], scores[grouped])
    assert computed["auc", "b", "y_given_x"] == auc(labels[counted], scores[counted])
    assert computed["gauc", "b", "y_given_x"] == by_user.uniform
    assert computed["gauc_by_positives", "b", "y_given_x"] == by_user.by_positives
    assert computed["example_count", "b", "y_given_x"] == counted.sum()
    assert computed["positive_count", "b", "y_given_x"] == (labels == 1).sum()
    assert (
        computed["gauc_rows_left_out", "a", "x"]
        == 3 + grouped_auc(rows.groups[3:], rows.labels[3:, 0], rows.scores[3:, 0]).rows_left_out
    )


@given(cuts=st.lists(st.integers(0, 50), max_size=5), seed=st.integers(0, 99))
def test_merging_in_any_order_and_partition(cuts: list[int], seed: int) -> None:
    rows = _rows()
    order = np.random.default_rng(seed).permutation(len(rows))
    parts = [rows.take(index) for index in np.split(order, sorted(cuts))]
    expected = _computed(rows)
    computed = _computed(*parts)
    assert computed.keys() == expected.keys()
    for key, value in expected.items():
        assert computed[key] == pytest.approx(value, abs=1e-12, nan_ok=True)


def test_an_accumulator_stays_short() -> None:
    combiner = task_metrics.TaskMetricsCombiner(_LAYOUT)
    accumulator = combiner.create_accumulator()
    for _ in range(200):
        accumulator = combiner.add_input(accumulator, _rows(2))
    assert len(accumulator.parts) < 64
    assert sum(map(len, accumulator.parts)) == 400


def test_an_output_that_a_model_lacks_has_counts_only() -> None:
    rows = _rows()
    scores = rows.scores.copy()
    scores[:, 1] = np.nan
    computed = _computed(Rows(rows.groups, rows.labels, scores))
    assert math.isnan(computed["auc", "a", "y_given_x"])
    assert math.isnan(computed["gauc_users", "a", "y_given_x"])
    assert computed["example_count", "a", "y_given_x"] == computed["example_count", "b", "y_given_x"]
    assert computed["auc", "b", "y_given_x"] == _computed(rows)["auc", "b", "y_given_x"]


def test_no_rows_at_all() -> None:
    combiner = task_metrics.TaskMetricsCombiner(_LAYOUT)
    assert combiner.extract_output(combiner.create_accumulator()) == {}


def _config() -> config_pb2.EvalConfig:
    config = config_pb2.EvalConfig()
    for name in ("a", "b"):
        model = config.model_specs.add(name=name, label_keys={"x": "x", "y_given_x": "y"})
        model.example_weight_keys["y_given_x"] = "x"
    for output in ("x", "y_given_x"):
        spec = config.metrics_specs.add(output_names=[output], model_names=["a", "b"])
        for name in ("auc", "gauc", "log_loss"):
            cls = task_metrics.METRIC_CLASSES[name]
            spec.metrics.add(class_name=cls.__name__, module=cls.__module__, config='{"group_by": "user"}')
    return config


def test_all_metrics_share_one_computation() -> None:
    computations = metric_specs.to_computations(list(_config().metrics_specs), _config())
    shared = [each for each in computations if isinstance(each, metric_types.MetricComputation)]
    assert len(shared) == 6
    assert len(set(shared)) == 1
    derived = [each for each in computations if isinstance(each, metric_types.DerivedMetricComputation)]
    assert len(set(derived)) == 6
    assert sorted({(key.name, key.model_name) for each in derived for key in each.keys}) == [
        (metric, model) for metric in ("auc", "gauc", "log_loss") for model in ("a", "b")
    ]


def test_layout_reads_labels_and_conditions() -> None:
    assert Layout.of(_config()) == _LAYOUT
    assert _LAYOUT.label_columns == ("x", "y")
    config = _config()
    config.model_specs[1].label_keys["x"] = "z"
    with pytest.raises(ValueError, match="'a' and 'b' differ"):
        Layout.of(config)
    with pytest.raises(ValueError, match="no label_keys"):
        Layout.of(config_pb2.EvalConfig(model_specs=[config_pb2.ModelSpec()]))
