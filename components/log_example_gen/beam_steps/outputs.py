"""What every step gives besides its main output: the rows that it sets aside, and counts."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import polars as pl

from tandem.components.log_example_gen.beam_steps import coders  # noqa: F401  (registers them)
from tandem.components.log_example_gen.counts import Counts, merged
from tandem.components.log_example_gen.records import REASON, TIME
from tandem.components.log_example_gen.settings.columns import final_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tandem.components.log_example_gen.blocks import ExampleBlock
    from tandem.components.log_example_gen.plan import Plan

_DAY = "__day"
_US_PER_DAY = 86_400_000_000

MAIN, REJECTS, COUNTS = "main", "rejects", "counts"

RejectKey = tuple[str, str, int]
"""The source, the reason, and the part: the rejects of a key go into one file."""


def rejected(source: str, rows: pl.DataFrame, part: int) -> Iterator[Any]:
    """Gives rows that were set aside (with `REASON`) to where they are written."""
    for (why,), some in rows.partition_by(REASON, as_dict=True).items():
        yield beam.pvalue.TaggedOutput(REJECTS, ((source, why, part), some))


def counted(counts: Counts) -> Any:
    """Gives counts to where they are added up."""
    return beam.pvalue.TaggedOutput(COUNTS, counts)


def by_reason(rows: pl.DataFrame) -> Counter[str]:
    """Returns how many rows were set aside for each reason."""
    return Counter(dict(rows.get_column(REASON).value_counts().iter_rows()))


def times(rows: pl.DataFrame) -> Counts:
    """Returns the earliest and the latest time of rows."""
    if TIME not in rows.columns or rows.is_empty():
        return Counts()
    first, last = rows.select(pl.col(TIME).min().alias("first"), pl.col(TIME).max().alias("last")).row(0)
    return Counts(first_us=first, last_us=last)


def by_day(rows: pl.DataFrame, labels: Iterable[str]) -> Counts:
    """Returns how many rows each day has, and how many of them each label is 1 in; nothing where there is no time."""
    if TIME not in rows.columns or rows.is_empty():
        return Counts()
    labels = list(labels)
    days = rows.group_by((pl.col(TIME) // _US_PER_DAY).alias(_DAY)).agg(pl.len(), pl.col(labels).cast(pl.Int64).sum())
    names = days.get_column(_DAY).cast(pl.Int32).cast(pl.Date).dt.to_string("%Y-%m-%d").to_list()

    def numbers(column: str) -> Counter[str]:
        return Counter(dict(zip(names, days.get_column(column).to_list(), strict=True)))

    return Counts(impressions_by_day=numbers("len"), positives_by_day={label: +numbers(label) for label in labels})


def of_examples(block: ExampleBlock, plan: Plan, numbers: Counts) -> Counts:
    """Returns all that is counted of rows that become examples.

    Args:
      block: The rows, with their labels and what they are for.
      plan: The labels, and which of them may still change.
      numbers: What `to_record_batch` tells of their numbers.
    """
    rows, split = block.rows, str(block.split)
    labels = [label.name for label in plan.labels]
    late = {label: len(rows) - int(rows.get_column(final_column(label)).sum()) for label in plan.label_delays}
    own = Counts(
        positives={split: Counter({label: int(rows.get_column(label).sum()) for label in labels})},
        numbers_in={split: Counter(numbers.numbers)},
        not_final={split: Counter(late)} if late else {},
    )
    return merged([own, numbers])


def step(do_fn: beam.DoFn, *sides: Any, gives: Any, further: tuple[str, ...] = ()) -> Any:
    """Returns a transform whose outputs `Account.main` takes, once it is applied.

    Args:
      do_fn: Gives `rejected(...)` and `counted(...)` besides its main output.
      *sides: Its side inputs.
      gives: The type of the main output.
      further: Names of other outputs.
    """
    return beam.ParDo(do_fn, *sides).with_output_types(gives).with_outputs(REJECTS, COUNTS, *further, main=MAIN)


class Account:
    """Gathers, while a pipeline is built, what its steps give besides their main output."""

    def __init__(self) -> None:
        self._rejects: list[Any] = []
        self._counts: list[Any] = []

    def main(self, outputs: Any) -> Any:
        """Takes the outputs of a step down, and returns the main one."""
        self._rejects.append(outputs[REJECTS])
        self._counts.append(outputs[COUNTS])
        return outputs[MAIN]

    def rejects(self) -> Any:
        """Returns ((source, reason, part), rows) of all steps."""
        return self._rejects | "AllRejects" >> beam.Flatten().with_output_types(tuple[RejectKey, pl.DataFrame])

    def counts(self) -> Any:
        """Returns the counts of all steps, added up."""
        return self._counts | "AllCounts" >> beam.Flatten() | "AddUp" >> beam.CombineGlobally(merged)
