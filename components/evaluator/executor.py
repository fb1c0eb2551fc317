"""Runs the TFX Evaluator, then judges the candidate in words and numbers."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as tfx_executor
from tfx.dsl.io import fileio
from tfx.types import artifact, artifact_utils, standard_component_specs
from tfx.utils import io_utils, proto_utils

from tandem.components.evaluator import results, verdict
from tandem.components.evaluator.bounds import bounds
from tandem.components.evaluator.results import Curves, MetricValue, Verdict
from tandem.components.metrics.slice_key import SliceKey
from tandem.components.metrics.task_metrics import DETAILS, ReadDetails, read_details

HAS_MODEL_PROPERTY = "has_model"
"""Custom property of the baseline artifact: 0 where it stands for "no model has been blessed yet"."""

REASONS_PROPERTY = "reasons"
"""Custom property of the blessing: why the model was refused, a line each; empty where it was not."""

_MOST_REASONS = 20

_logger = logging.getLogger("tandem.evaluate")

_Artifacts = dict[str, list[artifact.Artifact]]


class Executor(tfx_executor.Executor):
    """TFX's Evaluator executor with a verdict of its own.

    TFMA's validation fails every threshold on a nan, so that a slice with one class (which has no AUC) would block a
    push for good; and it leaves no blessing at all where only changes are bounded and there is no baseline. Its metrics
    are therefore held to its thresholds by `verdict.judge`, which decides the blessing.
    """

    def Do(self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: dict[str, Any]) -> None:
        """Evaluates, writes `metrics.json`, `curves.json` and `verdict.json`, and blesses the candidate or not.

        Args:
          input_dict: `examples`, `model`, and `baseline_model`, whose custom property `has_model` may say 0.
          output_dict: `evaluation` and `blessing`.
          exec_properties: As the TFX Evaluator's.

        Raises:
          ValueError: There is no threshold.
        """
        config = proto_utils.json_to_proto(
            exec_properties[standard_component_specs.EVAL_CONFIG_KEY], config_pb2.EvalConfig()
        )
        bounded = bounds(config)
        if not bounded:
            raise ValueError("the evaluation has no threshold: every model would be blessed; give at least one")
        input_dict = _with_baseline_or_without(input_dict)
        has_baseline = standard_component_specs.BASELINE_MODEL_KEY in input_dict
        _logger.info(
            "evaluating the model over %d slicings%s",
            max(len(config.slicing_specs), 1),
            ", against the last blessed one" if has_baseline else "; no model has been blessed yet",
        )
        started = time.monotonic()
        super().Do(input_dict, output_dict, exec_properties)

        evaluation = artifact_utils.get_single_instance(output_dict[standard_component_specs.EVALUATION_KEY])
        baselines = {spec.name for spec in config.model_specs if spec.is_baseline}
        sliced = list(tfma.load_metrics(evaluation.uri))
        metrics = list(metric_values(sliced, baselines))
        judged = verdict.judge(metrics, bounded, has_baseline)
        results.write_metrics(evaluation.uri, metrics)
        results.write_curves(evaluation.uri, curves(sliced, baselines))
        results.write_verdict(evaluation.uri, judged)
        _bless(output_dict, input_dict, exec_properties, judged)
        _logger.info("evaluated %d slices in %.0f s", len({each.slice for each in metrics}), time.monotonic() - started)
        _log(judged)


def metric_values(
    sliced: Iterable[metrics_for_slice_pb2.MetricsForSlice], baselines: set[str]
) -> Iterator[MetricValue]:
    """Flattens TFMA's metrics, with their intervals and the differences between the models.

    Args:
      sliced: As `tfma.load_metrics` reads them.
      baselines: Names of the baseline among the models.
    """
    for of_slice in sliced:
        key = _slice_key(of_slice.slice_key)
        for name, output, details in _details(of_slice):
            model: Literal["candidate", "baseline"] = "baseline" if name in baselines else "candidate"
            for metric, value in details.values.items():
                yield MetricValue(model, key, output, metric, value.value, value.low, value.high)
            for metric, value in details.difference.items():
                yield MetricValue("difference", key, output, metric, value.value, value.low, value.high)


def curves(sliced: Iterable[metrics_for_slice_pb2.MetricsForSlice], baselines: set[str]) -> Iterator[Curves]:
    """Reads the curves of each model and output that has scores.

    Args:
      sliced: As `tfma.load_metrics` reads them.
      baselines: Names of the baseline among the models.
    """
    for of_slice in sliced:
        if of_slice.slice_key.single_slice_keys:
            continue  # only all rows have curves
        for name, output, details in _details(of_slice):
            if details.curves is not None:
                yield results.curves_of(
                    model="baseline" if name in baselines else "candidate", output=output, **details.curves
                )


def _details(of_slice: metrics_for_slice_pb2.MetricsForSlice) -> Iterator[tuple[str, str, ReadDetails]]:
    """Yields model, output, and what is known of them."""
    for metric in of_slice.metric_keys_and_values:
        if metric.key.name == DETAILS and not metric.key.is_diff:
            yield metric.key.model_name, metric.key.output_name, read_details(metric.value.bytes_value)


def _slice_key(key: metrics_for_slice_pb2.SliceKey) -> SliceKey:
    return tuple(
        (each.column, each.int64_value if each.HasField("int64_value") else each.bytes_value.decode("utf-8"))
        for each in key.single_slice_keys
    )


def _with_baseline_or_without(input_dict: _Artifacts) -> _Artifacts:
    """Drops the baseline if its artifact says that there is none."""
    key = standard_component_specs.BASELINE_MODEL_KEY
    baseline = input_dict.get(key) or []
    absent = [
        each
        for each in baseline
        if each.has_custom_property(HAS_MODEL_PROPERTY) and not each.get_int_custom_property(HAS_MODEL_PROPERTY)
    ]
    if baseline and not absent:
        return input_dict
    return {name: artifacts for name, artifacts in input_dict.items() if name != key}


def _bless(output_dict: _Artifacts, input_dict: _Artifacts, exec_properties: dict[str, Any], judged: Verdict) -> None:
    """Writes the blessing that the Pusher reads: a file by the verdict's name, and properties."""
    blessing = artifact_utils.get_single_instance(output_dict[standard_component_specs.BLESSING_KEY])
    name, other = constants.BLESSED_FILE_NAME, constants.NOT_BLESSED_FILE_NAME
    if not judged.blessed:
        name, other = other, name
    io_utils.write_string_file(os.path.join(blessing.uri, name), "")
    if fileio.exists(os.path.join(blessing.uri, other)):
        fileio.remove(os.path.join(blessing.uri, other))  # TFMA's verdict, from the base class
    blessing.set_int_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSED_KEY,
        constants.BLESSED_VALUE if judged.blessed else constants.NOT_BLESSED_VALUE,
    )
    blessing.set_string_custom_property(REASONS_PROPERTY, _reasons_text(judged))
    model = artifact_utils.get_single_instance(input_dict[standard_component_specs.MODEL_KEY])
    blessing.set_string_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri)
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    if "current_component_id" in exec_properties:
        blessing.set_string_custom_property("component_id", exec_properties["current_component_id"])


def _reasons_text(judged: Verdict) -> str:
    texts = [reason.text for reason in judged.reasons[:_MOST_REASONS]]
    more = len(judged.reasons) - len(texts)
    return "\n".join([*texts, f"and {more} more" if more else ""]).strip()


def _log(judged: Verdict) -> None:
    if judged.blessed:
        _logger.info("the model is blessed: it keeps every bound that could be checked")
    for line in _reasons_text(judged).splitlines():
        _logger.warning("not blessed: %s", line)
    unchecked = {
        "slices without a value": judged.undefined,
        "slices with too few rows": judged.too_small,
        "bounds without a blessed model's value": judged.not_compared,
    }
    for what, findings in unchecked.items():
        if findings:
            _logger.info("not checked: %d %s, e.g. %s", len(findings), what, findings[0].text)
