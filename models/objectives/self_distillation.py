"""TAML's self-distillation: what a task's learners say together teaches each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from tandem.models.objectives.objective import Loss, Objective, Outcomes, weighted_mean
from tandem.models.objectives.settings import SelfDistillationSettings

if TYPE_CHECKING:
    from tandem.models.network import Forward


class SelfDistillation(Objective):
    """Binary cross-entropy of every learner against its task's fused probability (TAML; Liu et al., WWW 2023, eq. 2-3).

      L_t = -sum_l [ p_t log p_t^l + (1 - p_t) log(1 - p_t^l) ],   p_t = sigmoid(mean over l of logit_t^l)

    The paper prints (1 - p_t)(1 - log p_t^l) for the second term; it is cross-entropy's. No gradient passes into the
    teacher p_t, which would otherwise move towards its students. The mean is over all rows of the batch, for every
    task: no label is needed, and TAML is trained on all impressions (figure 2), conditional tasks included.
    """

    Settings = SelfDistillationSettings

    def losses_of(self, forward: Forward, outcomes: Outcomes) -> dict[str, Loss]:
        """Returns `self_distillation/<task>` for every task with several learners; one has nobody to learn from."""
        losses = {}
        for name, logits in forward.learner_logits.items():  # [B, L]
            teacher = tf.stop_gradient(tf.sigmoid(forward.logits[name]))[:, None]
            cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(
                labels=teacher * tf.ones_like(logits), logits=logits
            )
            loss = weighted_mean(tf.reduce_sum(cross_entropy, axis=1), outcomes.weight(self.graph.label(name)))
            losses[f"self_distillation/{name}"] = Loss(loss, self.settings.weight)
        return losses
