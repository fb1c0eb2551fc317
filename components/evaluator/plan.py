"""What an evaluation depends on besides examples and models: settings, outputs, and the columns that judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from tandem.components.evaluator.settings import EvaluationSettings
from tandem.components.log_example_gen.settings.columns import final_column
from tandem.components.metrics.slice_key import ACTIVITY

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping, Sequence

    from tandem.models.tasks import TaskGraph


class OutputColumns(BaseModel, frozen=True, extra="forbid"):
    """An output of the models and the columns of the raw examples that judge it.

    Attributes:
      name: The output's name.
      label: The column of its label.
      given: The column that must be 1 for a row to count; None: all rows count.
      final: The column that is 1 where the label cannot change any more; other rows do not count. None: all labels are
        final.
      weights: Columns of numbers whose product is the row's weight; none: all rows weigh 1.
    """

    name: str
    label: str
    given: str | None = None
    final: str | None = None
    weights: tuple[str, ...] = ()


class EvaluationPlan(BaseModel, frozen=True, extra="forbid"):
    """One property of the component, as JSON: results are taken from the cache while it is the same.

    Attributes:
      settings: The `evaluation:` section.
      outputs: What the models answer.
    """

    settings: EvaluationSettings
    outputs: tuple[OutputColumns, ...]

    @property
    def slicings(self) -> tuple[tuple[str, ...], ...]:
        """The columns of each way of slicing; none for all rows together, which are first."""
        return ((), *self.settings.slicings)

    @property
    def by_activity(self) -> tuple[bool, ...]:
        """Whether slices are, or are crossed with, the numbers of rows of users, for each way of slicing."""
        return tuple(ACTIVITY in names and ACTIVITY in self.settings.buckets for names in self.slicings)

    def read_columns(self, names: Sequence[str]) -> tuple[str, ...]:
        """The columns of a way of slicing that are read from examples: a column called `activity` has no edges."""
        return tuple(name for name in names if name != ACTIVITY or ACTIVITY not in self.settings.buckets)

    @property
    def slice_columns(self) -> tuple[str, ...]:
        """All columns that slices are read from, sorted."""
        return tuple(sorted({name for names in self.slicings for name in self.read_columns(names)}))

    @property
    def label_columns(self) -> tuple[str, ...]:
        """All columns that labels and conditions are read from, sorted."""
        named = {column for output in self.outputs for column in (output.label, output.given, output.final) if column}
        return tuple(sorted(named))

    @property
    def weight_columns(self) -> tuple[str, ...]:
        """All columns that weights are read from, sorted."""
        return tuple(sorted({column for output in self.outputs for column in output.weights}))


def evaluation_plan(
    settings: EvaluationSettings,
    graph: TaskGraph,
    delays: Mapping[str, datetime.timedelta] | None = None,
    weights: Mapping[str, tuple[str, ...]] | None = None,
) -> EvaluationPlan:
    """Makes the plan of an evaluation.

    Args:
      settings: The `evaluation:` section.
      graph: The tasks; their outputs are what the models answer.
      delays: By label, how long after its impression it may change (see `LogSettings.label_delays`). Only used where
        final labels alone are to count.
      weights: By output, the columns of the raw examples whose product is a row's weight; an output that is not in it
        has rows that weigh 1. Only used where the evaluation is to be weighted.

    Raises:
      ValueError: A threshold, or weights, are about an output that there is not.
    """
    settings.check(graph)
    final = final_columns(graph, delays or {}) if settings.final_labels_only else {}
    weighed = (weights or {}) if settings.weighted else {}
    names = [output.name for output in graph.outputs()]
    unknown = sorted(set(weighed) - set(names))
    if unknown:
        raise ValueError(f"weights: there is no output {unknown[0]!r}; there are {', '.join(names)}")
    return EvaluationPlan(
        settings=settings,
        outputs=tuple(
            OutputColumns(
                name=output.name,
                label=output.label,
                given=output.given,
                final=final.get(output.name),
                weights=weighed.get(output.name, ()),
            )
            for output in graph.outputs()
        ),
    )


def final_columns(graph: TaskGraph, delays: Mapping[str, datetime.timedelta]) -> dict[str, str]:
    """Finds the column that says which rows an output can be judged on.

    An output is final when every label of its chain is: when the one that takes longest is.

    Args:
      graph: The tasks.
      delays: By label, how long after its impression it may change (see `LogSettings.label_delays`).

    Returns:
      By output; outputs whose labels have no window are not in it.
    """
    columns = {}
    for output in graph.outputs():
        labels = [graph.label(task) for task in graph.chain(output.task)]
        late = [label for label in labels if label in delays]
        if late:
            columns[output.name] = final_column(max(late, key=lambda label: delays[label]))
    return columns
