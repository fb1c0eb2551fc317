from __future__ import annotations

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2

from tandem.components.example_validator.messages import _PLAIN, sentences


def _anomalies(text: str) -> anomalies_pb2.Anomalies:
    return text_format.Parse(text, anomalies_pb2.Anomalies())


def test_none() -> None:
    assert sentences("eval", anomalies_pb2.Anomalies()) == []


def test_every_plain_kind_exists() -> None:
    assert set(_PLAIN) <= set(anomalies_pb2.AnomalyInfo.Type.keys())


def test_split_first_then_features_by_name_each_reason_on_its_own() -> None:
    anomalies = _anomalies(
        """
        data_missing: true
        dataset_anomaly_info {
          reason { type: DATASET_LOW_NUM_EXAMPLES short_description: "Low num examples" description: "3 rows." }
        }
        anomaly_info { key: "user.age" value {
          path { step: "user" step: "age" }
          short_description: "Multiple errors"
          reason { type: FLOAT_TYPE_BIG_FLOAT short_description: "Out of range" description: "300>100" }
          reason { type: CUSTOM_VALIDATION short_description: "Odd" description: "Query: x > 5" }
        } }
        anomaly_info { key: "city" value {
          path { step: "city" }
          reason {
            type: ENUM_TYPE_UNEXPECTED_STRING_VALUES
            short_description: "Unexpected string values"
            description: "Examples contain values missing from the schema: x (~24%), y (~2%). "
          }
        } }
        """
    )
    assert sentences("eval", anomalies) == [
        "eval: there are no rows",
        "eval: Low num examples: 3 rows",
        "eval: feature 'city' has values that the schema does not list: x (~24%), y (~2%)",
        "eval: feature 'user.age' has values above the schema's maximum: 300>100",
        "eval: feature 'user.age': Odd: Query: x > 5",
    ]


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ('short_description: "Odd."  description: "Very odd. "', "eval: feature 'f': Odd: Very odd"),
        ('description: "Very odd."', "eval: feature 'f': Very odd"),
        ('short_description: "Odd" description: "Odd."', "eval: feature 'f': Odd"),
    ],
)
def test_anomaly_without_reasons_or_path(info: str, words: str) -> None:
    assert sentences("eval", _anomalies(f'anomaly_info {{ key: "f" value {{ {info} }} }}')) == [words]
