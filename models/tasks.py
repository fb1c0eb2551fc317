"""Tasks and how they depend on each other: click, conversion given click, and the products along the chain.

>>> graph = TaskGraph([Task(name="click"), Task(name="conversion", given="click")])
>>> [output.name for output in graph.outputs()]
['click', 'conversion_given_click', 'click_and_conversion']
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import Field, field_validator, model_validator

from tandem.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

T = TypeVar("T")


class Task(Settings):
    """One thing to predict: the probability that `label` is 1 (given that the parent task's label is 1)."""

    name: str
    """Names the task and its output: lower-case letters, digits and underscores, a letter first."""

    label: str | None = None
    """The label that it predicts. None: the one called like the task."""

    given: str | None = None
    """The parent task: it is predicted given that this one's label is 1. None: a task over all impressions."""

    train_on: Literal["parent_positives", "all"] = "parent_positives"
    """The rows that a conditional task learns from: `parent_positives`, those whose parent label is 1 (clicked rows,
    say), or `all`.
    """

    loss_weight: float = Field(default=1.0, ge=0)
    """Factor of the task's loss in the sum that is minimized."""

    weight: str | None = None
    """A numeric column of the logs that says how much a row counts for this task: 0 or more, times the `weight` of the
    logs where there is one. None: that one alone.
    """

    @field_validator("name")
    @classmethod
    def _identifier(cls, name: str) -> str:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"a task's name is made of lower-case letters, digits and underscores, not {name!r}")
        return name

    @model_validator(mode="before")
    @classmethod
    def _label_is_name(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("label") is None:
            return {**data, "label": data.get("name")}
        return data


@dataclass(frozen=True)
class Output:
    """A named probability of the exported model and how it is judged.

    Attributes:
      name: `click`, `conversion_given_click`, `click_and_conversion`: it says which of CTR, CVR and CTCVR it is.
      task: The task it belongs to.
      label: The label it is judged against. Labels are nested (1 only where the parent's is 1), so a joint probability
        and a conditional one have the same label over different rows.
      given: The label that must be 1 for a row to count; None: all rows.
    """

    name: str
    task: str
    label: str
    given: str | None


def _parents_first(tasks: Sequence[Task]) -> list[Task]:
    """Returns tasks without a parent, then those given one of them, and so on; otherwise in the order of declaration.

    Raises:
      ValueError: The parents form a circle.
    """
    declared = {task.name: task for task in tasks}
    sorter = TopologicalSorter({task.name: [task.given] if task.given else [] for task in tasks})
    try:
        sorter.prepare()
    except CycleError as error:
        raise ValueError(
            f"the parents of {[name for name in declared if name in error.args[1]]} form a circle"
        ) from None
    ordered: list[Task] = []
    while sorter.is_active():
        ready = sorter.get_ready()
        ordered += [task for name, task in declared.items() if name in ready]
        sorter.done(*ready)
    return ordered


class TaskGraph:
    """The tasks, parents before children."""

    def __init__(self, tasks: Sequence[Task]):
        """Orders and checks the tasks.

        Raises:
          ValueError: A name or an output's name comes twice, parents are unknown (a line each), or form a circle.
        """
        if not tasks:
            raise ValueError("at least one task is needed")
        names = [task.name for task in tasks]
        if len(set(names)) < len(names):
            raise ValueError(f"task names must differ, got {names}")
        if strangers := [task for task in tasks if task.given is not None and task.given not in names]:
            raise ValueError(
                "\n".join(
                    f"task '{task.name}' is given '{task.given}', which is no task; there are {sorted(names)}"
                    for task in strangers
                )
            )
        self._tasks = {task.name: task for task in _parents_first(tasks)}
        outputs = [output.name for output in self.outputs()]
        if len(set(outputs)) < len(outputs):
            raise ValueError(f"the tasks lead to outputs of the same name: {sorted(outputs)}; rename a task")

    @property
    def names(self) -> tuple[str, ...]:
        """Task names, parents first."""
        return tuple(self._tasks)

    @property
    def labels(self) -> tuple[str, ...]:
        """Label names, in the order of `names`."""
        return tuple(self.label(name) for name in self._tasks)

    def __getitem__(self, name: str) -> Task:
        return self._tasks[name]

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks.values())

    def __len__(self) -> int:
        return len(self._tasks)

    def label(self, name: str) -> str:
        """Returns the label column of a task."""
        return self._tasks[name].label or name

    def weights(self, of_rows: str | None) -> dict[str, tuple[str, ...]]:
        """Returns, by task name, the columns whose product says how much a row counts; none: all rows alike.

        Args:
          of_rows: The column that weighs rows for all tasks; None: there is none.
        """
        return {
            task.name: tuple(dict.fromkeys(column for column in (of_rows, task.weight) if column is not None))
            for task in self
        }

    def chain(self, name: str) -> tuple[str, ...]:
        """Returns a task's ancestors from the root on, and itself."""
        parent = self._tasks[name].given
        return (*(self.chain(parent) if parent else ()), name)

    def outputs(self) -> tuple[Output, ...]:
        """Returns what the exported model answers: each task's own probability, then the joint ones."""
        own, joint = [], []
        for task in self:
            label = self.label(task.name)
            if task.given is None:
                own.append(Output(task.name, task.name, label, None))
            else:
                own.append(Output(f"{task.name}_given_{task.given}", task.name, label, self.label(task.given)))
                joint.append(Output("_and_".join(self.chain(task.name)), task.name, label, None))
        return (*own, *joint)

    def own_output(self, name: str) -> Output:
        """Returns the output that is the task's own probability, given its parent."""
        return next(output for output in self.outputs() if output.task == name)

    def masks(self, labels: Mapping[str, T]) -> dict[str, T | None]:
        """Returns which rows each task is trained on.

        Args:
          labels: By label name, [B], 0 or 1.

        Returns:
          By task name, the parent's label ([B], 0 or 1), or None where all rows count.
        """
        return {
            task.name: labels[self.label(task.given)] if task.given and task.train_on == "parent_positives" else None
            for task in self
        }

    def joint(self, own: Mapping[str, T]) -> dict[str, T]:
        """Returns the product along the chain up to each task.

        Args:
          own: By task name; anything that has `*`.

        Returns:
          By task name: of probabilities given the parent, the probability of the whole chain; of labels, whether all of
          the chain's are 1.
        """
        joint: dict[str, T] = {}
        for task in self:
            joint[task.name] = own[task.name] if task.given is None else joint[task.given] * own[task.name]  # type: ignore[operator]
        return joint

    def probabilities(self, own: Mapping[str, T]) -> dict[str, T]:
        """Completes each task's probability with the joint ones.

        Args:
          own: By task name, the probability given the parent, [B]; anything that has `*`.

        Returns:
          By output name (see `outputs`), [B].
        """
        joint = self.joint(own)
        return {
            output.name: joint[output.task] if output.given is None else own[output.task] for output in self.outputs()
        }
