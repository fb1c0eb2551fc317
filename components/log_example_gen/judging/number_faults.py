"""What the counts say of numeric columns: values that are no numbers, columns that have none. As sentences."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tandem.components.log_example_gen.counts import describe_values
from tandem.components.log_example_gen.judging.doubts import TRAIN
from tandem.components.log_example_gen.numbers import settings_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tandem.components.log_example_gen.counts import Counts
    from tandem.components.log_example_gen.plan import Plan


def too_many_unreadable(counts: Counts, plan: Plan) -> Iterator[str]:
    """Yields which numeric columns hold more values that are no numbers than the settings allow."""
    allowed = plan.logs.max_unreadable_share
    for column, number in sorted(counts.unreadable.items()):
        share = counts.unreadable_share(column)
        if share > allowed:
            values = [value for value, _ in counts.unreadable_values.get(column, [])]
            found = settings_for(values)
            advice = (
                f"say how '{_owner(column, plan)}' writes them: {found}"
                if found
                else "list what means nothing in 'null_values', or take the column as a category"
            )
            yield (
                f"column '{column}': {number:,} of {number + counts.numbers[column]:,} values ({share:.1%}) are no "
                f"numbers, more than 'max_unreadable_share' allows ({allowed:.1%}), such as "
                f"{describe_values(counts, column)}; {advice}"
            )


def _owner(column: str, plan: Plan) -> str:
    return next((side.name for side in plan.sides if column in side.adds), plan.streams[0].name)


def no_numbers_to_learn(counts: Counts, plan: Plan) -> Iterator[str]:
    """Yields which numeric columns have no number in training: nothing can be learnt of them, not even their mean."""
    if not counts.examples(TRAIN):
        return
    for column in _numeric(plan):
        if counts.numbers_in.get(TRAIN, Counter())[column] or counts.unreadable_share(column) == 1:
            continue
        elsewhere = [split for split, numbers in counts.numbers_in.items() if numbers[column]]
        there = f"; there are some in {' and '.join(sorted(elsewhere))} only" if elsewhere else ""
        side = next((side.name for side in plan.sides if column in side.adds), None)
        lacking = f" ('{side}' lacks the keys of {counts.unmatched[side]:,} examples)" if side else ""
        yield (
            f"column '{column}' has no number in any of the {counts.examples(TRAIN):,} training examples"
            f"{lacking}{there}: remove what is made of it, or bring logs that have it"
        )


def _numeric(plan: Plan) -> list[str]:
    return [name for name, column in plan.columns.items() if column.kind != "bytes"]


def no_numbers_to_judge(counts: Counts, plan: Plan) -> Iterator[str]:
    """Yields which numeric columns have no number in another split; that may be meant."""
    learnt = [column for column in _numeric(plan) if counts.numbers_in.get(TRAIN, Counter())[column]]
    for split in plan.logs.split.periods():
        for column in learnt:
            if split != TRAIN and counts.examples(split) and not counts.numbers_in.get(split, Counter())[column]:
                yield f"column '{column}' has no number in any of the {counts.examples(split):,} examples of '{split}'"
