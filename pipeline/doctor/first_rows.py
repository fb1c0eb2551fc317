"""The first rows of every file, led through ingestion's own steps: in this process, in memory, without a Beam pipeline.

Small logs are read whole; then what comes out is what comes out of a run.
"""

from __future__ import annotations

import dataclasses
import gzip
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import apache_beam as beam

from tandem.components.log_example_gen.beam_steps.block_steps import (
    LATEST,
    AddFinality,
    AttachSides,
    CheckLabels,
    JoinShard,
    SplitBlock,
    last_rows_of,
)
from tandem.components.log_example_gen.beam_steps.outputs import COUNTS, REJECTS, of_examples
from tandem.components.log_example_gen.beam_steps.reading import ReadSideTable, ReadStream, ReadTable
from tandem.components.log_example_gen.counts import Counts, merged
from tandem.components.log_example_gen.dates import microseconds
from tandem.components.log_example_gen.examples import to_record_batch
from tandem.components.log_example_gen.quarantine import to_jsonl_gz
from tandem.components.log_example_gen.records import ROW, stack
from tandem.components.log_example_gen.split import last_of_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import polars as pl

    from tandem.components.log_example_gen.blocks import ExampleBlock
    from tandem.components.log_example_gen.plan import Plan, Source
    from tandem.components.log_example_gen.readers.block import Block

HEAD_ROWS = 1000
"""So many rows of a file are looked at, where the logs are not small."""

WHOLE_BYTES = 32 << 20
"""Streams together, or a side table, up to so many bytes are read whole."""

MOST_FILES = 200
"""Of more files of a source, so many are looked at: the first, the last, and some between."""

_BLOCK_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class FirstRows:
    """What came of the rows that were looked at.

    Attributes:
      whole: By source, whether all its rows were.
      read: Counts of the reading of streams alone: rows, and those set aside by what they themselves say.
      counts: Counts of all steps.
      rejects: By source and reason, rows that were set aside.
    """

    whole: Mapping[str, bool]
    read: Counts
    counts: Counts
    rejects: Mapping[tuple[str, str], list[pl.DataFrame]]

    def rejected(self, source: Source, why: str, most: int) -> list[str]:
        """Returns some of the rows that were set aside for a reason, as the quarantine has them."""
        rows = stack(self.rejects.get((source.name, why), [])).head(most)
        return gzip.decompress(to_jsonl_gz(rows, source.files)).decode().splitlines()


def take(plan: Plan) -> FirstRows:
    """Reads the first rows of all files, and makes examples of them.

    Args:
      plan: What is to be read.

    Raises:
      LogsError: What would stop a run.
    """
    streams = {source.name for source in plan.streams}
    small = sum(file.size for source in plan.streams for file in source.files) <= WHOLE_BYTES
    whole = {
        source.name: small if source.name in streams else sum(file.size for file in source.files) <= WHOLE_BYTES
        for source in (*plan.streams, *plan.sides)
    }
    plan = dataclasses.replace(plan, shards=1, block_bytes=plan.block_bytes if small else _BLOCK_BYTES)
    results = _Results()
    blocks = _table(plan, whole, results) if plan.logs.table is not None else _streams(plan, whole, results)
    tables = dict(_side_tables(plan, whole, results))
    if plan.label_delays or plan.observed_until:
        given = plan.logs.observed_until
        end = results.latest if given is None else microseconds(given)
        blocks = results.of_all(AddFinality(plan), blocks, end)
    blocks = results.of_all(SplitBlock(plan), blocks, *_last_rows(blocks, plan))
    if plan.sides:
        blocks = results.of_all(AttachSides(plan), blocks, tables)
    results.counts += (_counted(block, plan) for block in blocks)
    counts = merged(results.counts)
    for side in plan.sides:
        if not whole[side.name]:
            _forget_matches(counts, side)
    return FirstRows(whole, merged(results.of_reading), counts, results.rejects)


def _forget_matches(counts: Counts, side: Source) -> None:
    """Takes all keys to be in a side table of which only the first rows were read."""
    counts.unmatched[side.name] = counts.without_key[side.name]
    for numbers in counts.numbers_in.values():
        numbers.update({name: counts.numbers[name] for name in side.adds})


def _counted(block: ExampleBlock, plan: Plan) -> Counts:
    """What the writing of a block would count."""
    main = plan.streams[0]
    numeric = {name: column for name, column in plan.columns_of(main).items() if column.kind != "bytes"}
    _, numbers = to_record_batch(block.rows, numeric, (), plan.written(main))
    return of_examples(block, plan, numbers)


def _last_rows(blocks: Iterable[ExampleBlock], plan: Plan) -> list[pl.DataFrame]:
    """The last rows of all users as an argument of a step; none where they are not left out."""
    user = plan.logs.split.leave_last_out
    return [] if user is None else [last_of_all(last_rows_of(block, user) for block in blocks)]


def _streams(plan: Plan, whole: Mapping[str, bool], results: _Results) -> list[ExampleBlock]:
    read = _FirstOfStream(plan, whole)
    rows = [
        some
        for source in plan.streams
        for index in _chosen(source)
        for _, some in results.main(read.process((source.name, index)))
    ]
    results.of_reading = tuple(results.counts)
    return list(results.main(JoinShard(plan).process((0, rows))))


def _table(plan: Plan, whole: Mapping[str, bool], results: _Results) -> list[ExampleBlock]:
    (source,) = plan.streams
    return results.of_all(CheckLabels(plan), results.of_all(_FirstOfTable(plan, whole), _chosen(source)))


def _side_tables(plan: Plan, whole: Mapping[str, bool], results: _Results) -> Iterator[tuple[str, pl.DataFrame]]:
    for side in plan.sides:
        yield from results.main(_FirstOfSideTable(plan, whole).process(side.name))


def _chosen(source: Source) -> list[int]:
    """The numbers of the files that are looked at."""
    last = len(source.files) - 1
    if last < MOST_FILES:
        return list(range(last + 1))
    return sorted({round(number * last / (MOST_FILES - 1)) for number in range(MOST_FILES)})


class _Results:
    """Takes apart what steps give."""

    def __init__(self) -> None:
        self.counts: list[Counts] = []
        self.of_reading: tuple[Counts, ...] = ()
        self.rejects: dict[tuple[str, str], list[pl.DataFrame]] = defaultdict(list)
        self.latest = 0

    def of_all(self, step: Any, elements: Iterable[Any], *beside: Any) -> list[Any]:
        """Returns the main outputs of a step.

        Args:
          step: The step.
          elements: What it is given, one after the other.
          *beside: What it is given with each.
        """
        return [made for element in elements for made in self.main(step.process(element, *beside))]

    def main(self, outputs: Iterable[Any]) -> Iterator[Any]:
        """Yields the main output, and keeps the others."""
        for output in outputs:
            if not isinstance(output, beam.pvalue.TaggedOutput):
                yield output
            elif output.tag == COUNTS:
                self.counts.append(output.value)
            elif output.tag == REJECTS:
                (source, why, _), rows = output.value
                self.rejects[source, why].append(rows)
            elif output.tag == LATEST:
                self.latest = max(self.latest, output.value or 0)


class _FirstOf:
    """Stops a step that reads files after the first rows of each, unless a source is read whole."""

    def __init__(self, plan: Plan, whole: Mapping[str, bool]):
        super().__init__(plan)  # type: ignore[call-arg]
        self._whole = whole

    def _blocks(self, source: Source, index: int) -> Iterator[Block]:
        blocks: Iterator[Block] = super()._blocks(source, index)  # type: ignore[misc]
        if self._whole[source.name]:
            yield from blocks
            return
        for block in blocks:
            rows = block.rows.head(HEAD_ROWS)
            last = int(rows.get_column(ROW)[-1]) if len(rows) == HEAD_ROWS else None
            malformed = (line for line in block.malformed if last is None or line.row <= last)
            yield dataclasses.replace(block, rows=rows, malformed=tuple(malformed))
            return


class _FirstOfStream(_FirstOf, ReadStream):
    pass


class _FirstOfTable(_FirstOf, ReadTable):
    pass


class _FirstOfSideTable(_FirstOf, ReadSideTable):
    pass
