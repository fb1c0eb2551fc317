"""Between reading and writing, rows travel in blocks; every step takes blocks and gives blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class ExampleBlock:
    """Rows that become examples, in their order.

    Attributes:
      part: Which shard of the keys they are, or (labelled tables) which file they come from.
      number: Which block of its part this is, from 0. All rows of a shard are one block.
      rows: The columns read, those of `tandem.components.log_example_gen.records`, and what the steps have added.
      split: What they are for; None until the step that splits.
    """

    part: int
    number: int
    rows: pl.DataFrame
    split: str | None = None
