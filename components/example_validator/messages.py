"""Anomalies of the data in plain words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tensorflow_metadata.proto.v0 import anomalies_pb2

if TYPE_CHECKING:
    from collections.abc import Iterator

# What a user meets most; every other kind is told in the validator's own words.
_PLAIN = {
    "ENUM_TYPE_UNEXPECTED_STRING_VALUES": "has values that the schema does not list",
    "SCHEMA_NEW_COLUMN": "is in the data but not in the schema",
    "SCHEMA_MISSING_COLUMN": "is in the schema but nowhere in the data",
    "FEATURE_TYPE_LOW_FRACTION_PRESENT": "is missing from more rows than the schema allows",
    "FEATURE_TYPE_LOW_NUMBER_PRESENT": "is present in fewer rows than the schema demands",
    "FEATURE_TYPE_NOT_PRESENT": "has no values",
    "FEATURE_TYPE_HIGH_NUMBER_VALUES": "has more values in a row than the schema allows",
    "FEATURE_TYPE_LOW_NUMBER_VALUES": "has fewer values in a row than the schema demands",
    "FLOAT_TYPE_BIG_FLOAT": "has values above the schema's maximum",
    "FLOAT_TYPE_SMALL_FLOAT": "has values below the schema's minimum",
    "FLOAT_TYPE_HAS_NAN": "has values that are not numbers (NaN)",
    "FLOAT_TYPE_HAS_INF": "has infinite values",
    "INT_TYPE_BIG_INT": "has values above the schema's maximum",
    "INT_TYPE_SMALL_INT": "has values below the schema's minimum",
    "UNEXPECTED_DATA_TYPE": "is of another type than in the schema",
}
# Openings and whole descriptions that only repeat what the words above say.
_REPEATED = re.compile(
    r"Examples contain values missing from the schema: |New column \(column in data but not in schema\)$|"
    r"Column is completely missing$"
)


def sentences(split: str, anomalies: anomalies_pb2.Anomalies) -> list[str]:
    """Returns one sentence for every anomaly of a split, those of the whole split first, then by feature."""
    found = []
    if anomalies.data_missing:
        found.append(f"{split}: there are no rows")
    if anomalies.HasField("dataset_anomaly_info"):
        found += [f"{split}{words}" for words in _told(anomalies.dataset_anomaly_info)]
    for name, info in sorted(anomalies.anomaly_info.items()):
        feature = ".".join(info.path.step) or name
        found += [f"{split}: feature '{feature}'{words}" for words in _told(info)]
    return found


def _told(info: anomalies_pb2.AnomalyInfo) -> Iterator[str]:
    """Yields, for each reason, how the sentence goes on after its subject."""
    if not info.reason:
        yield f": {_joined(info.short_description, info.description)}"
    for reason in info.reason:
        plain = _PLAIN.get(anomalies_pb2.AnomalyInfo.Type.Name(reason.type))
        if plain is None:
            yield f": {_joined(reason.short_description, reason.description)}"
        else:
            yield f" {_joined(plain, _REPEATED.sub('', reason.description.strip()))}"


def _joined(summary: str, details: str) -> str:
    parts = [part.strip().rstrip(".") for part in (summary, details)]
    return ": ".join(dict.fromkeys(part for part in parts if part))
