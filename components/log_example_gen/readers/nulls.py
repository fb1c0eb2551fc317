"""Cells that say that there is no value, in the words of the program that wrote them: they become empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.settings.files import NULL_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tandem.components.log_example_gen.settings.files import Files


def null_words(spec: Files, columns: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Returns the words of each column (by its name after the renaming)."""
    given = spec.null_values
    return {name: given.get(name, NULL_WORDS) if isinstance(given, dict) else given for name in columns}


def without_nulls(rows: pl.DataFrame, words: Mapping[str, Sequence[str]]) -> pl.DataFrame:
    """Empties the cells, and the values of lists, that are such a word."""
    return rows.with_columns(without_words(rows.get_column(name), of) for name, of in words.items())


def without_words(column: pl.Series, words: Sequence[str]) -> pl.Series:
    """The same for one column of texts or of lists of texts."""
    if not words:
        return column
    if column.dtype == pl.List:
        if not column.explode().is_in(words).any():
            return column
        return column.list.eval(pl.when(pl.element().is_in(words)).then(pl.lit("")).otherwise(pl.element()))
    found = column.is_in(words)
    return column.set(found, "") if found.any() else column
