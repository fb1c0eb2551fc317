"""All that the evaluation has to do with TFMA: it asks the models, and the files of results are in its formats, too.

`tfma.load_eval_result`, `tfma.load_metrics` and `tfma.load_validation_result` read an evaluation's folder, so that
TFMA's viewers show it. The metrics, their intervals and the verdict are ours.
"""

from __future__ import annotations

import math
import posixpath
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import tensorflow as tf
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2, metrics_for_slice_pb2, validation_result_pb2
from tensorflow_model_analysis.slicer import slicer_lib

from tandem.components.evaluator.results import BASELINE, CANDIDATE, DIFFERENCE, MetricValue
from tandem.files import appearing

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray

    from tandem.components.evaluator.example_rows import ExampleColumns
    from tandem.components.evaluator.plan import EvaluationPlan
    from tandem.components.evaluator.results import Verdict
    from tandem.components.metrics.slice_key import SliceKey

RAW_EXAMPLES_COLUMN: str = tfma.constants.ARROW_INPUT_COLUMN
"""The column of record batches that has the serialized examples."""

VALIDATION_FILE = "validations.tfrecord"

_SIGNATURE = "serving_default"
_COLUMNS = "example_columns"

_CONFIG: Any = config_pb2  # generated: type checkers see nothing in it
_METRICS: Any = metrics_for_slice_pb2
_VALIDATION: Any = validation_result_pb2

Answers = dict[str, dict[str, Any]]
"""By model, by output: [N] or [N, 1]."""


class ModelAnswers(beam.PTransform[Any, Any]):
    """Asks the models: (serialized examples [N], their columns) -> (the columns, the models' answers)."""

    def __init__(self, models: Mapping[str, str], outputs: tuple[str, ...]):
        """Initializes the transform.

        Args:
          models: By name, the folder of a SavedModel whose `serving_default` takes serialized examples.
          outputs: The names of the outputs.
        """
        super().__init__()
        self._models = dict(models)
        self._outputs = outputs

    def expand(self, batches: Any) -> Any:
        """Builds the transform."""
        config = _model_config(self._models)
        shared = [
            tfma.default_eval_shared_model(eval_saved_model_path=path, model_name=name, eval_config=config)
            for name, path in self._models.items()
        ]
        predictions = tfma.extractors.PredictionsExtractor(eval_config=config, eval_shared_model=shared)
        return (
            batches
            | "ToExtracts" >> beam.MapTuple(_to_extracts)
            | "Predict" >> predictions.ptransform
            | "FromExtracts" >> beam.Map(self._from_extracts)
        )

    def _from_extracts(self, extracts: Mapping[str, Any]) -> tuple[ExampleColumns, Answers]:
        answers = extracts[tfma.constants.PREDICTIONS_KEY]
        if len(self._models) == 1:  # TFMA leaves out the name of a single model, and that of a single output
            answers = dict.fromkeys(self._models, answers)
        return extracts[_COLUMNS].columns, {model: self._by_output(answers[model]) for model in self._models}

    def _by_output(self, answer: Any) -> dict[str, Any]:
        if isinstance(answer, Mapping):
            return dict(answer)
        return {self._outputs[0] if len(self._outputs) == 1 else "": answer}


@dataclass(frozen=True)
class _Inseparable:
    """The columns of a batch, as TFMA carries them."""

    columns: ExampleColumns

    def __len__(self) -> int:
        return len(self.columns)

    def __getitem__(self, row: int) -> Any:
        # When a model fails on a batch, TFMA takes the extracts apart to try row by row, which ends here: it would be
        # thousands of times slower and fail again. TFMA's error prints all examples; its cause is the model's own.
        error = sys.exc_info()[1]
        cause = error.__cause__ or error if error else None
        raise RuntimeError(f"a model failed on a batch of {len(self)} examples: {cause}") from cause


def _to_extracts(examples: NDArray[np.object_], columns: ExampleColumns) -> dict[str, Any]:
    return {tfma.constants.INPUT_KEY: examples, _COLUMNS: _Inseparable(columns)}


def _model_config(models: Iterable[str]) -> Any:
    specs = [
        _CONFIG.ModelSpec(name=name, model_type="tf_generic", signature_name=_SIGNATURE, is_baseline=name == BASELINE)
        for name in models
    ]
    return _CONFIG.EvalConfig(model_specs=specs)


def eval_config(plan: EvaluationPlan, models: Iterable[str]) -> Any:
    """Says in TFMA's words what is evaluated: models with their labels, and slices.

    Thresholds are not in it: TFMA would fail every one on a nan, so that a slice of one class, which has no AUC, would
    block a push for good.

    Args:
      plan: The evaluation's.
      models: Their names.

    Returns:
      An `EvalConfig`.
    """
    config = _model_config(models)
    config.options.include_default_metrics.value = False
    for spec in config.model_specs:
        for output in plan.outputs:
            spec.label_keys[output.name] = output.label
    config.slicing_specs.extend(_CONFIG.SlicingSpec(feature_keys=names) for names in plan.slicings)
    return config


class WriteForTfma(beam.PTransform[Any, Any]):
    """Writes what `tfma.load_eval_result` and `tfma.load_metrics` read: (slice, its metrics) -> files."""

    def __init__(self, uri: str, plan: EvaluationPlan, models: Mapping[str, str]):
        """Initializes the transform.

        Args:
          uri: The folder.
          plan: The evaluation's.
          models: By name, the folder of the model, for display.
        """
        super().__init__()
        config = eval_config(plan, models)
        self._weighted = {output.name: bool(output.weights) for output in plan.outputs}
        self._writers = [
            tfma.writers.EvalConfigWriter(uri, eval_config=config, model_locations=dict(models)),
            tfma.writers.MetricsPlotsAndValidationsWriter(
                {tfma.constants.METRICS_KEY: posixpath.join(uri, tfma.constants.METRICS_KEY)}, eval_config=config
            ),
        ]

    def expand(self, slices: Any) -> Any:
        """Builds the transform."""
        evaluation = {tfma.constants.METRICS_KEY: slices | "ToTfma" >> beam.MapTuple(self._metrics)}
        return [evaluation | writer.stage_name >> writer.ptransform for writer in self._writers]

    def _metrics(self, slice_: SliceKey, metrics: Iterable[MetricValue]) -> tuple[SliceKey, dict[Any, Any]]:
        return slice_, {
            metric_key(each, self._weighted[each.output]): _with_interval(each.value, each.low, each.high)
            for each in metrics
        }


def metric_key(metric: MetricValue, weighted: bool) -> Any:
    """Returns the `MetricKey` of a metric; a difference is the candidate's."""
    return metric_types.MetricKey(
        name=metric.metric,
        model_name=CANDIDATE if metric.model == DIFFERENCE else metric.model,
        output_name=metric.output,
        is_diff=metric.model == DIFFERENCE,
        example_weighted=weighted,
    )


def _with_interval(value: float, low: float, high: float) -> Any:
    if math.isnan(low) or math.isnan(high):
        return value
    bounded = _METRICS.BoundedValue()
    bounded.value.value, bounded.lower_bound.value, bounded.upper_bound.value = value, low, high
    return bounded


def write_validation(uri: str, verdict: Verdict) -> None:
    """Writes what `tfma.load_validation_result` reads: whether the model is blessed, and the reasons by slice.

    Args:
      uri: The folder.
      verdict: The evaluation's.
    """
    result = _VALIDATION.ValidationResult(validation_ok=verdict.blessed)
    by_slice: dict[SliceKey, Any] = {}
    for reason in verdict.reasons:
        of_slice = by_slice.get(reason.slice)
        if of_slice is None:
            of_slice = by_slice[reason.slice] = result.metric_validations_per_slice.add()
            of_slice.slice_key.CopyFrom(slicer_lib.serialize_slice_key(reason.slice))
        failure = of_slice.failures.add(message=reason.text)
        failure.metric_key.name, failure.metric_key.output_name = reason.metric, reason.output
        failure.metric_key.model_name, failure.metric_key.is_diff = CANDIDATE, reason.kind == "change"
        if reason.value is not None:
            failure.metric_value.double_value.value = reason.value
    with appearing(posixpath.join(uri, VALIDATION_FILE)) as path, tf.io.TFRecordWriter(path) as writer:
        writer.write(result.SerializeToString())
