from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2

from tandem.components.example_validator.distances import Distance, describe, distances, read_distances, write_distances

if TYPE_CHECKING:
    import pathlib

_SCHEMA = text_format.Parse(
    """
    feature { name: "age" type: FLOAT skew_comparator { jensen_shannon_divergence { threshold: 0.1 } } }
    feature {
      name: "city" type: BYTES
      skew_comparator { infinity_norm { threshold: 0.25 } }
      drift_comparator { infinity_norm { threshold: 0.1 } jensen_shannon_divergence { threshold: 0.9 } }
    }
    feature { name: "page" type: BYTES }
    """,
    schema_pb2.Schema(),
)


def _statistics(cities: str, ages: list[float] | None = None) -> statistics_pb2.DatasetFeatureStatisticsList:
    rows = pd.DataFrame({"city": list(cities), "age": ages or [float(n) for n in range(len(cities))]})
    return tfdv.generate_statistics_from_dataframe(rows.assign(page="p"))


def test_distances_by_hand() -> None:
    # a: 60% -> 40%, b: 40% -> 30%, c: 0 -> 30%. The largest change of a share is 0.3.
    found = distances("skew", _SCHEMA, _statistics("aaaaaabbbb"), _statistics("aaaabbbccc"))
    assert [(each.feature, each.measure) for each in found] == [
        ("age", "jensen_shannon_divergence"),
        ("city", "infinity_norm"),
    ]
    age, city = found
    assert age.distance == pytest.approx(0.0, abs=1e-6)
    assert not age.exceeded
    assert city.distance == pytest.approx(0.3)
    assert (city.kind, city.threshold, city.exceeded) == ("skew", 0.25, True)
    assert city.text == (
        "skew: feature 'city' of the evaluation days is away from the training days by 0.3000 (L-infinity), above its "
        "threshold 0.25: c 0.0% -> 30.0%; a 60.0% -> 40.0%; b 40.0% -> 30.0%"
    )


def test_drift_is_from_what_was_before_to_what_is_now() -> None:
    norm, divergence = distances("drift", _SCHEMA, _statistics("aaab"), _statistics("aabb"))
    assert norm.distance == pytest.approx(0.25)
    assert norm.exceeded
    assert norm.note == "a 50.0% -> 75.0%; b 50.0% -> 25.0%"
    # Divergence of (3/4, 1/4) and (1/2, 1/2), to the base 2: the entropy of the mean less the mean of the entropies.
    assert divergence.distance == pytest.approx(0.9544340029 - (0.8112781245 + 1.0) / 2, abs=1e-6)
    assert not divergence.exceeded


def test_a_number_moves_by_its_median() -> None:
    (age, _) = distances("skew", _SCHEMA, _statistics("aaaa", [1.0, 2, 3, 4]), _statistics("aaaa", [91.0, 92, 93, 94]))
    assert age.exceeded
    assert age.note.startswith("median 3 -> 93")


def test_what_cannot_be_compared_is_told() -> None:
    nothing = distances("drift", _SCHEMA, _statistics("ab"), None)
    assert [(each.feature, each.distance, each.exceeded) for each in nothing] == [("city", None, False)] * 2
    assert {each.note for each in nothing} == {"there are no earlier statistics to compare with"}
    without = tfdv.generate_statistics_from_dataframe(pd.DataFrame({"age": [1.0, 2.0]}))
    city = distances("drift", _SCHEMA, _statistics("ab"), without)[0]
    assert (city.distance, city.note) == (None, "it has no values in those accepted before")
    number = schema_pb2.Schema()
    number.feature.add(name="age").skew_comparator.infinity_norm.threshold = 0.1
    (age,) = distances("skew", number, _statistics("aa", [1.0, 2.0]), _statistics("aa", [8.0, 9.0]))
    assert (age.distance, age.exceeded) == (None, False)
    assert age.note == "infinity_norm is for categories; a number needs jensen_shannon_divergence"


def test_a_schema_without_comparators_compares_nothing() -> None:
    assert distances("skew", schema_pb2.Schema(), _statistics("a"), _statistics("b")) == []
    assert describe([]) == []


def test_read_as_written(tmp_path: pathlib.Path) -> None:
    found = [
        Distance("city", "skew", 0.3, "infinity_norm", 0.1, True, "a 1.0% -> 2.0%"),
        Distance("age", "drift", None, "jensen_shannon_divergence", 0.1, False, "why"),
    ]
    write_distances(str(tmp_path), found)
    assert read_distances(str(tmp_path)) == found
    assert read_distances(str(tmp_path / "nowhere")) == []


def test_a_description_names_the_nearest_or_what_is_above() -> None:
    near = Distance("city", "skew", 0.09, "infinity_norm", 0.1, False)
    far = Distance("hour", "skew", 0.2, "infinity_norm", 1.0, False)
    over = Distance("page", "skew", 0.2, "infinity_norm", 0.1, True, "p 1.0% -> 21.0%")
    none = Distance("age", "skew", None, "infinity_norm", 0.1, False, "why")
    assert describe([far, near]) == [
        "skew: 2 features compared, all within their threshold; nearest to it is 'city', 0.0900 of 0.1"
    ]
    assert describe([near, over, none]) == [
        "skew: 2 features compared, 1 not (why), 1 above their threshold",
        "skew: feature 'page' of the evaluation days is away from the training days by 0.2000 (L-infinity), above its "
        "threshold 0.1: p 1.0% -> 21.0%",
    ]
    assert describe([none]) == ["skew: nothing was compared: why"]
