"""What a user says about the stages of training: `model.steps`. Reading it imports no TensorFlow."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tandem.settings import Settings


class StepSettings(Settings):
    """What the settings of all stages have in common: what a plan of the training asks."""

    @property
    def share_of_steps(self) -> float | None:
        """How many of all training steps are this stage's; None: what the others leave."""
        return None

    @property
    def trains_embeddings(self) -> bool:
        """Whether the rows of the embedding table are updated."""
        return True


class BilevelStepSettings(StepSettings):
    """How long the search lasts, and what becomes of its result."""

    share: float = Field(default=0.5, gt=0, le=1)
    """Of all training steps, how many search."""

    threshold: float | None = Field(default=0.5, ge=0, lt=1)
    """A connection stays, with weight 1, where its probability is above; the others go. None: all stay, weighed by
    their probabilities.
    """

    @property
    def share_of_steps(self) -> float:
        """As configured."""
        return self.share


class MetaStepSettings(StepSettings):
    """How it adapts; the paper gives no numbers."""

    share: float = Field(default=0.5, ge=0, le=1)
    """Of all training steps, how many are this stage's (the paper stops it early). 0 leaves it out; then some other
    stage must train the embeddings.
    """

    inner_learning_rate: float = Field(default=0.01, gt=0)
    """The length of the adapting step."""

    second_order: bool = True
    """Whether the gradient goes through the adaptation; if not, it is first-order MAML, which is faster."""

    @property
    def share_of_steps(self) -> float:
        """As configured."""
        return self.share


class FineTuneStepSettings(StepSettings):
    """What is trained."""

    part: Literal["upper", "all"] = "upper"
    """`upper`: towers, heads and MAN's attention, while embeddings and experts stay as they are; `all`: everything, as
    the usual step does.
    """

    @property
    def trains_embeddings(self) -> bool:
        """Not where only the upper part is trained."""
        return self.part == "all"
