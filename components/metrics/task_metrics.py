"""The metrics of every model, output and slice as TFMA metrics, from the statistics of the slice.

Each metric of the catalog is a TFMA metric of its own name, because a threshold binds to a metric by name. They all ask
for the same computation, which TFMA therefore runs once: it takes the sums of a slice (`Statistics`, from the
extractors of this package), computes everything, and the metrics pick their values from the result. A metric more,
`Details`, has what TFMA's values have no place for: intervals, the differences between the models, and curves.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from tensorflow_model_analysis.api import types
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from tandem.components.metrics.curves import curves
from tandem.components.metrics.extractors import STATISTICS_KEY
from tandem.components.metrics.rows import Layout
from tandem.components.metrics.statistics import Statistics
from tandem.components.metrics.values import Value, measured

DETAILS = "details"
"""The name of the metric `Details`."""


class TaskMetric(metric_types.Metric):
    """A metric of the catalog; the subclasses only name it."""

    METRIC = ""

    def __init__(
        self,
        name: str = "",
        group_by: str = "",
        min_examples: Mapping[str, int] | None = None,
        buckets: Mapping[str, Sequence[float]] | None = None,
        refuse_if: Mapping[str, str] | None = None,
        final: str = "",
    ):
        """Initializes the metric.

        Args:
          name: Metric name; default: the catalog's.
          group_by: The column that names the user. It is kept here for the extractors, which read it.
          min_examples: Bound -> examples below which a slice is not held to it. It is kept here for the verdict, as
            TFMA's thresholds have no place for it.
          refuse_if: Bound -> when it refuses a model; kept for the verdict, too.
          final: The column that is 1 where the output's label is final; empty: everywhere. `Layout.of` reads it.
          buckets: Column -> edges of the slices by it. It is kept here for the extractors.
        """
        super().__init__(
            _computations,
            name=name or self.METRIC,
            metric=self.METRIC,
            group_by=group_by,
            min_examples=dict(min_examples or {}),
            buckets=dict(buckets or {}),
            refuse_if=dict(refuse_if or {}),
            final=final,
        )

    def get_config(self) -> dict[str, Any]:
        """Returns what the constructor takes."""
        return {name: value for name, value in self.kwargs.items() if name != "metric"}


class ExactAuc(TaskMetric):
    """Area under the ROC curve, exact, ties counted one half."""

    METRIC = "auc"


class Gauc(TaskMetric):
    """Mean of the users' AUCs, every user weighing 1."""

    METRIC = "gauc"


class GaucByImpressions(TaskMetric):
    """Mean of the users' AUCs, weighted by their rows."""

    METRIC = "gauc_by_impressions"


class GaucByPositives(TaskMetric):
    """Mean of the users' AUCs, weighted by their positive rows."""

    METRIC = "gauc_by_positives"


class TaskLogLoss(TaskMetric):
    """Mean negative log likelihood, in nats."""

    METRIC = "log_loss"


class NormalizedEntropy(TaskMetric):
    """Log loss over the entropy of the share of positives."""

    METRIC = "normalized_entropy"


class TaskCalibration(TaskMetric):
    """Mean predicted over mean observed."""

    METRIC = "calibration"


class ExpectedCalibrationError(TaskMetric):
    """Mean distance of predicted and observed, over bins of the score."""

    METRIC = "expected_calibration_error"


class TaskExampleCount(TaskMetric):
    """Rows that count for the output."""

    METRIC = "example_count"


class TaskPositiveCount(TaskMetric):
    """Rows whose label is 1."""

    METRIC = "positive_count"


class GaucUsers(TaskMetric):
    """Users with an AUC of their own."""

    METRIC = "gauc_users"


class GaucUsersLeftOut(TaskMetric):
    """Users with rows of one class only."""

    METRIC = "gauc_users_left_out"


class GaucRowsLeftOut(TaskMetric):
    """Rows of users left out, and rows that name no user."""

    METRIC = "gauc_rows_left_out"


class Details(TaskMetric):
    """No number, but a text in JSON (see `read_details`)."""

    METRIC = DETAILS


METRIC_CLASSES: dict[str, type[TaskMetric]] = {
    cls.METRIC: cls
    for cls in (
        ExactAuc,
        Gauc,
        GaucByImpressions,
        GaucByPositives,
        TaskLogLoss,
        NormalizedEntropy,
        TaskCalibration,
        ExpectedCalibrationError,
        TaskExampleCount,
        TaskPositiveCount,
        GaucUsers,
        GaucUsersLeftOut,
        GaucRowsLeftOut,
    )
}
"""By metric name; the names are those of the catalog."""

for _cls in (*METRIC_CLASSES.values(), Details):
    metric_types.register_metric(_cls)


def _computations(
    name: str,
    metric: str,
    group_by: str,
    min_examples: Mapping[str, int],
    buckets: Mapping[str, Sequence[float]],
    refuse_if: Mapping[str, str],
    final: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_names: list[str] | None = None,
    output_names: list[str] | None = None,
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    """Returns the computation shared by all metrics, and what derives this metric's values from it."""
    del group_by, min_examples, buckets, refuse_if, final  # for the extractors and the verdict
    if eval_config is None:
        raise ValueError(f"metric '{name}' needs the EvalConfig")
    layout = Layout.of(eval_config)
    derived = {
        _private_key(metric, model, output): metric_types.MetricKey(
            name=name, model_name=model, output_name=output, example_weighted=example_weighted
        )
        for model in model_names or [""]
        for output in output_names or [""]
    }
    keys = [
        _private_key(each, model, output.name)
        for model in layout.models
        for output in layout.outputs
        for each in (*METRIC_CLASSES, DETAILS)
    ]
    baselines = [spec.name for spec in eval_config.model_specs if spec.is_baseline]
    return [
        metric_types.MetricComputation(
            keys=keys,
            preprocessors=[_TakeStatistics()],
            combiner=TaskMetricsCombiner(layout, baselines[0] if baselines else None),
        ),
        metric_types.DerivedMetricComputation(keys=list(derived.values()), result=_Pick(derived)),
    ]


def _private_key(metric: str, model: str, output: str) -> metric_types.MetricKey:
    # The leading underscore makes TFMA drop it from the results.
    return metric_types.MetricKey(name=f"_task_{metric}", model_name=model, output_name=output)


class _TakeStatistics(metric_types.Preprocessor):
    """Hands the combiner nothing but the statistics."""

    def process(self, extracts: types.Extracts) -> Iterator[Statistics]:
        yield extracts[STATISTICS_KEY]


@dataclass(frozen=True)
class _Pick:
    """Gives values of the shared computation a metric's own keys."""

    keys: Mapping[metric_types.MetricKey, metric_types.MetricKey]

    def __call__(self, metrics: Mapping[metric_types.MetricKey, Any]) -> dict[metric_types.MetricKey, Any]:
        return {public: metrics[private] for private, public in self.keys.items()}


class TaskMetricsCombiner(beam.CombineFn):
    """Adds up a slice's statistics and computes all metrics of all models and outputs."""

    def __init__(self, layout: Layout, baseline: str | None = None):
        self._layout = layout
        self._baseline = baseline

    def create_accumulator(self) -> list[Statistics]:
        """Returns an accumulator without statistics."""
        return []

    def add_input(self, accumulator: list[Statistics], statistics: Statistics) -> list[Statistics]:
        """Adds statistics of some of the slice's rows."""
        accumulator.append(statistics)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[list[Statistics]]) -> list[Statistics]:
        """Joins accumulators; their order does not matter."""
        return self.compact([statistics for accumulator in accumulators for statistics in accumulator])

    def compact(self, accumulator: list[Statistics]) -> list[Statistics]:
        """Adds up what has been gathered."""
        return [Statistics.merged(accumulator)] if len(accumulator) > 1 else accumulator

    def extract_output(self, accumulator: list[Statistics]) -> dict[metric_types.MetricKey, float | str]:
        """Computes every metric of every model and output."""
        if not accumulator:
            return {}
        statistics = Statistics.merged(accumulator)
        columns = self._layout.columns
        found = {
            (self._layout.models[model], self._layout.outputs[output].name): (number, each)
            for number, ((model, output), each) in enumerate(
                zip(columns, measured(statistics, len(columns)), strict=True)
            )
        }
        result: dict[metric_types.MetricKey, float | str] = {}
        for (model, output), (number, each) in found.items():
            values = each.values()
            result.update({_private_key(name, model, output): value.value for name, value in values.items()})
            details: dict[str, Any] = {"values": _plain(values)}
            if self._baseline is not None and model != self._baseline:
                details["difference"] = _plain(each.less(found[self._baseline, output][1]))
            if statistics.slices == ((),):
                others = [at for (_, of), (at, _) in found.items() if of == output]
                details["curves"] = curves(statistics, number, beside=others)
            result[_private_key(DETAILS, model, output)] = json.dumps(details)
        return result


def _plain(values: Mapping[str, Value]) -> dict[str, list[float]]:
    return {name: [value.value, value.low, value.high] for name, value in values.items()}


@dataclass(frozen=True)
class ReadDetails:
    """What the metric `Details` says of a model and output in a slice.

    Attributes:
      values: The metrics with their intervals.
      difference: The metrics less the baseline's, with the intervals of the differences; none without a baseline.
      curves: See `tandem.components.metrics.curves`; None but for all rows, and where there are no scores.
    """

    values: Mapping[str, Value]
    difference: Mapping[str, Value]
    curves: Mapping[str, Any] | None


def read_details(text: str | bytes) -> ReadDetails:
    """Reads the value of the metric `Details`."""
    plain = json.loads(text)
    values, difference = (
        {name: Value(*numbers) for name, numbers in plain.get(part, {}).items()} for part in ("values", "difference")
    )
    return ReadDetails(values, difference, plain.get("curves"))
