"""Tables whose rows carry their labels already."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.labels import parents_first
from tandem.components.log_example_gen.records import BAD_LABEL, REASON, no_parent
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.components.log_example_gen.settings import Label

_VALUES = {"0": 0, "1": 1, "false": 0, "true": 1}


def check_labels(rows: pl.DataFrame, labels: Sequence[Label]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Reads the labels of rows.

    Args:
      rows: With a column of texts per label: 0, 1, true, false (in any case, spaces around allowed).
      labels: All labels; one can be 1 only where its parent is.

    Returns:
      The rows whose labels are sound (as Int8), and the others as they came, with `REASON`.

    Raises:
      LogsError: A label column holds lists.
    """
    why: pl.Expr = pl.lit(None, pl.String)
    values = {}
    for label in labels:
        if rows.schema[label.name] != pl.String:
            raise LogsError(f"column '{label.name}' holds lists; a label is one value")
        text = pl.col(label.name).str.strip_chars().str.to_lowercase()
        values[label.name] = text.replace_strict(_VALUES, default=None, return_dtype=pl.Int8)
    for label in reversed(parents_first(labels)):
        if label.parent is not None:
            orphan = (values[label.name] == 1) & (values[label.parent] == 0)
            why = pl.when(orphan).then(pl.lit(no_parent(label.parent).name)).otherwise(why)
    unreadable = pl.any_horizontal([value.is_null() for value in values.values()])
    why = pl.when(unreadable).then(pl.lit(BAD_LABEL.name)).otherwise(why)
    rows = rows.with_columns(why.alias(REASON))
    sound = rows.filter(pl.col(REASON).is_null()).drop(REASON)
    return sound.with_columns(value.alias(name) for name, value in values.items()), rows.filter(
        pl.col(REASON).is_not_null()
    )
