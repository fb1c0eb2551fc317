"""How far the values of a feature have moved between two sets of rows, in numbers and in words.

The schema names what is compared: `skew_comparator` holds the evaluation days to the training days, `drift_comparator`
this span's training days to those accepted before. TFDV measures; this module keeps every distance, also those within
their threshold, and finds the values that moved most.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any, Literal

import tensorflow_data_validation as tfdv
from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from tandem import files

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

DISTANCES_FILE = "drift.json"

Kind = Literal["skew", "drift"]

NOTHING_EARLIER = "there are no earlier statistics to compare with"

_MEASURES = {"infinity_norm": "L_INFTY", "jensen_shannon_divergence": "JENSEN_SHANNON_DIVERGENCE"}
_WORDS = {"infinity_norm": "L-infinity", "jensen_shannon_divergence": "Jensen-Shannon"}
_SIDES = {
    "skew": ("the evaluation days", "the training days"),
    "drift": ("the training days", "those accepted before"),
}
_MOST_VALUES = 3


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class Distance:
    """One comparison that the schema asks for.

    Attributes:
      feature: The feature.
      kind: `skew`: evaluation days against training days; `drift`: training days against those accepted before.
      distance: From 0 (equal) to 1; None where it could not be measured.
      measure: `infinity_norm`: the largest change of a value's share; `jensen_shannon_divergence`, to the base 2.
      threshold: Of the schema.
      exceeded: Whether the distance is above it.
      note: The values that moved most, or why nothing was measured.
    """

    feature: str
    kind: Kind
    distance: float | None
    measure: str
    threshold: float
    exceeded: bool
    note: str = ""

    @property
    def text(self) -> str:
        """All that in a sentence."""
        here, there = _SIDES[self.kind]
        if self.distance is None:
            return f"{self.kind}: feature '{self.feature}' is not compared: {self.note}"
        side = "above" if self.exceeded else "within"
        measured = f"{self.distance:.4f} ({_WORDS[self.measure]}), {side} its threshold {self.threshold:g}"
        return f"{self.kind}: feature '{self.feature}' of {here} is away from {there} by {measured}: {self.note}"


_DISTANCES = TypeAdapter(list[Distance])


def distances(
    kind: Kind,
    schema: schema_pb2.Schema,
    training: statistics_pb2.DatasetFeatureStatisticsList,
    other: statistics_pb2.DatasetFeatureStatisticsList | None,
) -> list[Distance]:
    """Measures what the schema asks for, in the order of the schema.

    Args:
      kind: Which comparators.
      schema: With thresholds.
      training: Of this run's training split.
      other: Of the evaluation split (skew), or of the training split accepted before (drift); None: there are none.
    """
    asked = list(_asked(kind, schema))
    if not asked or other is None:
        return [Distance(name, kind, None, measure, limit, False, NOTHING_EARLIER) for name, measure, limit in asked]
    named = {"serving_statistics" if kind == "skew" else "previous_statistics": other}
    measured = _measured(kind, tfdv.validate_statistics(training, schema, **named))
    here, there = (other, training) if kind == "skew" else (training, other)
    now, before = _features(here), _features(there)
    found = []
    for name, measure, limit in asked:
        distance, note = measured.get((name, measure)), ""
        if name not in now or name not in before:
            distance, note = None, f"it has no values in {_SIDES[kind][name in now]}"
        elif measure == "infinity_norm" and now[name].HasField("num_stats"):
            # TFDV answers 0 here: it has no values to count.
            distance, note = None, "infinity_norm is for categories; a number needs jensen_shannon_divergence"
        elif distance is None:
            note = "it is of another type there"
        else:
            note = "; ".join(_moved(before[name], now[name]))
        found.append(Distance(name, kind, distance, measure, limit, distance is not None and distance > limit, note))
    return found


def write_distances(uri: str, found: Sequence[Distance]) -> None:
    """Writes `drift.json` into the folder of an anomalies artifact: a list, each with what `Distance` says."""
    files.write(posixpath.join(uri, DISTANCES_FILE), _DISTANCES.dump_json(list(found), indent=1))


def read_distances(uri: str) -> list[Distance]:
    """Reads `drift.json` of an anomalies artifact; none where there is no such file."""
    try:
        return _DISTANCES.validate_json(files.read(posixpath.join(uri, DISTANCES_FILE)))
    except FileNotFoundError:
        return []


def describe(found: Sequence[Distance]) -> list[str]:
    """Says for each kind what was compared, and what is above its threshold."""
    lines = []
    for kind in _SIDES:
        mine = [each for each in found if each.kind == kind]
        compared = [each for each in mine if each.distance is not None]
        if not mine:
            continue
        if not compared:
            lines.append(f"{kind}: nothing was compared: {mine[0].note}")
            continue
        above = [each.text for each in compared if each.exceeded]
        nearest = max(compared, key=lambda each: (each.distance or 0) / (each.threshold or 1e-12))
        count = f"{len(compared)} feature{'' if len(compared) == 1 else 's'} compared"
        if len(compared) < len(mine):
            count += f", {len(mine) - len(compared)} not ({next(each.note for each in mine if each.distance is None)})"
        if above:
            lines += [f"{kind}: {count}, {len(above)} above their threshold", *above]
        else:
            lines.append(
                f"{kind}: {count}, all within their threshold; nearest to it is '{nearest.feature}', "
                f"{nearest.distance:.4f} of {nearest.threshold:g}"
            )
    return lines


def _asked(kind: Kind, schema: schema_pb2.Schema) -> Iterator[tuple[str, str, float]]:
    for feature in schema.feature:
        comparator = getattr(feature, f"{kind}_comparator")
        for measure in _MEASURES:
            if comparator.HasField(measure) and getattr(comparator, measure).HasField("threshold"):
                yield feature.name, measure, getattr(comparator, measure).threshold


def _measured(kind: Kind, anomalies: anomalies_pb2.Anomalies) -> dict[tuple[str, str], float]:
    names = {anomalies_pb2.DriftSkewInfo.Measurement.Type.Value(theirs): ours for ours, theirs in _MEASURES.items()}
    return {
        (".".join(info.path.step), names[measurement.type]): measurement.value
        for info in anomalies.drift_skew_info
        for measurement in getattr(info, f"{kind}_measurements")
        if measurement.type in names
    }


def _features(
    statistics: statistics_pb2.DatasetFeatureStatisticsList,
) -> Mapping[str, statistics_pb2.FeatureNameStatistics]:
    """Features that have values, by name."""
    return {
        ".".join(feature.path.step) or feature.name: feature
        for feature in statistics.datasets[0].features
        if _common(feature).tot_num_values
    }


def _common(feature: Any) -> Any:
    kind = feature.WhichOneof("stats")
    return getattr(feature, kind).common_stats


def _moved(before: Any, now: Any) -> list[str]:
    """The values whose share moved most; of numbers, the median."""
    if before.HasField("num_stats") and now.HasField("num_stats"):
        return [f"median {before.num_stats.median:g} -> {now.num_stats.median:g}"]
    earlier, later = _shares(before), _shares(now)
    moves = {value: later.get(value, 0.0) - earlier.get(value, 0.0) for value in {*earlier, *later}}
    most = sorted(moves, key=lambda value: (-abs(moves[value]), value))[:_MOST_VALUES]
    return [f"{value} {earlier.get(value, 0.0):.1%} -> {later.get(value, 0.0):.1%}" for value in most]


def _shares(feature: Any) -> dict[str, float]:
    total = _common(feature).tot_num_values
    buckets = feature.string_stats.rank_histogram.buckets
    return {bucket.label: bucket.sample_count / total for bucket in buckets}
