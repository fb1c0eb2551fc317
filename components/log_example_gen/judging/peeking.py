"""The first cells of a source, for messages: read again when something is wrong, so that a sound run pays nothing."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.readers.registry import read_file
from tandem.components.log_example_gen.sources import filesystem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.components.log_example_gen.plan import Plan, Source


def first_cells(source: Source, plan: Plan, columns: Sequence[str], most: int) -> dict[str, list[str]]:
    """Returns some different cells of columns, in the order in which they come in the first block of the first file.

    Args:
      source: Where to look.
      plan: Says where its files are.
      columns: The columns, by their names after `rename`.
      most: How many cells of each.
    """
    system, _ = filesystem(plan.data_dir)
    blocks = read_file(system, source.files[0], source.spec, columns, plan.block_bytes)
    found: dict[str, list[str]] = {name: [] for name in columns}
    for block in islice(blocks, 1):
        for name in columns:
            cells = block.rows.get_column(name)
            if cells.dtype == pl.String:
                found[name] = cells.unique(maintain_order=True).head(most).to_list()
    return found
