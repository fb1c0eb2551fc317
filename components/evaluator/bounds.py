"""The thresholds of an EvalConfig, one by one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tensorflow_model_analysis.proto import config_pb2

from tandem.components.evaluator.verdict import Bound


def bounds(eval_config: config_pb2.EvalConfig) -> list[Bound]:
    """Lists the thresholds.

    They stand in `per_slice_thresholds` of the metrics, with an empty slicing spec for all rows together: a plain
    `threshold` would mean every slice there is. `min_examples` and `refuse_if` stand in the metric's configuration, by
    `bound_key`.

    Raises:
      ValueError: A threshold stands elsewhere, or is one on relative change.
    """
    found: list[Bound] = []
    for spec in eval_config.metrics_specs:
        if spec.thresholds or spec.per_slice_thresholds or spec.cross_slice_thresholds:
            raise ValueError(f"thresholds belong to a metric's per_slice_thresholds, not to the spec: {spec}")
        for metric in spec.metrics:
            if metric.HasField("threshold") or metric.cross_slice_thresholds:
                raise ValueError(f"thresholds belong to a metric's per_slice_thresholds: {metric}")
            config = json.loads(metric.config or "{}")
            for per_slice in metric.per_slice_thresholds:
                for slicing in per_slice.slicing_specs:
                    for output in spec.output_names:
                        found += _of(per_slice.threshold, slicing, config, output)
    return found


def slicing_text(slicing: config_pb2.SlicingSpec) -> str:
    """Names a slicing: `city`, `city,device`, `city=12`; empty for all rows together."""
    return ",".join(
        sorted([*slicing.feature_keys, *(f"{column}={value}" for column, value in slicing.feature_values.items())])
    )


def bound_key(slicing: config_pb2.SlicingSpec, kind: str) -> str:
    """Names a bound among those of its metric and output: `at_least`, `at_most city=12`."""
    return f"{kind} {slicing_text(slicing)}".strip()


def _of(
    threshold: config_pb2.MetricThreshold, slicing: config_pb2.SlicingSpec, config: Mapping, output: str
) -> Iterator[Bound]:
    columns = tuple(sorted([*slicing.feature_keys, *slicing.feature_values]))
    values = tuple(sorted(slicing.feature_values.items()))
    if slicing.feature_keys and slicing.feature_values:
        raise ValueError(f"a threshold's slice names columns, or columns with values, not both: {slicing}")

    def bound(kind: str, **limits: Any) -> Bound:
        key = bound_key(slicing, kind)
        return Bound(
            metric=config["name"],
            output=output,
            columns=columns,
            values=values,
            min_examples=config.get("min_examples", {}).get(key, 0),
            refuse_if=config.get("refuse_if", {}).get(key, "missed"),
            **limits,
        )

    if threshold.HasField("value_threshold"):
        value = threshold.value_threshold
        if value.HasField("lower_bound"):
            yield bound("at_least", lower=value.lower_bound.value)
        if value.HasField("upper_bound"):
            yield bound("at_most", upper=value.upper_bound.value)
    if threshold.HasField("change_threshold"):
        change = threshold.change_threshold
        if change.HasField("relative") or not change.HasField("absolute"):
            raise ValueError(f"a threshold on change is an absolute one: {change}")
        higher = change.direction == config_pb2.HIGHER_IS_BETTER
        yield bound("not_worse_than_blessed_by", change=change.absolute.value, higher_is_better=higher)
