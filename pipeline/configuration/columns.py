"""Which columns of the examples features, slices and user groups ask for, and in which form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from tandem.components.evaluator.settings import Activity, Buckets, column_of
from tandem.components.log_example_gen.settings import ExampleColumn
from tandem.models.features import BagFeature, CategoricalFeature, NumericFeature

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
      group_by: The column of the users; None where it is not known.
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


def columns(asked: Iterable[Use]) -> tuple[dict[str, ExampleColumn], list[Problem]]:
    """Returns the columns by name, and who wants one in another form than the first to ask for it.

    A slice takes a column as a feature reads it: a bag's values, each for itself.

    Args:
      asked: Who asks for which column.
    """
    first: dict[str, Use] = {}
    problems: list[Problem] = []
    for use in asked:
        known = first.setdefault(use.column, use)
        is_slice = use.place[0] == "evaluation"
        if use.wanted.kind != known.wanted.kind or (use.wanted.separator != known.wanted.separator and not is_slice):
            twice = f"as {_words(use.wanted)}, {known.user} as {_words(known.wanted)}"
            message = f"{use.user} asks for column '{use.column}' {twice}; a column of the examples has one form"
            problems.append((use.place, message))
    return {use.column: use.wanted for use in first.values()}, problems


def _words(column: ExampleColumn) -> str:
    if column.kind == "bytes":
        return "categories" + (f" separated by {column.separator!r}" if column.separator else "")
    return "numbers"
