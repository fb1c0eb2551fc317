"""The Beam steps: files -> blocks -> shards of whole keys -> joined, split, serialized, written.

Between the steps go Arrow IPC streams of many rows, never single rows.
"""

from __future__ import annotations

import dataclasses
import datetime
import io
import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any

import apache_beam as beam
import numpy as np
import polars as pl
import tensorflow as tf
from tfx.dsl.io import fileio

from tandem.components.log_example_gen.counts import ATTACHED, EXAMPLES, KEPT, Counts, merged
from tandem.components.log_example_gen.examples import serialize, serialize_features, to_record_batch
from tandem.components.log_example_gen.join import join
from tandem.components.log_example_gen.labelled import check_labels
from tandem.components.log_example_gen.plan import Plan, Source
from tandem.components.log_example_gen.quarantine import malformed_rows, to_jsonl_gz
from tandem.components.log_example_gen.readers import ROW, Block, read_file
from tandem.components.log_example_gen.records import (
    CLICKS,
    CONVERSIONS,
    EVENT,
    FILE,
    IMPRESSIONS,
    OUTSIDE_SPLIT,
    REASON,
    TABLE,
    TIME,
    normalize,
    set_aside,
    stack,
)
from tandem.components.log_example_gen.settings import ExampleColumn, final_column
from tandem.components.log_example_gen.side_tables import attach, one_per_key
from tandem.components.log_example_gen.sources import filesystem
from tandem.components.log_example_gen.split import by_file, by_time, derive, microseconds, with_finality

ROWS, REJECTS, COUNTS, LATEST = "rows", "rejects", "counts", "latest"

_LOG = logging.getLogger("tandem.ingest")
_ROWS_AT_ONCE = 65_536  # Serialized together: some tens of megabytes.
_PROGRESS_ROWS = 1_000_000


def to_ipc(rows: pl.DataFrame) -> bytes:
    """Packs a frame."""
    stream = io.BytesIO()
    rows.write_ipc_stream(stream)
    return stream.getvalue()


def from_ipc(data: bytes) -> pl.DataFrame:
    """Unpacks a frame."""
    return pl.read_ipc_stream(io.BytesIO(data))


def shard_of(rows: pl.DataFrame, keys: Iterable[str], shards: int) -> pl.Series:
    """Returns, per row, which shard holds all events of its key: [rows], in [0, shards)."""
    return rows.select(keys).hash_rows(seed=0) % shards


def _rejected(source: str, rows: pl.DataFrame, part: int) -> Iterator[beam.pvalue.TaggedOutput]:
    for (why,), some in rows.partition_by(REASON, as_dict=True).items():
        yield beam.pvalue.TaggedOutput(REJECTS, ((source, why, part), to_ipc(some)))


def _by_reason(rows: pl.DataFrame) -> Counter[str]:
    return Counter(dict(rows.get_column(REASON).value_counts().iter_rows()))


def _times(rows: pl.DataFrame) -> Counts:
    """Returns the earliest and the latest time of rows."""
    if TIME not in rows.columns or rows.is_empty():
        return Counts()
    first, last = rows.select(pl.col(TIME).min().alias("first"), pl.col(TIME).max().alias("last")).row(0)
    return Counts(first_us=first, last_us=last)


class _ReadFiles(beam.DoFn):
    """What the steps that read files have in common."""

    def __init__(self, plan: Plan):
        self._plan = plan

    def _read(self, source: Source, index: int) -> Iterator[Block]:
        """Reads a file, and says how far it is."""
        file = source.files[index]
        system, _ = filesystem(self._plan.data_dir)
        done = bad = told = 0
        for block in read_file(system, file, source.spec, source.columns):
            yield block
            done, bad = done + len(block.rows) + len(block.malformed), bad + len(block.malformed)
            if done - told >= _PROGRESS_ROWS:
                told = done
                _LOG.info("%s: %s: %s rows so far", source.name, file.name, f"{done:,}")
        malformed = f", {bad:,} malformed" if bad else ""
        _LOG.info("%s: %s: %s rows%s", source.name, file.name, f"{done:,}", malformed)

    def _sound(self, source: Source, index: int, block: Block) -> tuple[pl.DataFrame, list[pl.DataFrame], Counts]:
        """Returns the usable rows of a block, the others, and how many rows there were and are lost already."""
        rows = block.rows.with_columns(pl.lit(index, pl.Int32).alias(FILE))
        rows, unusable = normalize(rows, source.keys, source.time, source.event, source.kind)
        rejects = [malformed_rows(block.malformed, index), unusable]
        counts = Counts(rows=Counter({source.name: len(block.rows) + len(block.malformed)}))
        counts.outcomes[source.name] = sum((_by_reason(some) for some in rejects), Counter())
        return rows, rejects, counts


class ReadStream(_ReadFiles):
    """(source, number of the file) -> (shard, (source, rows)); rejects, counts and latest times on the side."""

    def process(self, element: tuple[str, int]) -> Iterator[Any]:
        """Reads one file."""
        name, index = element
        source = self._plan.source(name)
        for block in self._read(source, index):
            rows, rejects, counts = self._sound(source, index, block)
            yield beam.pvalue.TaggedOutput(COUNTS, counts)
            yield beam.pvalue.TaggedOutput(LATEST, _times(rows).last_us)
            for some in rejects:
                yield from _rejected(name, some, index % self._plan.shards)
            if self._plan.shards == 1:
                yield 0, (name, to_ipc(rows))
                continue
            rows = rows.with_columns(shard_of(rows, source.keys, self._plan.shards).alias("__shard"))
            for (shard,), some in rows.partition_by("__shard", as_dict=True, include_key=False).items():
                yield int(shard), (name, to_ipc(some))


class ReadSideTable(_ReadFiles):
    """name -> (name, each key once with its serialized features); rejects and counts on the side."""

    def process(self, name: str) -> Iterator[Any]:
        """Reads all files of a side table, in the order of their names."""
        source = self._plan.source(name)
        parts, all_counts = [_no_rows(source)], []
        for index in range(len(source.files)):
            for block in self._read(source, index):
                rows, rejects, counts = self._sound(source, index, block)
                parts.append(rows)
                all_counts.append(counts)
                for some in rejects:
                    yield from _rejected(name, some, 0)
        table, repeated = one_per_key(stack(parts), source.keys[0])
        yield from _rejected(name, repeated, 0)
        features, unreadable = _serialized(table, _columns_of(self._plan, source))
        outcomes = {name: Counter({KEPT: len(table)}) + _by_reason(repeated)}
        all_counts.append(Counts(outcomes=outcomes, unreadable=unreadable))
        yield beam.pvalue.TaggedOutput(COUNTS, merged(all_counts))
        yield name, to_ipc(table.select(source.keys[0], features.alias(_features_of(source))))


def _columns_of(plan: Plan, source: Source) -> dict[str, ExampleColumn]:
    """Returns the columns of the examples that come from a side table, or (of any stream) those that come from none."""
    sides = {name: side.name for side in plan.sides for name in side.adds}
    mine = source.name if source in plan.sides else None
    return {name: column for name, column in plan.columns.items() if sides.get(name) == mine}


def _features_of(source: Source) -> str:
    """What the serialized features of a side table are called, once they stand beside the impressions' columns."""
    return f"__features_{source.name}"


def _serialized(rows: pl.DataFrame, columns: Mapping[str, ExampleColumn]) -> tuple[pl.Series, Counter[str]]:
    """Returns the features of rows, and how many numbers of each column could not be read."""
    parts, unreadable = [pl.Series(dtype=pl.Binary)], Counter[str]()
    for some in rows.iter_slices(_ROWS_AT_ONCE):
        batch, lost = to_record_batch(some, columns, ())
        unreadable.update(lost)
        parts.append(serialize_features(batch))
    return pl.concat(parts), unreadable


def _no_rows(source: Source) -> pl.DataFrame:
    schema: dict[str, Any] = dict.fromkeys(source.columns, pl.String) | {ROW: pl.Int64, FILE: pl.Int32}
    if source.time is not None:
        schema[TIME] = pl.Int64
    if source.event is not None or source.kind is not None:
        schema[EVENT] = pl.String
    return pl.DataFrame(schema=schema)


class _SplitWriter:
    """Writes the examples of one part (a shard, or a file of a labelled table), one TFRecord file per split."""

    def __init__(self, plan: Plan, folders: Mapping[str, str], part: int, parts: int, sides: Mapping[str, bytes]):
        self._plan = plan
        self._paths = {
            split: os.path.join(folder, f"data_tfrecord-{part:05d}-of-{parts:05d}.gz")
            for split, folder in folders.items()
        }
        self._sides = {name: from_ipc(data) for name, data in sides.items()}  # A key and `_features_of` the table.
        self._writers: dict[str, tf.io.TFRecordWriter] = {}
        self._counts: list[Counts] = []

    def __enter__(self) -> _SplitWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for writer in self._writers.values():
            writer.close()

    @property
    def counts(self) -> Counts:
        return merged(self._counts)

    def write(self, split: str, rows: pl.DataFrame) -> None:
        """Adds the side tables' columns and writes rows, in their order."""
        if rows.is_empty():
            return
        unmatched: Counter[str] = Counter()
        for side in self._plan.sides:
            rows, unmatched[side.name] = attach(rows, self._sides[side.name], side.keys[0])
        if split not in self._writers:
            options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
            self._writers[split] = tf.io.TFRecordWriter(self._paths[split], options)
        write = self._writers[split].write
        unreadable: Counter[str] = Counter()
        columns = _columns_of(self._plan, self._plan.streams[0])
        sides = [_features_of(side) for side in self._plan.sides]
        finals = {final_column(label): label for label in self._plan.label_delays}
        for some in rows.iter_slices(_ROWS_AT_ONCE):
            batch, lost = to_record_batch(some, columns, [*(label.name for label in self._plan.labels), *finals])
            unreadable.update(lost)
            for example in serialize(batch, [some.get_column(name) for name in sides]):
                write(example)
        positives = {label.name: int(rows.get_column(label.name).sum()) for label in self._plan.labels}
        not_final = {label: len(rows) - int(rows.get_column(column).sum()) for column, label in finals.items()}
        self._counts.append(
            Counts(
                positives={split: Counter(positives)},
                unmatched=+unmatched,
                unreadable=unreadable,
                not_final={split: Counter(not_final)} if finals else {},
            )
        )


class JoinAndWrite(beam.DoFn):
    """(shard, all its rows) -> TFRecord files; rejects and counts on the side."""

    def __init__(self, plan: Plan, folders: Mapping[str, str]):
        self._plan = plan
        self._folders = dict(folders)

    def process(
        self, element: tuple[int, Iterable[tuple[str, bytes]]], sides: Mapping[str, bytes], observed_until_us: int
    ) -> Iterator[beam.pvalue.TaggedOutput]:
        """Joins one shard and writes its examples."""
        shard, packed = element
        parts = {source.name: [_no_rows(source)] for source in self._plan.streams}
        for name, data in packed:
            parts[name].append(from_ipc(data))
        rows = {name: stack(some) for name, some in parts.items()}
        del parts
        logs = self._plan.logs
        if logs.join is None or logs.clicks is None:
            raise RuntimeError("a shard is joined, but the settings say nothing of a join")
        _LOG.info(
            "joining shard %d of %d: %s",
            shard + 1,
            self._plan.shards,
            ", ".join(f"{len(some):,} {name}" for name, some in rows.items()),
        )
        joined = join(
            rows[IMPRESSIONS], rows[CLICKS], rows.get(CONVERSIONS), logs.join, self._plan.labels, logs.clicks.label
        )
        examples = with_finality(joined.examples, self._plan.label_delays, observed_until_us)
        splits, outside = by_time(derive(examples, logs.derived), logs.split)
        outcomes = {
            IMPRESSIONS: Counter({f"{EXAMPLES}.{split}": len(some) for split, some in splits.items()})
            + _by_reason(outside),
        }
        for name in rows:
            outcomes.setdefault(name, Counter({ATTACHED: joined.attached.get(name, 0)})).update(
                _by_reason(joined.rejects[name])
            )
            yield from _rejected(name, joined.rejects[name], shard)
        yield from _rejected(IMPRESSIONS, outside.select(*rows[IMPRESSIONS].columns, REASON), shard)
        with _SplitWriter(self._plan, self._folders, shard, self._plan.shards, sides) as writer:
            for split, some in splits.items():
                writer.write(split, some)
        counts = merged([Counts(outcomes=outcomes), _times(rows[IMPRESSIONS])])
        if self._plan.label_delays:
            counts = dataclasses.replace(counts, observed_until_us=observed_until_us)
        yield beam.pvalue.TaggedOutput(COUNTS, merged([counts, writer.counts]))


class ReadAndWriteTable(_ReadFiles):
    """Number of a labelled table's file -> TFRecord files; rejects and counts on the side."""

    def __init__(self, plan: Plan, folders: Mapping[str, str]):
        super().__init__(plan)
        self._folders = dict(folders)

    def process(self, index: int, sides: Mapping[str, bytes]) -> Iterator[beam.pvalue.TaggedOutput]:
        """Reads one file and writes its examples."""
        source = self._plan.source(TABLE)
        all_counts = []
        with _SplitWriter(self._plan, self._folders, index, len(source.files), sides) as writer:
            for block in self._read(source, index):
                rows, rejects, counts = self._sound(source, index, block)
                times = _times(rows)
                rows, unsound = check_labels(rows, self._plan.labels)
                splits, outside = self._split(rows, source, index)
                for split, some in splits.items():
                    writer.write(split, _shuffled(some, index))
                outcomes = Counter({f"{EXAMPLES}.{split}": len(some) for split, some in splits.items()})
                outcomes += _by_reason(unsound) + _by_reason(outside)
                all_counts += [counts, Counts(outcomes={TABLE: outcomes}), times]
                for some in (*rejects, unsound, outside):
                    yield from _rejected(TABLE, some, index)
        yield beam.pvalue.TaggedOutput(COUNTS, merged([*all_counts, writer.counts]))

    def _split(self, rows: pl.DataFrame, source: Source, index: int) -> tuple[dict[str, pl.DataFrame], pl.DataFrame]:
        logs = self._plan.logs
        if logs.split.train.files is None:
            splits, outside = by_time(rows, logs.split)
        else:
            split = by_file([file.name for file in source.files], logs.split)[source.files[index].name]
            splits = {split: rows} if split is not None else {}
            outside = set_aside(rows.clear() if split is not None else rows, OUTSIDE_SPLIT)
        if logs.derived:
            splits = {name: derive(some, logs.derived) for name, some in splits.items()}
        return splits, outside


def _shuffled(rows: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Shuffles the rows of a block the same way every time: tables are often sorted, and training reads this order."""
    return rows[np.random.default_rng((seed, len(rows))).permutation(len(rows))]


class WriteRejects(beam.DoFn):
    """((source, reason, part), all its rows) -> a file."""

    def __init__(self, plan: Plan, folder: str):
        self._plan = plan
        self._folder = folder

    def process(self, element: tuple[tuple[str, str, int], Iterable[bytes]]) -> Iterable[None]:
        """Writes the rows of one source that were set aside for one reason."""
        (name, why, part), packed = element
        rows = stack(from_ipc(data) for data in packed)
        folder = os.path.join(self._folder, name)
        fileio.makedirs(folder)
        with fileio.open(os.path.join(folder, f"{why}-{part:05d}.jsonl.gz"), "wb") as file:
            file.write(to_jsonl_gz(rows, self._plan.source(name).files))
        return ()


class _ObservedUntil(beam.CombineFn):
    """Latest times of parts of the logs -> the end of the logs, in microseconds since 1970."""

    def __init__(self, given: datetime.datetime | None):
        self._given = given

    def create_accumulator(self) -> int:
        return 0

    def add_input(self, accumulator: int, element: int | None) -> int:
        return max(accumulator, element or 0)

    def merge_accumulators(self, accumulators: Iterable[int]) -> int:
        return max(accumulators)

    def extract_output(self, accumulator: int) -> int:
        return accumulator if self._given is None else microseconds(self._given)


class MergeCounts(beam.CombineFn):
    """Adds counts up."""

    def create_accumulator(self) -> Counts:
        """Nothing yet."""
        return Counts()

    def add_input(self, accumulator: Counts, element: Counts) -> Counts:
        """Adds one."""
        return merged([accumulator, element])

    def merge_accumulators(self, accumulators: Iterable[Counts]) -> Counts:
        """Adds several."""
        return merged(accumulators)

    def extract_output(self, accumulator: Counts) -> Counts:
        """The sum."""
        return accumulator


class WriteCounts(beam.DoFn):
    """Counts -> a JSON file."""

    def __init__(self, path: str):
        self._path = path

    def process(self, counts: Counts) -> Iterable[None]:
        """Writes the sum of all counts."""
        with fileio.open(self._path, "w") as file:
            file.write(counts.to_json())
        return ()


def build(pipeline: beam.Pipeline, plan: Plan, folders: Mapping[str, str], quarantine: str, counts_path: str) -> None:
    """Adds all steps to a pipeline.

    Args:
      pipeline: Where they are added.
      plan: What to read, and how.
      folders: Where the files of each split go; they exist.
      quarantine: Where the rows that were set aside go.
      counts_path: The file for the counts.
    """
    tables = (
        pipeline
        | "SideTables" >> beam.Create([source.name for source in plan.sides], reshuffle=True)
        | "ReadSideTables" >> beam.ParDo(ReadSideTable(plan)).with_outputs(REJECTS, COUNTS, main=ROWS)
    )
    sides = beam.pvalue.AsDict(tables[ROWS])
    if plan.logs.table is not None:
        files = range(len(plan.source(TABLE).files))
        written = (
            pipeline
            | "Files" >> beam.Create(list(files), reshuffle=True)
            | "ReadAndWrite" >> beam.ParDo(ReadAndWriteTable(plan, folders), sides).with_outputs(REJECTS, COUNTS)
        )
        steps = [tables, written]
    else:
        elements = [(source.name, index) for source in plan.streams for index in range(len(source.files))]
        read = (
            pipeline
            | "Files" >> beam.Create(elements, reshuffle=True)
            | "Read" >> beam.ParDo(ReadStream(plan)).with_outputs(REJECTS, COUNTS, LATEST, main=ROWS)
        )
        end = read[LATEST] | "Latest" >> beam.CombineGlobally(_ObservedUntil(plan.logs.observed_until))
        written = (
            read[ROWS]
            | "ByShard" >> beam.GroupByKey()
            | "JoinAndWrite"
            >> beam.ParDo(JoinAndWrite(plan, folders), sides, beam.pvalue.AsSingleton(end)).with_outputs(
                REJECTS, COUNTS
            )
        )
        steps = [tables, read, written]
    rejects = [step[REJECTS] for step in steps]
    counts = [step[COUNTS] for step in steps]
    _ = (
        rejects
        | "AllRejects" >> beam.Flatten()
        | "ByReason" >> beam.GroupByKey()
        | "WriteRejects" >> beam.ParDo(WriteRejects(plan, quarantine))
    )
    _ = (
        counts
        | "AllCounts" >> beam.Flatten()
        | "AddUp" >> beam.CombineGlobally(MergeCounts())
        | "WriteCounts" >> beam.ParDo(WriteCounts(counts_path))
    )
