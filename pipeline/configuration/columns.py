"""Which columns of the examples features, slices, user groups and weights ask for, and in which form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from tandem.components.evaluator.settings import Activity, Buckets, column_of
from tandem.components.log_example_gen.settings import ExampleColumn
from tandem.models.features import BagFeature, CategoricalFeature, NumericFeature
from tandem.validation.places import key_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tandem.models.tasks import Task
    from tandem.validation.places import Path, Problem

AnyFeature = CategoricalFeature | BagFeature | NumericFeature
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
        place = ("features", index, "column" if feature.column else "name")
        kind: Literal["float", "bytes"] = "float" if isinstance(feature, NumericFeature) else "bytes"
        separator = feature.separator if isinstance(feature, BagFeature) else None
        yield Use(place, f"feature '{feature.name}'", feature.source, ExampleColumn(kind=kind, separator=separator))
    for index, slicing in slices:
        for dimension in slicing:
            if not isinstance(dimension, Activity):
                wanted = ExampleColumn(kind="float" if isinstance(dimension, Buckets) else "bytes")
                user = f"evaluation.slices[{index}]"
                yield Use(("evaluation", "slices", index), user, column_of(dimension), wanted)
    if group_by is not None:
        yield Use(("evaluation", "group_by"), "evaluation.group_by", group_by, ExampleColumn(kind="bytes"))


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
    weight for all.

    Args:
      asked: Who asks for which column.
    """
    first: dict[str, Use] = {}
    weights = set()
    problems: list[Problem] = []
    for use in asked:
        known = first.setdefault(use.column, use)
        weights |= {use.column} if use.wanted.weight else set()
        is_slice = use.place[0] == "evaluation"
        if use.wanted.kind != known.wanted.kind or (use.wanted.separator != known.wanted.separator and not is_slice):
            twice = f"as {_words(use.wanted)}, {known.user} as {_words(known.wanted)}"
            message = f"{use.user} asks for column '{use.column}' {twice}; a column of the examples has one form"
            problems.append((use.place, message))
    found = {name: use.wanted for name, use in first.items()}
    weighing = {name: ExampleColumn(kind="float", weight=True) for name in weights if found[name].kind == "float"}
    return found | weighing, problems


def _words(column: ExampleColumn) -> str:
    if column.kind == "bytes":
        return "categories" + (f" separated by {column.separator!r}" if column.separator else "")
    return "numbers"
