"""Tasks, slices and thresholds as TFMA's EvalConfig."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator, Mapping

from tensorflow_model_analysis.proto import config_pb2

from tandem.components.evaluator.bounds import bound_key
from tandem.components.evaluator.settings import EvaluationSettings, Threshold
from tandem.components.log_example_gen.settings import final_column
from tandem.components.metrics import task_metrics
from tandem.components.metrics.catalog import METRICS
from tandem.models.tasks import Output, TaskGraph

CANDIDATE = "candidate"
BASELINE = "baseline"


def eval_config(
    settings: EvaluationSettings, graph: TaskGraph, final: Mapping[str, str] | None = None
) -> config_pb2.EvalConfig:
    """Makes the EvalConfig of candidate and baseline.

    The Evaluator drops the baseline and the bounds on change when there is no blessed model yet.

    Args:
      settings: The `evaluation:` section.
      graph: The tasks; their outputs are what the models answer.
      final: By output, the column that is 1 where its label cannot change any more; see `final_columns`.

    Raises:
      ValueError: A threshold is about an output that there is not.
    """
    settings.check(graph)
    config = config_pb2.EvalConfig()
    config.options.include_default_metrics.value = False
    for name in (CANDIDATE, BASELINE):
        model = config.model_specs.add(name=name, is_baseline=name == BASELINE)
        model.model_type, model.signature_name = "tf_generic", "serving_default"
        for output in graph.outputs():
            model.label_keys[output.name] = output.label
            if output.given is not None:
                model.example_weight_keys[output.name] = output.given
    config.slicing_specs.add()
    for names in settings.slicings:
        config.slicing_specs.add(feature_keys=names)
    for output in graph.outputs():
        _add_metrics(config, settings, output, (final or {}).get(output.name, ""))
    return config


def final_columns(graph: TaskGraph, delays: Mapping[str, datetime.timedelta]) -> dict[str, str]:
    """Finds the column that says which rows an output can be judged on.

    An output is final when every label of its chain is: when the one that takes longest is.

    Args:
      graph: The tasks.
      delays: By label, how long after its impression it may change (see `LogSettings.label_delays`).

    Returns:
      By output; outputs whose labels have no window are not in it.
    """
    columns = {}
    for output in graph.outputs():
        labels = [graph.label(task) for task in graph.chain(output.task)]
        late = [label for label in labels if label in delays]
        if late:
            columns[output.name] = final_column(max(late, key=lambda label: delays[label]))
    return columns


def _add_metrics(config: config_pb2.EvalConfig, settings: EvaluationSettings, output: Output, final: str) -> None:
    """Adds every metric of an output, with its thresholds."""
    spec = config.metrics_specs.add(output_names=[output.name])
    spec.example_weights.weighted = output.given is not None
    spec.example_weights.unweighted = output.given is None
    options = {"group_by": settings.group_by, "buckets": settings.buckets}
    details = task_metrics.Details
    spec.metrics.add(
        class_name=details.__name__, module=details.__module__, config=json.dumps({"name": details.METRIC, **options})
    )
    for name, cls in task_metrics.METRIC_CLASSES.items():
        metric = spec.metrics.add(class_name=cls.__name__, module=cls.__module__)
        min_examples: dict[str, int] = {}
        refuse_if: dict[str, str] = {}
        for threshold in settings.thresholds:
            if (threshold.metric, threshold.output) != (name, output.name):
                continue
            slicing = _slicing(threshold)
            for kind in threshold.kinds:
                key = bound_key(slicing, kind)
                refuse_if[key] = threshold.refuse_if
                if threshold.slice:
                    min_examples[key] = settings.least_examples(threshold)
            for bound in _bounds(threshold):
                metric.per_slice_thresholds.add(slicing_specs=[slicing], threshold=bound)
        metric.config = json.dumps(
            {"name": name, **options, "min_examples": min_examples, "refuse_if": refuse_if, "final": final}
        )


def _slicing(threshold: Threshold) -> config_pb2.SlicingSpec:
    if isinstance(threshold.slice, dict):
        return config_pb2.SlicingSpec(feature_values=threshold.slice)
    return config_pb2.SlicingSpec(feature_keys=threshold.columns)


def _bounds(threshold: Threshold) -> Iterator[config_pb2.MetricThreshold]:
    """Yields the bound on the value and the bound on the change, each if there is one."""
    if threshold.at_least is not None or threshold.at_most is not None:
        bound = config_pb2.MetricThreshold()
        if threshold.at_least is not None:
            bound.value_threshold.lower_bound.value = threshold.at_least
        if threshold.at_most is not None:
            bound.value_threshold.upper_bound.value = threshold.at_most
        yield bound
    if threshold.not_worse_than_blessed_by is not None:
        bound = config_pb2.MetricThreshold()
        higher = METRICS[threshold.metric].better == "higher"
        change = bound.change_threshold
        change.direction = config_pb2.HIGHER_IS_BETTER if higher else config_pb2.LOWER_IS_BETTER
        change.absolute.value = -threshold.not_worse_than_blessed_by if higher else threshold.not_worse_than_blessed_by
        yield bound
