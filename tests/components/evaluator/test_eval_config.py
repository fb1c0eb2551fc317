from __future__ import annotations

import datetime
import json

import pytest
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_specs
from tensorflow_model_analysis.utils import config_util

from tandem.components.evaluator.bounds import bounds
from tandem.components.evaluator.eval_config import eval_config, final_columns
from tandem.components.evaluator.settings import EvaluationSettings
from tandem.components.evaluator.verdict import Bound
from tandem.components.metrics.rows import Layout
from tandem.models.tasks import Task, TaskGraph


@pytest.fixture
def graph() -> TaskGraph:
    return TaskGraph([Task(name="click", label="clicked"), Task(name="buy", given="click")])


def _settings(*thresholds: dict, slices: tuple = ("city", ["placement", "device"])) -> EvaluationSettings:
    return EvaluationSettings(group_by="member", slices=slices, thresholds=thresholds)


_AUC = {"metric": "auc", "output": "click", "at_least": 0.7}


def test_models_labels_conditions_and_slices(graph: TaskGraph) -> None:
    config = eval_config(_settings(_AUC), graph)
    assert [(spec.name, spec.is_baseline) for spec in config.model_specs] == [("candidate", False), ("baseline", True)]
    for spec in config.model_specs:
        assert dict(spec.label_keys) == {"click": "clicked", "buy_given_click": "buy", "click_and_buy": "buy"}
        assert dict(spec.example_weight_keys) == {"buy_given_click": "clicked"}
        assert (spec.model_type, spec.signature_name) == ("tf_generic", "serving_default")
    assert [list(spec.feature_keys) for spec in config.slicing_specs] == [[], ["city"], ["device", "placement"]]
    assert {json.loads(m.config)["group_by"] for spec in config.metrics_specs for m in spec.metrics} == {"member"}
    tfma.utils.verify_eval_config(config)


def test_thresholds_come_back_as_bounds(graph: TaskGraph) -> None:
    settings = _settings(
        _AUC | {"at_most": 0.9, "not_worse_than_blessed_by": 0.005},
        {"metric": "log_loss", "output": "buy_given_click", "not_worse_than_blessed_by": 0.01, "slice": "city"},
        _AUC | {"slice": {"city": 12}, "min_examples": 7, "refuse_if": "maybe_missed"},
        {"metric": "auc", "output": "click", "at_most": 0.9, "slice": {"city": 12}},
        {"metric": "calibration", "output": "click", "not_worse_than_blessed_by": 0.1},
        _AUC | {"slice": ["placement", "device"], "min_examples": 5},
    )
    assert sorted(bounds(eval_config(settings, graph)), key=str) == sorted(
        [
            Bound("auc", "click", lower=0.7),
            Bound("auc", "click", upper=0.9),
            Bound("auc", "click", change=-0.005, higher_is_better=True),
            Bound("log_loss", "buy_given_click", ("city",), change=0.01, higher_is_better=False, min_examples=100),
            Bound("auc", "click", ("city",), (("city", "12"),), lower=0.7, min_examples=7, refuse_if="maybe_missed"),
            Bound("auc", "click", ("city",), (("city", "12"),), upper=0.9, min_examples=100),
            Bound("calibration", "click", change=0.1, higher_is_better=False),
            Bound("auc", "click", ("device", "placement"), lower=0.7, min_examples=5),
        ],
        key=str,
    )


def test_tfma_binds_thresholds_to_metric_output_and_slice(graph: TaskGraph) -> None:
    config = eval_config(_settings(_AUC | {"not_worse_than_blessed_by": 0.0}), graph)
    config = config_util.update_eval_config_with_defaults(config, has_baseline=True)
    found = metric_specs.metric_thresholds_from_metrics_specs(config.metrics_specs, eval_config=config)
    candidate = {
        (key.name, key.output_name, key.is_diff): slices[0][0]
        for key, slices in found.items()
        if key.model_name == "candidate"
    }
    assert set(candidate) == {("auc", "click", False), ("auc", "click", True)}
    assert all(not slicing.feature_keys for slicing in candidate.values())


def test_without_a_baseline_one_model_is_left(graph: TaskGraph) -> None:
    config = eval_config(_settings(_AUC | {"not_worse_than_blessed_by": 0.0}), graph)
    config = config_util.update_eval_config_with_defaults(config, has_baseline=False, rubber_stamp=True)
    assert [spec.name for spec in config.model_specs] == [""]
    assert not config_util.has_change_threshold(config)


def test_an_output_is_final_when_its_whole_chain_is() -> None:
    graph = TaskGraph(
        [Task(name="click", label="tap"), Task(name="buy", given="click"), Task(name="like", given="click")]
    )
    hours = {"tap": datetime.timedelta(hours=1), "buy": datetime.timedelta(hours=7)}
    final = final_columns(graph, hours)
    assert final == {
        "click": "tap_is_final",
        "buy_given_click": "buy_is_final",
        "click_and_buy": "buy_is_final",
        "like_given_click": "tap_is_final",  # likes have no window, but the click must be certain
        "click_and_like": "tap_is_final",
    }
    assert final_columns(graph, {}) == {}
    layout = Layout.of(eval_config(_settings(_AUC), graph, {"buy_given_click": "buy_is_final"}))
    assert {output.name: output.final for output in layout.outputs if output.final} == {
        "buy_given_click": "buy_is_final"
    }
    assert layout.label_columns == ("buy", "buy_is_final", "like", "tap")


def test_outputs_of_thresholds_are_checked(graph: TaskGraph) -> None:
    with pytest.raises(ValueError, match="no output 'buy'; there are click, buy_given_click, click_and_buy"):
        eval_config(_settings(_AUC | {"output": "buy"}), graph)
