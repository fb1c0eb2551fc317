"""One id in two forms: `17` in one file, `17.0` in another, where a tool has made doubles of whole numbers.

As texts they differ, so that side tables miss their keys and vocabularies know no user of the other file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

WHOLE, DOUBLE = "whole", "double"

_FORMS = {WHOLE: r"^-?\d+$", DOUBLE: r"^-?\d+\.0+$"}
_ROWS = 1000


def id_forms(rows: pl.DataFrame, columns: Iterable[str], file: str) -> dict[str, dict[str, str]]:
    """Returns, by column, the form of its ids and an example, where the first rows all have the same one.

    Args:
      rows: Rows of a file: texts.
      columns: Those with ids: keys and categories.
      file: The file's name.
    """
    found: dict[str, dict[str, str]] = {}
    for name in columns:
        cells = rows.get_column(name).head(_ROWS)
        if cells.dtype != pl.String:
            continue
        cells = cells.filter(cells != "")
        for form, pattern in _FORMS.items():
            if len(cells) and cells.str.contains(pattern).all():
                found[name] = {form: f"'{cells[0]}' in {file}"}
    return found


def describe_id_forms(forms: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Returns a line per column that has ids in both forms."""
    return [
        f"column '{name}' has whole numbers ({of[WHOLE]}) and such with a point ({of[DOUBLE]}); as ids these are "
        "different, bring the files into one form"
        for name, of in sorted(forms.items())
        if len(of) > 1
    ]
