"""Which columns of the examples features, slices, user groups and weights ask for, and in which form."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from tandem.components.evaluator.settings import Activity, Buckets, column_of
from tandem.components.log_example_gen.settings.columns import ExampleColumn
from tandem.models.features import BagFeature, CategoricalFeature, CrossFeature, NumericFeature
from tandem.validation.places import key_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tandem.models.tasks import Task
    from tandem.validation.places import Path, Problem

AnyFeature = CategoricalFeature | BagFeature | NumericFeature | CrossFeature
AnySlicing = tuple[str | Buckets | Activity, ...]


class Use(NamedTuple):
    """A column that somebody wants in the examples."""

    place: Path
    user: str
    column: str
    wanted: ExampleColumn


def uses(
    features: Iterable[tuple[int, AnyFeature]], slices: Iterable[tuple[int, AnySlicing]], group_by: str | None
) -> Iterator[Use]:
    """Yields who asks for which column.

    Args:
      features: With their positions in the configuration.
      slices: With their positions.
      group_by: The column of the users; None where it is not known, or there are none.
    """
    for index, feature in features:
        user = f"feature '{feature.name}'"
        for key, column, wanted in _of_feature(feature):
            yield Use(("features", index, key), user, column, wanted)
    for index, slicing in slices:
        for dimension in slicing:
            if not isinstance(dimension, Activity):
                wanted = ExampleColumn(kind="float" if isinstance(dimension, Buckets) else "bytes")
                user = f"evaluation.slices[{index}]"
                yield Use(("evaluation", "slices", index), user, column_of(dimension), wanted)
    if group_by is not None:
        yield Use(("evaluation", "group_by"), "evaluation.group_by", group_by, ExampleColumn(kind="bytes"))


def _of_feature(feature: AnyFeature) -> Iterator[tuple[str, str, ExampleColumn]]:
    """Yields what a feature reads: the setting that names a column, the column, and its form."""
    wanted = _wanted(feature)
    if isinstance(feature, CrossFeature):
        yield from (("of", name, wanted) for name in feature.of)
    elif isinstance(feature, BagFeature) and feature.columns is not None:
        yield from (("columns", name, wanted) for name in feature.columns)
    else:
        yield "column" if feature.column else "name", feature.source, wanted
    if isinstance(feature, BagFeature) and feature.weights is not None:
        yield "weights", feature.weights, wanted.model_copy(update={"kind": "float"})


def _wanted(feature: AnyFeature) -> ExampleColumn:
    """Returns the form of the columns that hold a feature's values."""
    if isinstance(feature, NumericFeature):
        return ExampleColumn(kind="float", single=True)
    if not isinstance(feature, BagFeature):
        return ExampleColumn(single=True)
    return ExampleColumn(
        separator=feature.separator,
        keeps_places=feature.weights is not None,
        weight_separator=feature.weight_separator,
    )


def uses_of_weights(of_rows: tuple[Path, str] | None, tasks: Iterable[tuple[int, Task]]) -> Iterator[Use]:
    """Yields who weighs rows by which column.

    Args:
      of_rows: The place and the column of the weight that all tasks have in common; None: there is none.
      tasks: With their positions in the configuration.
    """
    wanted = ExampleColumn(kind="float", weight=True)
    if of_rows is not None:
        place, column = of_rows
        yield Use(place, key_path(place, None), column, wanted)
    for index, task in tasks:
        if task.weight is not None:
            yield Use(("tasks", index, "weight"), f"the weight of task '{task.name}'", task.weight, wanted)


def columns(asked: Iterable[Use]) -> tuple[dict[str, ExampleColumn], list[Problem]]:
    """Returns the columns by name, and who wants one in another form than the first to ask for it.

    A slice takes a column as a feature reads it: a bag's values, each for itself. What somebody weighs rows by is a
    weight for all; what has weights of its own, beside or behind its values, has them for all.

    Args:
      asked: Who asks for which column.
    """
    first: dict[str, Use] = {}
    weights, singles = set(), set()
    problems: list[Problem] = []
    for use in asked:
        known = first.setdefault(use.column, use)
        if known is not use:
            first[use.column] = known._replace(wanted=_with_weights(known.wanted, use.wanted))
        weights |= {use.column} if use.wanted.weight else set()
        singles |= {use.column} if use.wanted.single else set()
        is_slice = use.place[0] == "evaluation"
        if use.wanted.kind != known.wanted.kind or (use.wanted.separator != known.wanted.separator and not is_slice):
            twice = f"as {_words(use.wanted)}, {known.user} as {_words(known.wanted)}"
            message = f"{use.user} asks for column '{use.column}' {twice}; a column of the examples has one form"
            problems.append((use.place, message))
    found = {name: use.wanted.model_copy(update={"single": name in singles}) for name, use in first.items()}
    weighing = {name: ExampleColumn(kind="float", weight=True) for name in weights if found[name].kind == "float"}
    return found | weighing, problems


def _with_weights(column: ExampleColumn, other: ExampleColumn) -> ExampleColumn:
    """Returns a column with what another form of it says of the weights of its values."""
    if not other.keeps_places and other.weight_separator is None:
        return column
    return column.model_copy(
        update={
            "keeps_places": column.keeps_places or other.keeps_places,
            "weight_separator": column.weight_separator or other.weight_separator,
        }
    )


def _words(column: ExampleColumn) -> str:
    what = "categories" if column.kind == "bytes" else "numbers"
    return what + (f" separated by {column.separator!r}" if column.separator else "")
