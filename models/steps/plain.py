"""The usual step: one pass forward, one back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import tensorflow as tf

from tandem.models.steps.step import Gradients, Step

if TYPE_CHECKING:
    from tandem.models.learner import Learner


class PlainStep(Step):
    """The gradient of the sum of all losses."""

    def gradients(
        self, learner: Learner, features: Mapping[str, tf.Tensor], vectors: tf.Tensor | None, labels: tf.Tensor
    ) -> Gradients:
        """Computes the gradients of one batch."""
        variables = list(self.trained(learner))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            if vectors is not None:
                tape.watch(vectors)
            losses = learner.losses_of((features, labels), training=True, vectors=vectors)
            total = learner.total(losses)
        of_vectors, of_variables = tape.gradient(total, (vectors, variables))
        return Gradients({name: loss.value for name, loss in losses.items()}, of_vectors, of_variables)
