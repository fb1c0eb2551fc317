"""ESMM's loss: the joint probabilities are learned over all impressions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from tandem.models.objectives.objective import Loss, Objective, Outcomes, weighted_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tandem.models.network import Forward
    from tandem.models.tasks import TaskGraph


def log_joint(graph: TaskGraph, logits: Mapping[str, tf.Tensor]) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
    """Returns the logarithms of each task's joint probability and of its complement, without cancellation.

    With a the joint probability of the parent and p the task's own, given the parent:
    log(a p) = log a + log p, and 1 - a p = (1 - a) + a (1 - p), a sum of positive parts.

    Args:
      graph: The tasks.
      logits: By task name, log-odds given the parent, [B].

    Returns:
      By task name, log P(all of the chain) and log(1 - P), [B] each.
    """
    logs: dict[str, tuple[tf.Tensor, tf.Tensor]] = {}
    for task in graph:
        logit = logits[task.name]
        happens, fails = -tf.nn.softplus(-logit), -tf.nn.softplus(logit)  # log p, log(1 - p)
        if task.given is not None:
            parent_happens, parent_fails = logs[task.given]
            happens, fails = parent_happens + happens, _log_add(parent_fails, parent_happens + fails)
        logs[task.name] = happens, fails
    return logs


def _log_add(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Returns log(exp x + exp y)."""
    return x + tf.nn.softplus(y - x)


class EntireSpaceLoss(Objective):
    """Binary cross-entropy of the joint probabilities over all impressions (ESMM; Ma et al., SIGIR 2018, eq. 3).

    The paper has click and conversion: L = sum l(y_click, p_click) + l(y_click * y_conversion, p_click * p_conversion).
    Here every task has a term: its label and its ancestors', multiplied, against the product of their probabilities.
    Two tasks given the same one have a term each. As no row is left out, `Task.train_on` has no effect.
    """

    def losses_of(self, forward: Forward, outcomes: Outcomes) -> dict[str, Loss]:
        """Returns a loss per task, by task name."""
        targets = self.graph.joint({name: outcomes.labels[self.graph.label(name)] for name in self.graph.names})
        losses = {}
        for name, (happens, fails) in log_joint(self.graph, forward.logits).items():
            cross_entropy = -(targets[name] * happens + (1 - targets[name]) * fails)
            loss = weighted_mean(cross_entropy, outcomes.weight(self.graph.label(name)))
            losses[name] = Loss(loss, self.graph[name].loss_weight)
        return losses
