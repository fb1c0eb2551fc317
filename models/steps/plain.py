"""The usual step: one pass forward, one back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from tandem.models.steps.step import Gradients, Losses, Step

if TYPE_CHECKING:
    from tandem.models.batch import Batch


class PlainStep(Step):
    """The gradient of the sum of all losses."""

    def gradients(self, learner: Losses, batch: Batch, vectors: tf.Tensor | None) -> Gradients:
        """Computes the gradients of one batch."""
        variables = list(self.trained(learner))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            if vectors is not None:
                tape.watch(vectors)
            losses = learner.losses_of(batch, training=True, vectors=vectors)
            total = learner.total(losses)
        of_vectors, of_variables = tape.gradient(total, (vectors, variables))
        return Gradients({name: loss.value for name, loss in losses.items()}, of_vectors, of_variables)
