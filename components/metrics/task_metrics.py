"""The metrics of every model, output and slice as TFMA metrics, from one pass over the rows.

Each metric of the catalog is a TFMA metric of its own name, because a threshold binds to a metric by name. They all ask
for the same computation, which TFMA therefore runs once: it gathers the rows of a slice (`Rows`, from the extractors of
this package), computes everything, and the metrics pick their values from the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.api import types
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.proto import config_pb2

from components.metrics.groups import NO_GROUP
from components.metrics.rows import NOT_COUNTED, ROWS_KEY, Layout, Rows
from components.metrics.values import output_values

_MANY_PARTS = 64


class TaskMetric(metric_types.Metric):
    """A metric of the catalog; the subclasses only name it."""

    METRIC = ""

    def __init__(
        self,
        name: str = "",
        group_by: str = "",
        min_examples: Mapping[str, int] | None = None,
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
        """
        super().__init__(
            _computations,
            name=name or self.METRIC,
            metric=self.METRIC,
            group_by=group_by,
            min_examples=dict(min_examples or {}),
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


class TaskCalibration(TaskMetric):
    """Mean predicted over mean observed."""

    METRIC = "calibration"


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


METRIC_CLASSES: dict[str, type[TaskMetric]] = {
    cls.METRIC: cls
    for cls in (
        ExactAuc,
        Gauc,
        GaucByImpressions,
        GaucByPositives,
        TaskLogLoss,
        TaskCalibration,
        TaskExampleCount,
        TaskPositiveCount,
        GaucUsers,
        GaucUsersLeftOut,
        GaucRowsLeftOut,
    )
}
"""By metric name; the names are those of the catalog."""

for _cls in METRIC_CLASSES.values():
    metric_types.register_metric(_cls)


def _computations(
    name: str,
    metric: str,
    group_by: str,
    min_examples: Mapping[str, int],
    refuse_if: Mapping[str, str],
    final: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_names: list[str] | None = None,
    output_names: list[str] | None = None,
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    """Returns the computation shared by all metrics, and what derives this metric's values from it."""
    del group_by, min_examples, refuse_if, final  # for the extractors and the verdict
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
        for each in METRIC_CLASSES
    ]
    return [
        metric_types.MetricComputation(keys=keys, preprocessors=[_TakeRows()], combiner=TaskMetricsCombiner(layout)),
        metric_types.DerivedMetricComputation(keys=list(derived.values()), result=_Pick(derived)),
    ]


def _private_key(metric: str, model: str, output: str) -> metric_types.MetricKey:
    # The leading underscore makes TFMA drop it from the results.
    return metric_types.MetricKey(name=f"_task_{metric}", model_name=model, output_name=output)


class _TakeRows(metric_types.Preprocessor):
    """Hands the combiner nothing but the rows."""

    def process(self, extracts: types.Extracts) -> Iterator[Rows]:
        yield extracts[ROWS_KEY]


@dataclass(frozen=True)
class _Pick:
    """Gives values of the shared computation a metric's own keys."""

    keys: Mapping[metric_types.MetricKey, metric_types.MetricKey]

    def __call__(self, metrics: Mapping[metric_types.MetricKey, Any]) -> dict[metric_types.MetricKey, Any]:
        return {public: metrics[private] for private, public in self.keys.items()}


class RowsAccumulator:
    """Rows gathered so far, in parts; merging two is joining their lists."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: list[Rows] = []

    def compact(self) -> RowsAccumulator:
        """Makes one part of many."""
        if len(self.parts) > 1:
            self.parts = [Rows.concatenate(self.parts)]
        return self


class TaskMetricsCombiner(beam.CombineFn):
    """Gathers a slice's rows and computes all metrics of all models and outputs at the end.

    AUC is a statement about all pairs of rows, so rows are kept: 8 bytes + outputs * (1 + 4 * models) each.
    """

    def __init__(self, layout: Layout):
        self._layout = layout

    def create_accumulator(self) -> RowsAccumulator:
        """Returns an accumulator without rows."""
        return RowsAccumulator()

    def add_input(self, accumulator: RowsAccumulator, rows: Rows) -> RowsAccumulator:
        """Adds rows."""
        accumulator.parts.append(rows)
        return accumulator.compact() if len(accumulator.parts) >= _MANY_PARTS else accumulator

    def merge_accumulators(self, accumulators: Iterable[RowsAccumulator]) -> RowsAccumulator:
        """Joins accumulators; their order does not matter."""
        merged = RowsAccumulator()
        for accumulator in accumulators:
            merged.parts += accumulator.parts
        return merged.compact()

    def compact(self, accumulator: RowsAccumulator) -> RowsAccumulator:
        """Makes one part of many."""
        return accumulator.compact()

    def extract_output(self, accumulator: RowsAccumulator) -> dict[metric_types.MetricKey, float]:
        """Computes every metric of every model and output."""
        if not accumulator.parts:
            return {}
        rows = accumulator.compact().parts[0]
        # Small codes in place of 64-bit ones: they are made once here and sorted many times below.
        codes = np.unique(rows.groups, return_inverse=True)[1]
        result: dict[metric_types.MetricKey, float] = {}
        for position, output in enumerate(self._layout.outputs):
            labels = rows.labels[:, position]
            counted = labels != NOT_COUNTED
            grouped = counted & (rows.groups != NO_GROUP)
            for number, model in enumerate(self._layout.models):
                scores = rows.scores[:, number * len(self._layout.outputs) + position]
                values = output_values(codes, labels, scores, counted, grouped)
                result.update({_private_key(metric, model, output.name): value for metric, value in values.items()})
        return result
