"""Shows the runs of a benchmark: which one is going on, how many are left, and how long they may take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tandem.pipeline.local.progress import ComponentState, End, LiveProgress, PlainProgress, Progress, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console
    from rich.table import Table

SHOWN_BEFORE, SHOWN_AFTER = 6, 3
"""Rows of the live table above and below the run that is going on: many runs do not fit on a screen."""


def time_left(states: Sequence[ComponentState]) -> str:
    """Says how many runs are over, and guesses from those that were done how long the rest takes.

    >>> time_left([ComponentState("a", "done", 0.0, 60.0), ComponentState("b", "cached"), ComponentState("c")])
    '2 of 3 runs, about 1 min 00 s left'

    Args:
      states: Of all runs.
    """
    over = [state for state in states if state.status not in ("waiting", "running")]
    took = [state.seconds for state in states if state.status == "done" and state.seconds is not None]
    text = f"{len(over)} of {len(states)} runs"
    if not took or len(over) == len(states):
        return text
    return f"{text}, about {duration(sum(took) / len(took) * (len(states) - len(over)))} left"


class LiveRuns(LiveProgress):
    """A table of the runs around the current one, redrawn in place."""

    def table(self) -> Table:
        """Draws the runs."""
        every = self.components
        states = list(every.values())
        at = next((place for place, state in enumerate(states) if state.status in ("running", "waiting")), len(states))
        self.components = {state.name: state for state in states[max(0, at - SHOWN_BEFORE) : at + 1 + SHOWN_AFTER]}
        try:
            table = super().table()
        finally:
            self.components = every
        table.add_row("", time_left(states), style="bold")
        return table


class PlainRuns(PlainProgress):
    """Lines; after each run also how many are left."""

    def finish(self, name: str, status: End) -> None:
        """Writes that a run ends, and what is left."""
        super().finish(name, status)
        if status != "cached":
            self._line(name, time_left(list(self.components.values())))


def create(console: Console, names: Sequence[str]) -> Progress:
    """Returns a live table for a terminal, lines otherwise."""
    return LiveRuns(console, names) if console.is_terminal else PlainRuns(console, names)
