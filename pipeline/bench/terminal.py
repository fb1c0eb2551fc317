"""What a benchmark prints when it is over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table as RichTable

from tandem.pipeline.bench.sections import REACHABLE, Section, how_to_read
from tandem.pipeline.local.console import short, standard_output
from tandem.pipeline.local.progress import duration

if TYPE_CHECKING:
    from rich.console import Console

    from tandem.pipeline.bench.outcome import Outcome


def show(outcome: Outcome, console: Console | None = None) -> None:
    """Prints the narrow tables and where everything lies.

    Args:
      outcome: Of the benchmark.
      console: None: standard output.
    """
    console = console or standard_output()
    for section in outcome.sections:
        console.print()
        console.print(_table(section))
        for note in section.notes:
            console.print(f"[dim]{escape(note)}[/]", highlight=False)
    console.print()
    for note in how_to_read(outcome.table):
        console.print(f"[dim]{escape(note)}[/]", highlight=False)
    console.print()
    done = f"{outcome.runs}, of them {outcome.reused} reused from earlier benchmarks"
    console.print(f"[bold]runs[/]      {done}; {duration(outcome.seconds)} in all", highlight=False)
    console.print(f"[bold]written[/]   {escape(short(outcome.folder))}", soft_wrap=True, highlight=False)
    console.print(f"          {escape(', '.join(outcome.files))}", highlight=False)


def _table(section: Section) -> RichTable:
    table = RichTable(title=escape(section.title), title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for place, title in enumerate(section.columns):
        table.add_column(title, justify="left" if place < section.texts else "right", no_wrap=place == 0)
    for cells in section.rows:
        table.add_row(*(escape(cell) for cell in cells), style="dim" if cells[0] == REACHABLE else "")
    return table
