"""What a user says about the objectives of a recipe: `model.objectives`. Reading it imports no TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from tandem.models.settings import LayerSizes
from tandem.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tandem.models.tasks import TaskGraph
    from tandem.validation.places import Problem


class ObjectiveSettings(Settings):
    """What the settings of all objectives have in common: nothing but a check."""

    def contradictions(self, graph: TaskGraph | None, towers: int | None) -> Iterator[Problem]:
        """Yields what does not go with the tasks or the towers, with its place below these settings.

        Args:
          graph: The tasks; None where they are not known.
          towers: Number of a tower's hidden layers; None where it is not known.
        """
        yield from ()


class CalibratorSettings(ObjectiveSettings):
    """The paper's setting by default."""

    weight: float = Field(default=0.6, ge=0)
    """Factor of the calibrator's loss (the paper's alpha): by how much a joint probability is above its parent's."""


class SelfDistillationSettings(ObjectiveSettings):
    """The paper's setting by default."""

    weight: float = Field(default=0.1, ge=0)
    """Factor of every task's distillation: cross-entropy of each learner against what all learners of the task say
    together (the paper's alpha and beta, eq. 6, which it sets to the same). 0: none.
    """


class PicoSettings(ObjectiveSettings):
    """The paper's setting by default, and its ablations (table 3, figure 3)."""

    pairs: tuple[tuple[str, str], ...] | None = Field(default=None, min_length=1)
    """Which towers are contrasted: pairs of tasks, (anchor, positive). None: the first task with each other one
    (section 4.6).
    """

    alpha: float = Field(default=1.0, ge=0)
    """Factor of the relevance loss."""

    beta: float = Field(default=0.01, ge=0)
    """Factor of the contrastive loss."""

    tower_layer: int = 0
    """The hidden layer of the towers that is contrasted; 0 is the first, -1 the last."""

    normalize: bool = True
    """Whether the output of that layer is scaled to length 1 first."""

    temperature: Literal["personalized", "fixed", "statistical"] = "personalized"
    """`personalized`: from the relevance predicted for the row (eq. 10); `fixed`: one for all rows; `statistical`: as
    `personalized`, with the batch's share of equal labels in place of the predicted relevance.
    """

    fixed_temperature: float = Field(default=0.05, gt=0)
    """The temperature of all rows, where it is `fixed`."""

    temperature_low: float = Field(default=0.05, gt=0)
    """The temperature of full relevance."""

    temperature_high: float = Field(default=1.0, gt=0)
    """The temperature of no relevance."""

    negatives: bool = True
    """Whether other rows of the batch push away; without, pairs are only pulled together."""

    relevance_layers: LayerSizes = (64, 32)
    """Units of the hidden layers of the relevance network."""

    relevance_trains_backbone: bool = True
    """Whether the relevance loss sends its gradient into the shared layers, as in the paper."""

    trains: Literal["both", "second", "second_tower"] = "both"
    """What the contrast trains: `both` tasks' towers and the shared layers below, as in the paper; the `second` task of
    the pair, so that what the first has learned stands fixed; of it, the `second_tower` alone.
    """

    @model_validator(mode="after")
    def _bounds_in_order(self) -> PicoSettings:
        if self.temperature_low > self.temperature_high:
            raise ValueError(
                f"temperature_low ({self.temperature_low}) is above temperature_high ({self.temperature_high})"
            )
        return self

    def pairs_of(self, graph: TaskGraph) -> tuple[tuple[str, str], ...]:
        """Returns the pairs to contrast."""
        return self.pairs or tuple((graph.names[0], other) for other in graph.names[1:])

    def contradictions(self, graph: TaskGraph | None, towers: int | None) -> Iterator[Problem]:
        """Yields pairs of unknown or equal tasks, and a tower layer that is not there."""
        if graph is not None and not self.pairs_of(graph):
            yield (), "contrasts pairs of tasks; there is only one task"
        for index, pair in enumerate(self.pairs or ()):
            if graph is not None and (not set(pair) <= set(graph.names) or pair[0] == pair[1]):
                yield (
                    ("pairs", index),
                    f"{list(pair)} is no pair of different tasks; the tasks are {list(graph.names)}",
                )
        if towers is not None and not -towers <= self.tower_layer < towers:
            yield ("tower_layer",), f"got {self.tower_layer}, the towers have layers 0 to {towers - 1}"


class TowerPicoSettings(PicoSettings):
    """As PICO's, with other defaults."""

    relevance_trains_backbone: bool = False
    """Whether the relevance loss sends its gradient into the shared layers."""

    trains: Literal["both", "second", "second_tower"] = "second_tower"
    """What the contrast trains: `both` tasks' towers and the shared layers below; the `second` task of the pair only;
    of it, the `second_tower` alone.
    """
