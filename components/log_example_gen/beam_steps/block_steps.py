"""Blocks -> blocks: what makes examples of rows, one thing at a time.

A step that is to stand between two of these takes a PCollection of `ExampleBlock` and gives one (see `pipeline.build`).
"""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import numpy as np
import polars as pl

from tandem.components.log_example_gen.beam_steps.outputs import by_day, by_reason, counted, rejected, times
from tandem.components.log_example_gen.blocks import ExampleBlock
from tandem.components.log_example_gen.counts import ATTACHED, EXAMPLES, Counts, merged
from tandem.components.log_example_gen.examples import filled_column
from tandem.components.log_example_gen.joining.finality import end_of_logs, with_finality
from tandem.components.log_example_gen.joining.join import join
from tandem.components.log_example_gen.joining.side_tables import attach
from tandem.components.log_example_gen.judging.positives import lost_positives, positives_of
from tandem.components.log_example_gen.labelled import check_labels
from tandem.components.log_example_gen.records import (
    CLICKS,
    CONVERSIONS,
    FILE,
    IMPRESSIONS,
    OUTSIDE_SPLIT,
    REASON,
    ROW,
    TABLE,
    set_aside,
    stack,
)
from tandem.components.log_example_gen.settings.columns import OBSERVED_UNTIL
from tandem.components.log_example_gen.split import by_file, by_last, by_share, by_time, by_value, last_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tandem.components.log_example_gen.plan import Plan

_LOG = logging.getLogger("tandem.ingest")


LATEST = "latest"


class JoinShard(beam.DoFn):
    """(shard, all its rows) -> a block of impressions with their labels; the latest time that counts on the side."""

    def __init__(self, plan: Plan):
        self._plan = plan
        self._labels = [label.name for label in plan.labels]

    def process(self, element: tuple[int, Iterable[tuple[str, pl.DataFrame]]]) -> Iterator[Any]:
        """Joins one shard."""
        shard, packed = element
        logs = self._plan.logs
        if logs.join is None:
            raise RuntimeError("a shard is joined, but the settings say nothing of a join")
        parts = {source.name: [source.no_rows()] for source in self._plan.streams}
        for name, some in packed:
            parts[name].append(some)
        rows = {name: stack(some) for name, some in parts.items()}
        del parts
        told = ", ".join(f"{len(some):,} {name}" for name, some in rows.items())
        _LOG.info("joining shard %d of %d: %s", shard + 1, self._plan.shards, told)
        joined = join(
            rows[IMPRESSIONS],
            rows.get(CLICKS),
            rows.get(CONVERSIONS),
            logs.join,
            self._plan.labels,
            *([logs.clicks.label] if logs.clicks is not None else []),
        )
        outcomes = {name: by_reason(joined.rejects[name]) for name in rows}
        for name in rows:
            if name in joined.attached:
                outcomes[name][ATTACHED] = joined.attached[name]
            yield counted(lost_positives(joined.rejects[name], name, self._plan))
            yield from rejected(name, joined.rejects[name], shard)
        yield counted(merged([Counts(outcomes=outcomes, leads=joined.leads), times(rows[IMPRESSIONS])]))
        del rows
        yield counted(by_day(joined.examples, self._labels))
        yield beam.pvalue.TaggedOutput(LATEST, end_of_logs(joined.examples, self._labels))
        yield ExampleBlock(shard, 0, joined.examples)


class CheckLabels(beam.DoFn):
    """Reads the labels of a labelled table's rows."""

    def __init__(self, plan: Plan):
        self._plan = plan

    def process(self, block: ExampleBlock) -> Iterator[Any]:
        """Checks one block."""
        if self._plan.table_labels is None:
            raise RuntimeError("labels are read from a table, but the settings have none")
        rows, unsound = check_labels(block.rows, self._plan.table_labels)
        positive = Counter({label.name: int(rows.get_column(label.name).sum()) for label in self._plan.labels})
        positive += positives_of(unsound, TABLE, self._plan)
        yield counted(Counts(outcomes={TABLE: by_reason(unsound)}, positive_rows=positive))
        yield counted(lost_positives(unsound, TABLE, self._plan))
        yield counted(by_day(rows, [label.name for label in self._plan.labels]))
        yield from rejected(TABLE, unsound, block.part)
        yield dataclasses.replace(block, rows=rows)


class AddFinality(beam.DoFn):
    """Says of each label whether it can still change, and (where that is wanted) in each row when the logs end."""

    def __init__(self, plan: Plan):
        self._delays = plan.label_delays
        self._labels = [label.name for label in plan.labels]
        self._told = plan.observed_until

    def process(self, block: ExampleBlock, observed_until_us: int | None = None) -> Iterator[Any]:
        """Adds columns to one block. Without a given end, the block is all of the logs, which end where it does."""
        if observed_until_us is None:
            observed_until_us = end_of_logs(block.rows, self._labels)
        rows = with_finality(block.rows, self._delays, observed_until_us)
        if self._told:
            rows = rows.with_columns(pl.lit(observed_until_us, pl.Int64).alias(OBSERVED_UNTIL))
        yield counted(Counts(observed_until_us=observed_until_us))
        yield dataclasses.replace(block, rows=rows)


def last_rows_of(block: ExampleBlock, user: str) -> pl.DataFrame:
    """Returns the last rows of each user in a block (see `split.last_rows`)."""
    return last_rows(block.rows, user)


class SplitBlock(beam.DoFn):
    """Divides a block by what its rows are for: a block per split."""

    def __init__(self, plan: Plan):
        self._split = plan.logs.split
        self._source = plan.streams[0]
        self._files = [file.name for file in self._source.files]
        self._of_file = by_file(self._files, self._split) if self._split.kind == "files" else {}

    def process(self, block: ExampleBlock, last: pl.DataFrame | None = None) -> Iterator[Any]:
        """Divides one block; `last` holds the last rows of all users, where these are left out."""
        name = self._source.name
        splits, outside = self._divided(block, last)
        outside = outside.select(*self._source.columns, FILE, ROW, REASON)
        outcomes = Counter({f"{EXAMPLES}.{split}": len(rows) for split, rows in splits.items()})
        yield counted(Counts(outcomes={name: outcomes + by_reason(outside)}))
        yield from rejected(name, outside, block.part)
        for split, rows in splits.items():
            if not rows.is_empty():
                yield dataclasses.replace(block, rows=rows, split=split)

    def _divided(self, block: ExampleBlock, last: pl.DataFrame | None) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
        kind = self._split.kind
        if kind == "time":
            return by_time(block.rows, self._split)
        if kind == "share":
            return by_share(block.rows, self._split, self._files)
        if kind == "values":
            return by_value(block.rows, self._split)
        if kind == "rows":
            if last is None:
                raise RuntimeError("the last rows are left out, but nobody has said which they are")
            return by_last(block.rows, self._split, last)
        split = self._of_file[self._files[block.part]]
        if split is None:
            return {}, set_aside(block.rows, OUTSIDE_SPLIT)
        return {split: block.rows}, set_aside(block.rows.clear(), OUTSIDE_SPLIT)


class AttachSides(beam.DoFn):
    """Adds the serialized features of the side tables, by their keys."""

    def __init__(self, plan: Plan):
        self._keys = {side.name: side.keys[0] for side in plan.sides}
        self._numeric = [
            name for side in plan.sides for name, column in plan.columns_of(side).items() if column.kind != "bytes"
        ]

    def process(self, block: ExampleBlock, tables: Mapping[str, pl.DataFrame]) -> Iterator[Any]:
        """Adds columns to one block."""
        rows, unmatched, keyless = block.rows, Counter[str](), Counter[str]()
        for name, key in self._keys.items():
            rows, unmatched[name] = attach(rows, tables[name], key)
            keyless[name] = int((rows.get_column(key) == "").sum())
        numbers = Counter({name: int(rows.get_column(filled_column(name)).sum()) for name in self._numeric})
        rows = rows.drop(map(filled_column, self._numeric))
        numbers_in = {block.split: numbers} if block.split else {}
        yield counted(Counts(unmatched=+unmatched, without_key=+keyless, numbers_in=numbers_in))
        yield dataclasses.replace(block, rows=rows)


def shuffled(block: ExampleBlock) -> ExampleBlock:
    """Shuffles rows the same way every time: tables are often sorted, and training reads them in this order."""
    order = np.random.default_rng((block.part, len(block.rows))).permutation(len(block.rows))
    return dataclasses.replace(block, rows=block.rows[order])
