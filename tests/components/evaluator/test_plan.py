from __future__ import annotations

import datetime

import pytest
from pydantic import ValidationError

from tandem.components.evaluator.plan import EvaluationPlan, evaluation_plan, final_columns
from tandem.components.evaluator.settings import EvaluationSettings
from tandem.components.evaluator.verdict import Bound, bounds
from tandem.models.tasks import Task, TaskGraph


@pytest.fixture
def graph() -> TaskGraph:
    return TaskGraph([Task(name="click", label="clicked"), Task(name="buy", given="click")])


def _settings(*thresholds: dict, slices: tuple = ("city", ["placement", "device"]), **others) -> EvaluationSettings:
    return EvaluationSettings(group_by="member", slices=slices, thresholds=thresholds, **others)


_AUC = {"metric": "auc", "output": "click", "at_least": 0.7}


def test_outputs_labels_conditions_and_slices(graph: TaskGraph) -> None:
    plan = evaluation_plan(_settings(_AUC), graph)
    assert [(output.name, output.label, output.given, output.final, output.weights) for output in plan.outputs] == [
        ("click", "clicked", None, None, ()),
        ("buy_given_click", "buy", "clicked", None, ()),
        ("click_and_buy", "buy", None, None, ()),
    ]
    assert plan.label_columns == ("buy", "clicked")
    assert plan.slicings == ((), ("city",), ("device", "placement"))
    assert plan.slice_columns == ("city", "device", "placement")
    assert plan.by_activity == (False, False, False)


def test_activity_is_no_column_where_it_has_edges(graph: TaskGraph) -> None:
    plan = evaluation_plan(_settings(_AUC, slices=({"activity": [5]}, ["city", {"activity": [5]}])), graph)
    assert plan.slicings == ((), ("activity",), ("activity", "city"))
    assert plan.slice_columns == ("city",)
    assert plan.by_activity == (False, True, True)
    named = evaluation_plan(_settings(_AUC, slices=("activity",)), graph)
    assert (named.slice_columns, named.by_activity) == (("activity",), (False, False))


def test_is_read_from_json_as_it_was_written(graph: TaskGraph) -> None:
    plan = evaluation_plan(
        _settings(
            _AUC | {"slice": {"city": 12}, "refuse_if": "maybe_missed"},
            _AUC | {"slice": ["placement", "device"], "min_examples": 5},
            slices=("city", ["placement", "device"], {"column": "price", "edges": [0.1, 50]}, {"activity": [5, 20]}),
            weighted=True,
        ),
        graph,
        {"clicked": datetime.timedelta(hours=1)},
        {"click": ("row_weight", "click_weight")},
    )
    text = plan.model_dump_json()
    assert EvaluationPlan.model_validate_json(text) == plan
    assert EvaluationPlan.model_validate_json(text).model_dump_json() == text


def test_a_plan_without_thresholds_is_none(graph: TaskGraph) -> None:
    text = evaluation_plan(_settings(_AUC), graph).model_dump(mode="json")
    text["settings"]["thresholds"] = []
    with pytest.raises(ValidationError, match="at least 1 item"):
        EvaluationPlan.model_validate(text)


def test_thresholds_are_bounds(graph: TaskGraph) -> None:
    settings = _settings(
        {"metric": "log_loss", "output": "buy_given_click", "not_worse_than_blessed_by": 0.01, "slice": "city"},
        {"metric": "calibration", "output": "click", "not_worse_than_blessed_by": 0.1},
        _AUC | {"at_most": 0.9, "not_worse_than_blessed_by": 0.005},
        _AUC | {"slice": {"city": 12}, "min_examples": 7, "refuse_if": "maybe_missed"},
        {"metric": "auc", "output": "click", "at_most": 0.9, "slice": {"city": 12}},
        _AUC | {"slice": ["placement", "device"], "min_examples": 5},
    )
    # By output, then by metric, then as they were given.
    assert bounds(evaluation_plan(settings, graph)) == [
        Bound("auc", "click", lower=0.7),
        Bound("auc", "click", upper=0.9),
        Bound("auc", "click", not_worse_by=0.005),
        Bound("auc", "click", ("city",), (("city", "12"),), lower=0.7, min_examples=7, refuse_if="maybe_missed"),
        Bound("auc", "click", ("city",), (("city", "12"),), upper=0.9, min_examples=100),
        Bound("auc", "click", ("device", "placement"), lower=0.7, min_examples=5),
        Bound("calibration", "click", not_worse_by=0.1),
        Bound("log_loss", "buy_given_click", ("city",), not_worse_by=0.01, min_examples=100),
    ]


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
    plan = evaluation_plan(_settings(_AUC), graph, {"buy": datetime.timedelta(hours=7)})
    assert {output.name: output.final for output in plan.outputs if output.final} == {
        "buy_given_click": "buy_is_final",
        "click_and_buy": "buy_is_final",
    }
    assert plan.label_columns == ("buy", "buy_is_final", "like", "tap")
    everything = evaluation_plan(_settings(_AUC, final_labels_only=False), graph, hours)
    assert all(output.final is None for output in everything.outputs)


def test_weights_are_asked_for(graph: TaskGraph) -> None:
    weights = {"click": ("row_weight",), "buy_given_click": ("row_weight", "buy_weight")}
    plan = evaluation_plan(_settings(_AUC, weighted=True), graph, weights=weights)
    assert {output.name: output.weights for output in plan.outputs} == weights | {"click_and_buy": ()}
    assert plan.weight_columns == ("buy_weight", "row_weight")
    assert evaluation_plan(_settings(_AUC), graph, weights=weights).weight_columns == ()
    with pytest.raises(ValueError, match="weights: there is no output 'buy'; there are click, buy_given_click"):
        evaluation_plan(_settings(_AUC, weighted=True), graph, weights={"buy": ("row_weight",)})


def test_outputs_of_thresholds_are_checked(graph: TaskGraph) -> None:
    with pytest.raises(ValueError, match="no output 'buy'; there are click, buy_given_click, click_and_buy"):
        evaluation_plan(_settings(_AUC | {"output": "buy"}), graph)
