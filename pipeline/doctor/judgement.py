"""What the first rows of the logs say about a run: what share is bad and why, splits, labels, numbers, side tables.

Where a source was read whole, what would stop a run fails. Where only the first rows were, most of it is a warning: the
head of a log in the order of time may lie in the training days alone, and the impression of a click beyond it.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.counts import ATTACHED, EXAMPLES, KEPT
from tandem.components.log_example_gen.dates import describe_period, describe_us
from tandem.components.log_example_gen.examples import to_record_batch
from tandem.components.log_example_gen.id_forms import describe_id_forms
from tandem.components.log_example_gen.records import reason, stack
from tandem.models.training.stages import few_steps, steps_of
from tandem.pipeline.doctor.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tandem.components.log_example_gen.numbers import Written
    from tandem.components.log_example_gen.plan import Plan, Source
    from tandem.components.log_example_gen.settings import ExampleColumn
    from tandem.models.settings import TrainingSettings
    from tandem.pipeline.doctor.first_rows import FirstRows

_EXAMPLES = 3
_LONGEST = 300
_MOSTLY = 0.5  # of the rows seen: whatever the others are, something is wrong
_MANY = 0.05


def judge(plan: Plan, first: FirstRows, training: TrainingSettings) -> Iterator[Check]:
    """Yields what is found.

    Args:
      plan: What is to be read.
      first: The first rows.
      training: Says how many steps rows come to.
    """
    for source in (*plan.streams, *plan.sides):
        yield from _rows(plan, first, source)
    if not first.whole[plan.streams[0].name] and plan.logs.table is None:
        yield Check(
            "ok",
            "splits and labels were not looked at: the first rows of large streams need not belong together; "
            "a run counts them before it trains",
        )
    else:
        yield from _splits(plan, first)
        yield from _labels(plan, first)
        yield from _steps(plan, first, training)
    yield from _numbers(plan, first)
    yield from (Check("warn", line) for line in describe_id_forms(first.counts.id_forms))
    for side in plan.sides:
        yield from _matches(plan, first, side)


# --- Rows ---


def _rows(plan: Plan, first: FirstRows, source: Source) -> Iterator[Check]:
    whole = first.whole[source.name]
    alone = not whole and plan.logs.table is None and source in plan.streams  # the join says nothing of heads
    counts = first.read if alone else first.counts
    rows = counts.rows[source.name]
    seen = f"all {rows:,} rows" if whole else f"the first {rows:,} rows"
    if not rows:
        yield Check("fail" if whole else "warn", f"{source.name}: there are no rows in its files")
        return
    outcomes = counts.outcomes.get(source.name, Counter())
    bad = {name: number for name, number in outcomes.items() if number and _is_bad(name)}
    share, allowed = sum(bad.values()) / rows, plan.logs.max_bad_share
    if not bad:
        yield Check("ok", f"{source.name}: {seen} can be used")
        return
    told = f"{source.name}: {sum(bad.values()):,} of {seen} ({share:.1%}) are bad"
    if share <= allowed:
        reasons = ", ".join(f"{name} {number:,}" for name, number in sorted(bad.items()))
        yield Check("ok", f"{told}: {reasons}")
        return
    lines = [f"{told}, more than 'max_bad_share' allows ({allowed:.1%}):"]
    for name, number in sorted(bad.items(), key=lambda item: (-item[1], item[0])):
        lines.append(f"  {name}: {number:,} rows. {reason(name).meaning}")
        lines += [f"    {_short(row)}" for row in first.rejected(source, name, _EXAMPLES)]
    yield Check("fail" if whole or share > _MOSTLY else "warn", "\n".join(lines))


def _is_bad(outcome: str) -> bool:
    used = outcome in (ATTACHED, KEPT) or outcome.startswith(f"{EXAMPLES}.")
    return not used and reason(outcome).bad


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


# --- Splits and labels ---


def _splits(plan: Plan, first: FirstRows) -> Iterator[Check]:
    """Says how many rows each part has; an empty part is wrong only where all rows were seen."""
    whole = first.whole[plan.streams[0].name]
    numbers = {name: first.counts.examples(name) for name in plan.logs.split.periods()}
    for name, period in plan.logs.split.periods().items():
        if numbers[name]:
            continue
        if not whole and period.files is None:
            continue
        text = f"split '{name}' ({describe_period(period)}) has no examples"
        if first.counts.first_us is not None and first.counts.last_us is not None:
            span = f"{describe_us(first.counts.first_us)} to {describe_us(first.counts.last_us)}"
            text += f"; the rows are from {span}"
        yield Check("fail" if whole else "warn", text)
    told = ", ".join(f"{name} {number:,}" for name, number in numbers.items())
    yield Check("ok", f"examples: {told}" + ("" if whole else ", of the rows looked at"))


def _labels(plan: Plan, first: FirstRows) -> Iterator[Check]:
    """Says where a label is the same in all rows: nothing is learned from it, or nothing can be judged by it."""
    whole = first.whole[plan.streams[0].name]
    for split, frames in first.examples.items():
        for label in plan.labels:
            values = pl.concat([frame.get_column(label.name) for frame in frames])
            if values.is_empty() or values.min() != values.max():
                continue
            text = f"label '{label.name}' is {values[0]} in all {len(values):,} rows of '{split}'"
            if not whole:
                yield Check("warn", f"{text} that were looked at")
            elif split == "eval":
                yield Check("warn", f"{text}: what it judges has no AUC, and a bound on that refuses every model")
            else:
                yield Check("warn", f"{text}: there is nothing to learn from it")


def _steps(plan: Plan, first: FirstRows, training: TrainingSettings) -> Iterator[Check]:
    if not first.whole[plan.streams[0].name]:
        return
    rows = first.counts.examples("train")
    if not rows:
        return
    steps = steps_of(rows, training)
    few = few_steps(steps, training)
    yield Check("warn", few) if few else Check("ok", f"training: {rows:,} rows come to {steps:,} steps")


# --- Numbers ---


def _numbers(plan: Plan, first: FirstRows) -> Iterator[Check]:
    """Says which columns of numbers hold something else, or nothing."""
    main = plan.streams[0]
    wanted = {
        name: column
        for name, column in plan.columns_of(main).items()
        if column.kind == "float" and name not in plan.logs.derived
    }
    frames = {split: stack(frame.select(*wanted) for frame in of_split) for split, of_split in first.examples.items()}
    if not frames or not wanted:
        return
    rows = stack(frames.values())
    written = plan.written(main)
    batch, counts = to_record_batch(rows, wanted, (), written)
    for name, column in wanted.items():
        lost, there = counts.unreadable[name], len(rows) - batch.column(name).null_count
        if lost:
            text = f"column '{name}': {lost:,} values ({lost / (lost + there):.1%}) are no numbers and count as missing"
            examples = ", ".join(map(repr, _no_numbers(rows.get_column(name), column, written)))
            yield Check("warn" if there else "fail", f"{text}, such as {examples}" if examples else text)
        elif empty := [split for split, frame in frames.items() if _is_empty(frame, name, column, written)]:
            everywhere = len(empty) == len(frames)
            where = "everywhere" if everywhere else f"in all rows of {' and '.join(map(repr, empty))}"
            surely = first.whole[main.name] and (everywhere or "train" in empty)
            yield Check("fail" if surely else "warn", f"column '{name}' is to hold numbers, and is empty {where}")


def _is_empty(rows: pl.DataFrame, name: str, column: ExampleColumn, written: Written) -> bool:
    batch, _ = to_record_batch(rows.select(name), {name: column}, (), written)
    return bool(batch.column(name).null_count == len(rows))


def _no_numbers(cells: pl.Series, column: ExampleColumn, written: Written) -> list[str]:
    """Returns some texts that cannot be read as the numbers that a column is to hold."""
    if cells.dtype != pl.String:
        return []
    texts = cells.filter(cells != "").unique(maintain_order=True)
    batch, _ = to_record_batch(texts.to_frame(), {cells.name: column}, (), written)
    return texts.filter(pl.Series(batch.column(cells.name).is_null())).head(_EXAMPLES).to_list()


# --- Side tables ---


def _matches(plan: Plan, first: FirstRows, side: Source) -> Iterator[Check]:
    """Says how many rows find their key in a side table that was read whole, and what of its numbers is none."""
    for name, lost in first.counts.unreadable.items():
        if name in side.adds:
            yield Check("warn", f"{side.name}: column '{name}': {lost:,} values are no numbers and count as missing")
    rows = sum(len(frame) for frames in first.examples.values() for frame in frames)
    if not rows or not first.whole[side.name]:
        return
    key = side.keys[0]
    unmatched = first.counts.unmatched[side.name]
    share = unmatched / rows
    text = f"{side.name}: {unmatched:,} of {rows:,} rows ({share:.1%}) have a '{key}' that it lacks"
    if share <= _MANY:
        yield Check("ok", text)
        return
    known = first.side_keys[side.name]
    cells = pl.concat([frame.get_column(key) for frames in first.examples.values() for frame in frames])
    lacking = cells.filter(~cells.is_in(known.implode())).unique(maintain_order=True).head(_EXAMPLES).to_list()
    examples = (
        f"such as {', '.join(map(repr, lacking))}; it has {', '.join(map(repr, known.head(_EXAMPLES).to_list()))}"
    )
    yield Check("fail" if math.isclose(share, 1) else "warn", f"{text}, {examples}")
