"""How the losses of a system become the one number that is minimized."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar

import tensorflow as tf
import tf_keras as keras

from tandem.models.balancing_settings import BalancerSettings, UncertaintyWeightsSettings
from tandem.models.objectives.objective import Loss

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tandem.models.tasks import TaskGraph


class Balancer(keras.layers.Layer, abc.ABC):
    """Sums losses up. It may own variables; like those of objectives they are trained and not exported."""

    Settings: ClassVar[type[BalancerSettings]] = BalancerSettings

    def __init__(self, graph: TaskGraph, settings: Any):
        super().__init__(name=type(self).__name__.lower())
        self.graph = graph
        self.settings = settings

    @abc.abstractmethod
    def call(self, losses: Mapping[str, Loss]) -> tf.Tensor:
        """Returns the sum to minimize, a scalar. The losses of the tasks have the tasks' names."""


def weighted_sum(losses: Mapping[str, Loss]) -> tf.Tensor:
    """Returns the sum of the losses times their weights."""
    return tf.add_n([loss.weight * loss.value for loss in losses.values()])


class FixedWeights(Balancer):
    """The sum of the losses times their weights, as configured."""

    def call(self, losses: Mapping[str, Loss]) -> tf.Tensor:
        """Returns the weighted sum."""
        return weighted_sum(losses)


def balanced_by(log_variance: tf.Tensor, loss: tf.Tensor) -> tf.Tensor:
    """Returns exp(-s) / 2 L + s / 2 (MAN, eq. 3, with s = log sigma^2); 0 where the loss is 0."""
    balanced = (tf.exp(-log_variance) * loss + log_variance) / 2
    return tf.where(loss > 0, balanced, tf.zeros_like(balanced))


class UncertaintyWeights(Balancer):
    """Weights by homoscedastic uncertainty (MAN, eq. 3; Kendall et al., CVPR 2018): one learned number per task.

    With sigma_t the noise of task t and s_t = log sigma_t^2, which is what is learned, since it may have any sign:

      sum over tasks t of w_t (exp(-s_t) / 2 L_t + s_t / 2)  +  sum over all other losses of weight * L

    w_t is the configured `Task.loss_weight`. The paper has none; here it is a factor of both terms, because as a factor
    of L_t alone it would cancel: the best s_t is log L_t, which takes a factor of L_t out again. All s_t start at 0, so
    every task at weight 1/2. Losses that are no task's own (contrast, calibrator) have no noise to be learned.

    A task's loss is exactly 0 where no row of the batch counts for it. Such a batch says nothing about its noise, and
    its terms are left out; otherwise s_t would fall with every batch that has no positive of the parent.

    The s_t serve training only.
    """

    Settings = UncertaintyWeightsSettings

    def __init__(self, graph: TaskGraph, settings: UncertaintyWeightsSettings):
        super().__init__(graph, settings)
        self._log_variances = None
        if settings.learned:
            self._log_variances = self.add_weight(name="log_variances", shape=(len(graph),), initializer="zeros")

    def call(self, losses: Mapping[str, Loss]) -> tf.Tensor:
        """Returns the weighted sum."""
        if self._log_variances is None:
            return weighted_sum(losses)
        of_tasks = dict(zip(self.graph.names, tf.unstack(self._log_variances, num=len(self.graph)), strict=True))
        balanced = {
            name: Loss(balanced_by(of_tasks[name], loss.value), loss.weight) if name in of_tasks else loss
            for name, loss in losses.items()
        }
        return weighted_sum(balanced)
