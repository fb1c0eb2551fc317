from __future__ import annotations

import pytest
from tensorflow_model_analysis.proto import config_pb2

from tandem.components.evaluator.bounds import bounds, slicing_text


def _metric(config: config_pb2.EvalConfig) -> config_pb2.MetricConfig:
    return config.metrics_specs.add(output_names=["click"]).metrics.add(config='{"name": "auc"}')


def test_thresholds_elsewhere_are_not_overlooked() -> None:
    config = config_pb2.EvalConfig()
    _metric(config).threshold.value_threshold.lower_bound.value = 0.5
    with pytest.raises(ValueError, match="belong to a metric's per_slice_thresholds"):
        bounds(config)
    config = config_pb2.EvalConfig()
    config.metrics_specs.add().thresholds["auc"].value_threshold.lower_bound.value = 0.5
    with pytest.raises(ValueError, match="not to the spec"):
        bounds(config)


def test_relative_change_is_refused() -> None:
    config = config_pb2.EvalConfig()
    per_slice = _metric(config).per_slice_thresholds.add(slicing_specs=[config_pb2.SlicingSpec()])
    per_slice.threshold.change_threshold.relative.value = 0.1
    with pytest.raises(ValueError, match="an absolute one"):
        bounds(config)


def test_a_slicing_names_columns_or_values() -> None:
    config = config_pb2.EvalConfig()
    slicing = config_pb2.SlicingSpec(feature_keys=["a"], feature_values={"b": "1"})
    per_slice = _metric(config).per_slice_thresholds.add(slicing_specs=[slicing])
    per_slice.threshold.value_threshold.lower_bound.value = 0.1
    with pytest.raises(ValueError, match="not both"):
        bounds(config)


def test_names_of_slicings() -> None:
    assert slicing_text(config_pb2.SlicingSpec()) == ""
    assert slicing_text(config_pb2.SlicingSpec(feature_keys=["b", "a"])) == "a,b"
    assert slicing_text(config_pb2.SlicingSpec(feature_values={"city": "12"})) == "city=12"
