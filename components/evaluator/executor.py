"""Evaluates the candidate, judges it in words and numbers, and blesses it or not; TFX glue."""

from __future__ import annotations

import logging
import posixpath
import time
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from tfx.components.evaluator import constants
from tfx.components.util import tfxio_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as keys
from tfx.utils import io_utils, json_utils, path_utils

from tandem import files
from tandem.components.evaluator import results
from tandem.components.evaluator.beam_steps import Evaluate
from tandem.components.evaluator.plan import EvaluationPlan
from tandem.components.evaluator.results import BASELINE, CANDIDATE
from tandem.components.evaluator.tfma_adapter import RAW_EXAMPLES_COLUMN, WriteForTfma, write_validation
from tandem.components.evaluator.verdict import bounds, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tfx.types import artifact

    from tandem.components.evaluator.results import Verdict
    from tandem.components.evaluator.slice_results import SliceResults

PLAN_KEY = "plan"
"""Execution property: the `EvaluationPlan` as JSON."""

HAS_MODEL_PROPERTY = "has_model"
"""Custom property of the baseline artifact: 0 where it stands for "no model has been blessed yet"."""

REASONS_PROPERTY = "reasons"
"""Custom property of the blessing: why the model was refused, a line each; empty where it was not."""

_MOST_REASONS = 20

_logger = logging.getLogger("tandem.evaluate")

_Artifacts = dict[str, list["artifact.Artifact"]]


class Executor(base_beam_executor.BaseBeamExecutor):
    """From examples, models and a plan to metrics, a verdict and a blessing."""

    def Do(self, input_dict: _Artifacts, output_dict: _Artifacts, exec_properties: dict[str, Any]) -> None:
        """Evaluates, writes `metrics.json`, `curves.json` and `verdict.json`, and blesses the candidate or not.

        Args:
          input_dict: `examples`, `model`, and `baseline_model`, whose custom property `has_model` may say 0.
          output_dict: `evaluation` and `blessing`.
          exec_properties: `plan`, and `example_splits`, a list as JSON.

        Raises:
          ValueError: The plan is none, as when it has no threshold.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        plan = EvaluationPlan.model_validate_json(exec_properties[PLAN_KEY])
        models = _models(input_dict)
        _logger.info(
            "evaluating the model over %d slicings%s",
            len(plan.slicings),
            ", against the last blessed one" if BASELINE in models else "; no model has been blessed yet",
        )
        started = time.monotonic()
        uri = artifact_utils.get_single_uri(output_dict[keys.EVALUATION_KEY])
        splits = json_utils.loads(exec_properties[keys.EXAMPLE_SPLITS_KEY])
        self._evaluate(input_dict[keys.EXAMPLES_KEY], splits, models, plan, uri)

        metrics = results.read_metrics(uri)
        verdict = judge(metrics, bounds(plan), has_baseline=BASELINE in models)
        results.write_verdict(uri, verdict)
        write_validation(uri, verdict)
        _bless(output_dict, models, exec_properties, verdict)
        _logger.info("evaluated %d slices in %.0f s", len({each.slice for each in metrics}), time.monotonic() - started)
        _log(verdict)

    def _evaluate(
        self,
        examples: list[artifact.Artifact],
        splits: Iterable[str],
        models: Mapping[str, artifact.Artifact],
        plan: EvaluationPlan,
        uri: str,
    ) -> None:
        """Runs the Beam pipeline from examples to files."""
        folders = {
            name: path_utils.serving_model_path(model.uri, path_utils.is_old_model_artifact(model))
            for name, model in models.items()
        }
        source = tfxio_utils.get_tfxio_factory_from_artifact(
            examples=examples, telemetry_descriptors=["Evaluator"], raw_record_column_name=RAW_EXAMPLES_COLUMN
        )
        patterns = [
            io_utils.all_files_pattern(folder)
            for split in splits
            for folder in artifact_utils.get_split_uris(examples, split)
        ]
        with self._make_beam_pipeline() as pipeline:
            slices = (
                [
                    pipeline | f"Read[{number}]" >> source(pattern).BeamSource()
                    for number, pattern in enumerate(patterns)
                ]
                | "Flatten" >> beam.Flatten()
                | "Evaluate" >> Evaluate(plan, folders)
            )
            _ = slices | "AllSlices" >> beam.combiners.ToList() | "WriteResults" >> beam.Map(_write_results, uri)
            _ = (
                slices
                | "Metrics" >> beam.Map(lambda found: (found.slice, found.metrics))
                | "WriteForTfma" >> WriteForTfma(uri, plan, folders)
            )


def _write_results(slices: list[SliceResults], uri: str) -> None:
    results.write_metrics(uri, [metric for found in slices for metric in found.metrics])
    results.write_curves(uri, [curve for found in slices for curve in found.curves])


def _models(input_dict: _Artifacts) -> dict[str, artifact.Artifact]:
    """Returns the candidate, and the baseline unless its artifact says that there is none."""
    models = {CANDIDATE: artifact_utils.get_single_instance(input_dict[keys.MODEL_KEY])}
    if input_dict.get(keys.BASELINE_MODEL_KEY):
        baseline = artifact_utils.get_single_instance(input_dict[keys.BASELINE_MODEL_KEY])
        absent = baseline.has_custom_property(HAS_MODEL_PROPERTY) and not baseline.get_int_custom_property(
            HAS_MODEL_PROPERTY
        )
        if not absent:
            models[BASELINE] = baseline
    return models


def _bless(
    output_dict: _Artifacts,
    models: Mapping[str, artifact.Artifact],
    exec_properties: dict[str, Any],
    verdict: Verdict,
) -> None:
    """Writes the blessing that the Pusher reads: a file by the verdict's name, and properties."""
    blessing = artifact_utils.get_single_instance(output_dict[keys.BLESSING_KEY])
    name, other = constants.BLESSED_FILE_NAME, constants.NOT_BLESSED_FILE_NAME
    if not verdict.blessed:
        name, other = other, name
    if fileio.exists(posixpath.join(blessing.uri, other)):
        fileio.remove(posixpath.join(blessing.uri, other))  # of an earlier attempt
    files.write(posixpath.join(blessing.uri, name), "")
    blessing.set_int_custom_property(
        constants.ARTIFACT_PROPERTY_BLESSED_KEY,
        constants.BLESSED_VALUE if verdict.blessed else constants.NOT_BLESSED_VALUE,
    )
    blessing.set_string_custom_property(REASONS_PROPERTY, _reasons_text(verdict))
    for model, (uri_key, id_key) in {
        CANDIDATE: (
            constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY,
            constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY,
        ),
        BASELINE: (
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY,
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY,
        ),
    }.items():
        if model in models:
            blessing.set_string_custom_property(uri_key, models[model].uri)
            blessing.set_int_custom_property(id_key, models[model].id)
    if "current_component_id" in exec_properties:
        blessing.set_string_custom_property("component_id", exec_properties["current_component_id"])


def _reasons_text(verdict: Verdict) -> str:
    texts = [reason.text for reason in verdict.reasons[:_MOST_REASONS]]
    more = len(verdict.reasons) - len(texts)
    return "\n".join([*texts, f"and {more} more" if more else ""]).strip()


def _log(verdict: Verdict) -> None:
    if verdict.blessed:
        _logger.info("the model is blessed: it keeps every bound that could be checked")
    for line in _reasons_text(verdict).splitlines():
        _logger.warning("not blessed: %s", line)
    for text in verdict.thin:
        _logger.warning("thin evidence: %s", text)
    unchecked = {
        "slices without a value": verdict.undefined,
        "slices with too few rows": verdict.too_small,
        "bounds without a blessed model's value": verdict.not_compared,
    }
    for what, findings in unchecked.items():
        if findings:
            _logger.info("not checked: %d %s, e.g. %s", len(findings), what, findings[0].text)
