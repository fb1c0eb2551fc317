"""Blocks of examples -> TFRecord files; rows that were set aside -> quarantine files; counts -> a file.

Every file appears whole or not at all, and the same input gives the same file: a step that is repeated, or that runs
twice at the same time, harms nothing.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import tensorflow as tf

from tandem.components.log_example_gen.beam_steps.outputs import counted, of_examples
from tandem.components.log_example_gen.counts import Counts, merged
from tandem.components.log_example_gen.examples import examples_of
from tandem.components.log_example_gen.joining.side_tables import features_column
from tandem.components.log_example_gen.quarantine import to_jsonl_gz
from tandem.components.log_example_gen.records import stack
from tandem.components.log_example_gen.settings.columns import OBSERVED_UNTIL, final_column, time_column
from tandem.files import appearing, write

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import polars as pl

    from tandem.components.log_example_gen.beam_steps.outputs import RejectKey
    from tandem.components.log_example_gen.blocks import ExampleBlock
    from tandem.components.log_example_gen.plan import Plan


class WriteExamples(beam.DoFn):
    """A block of one split -> a TFRecord file."""

    def __init__(self, plan: Plan, folders: Mapping[str, str]):
        self._plan = plan
        self._folders = dict(folders)

    def process(self, block: ExampleBlock) -> Iterator[Any]:
        """Writes one block."""
        plan, rows, split = self._plan, block.rows, block.split
        if split is None:
            raise RuntimeError("examples are written before they are split")
        labels = [label.name for label in plan.labels]
        finals = [final_column(label) for label in plan.label_delays]
        pieces = examples_of(
            rows,
            plan.columns_of(plan.streams[0]),
            numbers=[*labels, *finals, *([OBSERVED_UNTIL] if plan.observed_until else [])],
            sparse_numbers=[time_column(label) for label in labels if plan.logs.table is None],
            serialized=[features_column(side.name) for side in plan.sides],
            written=plan.written(plan.streams[0]),
        )
        counts: list[Counts] = []
        path = posixpath.join(self._folders[split], file_name(block, plan.parts))
        options = tf.io.TFRecordOptions(compression_type="GZIP", compression_level=1)
        with appearing(path) as partial, tf.io.TFRecordWriter(partial, options) as writer:
            for examples, told in pieces:
                counts.append(told)
                for example in examples:
                    writer.write(example)
        yield counted(of_examples(block, plan, merged(counts)))


def file_name(block: ExampleBlock, parts: int) -> str:
    """Names the file of a block; in the order of these names, rows stand in the order of their parts and blocks.

    Args:
      block: Its first one is called as if it were the only one.
      parts: How many parts there are.
    """
    further = f"_{block.number:05d}" if block.number else ""
    return f"data_tfrecord-{block.part:05d}-of-{parts:05d}{further}.gz"


class WriteRejects(beam.DoFn):
    """((source, reason, part), all its rows) -> a file."""

    def __init__(self, plan: Plan, folder: str):
        self._plan = plan
        self._folder = folder

    def process(self, element: tuple[RejectKey, Iterable[pl.DataFrame]]) -> Iterable[None]:
        """Writes the rows of one source that were set aside for one reason."""
        (name, why, part), some = element
        path = posixpath.join(self._folder, name, f"{why}-{part:05d}.jsonl.gz")
        write(path, to_jsonl_gz(stack(some), self._plan.source(name).files))
        return ()


class WriteCounts(beam.DoFn):
    """Counts -> a JSON file."""

    def __init__(self, path: str):
        self._path = path

    def process(self, counts: Counts) -> Iterable[None]:
        """Writes the sum of all counts."""
        write(self._path, counts.to_json())
        return ()
