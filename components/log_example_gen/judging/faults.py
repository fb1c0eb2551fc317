"""What the counts say that must stop a run: sentences for the user, each with what to do."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tandem.components.log_example_gen.joining.side_tables import would_match
from tandem.components.log_example_gen.judging.doubts import TRAIN
from tandem.components.log_example_gen.judging.number_faults import no_numbers_to_learn, too_many_unreadable
from tandem.components.log_example_gen.judging.peeking import first_cells
from tandem.components.log_example_gen.records import MALFORMED, NOT_ASKED_FOR, NOT_ONE_VALUE, REPEATED_HEADER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tandem.components.log_example_gen.counts import Counts
    from tandem.components.log_example_gen.plan import Plan, Source

_VALUES_TOLD = 5
_KEYS_TOLD = 3
_KEYS_COMPARED = 10_000


def faults(counts: Counts, plan: Plan) -> list[str]:
    """Returns what stops the run."""
    return [
        *_nothing_asked_for(counts, plan),
        *(line for side in plan.sides for line in unmatched_keys(counts, side, plan)),
        *_nothing_to_learn(counts, plan),
        *too_many_lost(counts, plan),
        *too_many_unreadable(counts, plan),
        *no_numbers_to_learn(counts, plan),
    ]


def outcomes_of(counts: Counts, source: str) -> Counter[str]:
    """Returns what became of the rows of a source."""
    return counts.outcomes.get(source, Counter())


def asked_for(counts: Counts, source: str) -> int:
    """Returns how many rows of a source are meant: those read without those that `where` leaves out."""
    return counts.rows[source] - outcomes_of(counts, source)[NOT_ASKED_FOR.name]


def _nothing_asked_for(counts: Counts, plan: Plan) -> Iterator[str]:
    """Conditions that no row satisfies are mistyped, or say something else than was meant."""
    for source in (*plan.streams, *plan.sides):
        outcomes = outcomes_of(counts, source.name)
        readable = counts.rows[source.name] - sum(
            outcomes[why.name] for why in (MALFORMED, NOT_ONE_VALUE, REPEATED_HEADER)
        )
        if readable and readable == outcomes[NOT_ASKED_FOR.name]:
            yield f"{source.name}: none of {readable:,} rows satisfies 'where'; {_conditions_and_cells(source, plan)}"


def _conditions_and_cells(source: Source, plan: Plan) -> str:
    found = first_cells(source, plan, tuple(source.spec.where), _VALUES_TOLD)
    return "; ".join(
        f"asked is {name}: {condition}, and the first rows have {_quoted(found[name])}"
        for name, condition in source.spec.where.items()
    )


def too_many_lost(counts: Counts, plan: Plan) -> Iterator[str]:
    """Yields of which labels more rows that make them 1 are bad than the settings allow."""
    given = plan.logs.max_lost_positives_share
    allowed = plan.logs.max_bad_share if given is None else given
    for label, lost in sorted(counts.lost_positives.items()):
        rows, number = counts.positive_rows[label], counts.lost(label)
        if number and number / rows > allowed:
            why = ", ".join(f"{name} {some:,}" for name, some in sorted(lost.items()) if some)
            yield (
                f"label '{label}': {number:,} of the {rows:,} rows that make it 1 ({number / rows:.1%}) are bad "
                f"({why}), more than 'max_lost_positives_share' allows ({allowed:.1%})"
            )


def unmatched_keys(counts: Counts, side: Source, plan: Plan) -> Iterator[str]:
    """Side tables that lack the keys of too many examples."""
    rows = sum(counts.examples(split) for split in plan.logs.split.periods())
    keyed = rows - counts.without_key[side.name]
    unmatched = counts.unmatched[side.name] - counts.without_key[side.name]
    allowed = plan.logs.max_unmatched_share
    key = side.keys[0]
    if rows and not keyed:
        yield f"{side.name}: no example has a '{key}', so that none of its columns has a value"
    elif unmatched and (unmatched == keyed or (allowed is not None and unmatched > allowed * keyed)):
        bound = f"more than 'max_unmatched_share' allows ({allowed:.1%})" if allowed is not None else "all of them"
        yield (
            f"{side.name}: {unmatched:,} of {keyed:,} examples ({unmatched / keyed:.1%}) have a '{key}' that it lacks, "
            f"{bound}; {_keys_of_both(side, plan)}"
        )


def _keys_of_both(side: Source, plan: Plan) -> str:
    """Quotes keys of the examples that the table lacks and some of the table's, and says how they would match."""
    key, main = side.keys[0], plan.streams[0]
    ours = [cell for cell in first_cells(main, plan, (key,), _KEYS_COMPARED)[key] if cell]
    theirs = [cell for cell in first_cells(side, plan, (key,), _KEYS_COMPARED)[key] if cell]
    there = set(theirs)
    lacking = [cell for cell in ours if cell not in there][:_KEYS_TOLD]
    told = f"{main.name} have {_quoted(lacking)}, the table has {_quoted(theirs[:_KEYS_TOLD])}"
    way = would_match(ours, theirs)
    return f"{told}; they would match {way}: write them alike in both" if way else told


def _quoted(cells: list[str]) -> str:
    return ", ".join(map(repr, cells)) or "nothing"


def _nothing_to_learn(counts: Counts, plan: Plan) -> Iterator[str]:
    """Labels that are the same in all rows that train."""
    rows = counts.examples(TRAIN)
    for label in plan.labels:
        ones = counts.positives.get(TRAIN, Counter())[label.name]
        if rows and ones in (0, rows):
            yield f"label '{label.name}' is {int(ones > 0)} in all {rows:,} rows of '{TRAIN}': nothing to learn"
