"""The statistics of an evaluation as a Beam transform: two exchanges of rows, one of sums."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from tandem.components.metrics.rows import Rows
from tandem.components.metrics.sharding import Sharding
from tandem.components.metrics.statistics import Statistics

PLACES = 16
"""How many workers can add up sums at the same time."""

_SCORED = "scored"
_AT_ONCE = 16


class SliceStatistics(beam.PTransform):
    """Batches of rows -> the statistics of each slice, one element per slice."""

    def __init__(self, sharding: Sharding):
        super().__init__()
        self._sharding = sharding

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
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
            | "ByPlace" >> beam.FlatMap(lambda statistics: statistics.by_place(PLACES))
            | "AddUp" >> beam.CombinePerKey(_AddUp())
            | "EachSlice" >> beam.FlatMap(lambda placed: placed[1].each())
        )


class _OfUsers(beam.DoFn):
    def __init__(self, sharding: Sharding):
        self._sharding = sharding

    def process(self, shard: tuple[int, Iterable[Rows]]) -> Iterator[Any]:
        gathered: list[Statistics] = []
        for found in self._sharding.of_users(shard[1]):
            if not isinstance(found, Statistics):
                yield beam.pvalue.TaggedOutput(_SCORED, found)
                continue
            gathered.append(found)
            if len(gathered) >= _AT_ONCE:
                gathered = [Statistics.merged(gathered)]
        yield Statistics.merged(gathered)


class _OfScores(beam.DoFn):
    def __init__(self, sharding: Sharding):
        self._sharding = sharding

    def process(self, shard: tuple[tuple[int, int], Iterable[Rows]]) -> Iterator[Statistics]:
        (column, _), batches = shard
        gathered: list[Statistics] = []
        for found in self._sharding.of_scores(column, batches):
            gathered.append(found)
            if len(gathered) >= _AT_ONCE:
                gathered = [Statistics.merged(gathered)]
        yield Statistics.merged(gathered)


class _AddUp(beam.CombineFn):
    """Adds up statistics; several are gathered before they are merged."""

    def create_accumulator(self) -> list[Statistics]:
        return []

    def add_input(self, accumulator: list[Statistics], statistics: Statistics) -> list[Statistics]:
        accumulator.append(statistics)
        return accumulator if len(accumulator) < _AT_ONCE else [Statistics.merged(accumulator)]

    def merge_accumulators(self, accumulators: Iterable[list[Statistics]]) -> list[Statistics]:
        merged = [statistics for accumulator in accumulators for statistics in accumulator]
        return merged if len(merged) < _AT_ONCE else [Statistics.merged(merged)]

    def extract_output(self, accumulator: list[Statistics]) -> Statistics:
        return Statistics.merged(accumulator)
