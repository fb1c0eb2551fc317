from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from tandem.components.evaluator.settings import EvaluationSettings, Threshold
from tandem.models.tasks import Task, TaskGraph

_AUC = {"metric": "auc", "output": "click", "at_least": 0.7}


def test_short_forms() -> None:
    settings = EvaluationSettings(
        slices=["city", ["device", "placement"]],
        thresholds=[
            _AUC | {"slice": "city"},
            _AUC | {"slice": {"city": 12}},
            _AUC | {"slice": ["placement", "device"]},
        ],
    )
    assert settings.group_by == "user_id"
    assert settings.slices == (("city",), ("device", "placement"))
    assert [threshold.slice for threshold in settings.thresholds] == [
        ("city",),
        {"city": "12"},
        ("placement", "device"),
    ]
    assert [threshold.columns for threshold in settings.thresholds] == [("city",), ("city",), ("device", "placement")]


def test_slices_by_number_and_activity() -> None:
    settings = EvaluationSettings(
        slices=[
            {"column": "price", "edges": [10, 50]},
            ["device", {"activity": [5, 20]}],
            [{"activity": [5, 20]}, {"column": "price", "edges": [10, 50]}],
        ],
        thresholds=[_AUC | {"slice": {"price": "10..50"}}, _AUC | {"slice": ["device", "activity"]}],
    )
    assert settings.slicings == (("price",), ("activity", "device"), ("activity", "price"))
    assert settings.buckets == {"price": (10, 50), "activity": (5, 20)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"metric": "ndcg"}, "there is no metric 'ndcg'; there are auc, gauc, gauc_by_impressions"),
        ({"at_least": None}, "give 'at_least', 'at_most' or 'not_worse_than_blessed_by'"),
        ({"at_most": 0.6}, r"'at_least' \(0\.7\) is above 'at_most' \(0\.6\)"),
        ({"not_worse_than_blessed_by": -0.1}, "greater than or equal to 0"),
        (
            {"metric": "example_count", "not_worse_than_blessed_by": 0.1},
            r"\(auc, gauc, .*log_loss, .*calibration.*\), not 'example_count'",
        ),
        (
            {"metric": "calibration", "not_worse_than_blessed_by": 0.1, "refuse_if": "maybe_missed"},
            "'refuse_if: maybe_missed' does not go with 'not_worse_than_blessed_by' of 'calibration'",
        ),
        (
            {"metric": "positive_count", "refuse_if": "surely_missed"},
            "needs a metric with an interval; 'positive_count' counts",
        ),
        ({"atleast": 0.7}, "Extra inputs are not permitted"),
    ],
)
def test_refuses_thresholds_that_cannot_be_checked(change: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Threshold(**(_AUC | change))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"thresholds": []}, "at least 1 item"),
        (
            {"thresholds": [_AUC, _AUC | {"at_least": 0.8}]},
            "'at_least' for auc of click comes twice for the same slice",
        ),
        (
            {"thresholds": [_AUC | {"slice": "device"}], "slices": ["city"]},
            r"\['device'\] is not among the slices; they are \[\['city'\]\]",
        ),
        ({"thresholds": [_AUC], "slices": [["a", "b"], ["b", "a"]]}, "comes twice"),
        ({"thresholds": [_AUC], "slices": [["a", "a"]]}, "has a column twice"),
        ({"thresholds": [_AUC], "slices": [{"column": "price"}]}, "edges\n  Field required"),
        ({"thresholds": [_AUC], "slices": [{"column": "price", "edges": [50, 10]}]}, "edges must ascend"),
        ({"thresholds": [_AUC], "slices": [{"column": "price", "edges": [float("nan")]}]}, "finite number"),
        ({"thresholds": [_AUC], "slices": [{"activity": [1]}]}, "greater than or equal to 2"),
        (
            {"thresholds": [_AUC], "slices": ["price", ["a", {"column": "price", "edges": 1}]]},
            "'price' comes in two forms",
        ),
        ({"thresholds": [_AUC], "slices": ["activity", {"activity": 5}]}, "'activity' comes in two forms"),
        ({"thresholds": [_AUC], "slices": [[]]}, "at least 1 item"),
    ],
)
def test_refuses_sections_that_contradict_themselves(settings: dict, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EvaluationSettings(**settings)


def test_bounds_of_one_slice_may_be_judged_differently_and_have_a_size_of_their_own() -> None:
    settings = EvaluationSettings(
        slices=["city"],
        min_examples=500,
        thresholds=[
            _AUC | {"slice": "city"},
            {"metric": "auc", "output": "click", "not_worse_than_blessed_by": 0.01, "slice": "city"}
            | {"refuse_if": "surely_missed", "min_examples": 7},
        ],
    )
    assert [settings.least_examples(threshold) for threshold in settings.thresholds] == [500, 7]
    assert [threshold.kinds for threshold in settings.thresholds] == [("at_least",), ("not_worse_than_blessed_by",)]


def test_outputs_are_those_of_the_tasks() -> None:
    graph = TaskGraph([Task(name="click"), Task(name="buy", given="click")])
    EvaluationSettings(thresholds=[_AUC | {"output": "buy_given_click"}]).check(graph)
    with pytest.raises(ValueError, match="no output 'buy'; there are click, buy_given_click, click_and_buy"):
        EvaluationSettings(thresholds=[_AUC | {"output": "buy"}]).check(graph)


def test_reading_settings_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom tandem.components.evaluator import results, settings, verdict\n"
        "print([name for name in ('tensorflow', 'tensorflow_model_analysis', 'tfx', 'apache_beam', 'numpy') "
        "if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_without_users_nothing_may_be_asked_of_them() -> None:
    assert EvaluationSettings(group_by=None, slices=["city"], thresholds=[_AUC]).group_by is None
    with pytest.raises(ValidationError, match="gauc_users of click is about users, and 'group_by' is null"):
        EvaluationSettings(group_by=None, thresholds=[_AUC, _AUC | {"metric": "gauc_users"}])
    with pytest.raises(ValidationError, match="'activity' counts the rows of users, and 'group_by' is null"):
        EvaluationSettings(group_by=None, slices=[["city", {"activity": [5]}]], thresholds=[_AUC])


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (False, "false"), (12, "12"), (1.5, "1.5"), ("x", "x")])
def test_the_value_of_a_slice_is_written_as_logs_write_it(value: object, text: str) -> None:
    threshold = Threshold(metric="auc", output="click", at_least=0.5, slice={"is_new": value})
    assert threshold.slice == {"is_new": text}
