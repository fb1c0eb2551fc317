"""Which rows of a source are bad, and why: in lines for the user, with some of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tandem.components.log_example_gen.counts import ATTACHED, EXAMPLES, KEPT
from tandem.components.log_example_gen.judging.faults import outcomes_of
from tandem.components.log_example_gen.records import TABLE, no_parent, reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.components.log_example_gen.counts import Counts
    from tandem.components.log_example_gen.plan import Plan

EXAMPLE_ROWS = 3
"""So many rows are quoted for a reason."""

_LONGEST_ROW = 300


def bad_rows(counts: Counts, source: str) -> dict[str, int]:
    """Returns how many rows of a source are bad, by reason, the most frequent first."""
    bad = {name: number for name, number in outcomes_of(counts, source).items() if number and _is_bad(name)}
    return dict(sorted(bad.items(), key=lambda item: (-item[1], item[0])))


def describe_reason(name: str, number: int, source: str, rows: Sequence[str], plan: Plan) -> list[str]:
    """Says why rows are bad, and quotes some.

    Args:
      name: The reason.
      number: How many rows of the source are bad for it.
      source: The source.
      rows: Some of them, as the quarantine has them.
      plan: What is read.
    """
    lines = [f"  {name}: {number:,} rows. {reason(name).meaning}", *(f"    {_shortened(row)}" for row in rows)]
    orphans = {no_parent(label.parent).name for label in plan.labels if label.parent is not None}
    if source == TABLE and name in orphans:
        lines.append("    if such rows are meant, 'orphans: imply' of the table makes their parents 1")
    return lines


def _is_bad(outcome: str) -> bool:
    used = outcome in (ATTACHED, KEPT) or outcome.startswith(f"{EXAMPLES}.")
    return not used and reason(outcome).bad


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_ROW else f"{text[:_LONGEST_ROW]}..."
