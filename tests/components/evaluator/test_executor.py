from __future__ import annotations

import json
import logging
import math
import pathlib
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sklearn.metrics
import tensorflow_model_analysis as tfma
from tfx.dsl.components.base import base_beam_executor
from tfx.types import standard_artifacts
from tfx.utils import json_utils, proto_utils

from tandem.components.evaluator import results
from tandem.components.evaluator.eval_config import eval_config
from tandem.components.evaluator.executor import Executor
from tandem.components.evaluator.settings import EvaluationSettings

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
        config: tfma.EvalConfig | None = None,
    ) -> SimpleNamespace:
        if config is None:
            config = eval_config(EvaluationSettings(slices=slices or [], thresholds=thresholds), graph)
        evaluation, blessing = standard_artifacts.ModelEvaluation(), standard_artifacts.ModelBlessing()
        evaluation.uri, blessing.uri = str(tmp_path / "evaluation"), str(tmp_path / "blessing")
        context = base_beam_executor.BaseBeamExecutor.Context(
            beam_pipeline_args=["--direct_num_workers=1"], tmp_dir=str(tmp_path), unique_id="1"
        )
        inputs = {"examples": [examples], "model": [model]}
        Executor(context).Do(
            inputs if baseline is None else inputs | {"baseline_model": [baseline]},
            {"evaluation": [evaluation], "blessing": [blessing]},
            {
                "eval_config": proto_utils.proto_to_json(config),
                "example_splits": json_utils.dumps(["eval"]),
                "module_path": "tandem.components.metrics.extractors",
                "code_version": "1",
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


def _reference(labels: np.ndarray, scores: np.ndarray, users: np.ndarray) -> dict[str, float]:
    """The metrics, user by user, by scikit-learn."""
    by_user = [(labels[users == user], scores[users == user]) for user in np.unique(users)]
    used = [(y, p) for y, p in by_user if 0 < y.sum() < len(y)]
    aucs = [sklearn.metrics.roc_auc_score(y, p) for y, p in used]
    mean = (lambda weights: np.average(aucs, weights=weights)) if used else (lambda weights: math.nan)
    both = 0 < labels.sum() < len(labels)
    scores = scores.astype(np.float64)
    log_loss = sklearn.metrics.log_loss(labels, scores, labels=[0, 1]) if len(labels) else math.nan
    return {
        "auc": sklearn.metrics.roc_auc_score(labels, scores) if both else math.nan,
        "gauc": mean([1 for _ in used]),
        "gauc_by_impressions": mean([len(y) for y, _ in used]),
        "gauc_by_positives": mean([y.sum() for y, _ in used]),
        "log_loss": log_loss,
        "normalized_entropy": log_loss / sklearn.metrics.log_loss(labels, np.full(len(labels), labels.mean()))
        if both
        else math.nan,
        "expected_calibration_error": _calibration_error(labels, scores),
        "calibration": scores.sum(dtype=np.float64) / labels.sum() if labels.sum() else math.nan,
        "example_count": len(labels),
        "positive_count": labels.sum(),
        "gauc_users": len(used),
        "gauc_users_left_out": len(by_user) - len(used),
        "gauc_rows_left_out": len(labels) - sum(len(y) for y, _ in used),
    }


def _calibration_error(labels: np.ndarray, scores: np.ndarray) -> float:
    """By bins of one half in log-odds."""
    bins: dict[int, list[float]] = {}
    for label, score in zip(labels, scores, strict=True):
        bins.setdefault(math.floor(2 * math.log(score / (1 - score))), []).append(score - label)
    return sum(abs(sum(gaps)) for gaps in bins.values()) / len(labels) if len(labels) else math.nan


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


def test_rows_whose_label_may_still_change_do_not_count(
    evaluate: Callable, saved_model: Callable, world: Any, graph: Any
) -> None:
    final = {"buy_given_click": "buy_is_final", "click_and_buy": "buy_is_final"}
    config = eval_config(EvaluationSettings(slices=["device"], thresholds=[_KEPT]), graph, final)
    done = evaluate([], saved_model(1.0), config=config)
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


def test_a_slice_of_one_class_does_not_block_though_tfma_says_so(evaluate: Callable, saved_model: Callable) -> None:
    in_city = {"metric": "auc", "output": "click", "at_least": 0.1, "slice": "city"}
    done = evaluate([in_city], saved_model(1.0), slices=["city"])
    assert not tfma.load_validation_result(done.uri).validation_ok
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
    config = eval_config(EvaluationSettings(thresholds=[_KEPT]), graph)
    for spec in config.metrics_specs:
        for metric in spec.metrics:
            metric.ClearField("per_slice_thresholds")
    with pytest.raises(ValueError, match="no threshold: every model would be blessed"):
        evaluate([], saved_model(1.0), config=config)


def test_a_model_that_fails_shows_its_own_error(evaluate: Callable, saved_model: Callable) -> None:
    with pytest.raises(Exception, match=r"(?s)a model failed on a batch of \d+ examples: .*nothing to parse"):
        evaluate([_KEPT], saved_model(1.0, outputs=("fails",)))
