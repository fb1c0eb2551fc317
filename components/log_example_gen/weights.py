"""Row weights: numbers that say how much a row counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tandem.components.log_example_gen.numbers import PLAIN, Notation, number
from tandem.components.log_example_gen.records import BAD_WEIGHT, REASON
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLOAT32_MAX = float(np.finfo(np.float32).max)


def check_weights(
    rows: pl.DataFrame, weights: Sequence[str], notation: Notation = PLAIN
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns the rows in which every weight is one finite number of 0 or more (as float32), and the others.

    Args:
      rows: Texts.
      weights: The columns that weigh rows.
      notation: How numbers are written.

    Returns:
      The sound rows and the others with `REASON`, both as they came.

    Raises:
      LogsError: A weight column holds lists.
    """
    for name in weights:
        if rows.schema[name] != pl.String:
            raise LogsError(f"column '{name}' holds lists; a row weight is one number")
    why: pl.Expr = pl.lit(None, pl.String)
    for name in weights:
        sound = number(pl.col(name), notation).is_between(0, _FLOAT32_MAX).fill_null(False)
        why = pl.when(sound).then(why).otherwise(pl.lit(BAD_WEIGHT.name))
    rows = rows.with_columns(why.alias(REASON))
    return rows.filter(pl.col(REASON).is_null()).drop(REASON), rows.filter(pl.col(REASON).is_not_null())
