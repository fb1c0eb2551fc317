"""The table as a page: `table.md`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tandem.pipeline.bench.sections import Section, how_to_read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tandem.pipeline.bench.table import ComparisonTable


def page(table: ComparisonTable, found: Iterable[Section], pictures: Sequence[str]) -> str:
    """Writes the page.

    Args:
      table: The benchmark.
      found: Its narrow tables.
      pictures: Names of picture files beside the page.
    """
    return "\n".join(_lines(table, found, pictures)) + "\n"


def _lines(table: ComparisonTable, found: Iterable[Section], pictures: Sequence[str]) -> Iterator[str]:
    systems = "1 system" if len(table.systems) == 1 else f"{len(table.systems)} systems"
    seeds = "1 seed" if table.seeds == 1 else f"{table.seeds} seeds each"
    yield f"# {table.name}: {systems}, {seeds}"
    yield ""
    yield "Every system learned from the same examples, in the same order for the same seed."
    for note in how_to_read(table):
        yield ""
        yield note.replace("*", "\\*")
    for section in found:
        yield ""
        yield f"## {section.title}"
        yield ""
        yield _row(section.columns)
        yield _row(["---"] * section.texts + ["---:"] * (len(section.columns) - section.texts))
        for cells in section.rows:
            yield _row(cells)
        for note in section.notes:
            yield ""
            yield note
    for picture in pictures:
        yield ""
        yield f"![{picture.partition('.')[0]}]({picture})"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("*", "\\*").replace("\n", " ") for cell in cells) + " |"
