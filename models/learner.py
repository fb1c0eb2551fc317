"""What is trained: the network together with its objectives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf
import tensorflow_recommenders as tfrs

from tandem.models.objectives.objective import Loss, Objective, Outcomes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tandem.models.balancing import Balancer
    from tandem.models.batch import Batch
    from tandem.models.network import Network
    from tandem.models.steps.step import Step
    from tandem.models.tasks import TaskGraph


class Learner(tfrs.models.Model):
    """The network, and all that only its training needs.

    Args:
      network: The part that is exported.
      graph: The tasks.
      objectives: What is minimized.
      balancer: How the objectives' losses are added up.
      steps: The stages of training, in their order.
      embedding_l2: Factor of the squared norm of a row's embeddings, averaged over the batch. It touches the rows of
        the batch only, unlike a penalty on the whole table.

    Attributes:
      steps: The stages of training.
      loss_names: Of all losses, in their order; none before `prepare`.
    """

    def __init__(
        self,
        network: Network,
        graph: TaskGraph,
        objectives: Sequence[Objective],
        balancer: Balancer,
        steps: Sequence[Step],
        embedding_l2: float = 0.0,
    ):
        super().__init__(name="learner")
        self.network = network
        self._graph = graph
        self._objectives = list(objectives)
        self._balancer = balancer
        self.steps = tuple(steps)
        for step in self.steps:
            step.prepare(network)
        self._embedding_l2 = embedding_l2
        self.loss_names: tuple[str, ...] = ()

    def prepare(self, batch: Batch) -> None:
        """Makes all variables, and learns which losses there are; to be called once, before training.

        A compiled step can do neither: the number of variables must not change inside of it.

        Args:
          batch: Any rows.
        """
        losses = self.losses_of(batch, training=False)
        self.total(losses)  # a balancer may have variables, too
        self.loss_names = tuple(losses)

    def call(self, features: Mapping[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the network's answer."""
        answer: dict[str, tf.Tensor] = self.network(features, training=training)
        return answer

    @property
    def dense_variables(self) -> list[tf.Variable]:
        """All that is trained, the embedding table aside."""
        table = self.network.encoder.table
        return [variable for variable in self.trainable_variables if variable is not table]

    def losses_of(self, batch: Batch, training: bool, vectors: tf.Tensor | None = None) -> dict[str, Loss]:
        """Computes every loss of a batch.

        Args:
          batch: Some rows.
          training: Whether dropout is on.
          vectors: The embeddings of the ids where they have been looked up (see `Encoder.call`).

        Returns:
          By name, the loss and its factor.
        """
        forward = self.network.forward(batch.features, training=training, vectors=vectors)
        outcomes = Outcomes.of(batch, self._graph)
        losses: dict[str, Loss] = {}
        for objective in self._objectives:
            losses |= objective.losses_of(forward, outcomes)
        if self._embedding_l2:
            embeddings = forward.embedded[:, : self.network.encoder.embedded_width]
            losses["embedding_l2"] = Loss(tf.reduce_mean(tf.reduce_sum(embeddings**2, axis=1)), self._embedding_l2)
        return losses

    def by_row(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Returns what reports show of every row of a batch.

        Args:
          batch: As in `losses_of`.

        Returns:
          By name, [B, ...]: what the backbone keeps (`gate/<task>`, say) and what the objectives tell.
        """
        forward = self.network.forward(batch.features, training=False)
        outcomes = Outcomes.of(batch, self._graph)
        told = dict(forward.states.aux)
        for objective in self._objectives:
            told |= objective.by_row(forward, outcomes)
        return told

    def total(self, losses: Mapping[str, Loss]) -> tf.Tensor:
        """Returns the sum to minimize."""
        return self._balancer(losses)

    def compute_loss(self, inputs: Batch, training: bool = False) -> tf.Tensor:
        """Returns the sum to minimize for a batch; called by the base class, too."""
        return self.total(self.losses_of(inputs, training))
