"""The supervised loss of every task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow_recommenders as tfrs
import tf_keras as keras

from tandem.models.objectives.objective import Loss, Objective, Outcomes, weighted_mean

if TYPE_CHECKING:
    from tandem.models.network import Forward
    from tandem.models.objectives.settings import ObjectiveSettings
    from tandem.models.tasks import TaskGraph


class TaskLoss(Objective):
    """Binary cross-entropy per task (PICO, first two terms of eq. 12), averaged over the rows the task is trained on.

    A conditional task counts its parent's positives only (`Task.train_on`), so a rare parent does not shrink its loss.
    """

    def __init__(self, graph: TaskGraph, settings: ObjectiveSettings):
        super().__init__(graph, settings)
        # Reduction.NONE: the mean is over the rows that count, not over the batch.
        cross_entropy = keras.losses.BinaryCrossentropy(from_logits=True, reduction=keras.losses.Reduction.NONE)
        self._ranking = {name: tfrs.tasks.Ranking(loss=cross_entropy, name=name) for name in graph.names}

    def losses_of(self, forward: Forward, outcomes: Outcomes) -> dict[str, Loss]:
        """Returns a loss per task, by task name."""
        masks = self.graph.masks(outcomes.labels)
        losses = {}
        for task in self.graph:
            label = self.graph.label(task.name)
            target = outcomes.labels[label]
            row_losses = self._ranking[task.name](
                labels=target[:, None], predictions=forward.logits[task.name][:, None]
            )
            loss = weighted_mean(row_losses, masks[task.name], outcomes.weight(label))
            losses[task.name] = Loss(loss, task.loss_weight)
        return losses
