"""The search for an architecture: weights learn from one half of a batch, connections from the other."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import tensorflow as tf
import tf_keras as keras

from tandem.models.steps.settings import BilevelStepSettings
from tandem.models.steps.step import Gradients, Losses, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.models.batch import Batch
    from tandem.models.network import Network
    from tandem.models.tasks import TaskGraph

logger = logging.getLogger("tandem.train")


@runtime_checkable
class Searchable(Protocol):
    """A backbone whose architecture can be searched for.

    Attributes:
      connections: Its connection weights, which it uses and does not train.
    """

    @property
    def connections(self) -> Sequence[tf.Variable]:
        """The connection weights."""


class BilevelStep(keras.layers.Layer, Step):
    """One-shot search by gradient, first-order DARTS (Liu et al., ICLR 2019), as AutoHERI does it.

    Every possible connection is on with a probability, w = sigmoid(alpha), and the network is computed with these
    expectations. Weights and embeddings theta learn from one half of the batch, alpha from the other half, which is
    held out from them:

      theta <- theta - rate dL_train(theta, w) / dtheta,   alpha <- alpha - rate dL_held(theta, w) / dalpha

    Without the second half, the weights' own overfitting would favour connections. First order: theta counts as a given
    in the second formula. Departures from DARTS: both are taken in one step from the same point and by the same
    optimizer; and the rows are divided anew in every batch, so that a row held out in one pass may train in the next.
    The division costs no time: each half is passed through the network once.

    The network knows w only, as its `connections`; alpha belongs to the step. So the network that is validated,
    resumed and exported is at any time the one with the weights w in use, and nothing else is in it.

    Of an odd batch the training half has one row more. A batch of one row is both halves. The losses that are reported
    are the training half's. The embeddings of the held-out rows get a gradient of 0.
    """

    Settings = BilevelStepSettings

    def __init__(self, graph: TaskGraph, settings: BilevelStepSettings):
        keras.layers.Layer.__init__(self, name="search")
        Step.__init__(self, graph, settings)
        self._architecture: list[tf.Variable] = []

    def prepare(self, network: Network) -> None:
        """Makes alpha: 0, every connection as likely on as off.

        Raises:
          ValueError: There is nothing to search for.
        """
        if not isinstance(network.backbone, Searchable):
            raise ValueError(
                f"{type(self).__name__} searches for connections; a {type(network.backbone).__name__} has none"
            )
        self._architecture = [
            self.add_weight(name=f"alpha_{index}", shape=connections.shape, initializer="zeros")
            for index, connections in enumerate(network.backbone.connections)
        ]

    def gradients(self, learner: Losses, batch: Batch, vectors: tf.Tensor | None) -> Gradients:
        """Computes the gradients of one batch."""
        relaxed = [tf.sigmoid(alpha) for alpha in self._architecture]
        connections = _connections(learner)
        for connection, weights in zip(connections, relaxed, strict=True):
            connection.assign(weights)
        rows = tf.shape(batch.labels)[0]
        trains_until = (rows + 1) // 2
        training, held_out = slice(None, trains_until), slice(tf.minimum(trains_until, rows - 1), None)

        searched = {alpha.ref() for alpha in self._architecture}
        weights = [variable for variable in self.trained(learner) if variable.ref() not in searched]
        seen = None if vectors is None else vectors[training]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(weights)
            if seen is not None:
                tape.watch(seen)
            losses = learner.losses_of(batch.part(training), training=True, vectors=seen)
            total = learner.total(losses)
        of_seen, of_weights = tape.gradient(total, (seen, weights))
        if vectors is not None:
            of_seen = tf.concat([of_seen, tf.zeros_like(vectors[trains_until:])], axis=0)

        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(connections)
            unseen = None if vectors is None else vectors[held_out]
            judged = learner.total(learner.losses_of(batch.part(held_out), training=True, vectors=unseen))
        of_connections = tape.gradient(judged, connections)

        by_variable = dict(zip((variable.ref() for variable in weights), of_weights, strict=True))
        for alpha, w, gradient in zip(self._architecture, relaxed, of_connections, strict=True):
            by_variable[alpha.ref()] = gradient * w * (1 - w)
        return Gradients(
            {name: loss.value for name, loss in losses.items()},
            of_seen,
            [by_variable[variable.ref()] for variable in self.trained(learner)],
        )

    def finish(self, learner: Losses) -> None:
        """Fixes the connections. From here on they are plain numbers, and alpha is not used again."""
        kept = total = 0
        for connection, alpha in zip(_connections(learner), self._architecture, strict=True):
            weights = tf.sigmoid(alpha)
            if self.settings.threshold is not None:
                weights = tf.cast(weights > self.settings.threshold, tf.float32)
            connection.assign(weights)
            kept, total = kept + int(tf.math.count_nonzero(weights)), total + int(tf.size(weights))
        logger.info("the search is over: %d of %d connections stay", kept, total)


def _connections(learner: Losses) -> list[tf.Variable]:
    return list(learner.network.backbone.connections)
