"""All steps of ingestion, one after the other.

streams: files -> shards of whole keys -> join -> finality -> derived columns -> split -> side tables -> files
table:   files -> labels checked                      -> derived columns -> split -> shuffle -> side tables -> files
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import polars as pl

from tandem.components.log_example_gen.beam_steps.block_steps import (
    LATEST,
    AddFinality,
    AttachSides,
    CheckLabels,
    JoinShard,
    SplitBlock,
    last_rows_of,
    shuffled,
)
from tandem.components.log_example_gen.beam_steps.outputs import Account, step
from tandem.components.log_example_gen.beam_steps.reading import ReadSideTable, ReadStream, ReadTable
from tandem.components.log_example_gen.beam_steps.writing import WriteCounts, WriteExamples, WriteRejects
from tandem.components.log_example_gen.blocks import ExampleBlock
from tandem.components.log_example_gen.dates import microseconds
from tandem.components.log_example_gen.derived import derive
from tandem.components.log_example_gen.records import TABLE
from tandem.components.log_example_gen.split import last_of_all

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tandem.components.log_example_gen.plan import Plan


def build(pipeline: Any, plan: Plan, folders: Mapping[str, str], quarantine: str, counts_path: str) -> None:
    """Adds all steps to a pipeline.

    Args:
      pipeline: The Beam pipeline that they are added to.
      plan: What to read, and how.
      folders: Where the files of each split go; they exist.
      quarantine: Where the rows that were set aside go.
      counts_path: The file for the counts.
    """
    account = Account()
    blocks = _labelled(pipeline, plan, account) if plan.logs.table is not None else _joined(pipeline, plan, account)
    if plan.logs.derived:
        time = plan.streams[0].time
        zone = time.timezone if time is not None else None
        blocks = blocks | "Derive" >> beam.Map(_derived, plan.logs.derived, zone).with_output_types(ExampleBlock)
    blocks = account.main(blocks | "Split" >> step(SplitBlock(plan), *_last_rows(blocks, plan), gives=ExampleBlock))
    if plan.logs.table is not None:
        blocks = blocks | "Shuffle" >> beam.Map(shuffled).with_output_types(ExampleBlock)
    if plan.sides:
        sides = beam.pvalue.AsDict(_side_tables(pipeline, plan, account))
        blocks = account.main(blocks | "AttachSides" >> step(AttachSides(plan), sides, gives=ExampleBlock))
    account.main(blocks | "WriteExamples" >> step(WriteExamples(plan, folders), gives=type(None)))
    _ = (
        account.rejects()
        | "ByReason" >> beam.GroupByKey()
        | "WriteRejects" >> beam.ParDo(WriteRejects(plan, quarantine))
    )
    _ = account.counts() | "WriteCounts" >> beam.ParDo(WriteCounts(counts_path))


def _joined(pipeline: Any, plan: Plan, account: Account) -> Any:
    """Blocks of impressions with their labels, a block per shard."""
    files = [(source.name, index) for source in plan.streams for index in range(len(source.files))]
    read = (
        pipeline
        | "Files" >> beam.Create(files, reshuffle=True)
        | "Read" >> step(ReadStream(plan), gives=tuple[int, tuple[str, pl.DataFrame]])
    )
    shards = account.main(read) | "ByShard" >> beam.GroupByKey()
    joined = shards | "Join" >> step(JoinShard(plan), gives=ExampleBlock, further=(LATEST,))
    blocks = account.main(joined)
    if plan.label_delays or plan.observed_until:
        end = _end_of_logs(joined[LATEST], plan)
        blocks = account.main(blocks | "Finality" >> step(AddFinality(plan), *end, gives=ExampleBlock))
    return blocks


def _end_of_logs(latest: Any, plan: Plan) -> list[Any]:
    """The end of the logs as an argument of a step; none where the only block tells it itself.

    To know the latest time of several shards, all must be joined before the first goes on.
    """
    if plan.logs.observed_until is not None:
        return [microseconds(plan.logs.observed_until)]
    if plan.shards == 1:
        return []
    return [beam.pvalue.AsSingleton(latest | "Latest" >> beam.CombineGlobally(lambda times: max(times, default=0)))]


def _labelled(pipeline: Any, plan: Plan, account: Account) -> Any:
    """Blocks of a table's rows with their labels."""
    files = list(range(len(plan.source(TABLE).files)))
    blocks = account.main(
        pipeline | "Files" >> beam.Create(files, reshuffle=True) | "Read" >> step(ReadTable(plan), gives=ExampleBlock)
    )
    return account.main(blocks | "CheckLabels" >> step(CheckLabels(plan), gives=ExampleBlock))


def _last_rows(blocks: Any, plan: Plan) -> list[Any]:
    """The last rows of all users as an argument of a step; none where they are not left out."""
    user = plan.logs.split.leave_last_out
    if user is None:
        return []
    last = (
        blocks
        | "LastRows" >> beam.Map(last_rows_of, user).with_output_types(pl.DataFrame)
        | "LastOfAll" >> beam.CombineGlobally(last_of_all).with_output_types(pl.DataFrame)
    )
    return [beam.pvalue.AsSingleton(last)]


def _side_tables(pipeline: Any, plan: Plan, account: Account) -> Any:
    """The side tables by name, with their serialized features."""
    return account.main(
        pipeline
        | "SideTables" >> beam.Create([source.name for source in plan.sides], reshuffle=True)
        | "ReadSideTables" >> step(ReadSideTable(plan), gives=tuple[str, pl.DataFrame])
    )


def _derived(block: ExampleBlock, derived: Mapping[str, Any], timezone: str | None) -> ExampleBlock:
    return dataclasses.replace(block, rows=derive(block.rows, derived, timezone))
