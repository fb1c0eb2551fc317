"""Names for the columns of a file without a header, made of what seems to be in them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tandem.pipeline.starter.event_log import MOST_KINDS, speaks_of_events
from tandem.pipeline.starter.profile import profile

if TYPE_CHECKING:
    import polars as pl

LABEL, TIME, EVENT = "label", "time", "event"
ONLY_ONCE = (LABEL, TIME, EVENT)
"""Names that the first such column has; the others are called by what they hold and where they stand."""


def called(rows: pl.DataFrame) -> list[str]:
    """Returns a name for each column: `label`, `time`, `event`; or `number_3`, `bag_4`, `category_5` by its place.

    Args:
      rows: Texts, as the readers give them.
    """
    kinds = [_kind(rows, name) for name in rows.columns]
    taken: Counter[str] = Counter()
    names = []
    for place, kind in enumerate(kinds, 1):
        taken[kind] += 1
        if kind in ONLY_ONCE and taken[kind] == 1:
            names.append(kind)
        else:
            names.append(f"{'category' if kind in ONLY_ONCE else kind}_{place}")
    return names


def _kind(rows: pl.DataFrame, name: str) -> str:
    found = profile(rows, name, named=False)
    if found.time is not None:
        return TIME
    if found.binary and not found.constant:
        return LABEL
    if found.separator is not None:
        return "bag"
    if found.numeric:
        return "number"
    if 1 < found.distinct <= MOST_KINDS and speaks_of_events(rows.get_column(name).unique().to_list()):
        return EVENT
    return "category"
