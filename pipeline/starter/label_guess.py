"""Which columns of a table are labels, and which of their values mean yes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from tandem.pipeline.starter.profile import Profile

Words: TypeAlias = str | tuple[str, ...]
"""A word, a threshold such as `>=4`, or several words."""

_CLICK_WORDS = {"click", "clicked", "clk", "is_click", "ctr"}
_LABEL_WORDS = {
    *_CLICK_WORDS,
    *("label", "conversion", "converted", "conv", "cvr", "purchase", "purchased", "buy", "bought", "order", "ordered"),
    *("like", "liked", "view", "cart", "install", "attributed", "target", "response", "effective"),
}
_RATING_WORDS = {"rating", "ratings", "score", "stars", "grade"}
_COUNT_WORDS = {"count", "counts", "clicks", "buys", "orders", "purchases", "conversions", "installs", "likes", "qty"}
_NO_LABEL_WORDS = {"id", "nb", "num", "pos", "position", "time", "timestamp", "ts", "date"}
_YES = ("1", "true", "t", "yes", "1.0")
_FILLED = 0.98
_OF_THE_BEST = 0.8
"""Four of five stars, eight of ten points: what a user has liked."""


class LabelRule(NamedTuple):
    """A label, and what has to be said of the column that it is read from.

    Attributes:
      name: Of the label.
      settings: Those of `labels` in the configuration; empty: nothing has to be said.
    """

    name: str
    settings: Mapping[str, Words]

    @property
    def column(self) -> str:
        """The column that it is read from."""
        column = self.settings.get("column", self.name)
        return column if isinstance(column, str) else self.name


def answers(columns: Mapping[str, Profile], rows: pl.DataFrame) -> tuple[LabelRule, ...]:
    """Returns the columns that hold yes and no and are called like labels: the click first, then the most frequent.

    Those that say the same throughout are taken where there are no others: in a sample, a label may be that rare.
    """
    called_so = [each for each in columns.values() if each.binary and _is_called_label(each)]
    labels = [each for each in called_so if not each.constant] or called_so
    yes = {each.name: int(rows.get_column(each.name).str.to_lowercase().is_in(_YES).sum()) for each in labels}
    labels.sort(key=lambda each: (not each.words & _CLICK_WORDS, -yes[each.name]))
    return tuple(LabelRule(each.name, _of_answers(each, rows)) for each in labels)


def _of_answers(column: Profile, rows: pl.DataFrame) -> dict[str, Words]:
    """Returns what has to be said of a column of yes and no: that -1 is no, that an empty cell is."""
    settings: dict[str, Words] = {}
    if bool((rows.get_column(column.name).str.strip_chars() == "-1").any()):
        settings["negative"] = "-1"
    if column.filled < _FILLED * column.rows:
        settings["empty"] = "negative"
    return settings


def graded_label(columns: Mapping[str, Profile], rows: pl.DataFrame) -> LabelRule | None:
    """Returns the label that is made of ratings, of counts or of two words; None: there is no such column."""
    for column in columns.values():
        if column.constant or column.time is not None:
            continue
        if column.words & _RATING_WORDS and column.largest is not None:
            return LabelRule("like", {"column": column.name, "positive": f">={_OF_THE_BEST * column.largest:g}"})
        if column.largest is not None and (column.words & _COUNT_WORDS or _is_called_label(column)):
            return LabelRule(column.name, {"column": column.name, "positive": ">0"})
        if _is_called_label(column) and column.distinct == 2:
            values = rows.get_column(column.name)
            counted = values.filter(values != "").value_counts(sort=True).get_column(column.name)
            return LabelRule(column.name, {"column": column.name, "positive": (counted.to_list()[-1],)})
    return None


def _is_called_label(column: Profile) -> bool:
    return bool(column.words & _LABEL_WORDS) and not column.words & _NO_LABEL_WORDS
