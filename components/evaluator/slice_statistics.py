"""The statistics of an evaluation as a Beam transform: two exchanges of rows, one of sums.

What is computed between the exchanges, says `tandem.components.metrics.sharding`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apache_beam as beam

from tandem.components.metrics.statistics import Statistics

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tandem.components.metrics.rows import Rows, ScoredRows
    from tandem.components.metrics.sharding import Sharding

MERGE_SHARDS = 16
"""How many workers can add up sums at the same time."""

_SCORED = "scored"
_AT_ONCE = 16


class SliceStatistics(beam.PTransform[Any, Any]):
    """Batches of rows -> the statistics of each slice, one element per slice."""

    def __init__(self, sharding: Sharding):
        super().__init__()
        self._sharding = sharding

    def expand(self, batches: Any) -> Any:
        """Builds the transform: PCollection[Rows] -> PCollection[Statistics]."""
        of_users = (
            batches
            | "ByUser" >> beam.FlatMap(self._sharding.by_user)
            | "UsersTogether" >> beam.GroupByKey()
            | "OfUsers" >> beam.ParDo(_OfUsers(self._sharding)).with_outputs(_SCORED, main="statistics")
        )
        of_scores = (
            of_users[_SCORED]
            | "ScoresTogether" >> beam.GroupByKey()
            | "OfScores" >> beam.ParDo(_OfScores(self._sharding))
        )
        return (
            (of_users["statistics"], of_scores)
            | beam.Flatten()
            | "ByShard" >> beam.FlatMap(lambda statistics: statistics.by_shard(MERGE_SHARDS))
            | "AddUp" >> beam.CombinePerKey(_AddUp())
            | "EachSlice" >> beam.FlatMap(lambda of_shard: of_shard[1].each())
        )


class _OfUsers(beam.DoFn):
    def __init__(self, sharding: Sharding):
        self._sharding = sharding

    def process(self, shard: tuple[int, Iterable[Rows]]) -> Iterator[Any]:
        gathered: list[Statistics] = []
        for found in self._sharding.of_users(shard[1]):
            if isinstance(found, Statistics):
                gathered = _gather(gathered, found)
            else:
                yield beam.pvalue.TaggedOutput(_SCORED, found)
        yield Statistics.merged(gathered)


class _OfScores(beam.DoFn):
    def __init__(self, sharding: Sharding):
        self._sharding = sharding

    def process(self, shard: tuple[tuple[int, int], Iterable[ScoredRows]]) -> Iterator[Statistics]:
        (column, _), batches = shard
        gathered: list[Statistics] = []
        for found in self._sharding.of_scores(column, batches):
            gathered = _gather(gathered, found)
        yield Statistics.merged(gathered)


class _AddUp(beam.CombineFn):
    """Adds up statistics; several are gathered before they are merged."""

    def create_accumulator(self) -> list[Statistics]:
        return []

    def add_input(self, accumulator: list[Statistics], statistics: Statistics) -> list[Statistics]:
        return _gather(accumulator, statistics)

    def merge_accumulators(self, accumulators: Iterable[list[Statistics]]) -> list[Statistics]:
        merged = [statistics for accumulator in accumulators for statistics in accumulator]
        return merged if len(merged) < _AT_ONCE else [Statistics.merged(merged)]

    def extract_output(self, accumulator: list[Statistics]) -> Statistics:
        return Statistics.merged(accumulator)


def _gather(gathered: list[Statistics], more: Statistics) -> list[Statistics]:
    """Puts statistics beside others, and adds them up when they are many."""
    gathered.append(more)
    return gathered if len(gathered) < _AT_ONCE else [Statistics.merged(gathered)]
