"""Rows that make a label 1, and how many of them are lost: few bad rows can be many of the orders.

They are counted where rows differ in what they say: in tables, and in conversions of several kinds. Of a stream with
one kind of event, the share of bad rows says the same.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen import labelled
from tandem.components.log_example_gen.counts import Counts
from tandem.components.log_example_gen.records import CONVERSIONS, EVENT, REASON, TABLE, reason

if TYPE_CHECKING:
    from tandem.components.log_example_gen.plan import Plan


def positives_of(rows: pl.DataFrame, source: str, plan: Plan) -> Counter[str]:
    """Returns how many of some rows make a label 1, by label; only what was read of them counts.

    Args:
      rows: Conversions with their `EVENT`, or rows of a table with the texts of their labels.
      source: The stream's name.
      plan: What is read, and how.
    """
    if rows.is_empty():
        return Counter()
    if source == TABLE and plan.table_labels is not None:
        return labelled.positives(rows, plan.table_labels)
    if source == CONVERSIONS and plan.source(CONVERSIONS).event is not None:
        names = [label.name for label in plan.labels]
        kinds = rows.filter(pl.col(EVENT).is_in(names)).get_column(EVENT)
        return Counter(dict(kinds.value_counts().iter_rows()))
    return Counter()


def lost_positives(rejects: pl.DataFrame, source: str, plan: Plan) -> Counts:
    """Counts the bad ones among rows that were set aside, by label and reason.

    Args:
      rejects: As `positives_of` takes rows, with `REASON`.
      source: The stream's name.
      plan: What is read, and how.
    """
    lost: dict[str, Counter[str]] = {}
    for (why,), some in rejects.partition_by(REASON, as_dict=True).items():
        if reason(why).bad:
            for label, number in positives_of(some, source, plan).items():
                lost.setdefault(label, Counter())[why] += number
    return Counts(lost_positives=lost)
