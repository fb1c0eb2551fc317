from __future__ import annotations

import dataclasses
import datetime
import json
import logging
import math
import pathlib
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sklearn.metrics
import tensorflow_model_analysis as tfma
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts
from tfx.utils import json_utils

from tandem.components.evaluator import results
from tandem.components.evaluator.executor import Executor
from tandem.components.evaluator.plan import EvaluationPlan, evaluation_plan
from tandem.components.evaluator.settings import EvaluationSettings
from tandem.models.tasks import Task, TaskGraph

if TYPE_CHECKING:
    from collections.abc import Callable

_KEPT = {"metric": "auc", "output": "click", "at_least": 0.5}
_SLICES = ["city", "tags", ["device", "city"]]


@pytest.fixture(scope="module")
def examples(write_examples: Callable, world: Any) -> standard_artifacts.Examples:
    return write_examples(world)


@pytest.fixture
def evaluate(
    tmp_path: pathlib.Path, examples: standard_artifacts.Examples, graph: Any
) -> Callable[..., SimpleNamespace]:
    """Runs the executor: `evaluate(thresholds, model, baseline, slices=[])`."""

    def run(
        thresholds: list[dict],
        model: standard_artifacts.Model,
        baseline: standard_artifacts.Model | None = None,
        slices: list | None = None,
        plan: EvaluationPlan | str | None = None,
        of: standard_artifacts.Examples = examples,
    ) -> SimpleNamespace:
        if plan is None:
            plan = evaluation_plan(EvaluationSettings(slices=slices or [], thresholds=thresholds), graph)
        evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
        evaluation.uri, blessing.uri = str(tmp_path / "evaluation"), str(tmp_path / "blessing")
        context = base_beam_executor.BaseBeamExecutor.Context(
            beam_pipeline_args=["--direct_num_workers=1"], tmp_dir=str(tmp_path), unique_id="1"
        )
        inputs = {"examples": [of], "model": [model]}
        Executor(context).Do(
            inputs if baseline is None else inputs | {"baseline_model": [baseline]},
            {"evaluation": [evaluation], "blessing": [blessing]},
            {
                "plan": plan if isinstance(plan, str) else plan.model_dump_json(),
                "example_splits": json_utils.dumps(["eval"]),
            },
        )
        return SimpleNamespace(
            uri=evaluation.uri,
            verdict=results.read_verdict(evaluation.uri),
            metrics={(m.model, m.slice, m.output, m.metric): m.value for m in results.read_metrics(evaluation.uri)},
            blessing=blessing,
            files=sorted(path.name for path in pathlib.Path(blessing.uri).iterdir()),
        )

    return run


def _no_model() -> standard_artifacts.Model:
    baseline = standard_artifacts.Model()
    baseline.uri = "/nowhere"
    baseline.set_int_custom_property("has_model", 0)
    return baseline


def _slices_of(world: Any) -> dict[tuple, np.ndarray]:
    """All slices of `_SLICES` as masks, by a plain loop."""
    city = [int(value) if value else "(missing)" for value in world.city]
    masks: dict[tuple, list[int]] = {}
    for row in range(len(world.x)):
        keys = [(), (("city", city[row]),), (("city", city[row]), ("device", str(world.device[row])))]
        keys += [(("tags", tag),) for tag in world.tags[row] or ["(missing)"]]
        for key in keys:
            masks.setdefault(key, []).append(row)
    return {key: np.isin(np.arange(len(world.x)), rows) for key, rows in masks.items()}


def _reference(
    labels: np.ndarray, scores: np.ndarray, users: np.ndarray, weights: np.ndarray | None = None
) -> dict[str, float]:
    """The metrics, user by user, by scikit-learn."""
    if weights is None:
        weights = np.ones(len(labels))
    labels, scores, users, weights = (values[weights > 0] for values in (labels, scores, users, weights))
    by_user = [(labels[users == user], scores[users == user], weights[users == user]) for user in np.unique(users)]
    used = [(y, p, w) for y, p, w in by_user if 0 < y.sum() < len(y)]
    aucs = [sklearn.metrics.roc_auc_score(y, p, sample_weight=w) for y, p, w in used]
    mean = (lambda of_user: np.average(aucs, weights=of_user)) if used else (lambda of_user: math.nan)
    both = 0 < labels.sum() < len(labels)
    scores = scores.astype(np.float64)
    log_loss, entropy = math.nan, math.nan
    if len(labels):
        log_loss = sklearn.metrics.log_loss(labels, scores, labels=[0, 1], sample_weight=weights)
        rate = np.full(len(labels), np.average(labels, weights=weights))
        entropy = sklearn.metrics.log_loss(labels, rate, labels=[0, 1], sample_weight=weights)
    return {
        "auc": sklearn.metrics.roc_auc_score(labels, scores, sample_weight=weights) if both else math.nan,
        "gauc": mean([1 for _ in used]),
        "gauc_by_impressions": mean([w.sum() for _, _, w in used]),
        "gauc_by_positives": mean([(w * y).sum() for y, _, w in used]),
        "log_loss": log_loss,
        "normalized_entropy": log_loss / entropy if both else math.nan,
        "expected_calibration_error": _calibration_error(labels, scores, weights),
        "calibration": (weights * scores).sum() / (weights * labels).sum() if labels.sum() else math.nan,
        "example_count": len(labels),
        "positive_count": labels.sum(),
        "gauc_users": len(used),
        "gauc_users_left_out": len(by_user) - len(used),
        "gauc_rows_left_out": len(labels) - sum(len(y) for y, _, _ in used),
        "gauc_rows_without_user": 0,
    }


def _calibration_error(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> float:
    """By bins of one half in log-odds."""
    bins: dict[int, list[float]] = {}
    for label, score, weight in zip(labels, scores, weights, strict=True):
        bins.setdefault(math.floor(2 * math.log(score / (1 - score))), []).append(weight * (score - label))
    return sum(abs(sum(gaps)) for gaps in bins.values()) / weights.sum() if len(labels) else math.nan


def test_every_number_equals_scikit_learn(evaluate: Callable, saved_model: Callable, world: Any) -> None:
    done = evaluate([_KEPT], saved_model(1.0), saved_model(-0.3, 0.2, column=True), _SLICES)
    expected = {}
    for key, mask in _slices_of(world).items():
        for model, answers in (("candidate", world.answers(1.0)), ("baseline", world.answers(-0.3, 0.2))):
            for output, scores in answers.items():
                rows = mask & (world.click == 1) if output == "buy_given_click" else mask
                labels = world.click if output == "click" else world.buy
                values = _reference(labels[rows], scores[rows], world.user[rows])
                expected.update({(model, key, output, metric): value for metric, value in values.items()})
    assert {key for key in done.metrics if key[0] != "difference"} == expected.keys()
    for key, value in expected.items():
        assert done.metrics[key] == pytest.approx(value, abs=1e-12, rel=1e-9, nan_ok=True), key
    for (model, *rest), value in done.metrics.items():
        if model == "difference":
            change = expected[("candidate", *rest)] - expected[("baseline", *rest)]
            assert value == pytest.approx(change, abs=1e-9, nan_ok=True), rest
    assert any(math.isnan(value) for value in expected.values())


def test_without_users_there_is_no_gauc_and_intervals_are_made_of_rows(
    evaluate: Callable, saved_model: Callable, world: Any
) -> None:
    plan = {"settings": {"group_by": None, "thresholds": [_KEPT]}, "outputs": [{"name": "click", "label": "click"}]}
    done = evaluate([], saved_model(1.0, outputs=("click",)), plan=json.dumps(plan))
    scores = world.answers(1.0)["click"]
    expected = _reference(world.click, scores, np.arange(len(world.x)))
    names = {name for name in expected if not name.startswith("gauc")}
    assert {metric for _, _, _, metric in done.metrics} == names
    for name in names:
        assert done.metrics["candidate", (), "click", name] == pytest.approx(expected[name], abs=1e-12)
    auc = next(each for each in results.read_metrics(done.uri) if each.metric == "auc")
    positives, negatives = scores[world.click == 1], scores[world.click == 0]
    wins = (positives[:, None] > negatives) + (positives[:, None] == negatives) / 2
    delong = math.sqrt(wins.mean(axis=1).var(ddof=1) / len(positives) + wins.mean(axis=0).var(ddof=1) / len(negatives))
    assert auc.high - auc.low == pytest.approx(2 * 1.96 * delong, rel=0.2)


def test_rows_whose_label_may_still_change_do_not_count(
    evaluate: Callable, saved_model: Callable, world: Any, graph: Any
) -> None:
    final = {"buy_given_click", "click_and_buy"}
    settings = EvaluationSettings(slices=["device"], thresholds=[_KEPT])
    plan = evaluation_plan(settings, graph, {"buy": datetime.timedelta(hours=1)})
    done = evaluate([], saved_model(1.0), plan=plan)
    for key, mask in (((), True), ((("device", "phone"),), world.device == "phone")):
        for output, scores in world.answers(1.0).items():
            rows = np.ones(len(world.x), bool) & mask
            if output in final:
                rows &= world.buy_is_final
            if output == "buy_given_click":
                rows &= world.click == 1
            labels = world.click if output == "click" else world.buy
            for metric, value in _reference(labels[rows], scores[rows], world.user[rows]).items():
                assert done.metrics["candidate", key, output, metric] == pytest.approx(value, abs=1e-6, rel=1e-6)


def test_a_weighted_evaluation_equals_scikit_learn(
    evaluate: Callable, saved_model: Callable, world: Any, graph: Any
) -> None:
    settings = EvaluationSettings(slices=_SLICES, thresholds=[_KEPT], weighted=True)
    weights = {
        "click": ("row_weight",),
        "buy_given_click": ("row_weight", "buy_weight"),
        "click_and_buy": (),
    }
    done = evaluate([], saved_model(1.0), saved_model(-0.3), plan=evaluation_plan(settings, graph, weights=weights))
    compared = 0
    for key, mask in _slices_of(world).items():
        for model, answers in (("candidate", world.answers(1.0)), ("baseline", world.answers(-0.3))):
            for output, scores in answers.items():
                weight = np.prod([np.ones(len(world.x)), *(getattr(world, name) for name in weights[output])], axis=0)
                rows = mask & (world.click == 1) if output == "buy_given_click" else mask
                labels = world.click if output == "click" else world.buy
                expected = _reference(labels[rows], scores[rows], world.user[rows], weight[rows])
                for metric, value in expected.items():
                    found = done.metrics.get((model, key, output, metric), math.nan)
                    assert found == pytest.approx(value, abs=1e-12, rel=1e-9, nan_ok=True), (key, output, metric)
                    compared += not math.isnan(value)
    assert compared > 1000
    count = done.metrics["candidate", (), "click", "example_count"]
    assert (
        count
        == (world.row_weight > 0).sum()
        < len(world.x)
        == done.metrics["candidate", (), "click_and_buy", "example_count"]
    )
    weighted = {
        metric.key.output_name: metric.key.example_weighted.value
        for of_slice in tfma.load_metrics(done.uri)
        for metric in of_slice.metric_keys_and_values
    }
    assert weighted == {"click": True, "buy_given_click": True, "click_and_buy": False}


def test_a_single_output_of_two_models(evaluate: Callable, saved_model: Callable, world: Any) -> None:
    # TFMA hands on the answer of a model with one output without its name.
    plan = evaluation_plan(EvaluationSettings(thresholds=[_KEPT]), TaskGraph([Task(name="click")]))
    models = [saved_model(slope, outputs=("click",)) for slope in (1.0, -0.3)]
    done = evaluate([], *models, plan=plan)
    for model, slope in (("candidate", 1.0), ("baseline", -0.3)):
        auc = sklearn.metrics.roc_auc_score(world.click, world.answers(slope)["click"])
        assert done.metrics[model, (), "click", "auc"] == pytest.approx(auc, abs=1e-12)
    alone = evaluate([], models[0], plan=plan)
    assert alone.metrics["candidate", (), "click", "auc"] == done.metrics["candidate", (), "click", "auc"]


def test_without_examples_nothing_is_blessed(
    evaluate: Callable, saved_model: Callable, write_examples: Callable, world: Any
) -> None:
    nobody = dataclasses.replace(world, **{name: values[:0] for name, values in vars(world).items()})
    done = evaluate([_KEPT], saved_model(1.0), of=write_examples(nobody))
    assert done.metrics == {}
    assert [reason.text for reason in done.verdict.reasons] == [
        "auc of click is undefined (no rows): its bound 0.5 cannot be checked"
    ]
    assert done.files == ["NOT_BLESSED"]


def test_blesses_as_the_pusher_reads_it(evaluate: Callable, saved_model: Callable) -> None:
    model = saved_model(1.0)
    done = evaluate([_KEPT], model, _no_model())
    assert (done.verdict.blessed, done.verdict.baseline, done.verdict.reasons) == (True, False, ())
    assert len(done.verdict.kept) == 1
    assert done.files == ["BLESSED"]
    assert done.blessing.get_int_custom_property("blessed") == 1
    assert done.blessing.get_string_custom_property("reasons") == ""
    assert done.blessing.get_string_custom_property("current_model") == model.uri
    assert done.blessing.get_int_custom_property("current_model_id") == model.id
    assert {model for model, *_ in done.metrics} == {"candidate"}
    for name in ("metrics.json", "verdict.json"):
        json.loads((pathlib.Path(done.uri) / name).read_text(), parse_constant=lambda constant: pytest.fail(constant))


def test_refuses_below_a_bound_and_says_why(
    evaluate: Callable, saved_model: Callable, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="tandem.evaluate"):
        done = evaluate([_KEPT, _KEPT | {"metric": "log_loss", "at_least": None, "at_most": 0.1}], saved_model(-1.0))
    assert done.files == ["NOT_BLESSED"]
    assert done.blessing.get_int_custom_property("blessed") == 0
    texts = [reason.text for reason in done.verdict.reasons]
    assert [text.split(" is ")[0] for text in texts] == ["auc of click", "log_loss of click"]
    auc = done.metrics["candidate", (), "click", "auc"]
    assert re.fullmatch(rf"auc of click is {auc:.4f} \(95% interval 0\.\d+ to 0\.\d+\), below its bound 0\.5", texts[0])
    assert done.blessing.get_string_custom_property("reasons") == "\n".join(texts)
    warnings = [record.message for record in caplog.records if record.name == "tandem.evaluate" and record.levelno > 20]
    assert warnings == [f"not blessed: {text}" for text in texts]


def test_compares_with_the_blessed_model(evaluate: Callable, saved_model: Callable) -> None:
    threshold = {"metric": "gauc", "output": "click", "not_worse_than_blessed_by": 0.005}
    better, worse = saved_model(1.0), saved_model(-0.5)
    done = evaluate([threshold], worse, better)
    assert (done.verdict.blessed, done.verdict.baseline) == (False, True)
    reason = done.verdict.reasons[0]
    assert (reason.kind, reason.bound) == ("change", 0.005)
    assert reason.value == done.metrics["candidate", (), "click", "gauc"]
    assert reason.baseline_value == done.metrics["baseline", (), "click", "gauc"]
    assert done.blessing.get_string_custom_property("baseline_model") == better.uri


def test_first_model_of_all_is_blessed_without_comparison(evaluate: Callable, saved_model: Callable) -> None:
    threshold = {"metric": "gauc", "output": "click", "not_worse_than_blessed_by": 0.005}
    done = evaluate([threshold], saved_model(-0.5), _no_model())
    assert done.files == ["BLESSED"]
    assert len(done.verdict.not_compared) == 1


def test_tfma_loads_the_metrics_with_their_intervals(evaluate: Callable, saved_model: Callable) -> None:
    done = evaluate([_KEPT], saved_model(1.0), saved_model(1.0, tablet_noise=0.65), ["device"])
    expected = {(each.model, each.slice, each.output, each.metric): each for each in results.read_metrics(done.uri)}
    loaded = {}
    for of_slice in tfma.load_metrics(done.uri):
        key = tuple((each.column, each.bytes_value.decode()) for each in of_slice.slice_key.single_slice_keys)
        for metric in of_slice.metric_keys_and_values:
            model = "difference" if metric.key.is_diff else metric.key.model_name
            ends = (metric.confidence_interval.lower_bound, metric.confidence_interval.upper_bound)
            low, high = (end.double_value.value if end.HasField("double_value") else math.nan for end in ends)
            loaded[model, key, metric.key.output_name, metric.key.name] = (metric.value.double_value.value, low, high)
            assert not metric.key.example_weighted.value
    assert loaded.keys() == expected.keys()
    for place, each in expected.items():
        np.testing.assert_equal(loaded[place], (each.value, each.low, each.high), err_msg=str(place))
    assert {place[0] for place in loaded} == {"candidate", "baseline", "difference"}
    assert not math.isnan(loaded["difference", (), "click", "auc"][1])


def test_tfma_loads_results_by_model_for_its_viewers(evaluate: Callable, saved_model: Callable) -> None:
    done = evaluate([_KEPT], saved_model(1.0), saved_model(0.5), ["device"])
    for model in ("candidate", "baseline"):
        loaded = tfma.load_eval_result(done.uri, model_name=model)
        assert set(loaded.get_slice_names()) == {(), (("device", "phone"),), (("device", "tablet"),)}
        metrics = loaded.get_metrics_for_slice((("device", "phone"),), output_name="click")
        assert metrics["auc"]["boundedValue"]["value"] == done.metrics[model, (("device", "phone"),), "click", "auc"]
        count = done.metrics[model, (("device", "phone"),), "click", "example_count"]
        assert metrics["example_count"] == {"doubleValue": count}
        assert ("auc_diff" in metrics) is (model == "candidate")
        assert [list(spec.feature_keys) for spec in loaded.config.slicing_specs] == [[], ["device"]]
        assert loaded.model_location.endswith("Format-Serving")
    assert {spec.name for spec in loaded.config.model_specs} == {"candidate", "baseline"}
    frames = tfma.dataframe.metrics_as_dataframes(tfma.load_metrics(done.uri))
    assert len(frames.double_value) == len(done.metrics)


def test_tfma_loads_a_single_model_without_its_name(evaluate: Callable, saved_model: Callable) -> None:
    done = evaluate([_KEPT], saved_model(1.0), _no_model())
    (metrics,) = tfma.load_eval_result(done.uri).get_metrics_for_all_slices("click").values()
    assert metrics["gauc_users"] == {"doubleValue": done.metrics["candidate", (), "click", "gauc_users"]}
    assert len(tfma.load_eval_results(done.uri).get_results()) == 1


def test_tfma_loads_a_validation_that_agrees_with_the_verdict(evaluate: Callable, saved_model: Callable) -> None:
    high = {"metric": "auc", "output": "click", "at_least": 0.99, "slice": "device"}
    done = evaluate([_KEPT, high], saved_model(1.0), slices=["device"])
    loaded = tfma.load_validation_result(done.uri)
    assert not loaded.validation_ok
    failures = {
        tuple((each.column, each.bytes_value.decode()) for each in of_slice.slice_key.single_slice_keys): failure
        for of_slice in loaded.metric_validations_per_slice
        for failure in of_slice.failures
    }
    assert {key: failure.message for key, failure in failures.items()} == {
        reason.slice: reason.text for reason in done.verdict.reasons
    }
    phone = failures[("device", "phone"),]
    assert (phone.metric_key.name, phone.metric_key.output_name) == ("auc", "click")
    assert phone.metric_value.double_value.value == done.metrics["candidate", (("device", "phone"),), "click", "auc"]
    kept = evaluate([_KEPT], saved_model(1.0))
    assert kept.verdict.blessed
    assert tfma.load_validation_result(kept.uri).validation_ok
    assert not tfma.load_validation_result(kept.uri).metric_validations_per_slice


def test_a_slice_of_one_class_does_not_block(evaluate: Callable, saved_model: Callable) -> None:
    in_city = {"metric": "auc", "output": "click", "at_least": 0.1, "slice": "city"}
    done = evaluate([in_city], saved_model(1.0), slices=["city"])
    assert tfma.load_validation_result(done.uri).validation_ok
    assert done.files == ["BLESSED"]
    assert [finding.slice for finding in done.verdict.undefined] == [(("city", 3),)]


def test_thresholds_per_slice_and_their_least_size(evaluate: Callable, saved_model: Callable) -> None:
    high = {"metric": "gauc", "output": "buy_given_click", "at_least": 1.0, "slice": ["device", "city"]}
    done = evaluate([_KEPT, high | {"min_examples": 40}], saved_model(1.0), slices=[["city", "device"]])
    counts = {
        key: value for (_, key, output, metric), value in done.metrics.items()
        if key and output == "buy_given_click" and metric == "example_count"
    }  # fmt: skip
    assert {each.slice for each in done.verdict.reasons} == {key for key, count in counts.items() if count >= 40}
    assert {each.slice for each in done.verdict.too_small} == {key for key, count in counts.items() if count < 40}
    assert done.verdict.reasons
    assert done.verdict.too_small


def test_calibration_alone_blocks(evaluate: Callable, saved_model: Callable) -> None:
    thresholds = [
        {"metric": "auc", "output": "click", "not_worse_than_blessed_by": 0.0},
        {"metric": "calibration", "output": "click", "at_least": 0.9, "at_most": 1.1, "not_worse_than_blessed_by": 0.1},
    ]
    right, too_low = saved_model(1.0, scale=0.75), saved_model(1.0, scale=0.6)  # city 3 never clicks: 0.75 is right
    assert evaluate(thresholds, right).verdict.blessed
    done = evaluate(thresholds, too_low, right)
    auc, calibration = (
        [done.metrics[model, (), "click", metric] for model in ("candidate", "baseline")]
        for metric in ("auc", "calibration")
    )
    assert auc[0] == auc[1]
    assert calibration[0] == pytest.approx(0.8 * calibration[1])
    assert done.files == ["NOT_BLESSED"]
    assert [(each.metric, each.kind) for each in done.verdict.reasons] == [
        ("calibration", "absolute"),
        ("calibration", "change"),
    ]
    assert done.verdict.reasons[0].text.endswith("below its bound 0.9")
    assert "its distance from 1 is worse by" in done.verdict.reasons[1].text


def test_one_slice_that_lost_blocks_and_is_named(evaluate: Callable, saved_model: Callable) -> None:
    loss = {"metric": "auc", "output": "click", "not_worse_than_blessed_by": 0.02}
    done = evaluate(
        [loss, loss | {"slice": "device"}], saved_model(1.0, tablet_noise=0.65), saved_model(1.0), ["device"]
    )
    lost = {
        key: done.metrics["baseline", key, "click", "auc"] - done.metrics["candidate", key, "click", "auc"]
        for key in ((), (("device", "phone"),), (("device", "tablet"),))
    }
    assert 0.02 < lost[("device", "tablet"),] < 0.03
    assert lost[("device", "phone"),] == 0
    assert done.files == ["NOT_BLESSED"]
    (reason,) = done.verdict.reasons
    assert reason.slice == (("device", "tablet"),)
    assert reason.text.startswith("auc of click in device=tablet is 0.")
    assert reason.text.endswith("; allowed is 0.02")


def test_a_blessed_model_from_before_a_task_was_added(evaluate: Callable, saved_model: Callable) -> None:
    thresholds = [
        {"metric": "auc", "output": output, "not_worse_than_blessed_by": 0.0} for output in ("click", "buy_given_click")
    ]
    done = evaluate(thresholds, saved_model(1.0), saved_model(1.0, outputs=("click", "click_and_buy")))
    assert done.files == ["BLESSED"]
    assert [finding.output for finding in done.verdict.not_compared] == ["buy_given_click"]


def test_a_candidate_must_answer_every_output(evaluate: Callable, saved_model: Callable) -> None:
    with pytest.raises(Exception, match=r"the model does not answer 'buy_given_click'; it answers \['click'"):
        evaluate([_KEPT], saved_model(1.0, outputs=("click", "click_and_buy")))


def test_refuses_to_run_without_thresholds(evaluate: Callable, saved_model: Callable, graph: Any) -> None:
    plan = evaluation_plan(EvaluationSettings(thresholds=[_KEPT]), graph).model_dump(mode="json")
    plan["settings"]["thresholds"] = []
    with pytest.raises(ValueError, match=r"(?s)thresholds.*at least 1 item"):
        evaluate([], saved_model(1.0), plan=json.dumps(plan))


def test_a_model_that_fails_shows_its_own_error(evaluate: Callable, saved_model: Callable) -> None:
    with pytest.raises(Exception, match=r"(?s)a model failed on a batch of \d+ examples: .*nothing to parse"):
        evaluate([_KEPT], saved_model(1.0, outputs=("fails",)))
