"""AITM's loss: heads that answer for the whole chain, learned over all impressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from tandem.models.objectives.objective import Loss, Objective, Outcomes, weighted_mean

if TYPE_CHECKING:
    from tandem.models.network import Forward


class JointLoss(Objective):
    """Binary cross-entropy over all impressions, for heads that give the joint probability (Xi et al., KDD 2021).

    The target of a task is its label multiplied by its ancestors': whether the whole chain happened. As no row is left
    out, `Task.train_on` has no effect.
    """

    def losses_of(self, forward: Forward, outcomes: Outcomes) -> dict[str, Loss]:
        """Returns a loss per task, by task name."""
        targets = self.graph.joint({name: outcomes.labels[self.graph.label(name)] for name in self.graph.names})
        losses = {}
        for name, logits in forward.logits.items():
            cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=targets[name], logits=logits)
            loss = weighted_mean(cross_entropy, outcomes.weight(self.graph.label(name)))
            losses[name] = Loss(loss, self.graph[name].loss_weight)
        return losses
