"""Columns that a schema need not list."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
from tensorflow_transform.tf_metadata import schema_utils

from tandem.components.curated_schema.own_columns import with_own_columns
from tandem.components.log_example_gen.settings.columns import own_columns
from tandem.components.log_example_gen.settings.logs import LogSettings
from tandem.pipeline.configuration.config import load

ROOT = Path(__file__).resolve().parents[3]
TEXT = """# Written by hand.
default_environment: "TRAINING"
default_environment: "SERVING"
feature {
  name: "click"  # 0 or 1
  type: INT
  presence { min_fraction: 1.0 min_count: 1 }
  bool_domain {}
}
"""
OWN = ("click", "click_is_final", "click_time_us")


def schema(text: str) -> schema_pb2.Schema:
    return text_format.Parse(text, schema_pb2.Schema())


def test_what_is_listed_stays_as_it_is_and_the_rest_is_added() -> None:
    text = with_own_columns(TEXT, OWN)
    assert text.startswith(TEXT)
    features = {feature.name: feature for feature in schema(text).feature}
    assert list(features) == list(OWN)
    assert features["click"] == schema(TEXT).feature[0]
    for name in OWN[1:]:
        assert features[name].type == schema_pb2.INT
        assert not features[name].HasField("presence")
        assert list(features[name].not_in_environment) == ["SERVING"]
    assert with_own_columns(text, OWN) == text
    assert with_own_columns(TEXT, ()) == TEXT


def test_a_schema_without_requests_names_no_environment() -> None:
    (feature,) = schema(with_own_columns("", ["click"])).feature
    assert (feature.name, list(feature.not_in_environment)) == ("click", [])


def test_a_text_that_is_no_schema_is_refused_with_its_line() -> None:
    with pytest.raises(ValueError, match=r'the schema cannot be read: 2:1 : .*has no field named "featur"'):
        with_own_columns('feature { name: "a" }\nfeatur { name: "b" }', OWN)


def test_own_columns_are_optional_numbers_for_transform_and_validation() -> None:
    made = schema(with_own_columns(TEXT, OWN))
    spec = schema_utils.schema_as_feature_spec(made).feature_spec
    assert {name: type(each).__name__ for name, each in spec.items()} == dict.fromkeys(OWN, "VarLenFeature")
    assert {each.dtype.name for each in spec.values()} == {"int64"}

    def anomalies(**columns: list[list[int]]) -> list[str]:
        listed = [*columns.items()]
        dataset = statistics_pb2.DatasetFeatureStatistics(num_examples=2)
        for name, rows in listed:
            feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.INT)
            feature.path.step.append(name)
            common = feature.num_stats.common_stats
            common.num_non_missing = sum(map(bool, rows))
            common.num_missing = 2 - common.num_non_missing
            common.min_num_values = common.max_num_values = 1
            feature.num_stats.min, feature.num_stats.max = 0, 1
        statistics = statistics_pb2.DatasetFeatureStatisticsList(datasets=[dataset])
        return sorted(tfdv.validate_statistics(statistics, made, environment="TRAINING").anomaly_info)

    everything = {"click": [[1], [0]], "click_is_final": [[1], [1]], "click_time_us": [[1], []]}
    assert anomalies(**everything) == []
    assert anomalies(click=[[1], [0]]) == []  # a day without clicks, logs without windows
    assert anomalies(**everything, click_time=[[1], [1]]) == ["click_time"]
    assert anomalies(click_time_us=[[1], [1]]) == ["click"]  # what is listed is demanded


@pytest.mark.parametrize("name", ["sample", "kuairand"])
def test_the_schemas_that_come_along_hold_for_all_columns_of_their_examples(name: str) -> None:
    config = load(ROOT / "configs" / f"{name}.yaml", data=str(ROOT))
    labels = [label.name for label in config.labels()]
    text = (ROOT / "schemas" / f"{name}.pbtxt").read_text(encoding="utf-8")
    made = schema(with_own_columns(text, own_columns(config.logs, labels)))
    listed = {feature.name: feature for feature in made.feature}
    assert set(listed) == {*config.columns(), *own_columns(config.logs, labels)}
    for label in labels:
        assert listed[label].HasField("bool_domain")
        assert listed[label].presence.min_fraction == 1
        assert not listed[f"{label}_time_us"].HasField("presence")


STREAM = {"files": "x", "time": {"column": "t", "unit": "s"}}
STREAMS = {
    "impressions": STREAM,
    "clicks": STREAM,
    "conversions": STREAM | {"event": "e"},
    "split": {"train": {"before": "1970-01-02"}, "eval": {"from": "1970-01-12"}},
}
FILES = {"split": {"train": {"files": "a"}, "eval": {"files": "b"}}}


@pytest.mark.parametrize(
    ("logs", "observed_until", "expected"),
    [
        (STREAMS | {"join": {"on": "id"}}, False, ["click_time_us", "buy_time_us", "impression_time_us"]),
        (
            STREAMS | {"join": {"on": "id", "conversion_window_hours": 1}},
            True,
            ["buy_is_final", "click_time_us", "buy_time_us", "impression_time_us", "observed_until_us"],
        ),
        (FILES | {"table": {"files": "x"}}, False, []),
        (FILES | {"table": {"files": "x", "time": STREAM["time"]}}, False, ["impression_time_us"]),
    ],
)
def test_ingestion_says_which_columns_it_makes(logs: dict, observed_until: bool, expected: list[str]) -> None:
    found = own_columns(LogSettings.model_validate(logs), ["click", "buy"], observed_until)
    assert list(found) == ["click", "buy", *expected]
