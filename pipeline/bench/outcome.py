"""What a benchmark leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tandem.pipeline.bench.sections import Section
    from tandem.pipeline.bench.table import ComparisonTable


@dataclass(frozen=True)
class Outcome:
    """What a benchmark leaves.

    Attributes:
      table: All figures.
      sections: The same as narrow tables.
      folder: Where everything lies.
      files: Names of the files that were written there.
      runs: How many runs there are.
      reused: How many of them were there already.
      seconds: From start to end.
    """

    table: ComparisonTable
    sections: tuple[Section, ...]
    folder: Path
    files: tuple[str, ...]
    runs: int
    reused: int
    seconds: float
