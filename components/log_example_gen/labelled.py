"""Tables whose rows carry their labels already, in whatever words."""

from __future__ import annotations

import dataclasses
import json
import operator
from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.labels import ancestors, parents_first
from tandem.components.log_example_gen.numbers import PLAIN, Notation, notation_of, number
from tandem.components.log_example_gen.records import BAD_LABEL, REASON, no_parent
from tandem.components.log_example_gen.settings.sources import TableLabel
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tandem.components.log_example_gen.settings.columns import Label
    from tandem.components.log_example_gen.settings.sources import LabelledTable

_POSITIVE = ("1", "true", "t", "yes", "1.0")
_NEGATIVE = ("0", "false", "f", "no", "0.0")
_VALUES = dict.fromkeys(_POSITIVE, 1) | dict.fromkeys(_NEGATIVE, 0)
_COMPARISONS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt, "==": operator.eq}


@dataclasses.dataclass(frozen=True)
class TableLabels:
    """How the labels of a table are read.

    Attributes:
      labels: All of them; one can be 1 only where its parent is.
      said: By name, what the settings say of a label: its column, and what is positive.
      imply: Whether a label that is 1 makes its parents 1; if not, such a row is an orphan.
      notation: How numbers are written.
    """

    labels: tuple[Label, ...]
    said: Mapping[str, TableLabel] = dataclasses.field(default_factory=dict)
    imply: bool = False
    notation: Notation = PLAIN

    @classmethod
    def of(cls, table: LabelledTable, labels: Sequence[Label]) -> TableLabels:
        """Takes the settings of a table.

        Raises:
          LogsError: They speak of a label that there is not.
        """
        names = [label.name for label in labels]
        if unknown := [name for name in table.labels if name not in names]:
            raise LogsError(f"table: 'labels' speaks of {unknown}, which are no labels; there are {names}")
        return cls(tuple(labels), table.labels, table.orphans == "imply", notation_of(table))

    def column(self, label: str) -> str:
        """Returns the column that a label is read from."""
        return self._said(label).column or label

    def columns(self) -> tuple[str, ...]:
        """Returns the columns that the labels are read from."""
        return tuple(dict.fromkeys(self.column(label.name) for label in self.labels))

    def values(self) -> dict[str, pl.Expr]:
        """Returns each label by its name: Int8, null where it cannot be read."""
        return {
            label.name: _value(pl.col(self.column(label.name)), self._said(label.name), self.notation)
            for label in self.labels
        }

    def _said(self, label: str) -> TableLabel:
        return self.said.get(label, _USUAL)


_USUAL = TableLabel()


def check_labels(rows: pl.DataFrame, reading: TableLabels) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Reads the labels of rows.

    Args:
      rows: With a column of texts per label.
      reading: How the labels are read.

    Returns:
      The rows whose labels are sound (as Int8), and the others as they came, with `REASON`.

    Raises:
      LogsError: A label column holds lists.
    """
    for name in reading.columns():
        if rows.schema[name] != pl.String:
            raise LogsError(f"column '{name}' holds lists; a label is one value")
    values = reading.values()
    why: pl.Expr = pl.lit(None, pl.String)
    if reading.imply:
        values = _implied(values, reading.labels)
    for label in reversed(parents_first(reading.labels)):
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


def positives(rows: pl.DataFrame, reading: TableLabels) -> Counter[str]:
    """Returns how many of some rows say that a label is 1, by label, whatever else is wrong with them.

    A number above 0 that the settings do not read, such as a count of 2, says so, too.

    Args:
      rows: With a column of texts per label.
      reading: How the labels are read.
    """
    if rows.is_empty():
        return Counter()
    found = rows.select(
        ((value == 1) | (value.is_null() & (number(pl.col(reading.column(name)), reading.notation) > 0)))
        .sum()
        .alias(name)
        for name, value in reading.values().items()
    )
    return Counter({name: int(count) for name, count in found.row(0, named=True).items() if count})


def unreadable(cells: Mapping[str, str], reading: TableLabels) -> list[str]:
    """Says of each label of a row that cannot be read which column it is, what stands there, and what to do.

    Args:
      cells: What stands in the row, by column.
      reading: How the labels are read.
    """
    row = pl.DataFrame({name: [cells.get(name, "")] for name in reading.columns()})
    found = row.select(value.alias(name) for name, value in reading.values().items()).row(0, named=True)
    return [
        f"column '{reading.column(name)}' holds {cells.get(reading.column(name), '')!r}: "
        f"{_advice(name, reading.column(name), cells.get(reading.column(name), ''))}"
        for name, value in found.items()
        if value is None
    ]


def describe_unreadable(rows: Iterable[str], reading: TableLabels) -> list[str]:
    """Says of rows of the quarantine which labels cannot be read, each thing once.

    Args:
      rows: As the quarantine has them: JSON with `file` and `cells`.
      reading: How the labels are read.
    """
    said: dict[str, None] = {}
    for row in map(json.loads, rows):
        said |= dict.fromkeys(f"{row['file']}: {problem}" for problem in unreadable(row["cells"], reading))
    return list(said)


def _advice(label: str, column: str, text: str) -> str:
    def such_as(setting: str) -> str:
        return f"such as labels: {{{label}: {{column: {column}, {setting}}}}}"

    text = text.strip()
    if not text:
        return f"say what an empty cell means, {such_as('empty: negative')}"
    value = pl.select(number(pl.lit(text))).item()
    if value is None:
        return f"say what is positive, {such_as(f'positive: [{text!r}]')}"
    if value < 0:
        return f"unknown, or a no? say so, {such_as(f'negative: {text}')}"
    usual = such_as("positive: '>0'")
    return f"a count or a rating? say what is positive, {usual}"


def _implied(values: Mapping[str, pl.Expr], labels: Sequence[Label]) -> dict[str, pl.Expr]:
    """Makes the parents of every label that is 1 themselves 1; what cannot be read stays so."""
    children: dict[str, list[str]] = {label.name: [] for label in labels}
    for name, above in ancestors(labels).items():
        for parent in above:
            children[parent].append(name)
    return {
        name: pl.when(value.is_not_null() & pl.any_horizontal(values[child] == 1 for child in children[name]))
        .then(pl.lit(1, pl.Int8))
        .otherwise(value)
        if children[name]
        else value
        for name, value in values.items()
    }


def _value(cell: pl.Expr, said: TableLabel, notation: Notation) -> pl.Expr:
    """Reads one label: Int8, null where it cannot be read."""
    text = cell.str.strip_chars()
    if said.comparison is not None:
        sign, bound = said.comparison
        holds: pl.Expr = _COMPARISONS[sign](number(text, notation), bound)
        value = holds.cast(pl.Int8)
    elif said.positive is None and said.negative is None:
        value = text.str.to_lowercase().replace_strict(_VALUES, default=None, return_dtype=pl.Int8)
    else:
        positive = _one_of(text, said.positive, _POSITIVE, notation)
        negative = _one_of(text, said.negative, _NEGATIVE, notation)
        if said.negative is None:
            negative = text != ""
        value = pl.when(positive).then(pl.lit(1, pl.Int8)).when(negative).then(pl.lit(0, pl.Int8))
    if said.empty == "negative":
        return pl.when(text == "").then(pl.lit(0, pl.Int8)).otherwise(value)
    return value


def _one_of(text: pl.Expr, given: Sequence[str] | None, usual: Sequence[str], notation: Notation) -> pl.Expr:
    """Whether texts are among some: the given ones as they stand, or as equal numbers; the usual ones in any case."""
    if given is None:
        return text.str.to_lowercase().is_in(usual)
    numbers = pl.DataFrame({"given": given}).select(number(pl.col("given"))).to_series().drop_nulls()
    found = text.is_in(list(given))
    return found | number(text, notation).is_in(numbers.to_list()).fill_null(False) if len(numbers) else found
