"""Typed values, of JSON and Parquet, as the texts that all cells are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import polars as pl

from tandem.components.log_example_gen.readers.nulls import without_words

if TYPE_CHECKING:
    from collections.abc import Sequence

EXACT_IN_DOUBLE = 2**53


def texts(frame: pl.DataFrame, name: str, rows: int, nulls: Sequence[str] = ()) -> pl.Series | None:
    """Returns a column as text or lists of text; None for what is neither a scalar nor a list of scalars.

    Args:
      frame: Values of any type.
      name: The column; one that is not there has empty cells.
      rows: How many rows there are, also where there is no column.
      nulls: The texts that count as empty.
    """
    if name not in frame.columns:
        return pl.Series(name, [""], pl.String).new_from_index(0, rows)
    column = frame.get_column(name)
    dtype = column.dtype
    if isinstance(dtype, pl.List):
        inner = dtype.inner
        if isinstance(inner, pl.List | pl.Struct | pl.Array | pl.Datetime | pl.Object):
            return None
        # An empty value keeps its place: another list may say something of each value.
        return without_words(column.list.eval(_scalar_text(pl.element(), inner).fill_null("")), nulls)
    if isinstance(dtype, pl.Struct | pl.Array | pl.Object):
        return None
    if dtype == pl.String:
        return without_words(column.fill_null("") if column.null_count() else column, nulls)
    text = frame.select(_scalar_text(pl.col(name), dtype).fill_null("")).to_series()
    # Numbers are none of these words, but for those that are none themselves.
    if not dtype.is_numeric() or any(map(_is_number, nulls)) or (dtype.is_float() and column.is_nan().any()):
        return without_words(text, nulls)
    return text


def _is_number(word: str) -> bool:
    try:
        return not math.isnan(float(word))
    except ValueError:
        return False


def _scalar_text(value: pl.Expr, dtype: Any) -> pl.Expr:
    """Writes whole numbers without a point, so that 5 and 5.0 are the same id."""
    if dtype.is_float():
        whole = value.is_finite() & (value == value.round()) & (value.abs() < EXACT_IN_DOUBLE)
        return pl.when(whole).then(value.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(value.cast(pl.String))
    if dtype.is_decimal():
        return value.cast(pl.String).str.replace(r"\.0+$", "")
    return value.cast(pl.String)
