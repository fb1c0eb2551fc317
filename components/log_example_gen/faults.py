"""What the counts say that must not pass without a word: sentences for the user, each with what to do.

A fault stops the run; a doubt is only told.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tandem.components.log_example_gen.peeking import first_cells
from tandem.components.log_example_gen.records import MALFORMED, NOT_ASKED_FOR

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tandem.components.log_example_gen.counts import Counts
    from tandem.components.log_example_gen.plan import Plan, Source

_VALUES_TOLD = 5


def faults(counts: Counts, plan: Plan) -> list[str]:
    """Returns what stops the run."""
    return [*_nothing_asked_for(counts, plan), *_lost_positives(counts, plan)]


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
        readable = counts.rows[source.name] - outcomes[MALFORMED.name]
        if readable and readable == outcomes[NOT_ASKED_FOR.name]:
            yield f"{source.name}: none of {readable:,} rows satisfies 'where'; {_conditions_and_cells(source, plan)}"


def _conditions_and_cells(source: Source, plan: Plan) -> str:
    found = first_cells(source, plan, tuple(source.spec.where), _VALUES_TOLD)
    return "; ".join(
        f"asked is {name}: {condition}, and the first rows have {', '.join(map(repr, found[name])) or 'nothing'}"
        for name, condition in source.spec.where.items()
    )


def _lost_positives(counts: Counts, plan: Plan) -> Iterator[str]:
    """Labels of which more rows that make them 1 are bad than the settings allow."""
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
