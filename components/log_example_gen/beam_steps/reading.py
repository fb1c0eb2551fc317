"""Files -> rows: of streams by shard of their keys, of side tables by key, of a labelled table in blocks."""

from __future__ import annotations

import dataclasses
import gc
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import polars as pl

from tandem.components.log_example_gen.beam_steps.outputs import by_reason, counted, rejected, times
from tandem.components.log_example_gen.blocks import ExampleBlock
from tandem.components.log_example_gen.counts import KEPT, Counts, merged
from tandem.components.log_example_gen.examples import features_of
from tandem.components.log_example_gen.joining.side_tables import features_column, one_per_key
from tandem.components.log_example_gen.judging.id_forms import id_forms
from tandem.components.log_example_gen.judging.positives import lost_positives, positives_of
from tandem.components.log_example_gen.numbers import notation_of
from tandem.components.log_example_gen.quarantine import malformed_rows
from tandem.components.log_example_gen.readers.registry import read_file
from tandem.components.log_example_gen.records import FILE, NOT_ASKED_FOR, ROW, TABLE, normalize, single_values, stack
from tandem.components.log_example_gen.sources import filesystem
from tandem.components.log_example_gen.time_check import TimeCheck
from tandem.components.log_example_gen.weights import check_weights
from tandem.components.log_example_gen.where import satisfying

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tandem.components.log_example_gen.plan import Plan, Source
    from tandem.components.log_example_gen.readers.block import Block

_LOG = logging.getLogger("tandem.ingest")
_PROGRESS_ROWS = 1_000_000


class _ReadFiles(beam.DoFn):
    """What the steps that read files have in common."""

    def __init__(self, plan: Plan):
        self._plan = plan

    def setup(self) -> None:
        """Takes what is there out of the garbage collector's sight until the last file is read.

        On Python 3.10 each call of Arrow's CSV reader looks at every object that the collector knows (it breaks a
        reference cycle of the interpreter's): 50 ms and more once TensorFlow is loaded.
        """
        gc.freeze()

    def teardown(self) -> None:
        """Shows the collector everything again."""
        gc.unfreeze()

    def _sound(self, source: Source, index: int) -> Iterator[tuple[pl.DataFrame, list[pl.DataFrame], Counts]]:
        """Reads a file and gives, per block, the usable rows, the others, and how many there were and are lost."""
        times_of = TimeCheck(source.name, source.files[index].name, source.time, source.bounds)
        for number, block in enumerate(self._blocks(source, index)):
            rows, listed = single_values(block.rows.with_columns(pl.lit(index, pl.Int32).alias(FILE)), source.single)
            asked_for = self._asked_for(source, rows)
            left_out = len(rows) - len(asked_for)
            rows, unusable = normalize(
                asked_for, source.keys, source.time, source.event, source.kind, source.kinds, source.bounds
            )
            times_of.see(rows, unusable)
            rejects = [unusable]
            if source.weights:
                rows, unweighted = check_weights(rows, source.weights, notation_of(source.spec))
                rejects.append(unweighted)
            # The labels of a table's usable rows are read later.
            seen = rejects if source.name == TABLE else [rows, *rejects]
            positive = Counts(
                positive_rows=sum((positives_of(some, source.name, self._plan) for some in seen), Counter())
            )
            lost = [lost_positives(some, source.name, self._plan) for some in rejects]
            rejects += [listed, malformed_rows(block.malformed, index)]
            counts = Counts(rows=Counter({source.name: len(block.rows) + len(block.malformed)}))
            if number == 0:
                counts.id_forms.update(id_forms(block.rows, self._plan.ids_of(source), source.files[index].name))
            outcomes = Counter({NOT_ASKED_FOR.name: left_out}) if source.spec.where else Counter[str]()
            counts.outcomes[source.name] = sum((by_reason(some) for some in rejects), outcomes)
            yield rows, rejects, merged([counts, positive, *lost])
        times_of.judge()

    def _asked_for(self, source: Source, rows: pl.DataFrame) -> pl.DataFrame:
        """Returns the rows that satisfy `where`, without the columns that only it looks at.

        The others are counted and no more: they may be most of a log, and nothing is wrong with them.
        """
        if not source.spec.where:
            return rows
        return rows.filter(satisfying(rows, source.spec.where, notation_of(source.spec))).select(
            *source.columns, FILE, ROW
        )

    def _blocks(self, source: Source, index: int) -> Iterator[Block]:
        """Reads a file, and says how far it is."""
        file = source.files[index]
        system, _ = filesystem(self._plan.data_dir)
        done = bad = told = 0
        for block in read_file(system, file, source.spec, source.read, self._plan.block_bytes):
            yield block
            done += len(block.rows) + len(block.malformed)
            bad += sum(line.reason.bad for line in block.malformed)
            if done - told >= _PROGRESS_ROWS:
                told = done
                _LOG.info("%s: %s: %s rows so far", source.name, file.name, f"{done:,}")
        malformed = f", {bad:,} malformed" if bad else ""
        _LOG.info("%s: %s: %s rows%s", source.name, file.name, f"{done:,}", malformed)


class ReadStream(_ReadFiles):
    """(source, number of the file) -> (shard, (source, rows))."""

    def process(self, element: tuple[str, int]) -> Iterator[Any]:
        """Reads one file."""
        name, index = element
        source, shards = self._plan.source(name), self._plan.shards
        for rows, rejects, counts in self._sound(source, index):
            yield counted(counts)
            for some in rejects:
                yield from rejected(name, some, index % shards)
            if shards == 1:
                yield 0, (name, rows)
                continue
            rows = rows.with_columns(shard_of(rows, source.keys, shards).alias("__shard"))
            for (shard,), some in rows.partition_by("__shard", as_dict=True, include_key=False).items():
                yield int(shard), (name, some)


class ReadTable(_ReadFiles):
    """Number of a labelled table's file -> blocks, whose labels are still text."""

    def process(self, index: int) -> Iterator[Any]:
        """Reads one file."""
        source = self._plan.source(TABLE)
        for number, (rows, rejects, counts) in enumerate(self._sound(source, index)):
            yield counted(merged([counts, times(rows)]))
            for some in rejects:
                yield from rejected(TABLE, some, index)
            yield ExampleBlock(index, number, rows)


class ReadSideTable(_ReadFiles):
    """name -> (name, each key once with its serialized features)."""

    def process(self, name: str) -> Iterator[Any]:
        """Reads all files of a side table, in the order of their names."""
        source = self._plan.source(name)
        parts, all_counts = [source.no_rows()], []
        keyless_too = dataclasses.replace(source, keys=())
        for index in range(len(source.files)):
            for rows, rejects, counts in self._sound(keyless_too, index):
                parts.append(rows)
                all_counts.append(counts)
                for some in rejects:
                    yield from rejected(name, some, 0)
        table, repeated = one_per_key(stack(parts), source.keys[0])
        yield from rejected(name, repeated, 0)
        features = features_of(table, self._plan.columns_of(source), self._plan.written(source))
        outcomes = {name: Counter({KEPT: len(table)}) + by_reason(repeated)}
        yield counted(merged([*all_counts, Counts(outcomes=outcomes), features.counts]))
        named = table.select(source.keys[0], features.serialized.alias(features_column(name)))
        yield name, named.with_columns(features.filled.get_columns())


def shard_of(rows: pl.DataFrame, keys: Iterable[str], shards: int) -> pl.Series:
    """Returns, per row, which shard holds all events of its key: [rows], in [0, shards)."""
    return rows.select(keys).hash_rows(seed=0) % shards
