from __future__ import annotations

import pickle

import numpy as np
import pytest
from tensorflow_model_analysis.metrics import metric_specs, metric_types
from tensorflow_model_analysis.proto import config_pb2

from tandem.components.metrics import catalog, task_metrics
from tandem.components.metrics.rows import Layout, OutputColumns, Rows
from tandem.components.metrics.slicing import Sliced
from tandem.components.metrics.task_metrics import DETAILS, read_details
from tandem.components.metrics.values import statistics_of

_LAYOUT = Layout(("a", "b"), (OutputColumns("x", "x", None), OutputColumns("y_given_x", "y", "x")))


def _rows(count: int = 600) -> Rows:
    rng = np.random.default_rng(3)
    users = rng.integers(0, 60, count)
    x = rng.integers(0, 2, count)
    arrays = {
        "users": users,
        "clusters": users.astype(np.uint8),
        "labels": np.stack([x, np.where(x == 1, rng.integers(0, 2, count), -1)], axis=1).astype(np.int8),
        "scores": rng.random((count, 4)).astype(np.float32),
    }
    return Rows(arrays, (Sliced.all_rows(count),))


def test_every_metric_of_the_catalog_is_a_registered_class() -> None:
    assert list(task_metrics.METRIC_CLASSES) == list(catalog.METRICS)
    for cls in (*task_metrics.METRIC_CLASSES.values(), task_metrics.Details):
        assert metric_types.registered_metrics()[cls.__name__] is cls


def _computed(*parts: Rows) -> dict[tuple[str, str, str], float]:
    combiner = task_metrics.TaskMetricsCombiner(_LAYOUT, "b")
    accumulators = []
    for part in parts:
        accumulator = combiner.add_input(combiner.create_accumulator(), statistics_of(part, _LAYOUT))
        accumulators.append(pickle.loads(pickle.dumps(accumulator)))
    output = combiner.extract_output(combiner.merge_accumulators(accumulators))
    return {(key.name.removeprefix("_task_"), key.model_name, key.output_name): value for key, value in output.items()}


def test_details_say_more_of_the_same_values() -> None:
    found = _computed(_rows())
    for model in ("a", "b"):
        details = read_details(found[DETAILS, model, "x"])
        assert {name: value.value for name, value in details.values.items()} == {
            name: found[name, model, "x"] for name in catalog.METRICS
        }
        assert details.values["auc"].low < details.values["auc"].value < details.values["auc"].high
        assert details.curves is not None
    change = read_details(found[DETAILS, "a", "x"]).difference
    assert read_details(found[DETAILS, "b", "x"]).difference == {}
    assert change["auc"].value == found["auc", "a", "x"] - found["auc", "b", "x"]
    assert change["auc"].low < change["auc"].value < change["auc"].high
    assert "example_count" not in change


def test_sums_of_parts_are_added() -> None:
    rows = _rows()
    # Whole users in each part, as shards have them.
    parts = [rows.take(np.flatnonzero(rows["users"] % 3 == number)) for number in range(3)]
    whole, found = _computed(rows), _computed(*parts)
    for metric in ("gauc", "log_loss", "example_count"):
        assert found[metric, "a", "y_given_x"] == pytest.approx(whole[metric, "a", "y_given_x"], rel=1e-12)


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
