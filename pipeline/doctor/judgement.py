"""What the first rows of the logs say about a run: what share is bad and why, splits, labels, numbers, side tables.

The sentences are those of ingestion. Where all rows were seen, what would stop a run fails. Where only the first rows
were, most of it is a warning: the head of a log in the order of time may lie in the training days alone, and the
impression of a click beyond it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tandem.components.log_example_gen.counts import describe_lost
from tandem.components.log_example_gen.dates import describe_period, describe_us
from tandem.components.log_example_gen.judging.bad_rows import EXAMPLE_ROWS, bad_rows, describe_reason
from tandem.components.log_example_gen.judging.doubts import doubts
from tandem.components.log_example_gen.judging.faults import asked_for, faults, unmatched_keys
from tandem.components.log_example_gen.judging.id_forms import describe_id_forms
from tandem.components.log_example_gen.judging.number_faults import no_numbers_to_judge, too_many_unreadable
from tandem.components.log_example_gen.labelled import describe_unreadable
from tandem.components.log_example_gen.records import BAD_LABEL
from tandem.models.training.stages import few_steps, steps_of
from tandem.pipeline.doctor.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tandem.components.log_example_gen.plan import Plan, Source
    from tandem.models.settings import TrainingSettings
    from tandem.pipeline.doctor.first_rows import FirstRows

_MOSTLY = 0.5  # of the rows seen: whatever the others are, something is wrong


def judge(plan: Plan, first: FirstRows, training: TrainingSettings) -> Iterator[Check]:
    """Yields what is found.

    Args:
      plan: What is to be read.
      first: The first rows.
      training: Says how many steps rows come to.
    """
    yield from (Check("warn", remark) for remark in plan.remarks)
    for source in (*plan.streams, *plan.sides):
        yield from _rows(plan, first, source)
    if plan.logs.table is None and not first.whole[plan.streams[0].name]:
        yield from _heads_of_streams(plan, first)
    else:
        yield from _splits(plan, first)
        yield from _examples(plan, first)
        yield from _steps(plan, first, training)
    yield from (Check("warn", line) for line in describe_id_forms(first.counts.id_forms))


# --- Rows ---


def _rows(plan: Plan, first: FirstRows, source: Source) -> Iterator[Check]:
    whole = first.whole[source.name]
    alone = not whole and plan.logs.table is None and source in plan.streams  # the join says nothing of heads
    counts = first.read if alone else first.counts
    rows = asked_for(counts, source.name)
    seen = f"all {rows:,} rows" if whole else f"the first {rows:,} rows"
    if not counts.rows[source.name]:
        yield Check("fail" if whole else "warn", f"{source.name}: there are no rows in its files")
        return
    bad = bad_rows(counts, source.name)
    share, allowed = sum(bad.values()) / rows if rows else 0.0, plan.logs.max_bad_share
    if not bad:
        yield Check("ok", f"{source.name}: {seen} can be used")
        return
    told = f"{source.name}: {sum(bad.values()):,} of {seen} ({share:.1%}) are bad"
    if share <= allowed:
        reasons = ", ".join(f"{name} {number:,}" for name, number in sorted(bad.items()))
        yield Check("ok", f"{told}: {reasons}")
        return
    lines = [f"{told}, more than 'max_bad_share' allows ({allowed:.1%}):"]
    for name, number in bad.items():
        examples = first.rejected(source, name, EXAMPLE_ROWS)
        lines += describe_reason(name, number, source.name, examples, plan)
        if name == BAD_LABEL.name and plan.table_labels is not None:
            lines += [f"    {line}" for line in describe_unreadable(examples, plan.table_labels)]
    yield Check("fail" if whole or share > _MOSTLY else "warn", "\n".join(lines))


# --- What becomes of them ---


def _splits(plan: Plan, first: FirstRows) -> Iterator[Check]:
    """Says how many rows each part has; an empty part is wrong only where all rows were seen."""
    whole, counts = first.whole[plan.streams[0].name], first.counts
    periods = plan.logs.split.periods()
    empty = [name for name in periods if not counts.examples(name)]
    for name in empty if whole else ():
        text = f"split '{name}' ({describe_period(periods[name])}) has no examples"
        if counts.first_us is not None and counts.last_us is not None:
            text += f"; the rows are from {describe_us(counts.first_us)} to {describe_us(counts.last_us)}"
        yield Check("fail", text)
    told = ", ".join(f"{name} {counts.examples(name):,}" for name in periods)
    yield Check("ok", f"examples: {told}" + ("" if whole else ", of the rows looked at"))


def _examples(plan: Plan, first: FirstRows) -> Iterator[Check]:
    """Says what labels, numbers and keys of side tables come to."""
    counts, whole = first.counts, all(first.whole.values())
    wrong = faults(counts, plan)
    yield from (Check("fail" if whole else "warn", sentence) for sentence in wrong)
    for sentence in [] if wrong else describe_lost(counts):  # what is too much is told above
        yield Check("warn" if sentence.partition(":")[0] in counts.unreadable else "ok", sentence)
    further = [*doubts(counts, plan.labels, plan.label_delays), *no_numbers_to_judge(counts, plan)]
    yield from (Check("warn", sentence) for sentence in further)


def _heads_of_streams(plan: Plan, first: FirstRows) -> Iterator[Check]:
    """Says what can be told of rows that need not belong together."""
    yield Check(
        "ok",
        "labels and splits were not looked at: the first rows of large streams need not belong together; a run counts "
        "them before it trains",
    )
    yield from (Check("warn", sentence) for sentence in too_many_unreadable(first.counts, plan))
    for side in plan.sides:
        if first.whole[side.name]:
            yield from (Check("warn", sentence) for sentence in unmatched_keys(first.counts, side, plan))


def _steps(plan: Plan, first: FirstRows, training: TrainingSettings) -> Iterator[Check]:
    rows = first.counts.examples("train")
    if not rows or not first.whole[plan.streams[0].name]:
        return
    steps = steps_of(rows, training)
    few = few_steps(steps, training)
    yield Check("warn", few) if few else Check("ok", f"training: {rows:,} rows come to {steps:,} steps")
