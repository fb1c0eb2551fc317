"""Names for the columns of a file without a header, made of what seems to be in them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import TYPE_CHECKING

from tandem.pipeline.starter.event_log import MOST_KINDS, speaks_of_events
from tandem.pipeline.starter.profile import profile

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from tandem.pipeline.starter.findings import Sample

LABEL, TIME, EVENT = "label", "time", "event"
ONLY_ONCE = (LABEL, TIME, EVENT)
"""Names that the first such column has; the others are called by what they hold and where they stand."""


def named_alike(samples: Sequence[Sample]) -> list[Sample]:
    """Names the columns of the samples without a header; those with as many columns get the same names.

    Streams of one program have the same columns; what is in them shows best where there are most rows.
    """
    names: dict[int, list[str]] = {}
    for sample in sorted(samples, key=lambda each: -len(each.rows)):
        if not sample.named and sample.rows.width not in names:
            names[sample.rows.width] = called(sample.rows)
    return [each if each.named else _renamed(each, names[each.rows.width]) for each in samples]


def _renamed(sample: Sample, names: list[str]) -> Sample:
    rows = sample.rows.rename(dict(zip(sample.rows.columns, names, strict=True)))
    return dataclasses.replace(sample, rows=rows, settings={**sample.settings, "columns": tuple(names)})


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
