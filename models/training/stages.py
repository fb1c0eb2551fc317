"""How long training is, and which way of training comes when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.models.settings import TrainingSettings
    from tandem.models.steps.step import Step


FEW_STEPS = 100
"""With fewer steps, weights have hardly left where they began, whatever the settings mean to reach."""


@dataclass(frozen=True)
class TrainingPlan:
    """The course of training, in steps.

    Attributes:
      steps_per_pass: Batches of one pass over the training part.
      stages: Steps of every stage. One after the other, over the passes; the last pass may be cut short.
    """

    steps_per_pass: int
    stages: tuple[int, ...]

    @property
    def steps(self) -> int:
        """All of them."""
        return sum(self.stages)

    @property
    def epochs(self) -> int:
        """The passes, one that is cut short included."""
        return -(-self.steps // self.steps_per_pass)


def steps_of(rows: int, settings: TrainingSettings) -> int:
    """Returns how many steps so many training rows come to; fewer where it stops early."""
    steps = settings.epochs * -(-rows // settings.batch_size)
    return steps if settings.max_steps is None else min(steps, settings.max_steps)


def few_steps(steps: int, settings: TrainingSettings) -> str:
    """Says that there are few steps, and what makes more; empty where there are enough."""
    if steps >= FEW_STEPS:
        return ""
    bound = f", max_steps {settings.max_steps:,}" if settings.max_steps is not None else ""
    return (
        f"training is {steps:,} step{'' if steps == 1 else 's'} long (batch_size {settings.batch_size:,}, epochs "
        f"{settings.epochs:,}{bound}): with fewer than {FEW_STEPS} a model has hardly begun to learn; make "
        "'training.batch_size' smaller or 'training.epochs' larger"
    )


def plan(steps_per_pass: int, epochs: int, max_steps: int | None, stages: Sequence[Step]) -> TrainingPlan:
    """Divides the steps of training among its stages.

    A stage whose settings have a `share` gets that share of all steps; those without one share what is left.

    Args:
      steps_per_pass: Batches of one pass.
      epochs: Passes, together.
      max_steps: A bound of all steps; None: there is none.
      stages: In their order; at least one.

    Raises:
      ValueError: The shares sum up to more than 1, or to less while every stage has one.
    """
    total = min(epochs * steps_per_pass, max_steps or epochs * steps_per_pass)
    shares = [stage.settings.share_of_steps for stage in stages]
    given = sum(share for share in shares if share is not None)
    open_stages = shares.count(None)
    if given > 1 + 1e-9 or (not open_stages and given < 1 - 1e-9):
        raise ValueError(f"the shares of the stages sum up to {given:g}, of {shares}; they must sum up to 1")
    rest = (1 - given) / open_stages if open_stages else 0.0
    ends, reached = [], 0.0
    for share in shares:
        reached += rest if share is None else share
        ends.append(round(total * reached))
    lengths = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    return TrainingPlan(steps_per_pass, tuple(lengths))
