"""Statistics of the examples' columns, as TFX's StatisticsGen leaves them."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

from tensorflow_metadata.proto.v0 import statistics_pb2

from tandem.components.run_report.facts import FeatureStatistics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE_NAME = "FeatureStats.pb"

_TOP = 5
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)


def parse(split: str, serialized: bytes) -> list[FeatureStatistics]:
    """Reads a serialized `DatasetFeatureStatisticsList` of one split."""
    protos: Any = statistics_pb2  # generated: type checkers see nothing in it
    found = protos.DatasetFeatureStatisticsList.FromString(serialized)
    return [each for dataset in found.datasets for each in _features(split, dataset)]


def span(
    statistics: Iterable[FeatureStatistics], split: str, column: str
) -> tuple[datetime.datetime | None, datetime.datetime | None]:
    """Returns a split's first and last time by a column of microseconds since 1970; None without the column."""
    for each in statistics:
        if (each.split, each.name) == (split, column) and each.low is not None and each.high is not None:
            return _time(each.low), _time(each.high)
    return None, None


def _time(microseconds: float) -> datetime.datetime:
    return _EPOCH + datetime.timedelta(microseconds=round(microseconds))


def _features(split: str, dataset: Any) -> Iterator[FeatureStatistics]:
    rows = int(dataset.num_examples)
    for feature in dataset.features:
        name = ".".join(feature.path.step) or feature.name
        kind = feature.WhichOneof("stats")
        if kind == "num_stats":
            numbers = feature.num_stats
            empty = not numbers.common_stats.num_non_missing
            yield FeatureStatistics(
                split,
                name,
                "number",
                rows,
                _missing(rows, numbers.common_stats),
                mean=None if empty else numbers.mean,
                deviation=None if empty else numbers.std_dev,
                low=None if empty else numbers.min,
                high=None if empty else numbers.max,
            )
        elif kind == "string_stats":
            texts = feature.string_stats
            top = tuple((each.value, round(each.frequency)) for each in texts.top_values[:_TOP])
            missing = _missing(rows, texts.common_stats)
            yield FeatureStatistics(split, name, "category", rows, missing, distinct=int(texts.unique), top=top)


def _missing(rows: int, common: Any) -> int:
    return rows - int(common.num_non_missing)
