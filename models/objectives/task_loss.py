"""The supervised loss of every task."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from tandem.models.network import Forward
from tandem.models.objectives.objective import Loss, Objective
from tandem.models.objectives.settings import ObjectiveSettings
from tandem.models.tasks import TaskGraph


def mean_over(values: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Returns the mean of values [B] over the rows whose mask [B] is 1; 0 where there is none."""
    if mask is None:
        return tf.reduce_mean(values)
    return tf.math.divide_no_nan(tf.reduce_sum(values * mask), tf.reduce_sum(mask))


class TaskLoss(Objective):
    """Binary cross-entropy per task (PICO, first two terms of eq. 12), averaged over the rows the task is trained on.

    A conditional task counts its parent's positives only (`Task.train_on`), so a rare parent does not shrink its loss.
    """

    def __init__(self, graph: TaskGraph, settings: ObjectiveSettings):
        super().__init__(graph, settings)
        # Reduction.NONE: the mean is over the rows that count, not over the batch.
        cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True, reduction=keras.losses.Reduction.NONE)
        self._ranking = {name: tfrs.tasks.Ranking(loss=cross_entropy, name=name) for name in graph.names}

    def losses_of(self, forward: Forward, labels: Mapping[str, tf.Tensor]) -> dict[str, Loss]:
        """Returns a loss per task, by task name."""
        masks = self.graph.masks(labels)
        losses = {}
        for task in self.graph:
            target = labels[self.graph.label(task.name)]
            row_losses = self._ranking[task.name](
                labels=target[:, None], predictions=forward.logits[task.name][:, None]
            )
            losses[task.name] = Loss(mean_over(row_losses, masks[task.name]), task.loss_weight)
        return losses
