"""The rows of a file that the settings mean: one event log holds impressions, clicks and orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.numbers import PLAIN, Notation, number
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tandem.components.log_example_gen.settings.conditions import Condition, Scalar

_EXACT = 1 << 53  # Whole numbers up to here are exact as doubles.


def satisfying(rows: pl.DataFrame, where: Mapping[str, Condition], notation: Notation = PLAIN) -> pl.Series:
    """Returns which rows satisfy all conditions: [rows], Boolean, without nulls.

    A cell that cannot be compared (no number where numbers are compared) does not satisfy.

    Args:
      rows: Texts, as the readers give them: an absent cell is the empty text.
      where: Conditions by column.
      notation: How the numbers are written that are compared with bounds.

    Raises:
      LogsError: A column holds lists.
    """
    for name in where:
        if rows.schema[name] != pl.String:
            raise LogsError(f"where: column '{name}' holds lists; a condition compares one value")
    tests = [test for name, condition in where.items() for test in _tests(name, condition, notation)]
    if not tests:
        return pl.Series([True]).new_from_index(0, len(rows))
    return rows.select(pl.all_horizontal(tests).alias("asked_for")).to_series()


def equals(column: str, value: Scalar) -> pl.Expr:
    """Whether a column of texts equals a value, which may be a text, a number or a truth (see `Condition.equals`)."""
    if isinstance(value, str):
        return pl.col(column) == value
    text = pl.col(column).str.strip_chars()
    if isinstance(value, bool):
        return text.str.to_lowercase() == str(value).lower()
    if isinstance(value, int) and abs(value) > _EXACT:
        return text == str(value)
    return (text.cast(pl.Float64, strict=False) == float(value)).fill_null(False)


def one_of(column: str, values: Iterable[Scalar]) -> pl.Expr:
    """Whether a column of texts equals one of some values."""
    return pl.any_horizontal([equals(column, value) for value in values])


def _tests(column: str, condition: Condition, notation: Notation) -> list[pl.Expr]:
    """What a condition asks of its column."""
    tests = []
    if condition.equals is not None:
        tests.append(equals(column, condition.equals))
    if condition.one_of is not None:
        tests.append(one_of(column, condition.one_of))
    if condition.different is not None:
        tests.append(~equals(column, condition.different))
    if condition.none_of is not None:
        tests.append(~one_of(column, condition.none_of))
    if condition.not_null is not None:
        tests.append((pl.col(column) != "") if condition.not_null else (pl.col(column) == ""))
    return [*tests, *_comparisons(column, condition, notation)]


def _comparisons(column: str, condition: Condition, notation: Notation) -> list[pl.Expr]:
    value = number(pl.col(column), notation)
    compared = [
        None if condition.at_least is None else value >= condition.at_least,
        None if condition.at_most is None else value <= condition.at_most,
        None if condition.above is None else value > condition.above,
        None if condition.below is None else value < condition.below,
    ]
    return [test.fill_null(False) for test in compared if test is not None]
