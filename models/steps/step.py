"""What a training step is: a batch in, the gradient of everything that is trained out."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from tandem.models.steps.settings import StepSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import tensorflow as tf

    from tandem.models.batch import Batch
    from tandem.models.network import Network
    from tandem.models.objectives.objective import Loss
    from tandem.models.tasks import TaskGraph


class Losses(Protocol):
    """What a step needs of the system that it trains: a `Learner`.

    Attributes:
      network: The part that is exported.
    """

    network: Network

    @property
    def dense_variables(self) -> list[tf.Variable]:
        """All that is trained, the embedding table aside."""

    def losses_of(self, batch: Batch, training: bool, vectors: tf.Tensor | None = None) -> dict[str, Loss]:
        """Computes every loss of a batch."""

    def total(self, losses: Mapping[str, Loss]) -> tf.Tensor:
        """Returns the sum to minimize."""


class Gradients(NamedTuple):
    """What a step gives.

    Attributes:
      losses: By name, each loss before its weight, for reports. The same names at every step.
      vectors: Of the sum to minimize, by the embeddings of the batch, [B, W, E]; None where there is no table.
      variables: By the variables of `Step.trained`, in their order; None where a variable had no part.
    """

    losses: dict[str, tf.Tensor]
    vectors: tf.Tensor | None
    variables: list[tf.Tensor | None]


class Step(abc.ABC):
    """How a batch becomes gradients.

    The embeddings of the batch are looked up before the step and updated after it, in the rows of the batch only; the
    step sees them as a dense tensor. So all of it has static shapes, and it may be compiled as a whole.

    A recipe may have several steps: stages of its training, one after the other (`Recipe.steps`). When a stage is over,
    `finish` is called once, outside of any graph.

    Attributes:
      compilable: Whether XLA can compile the step.
    """

    compilable = True

    Settings: ClassVar[type[StepSettings]] = StepSettings

    def __init__(self, graph: TaskGraph, settings: Any):
        self.graph = graph
        self.settings = settings

    @property
    def trains_embeddings(self) -> bool:
        """Whether the rows of the table are updated."""
        return bool(self.settings.trains_embeddings)

    def prepare(self, network: Network) -> None:  # noqa: B027 (most steps need nothing)
        """Makes the variables that the step itself needs; called once, when the system is put together.

        A step that makes any is a Keras layer besides, so that they are among the learner's: trained, saved in
        checkpoints, and not exported.
        """

    def trained(self, learner: Losses) -> Sequence[tf.Variable]:
        """Returns the variables, the table aside, whose gradients the step gives; all of them by default."""
        return learner.dense_variables

    @abc.abstractmethod
    def gradients(self, learner: Losses, batch: Batch, vectors: tf.Tensor | None) -> Gradients:
        """Computes the gradients of one batch.

        Args:
          learner: The system; nothing that is trained may have changed when this returns.
          batch: Some rows.
          vectors: The embeddings of their ids, [B, W, E]; None where there is no table.
        """

    def finish(self, learner: Losses) -> None:  # noqa: B027 (most have nothing to do)
        """Does what is to be done when the stage is over."""
