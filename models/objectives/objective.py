"""What a training objective is: losses from a forward pass and the labels, never part of the network."""

from __future__ import annotations

import abc
import functools
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import tensorflow as tf
import tf_keras as keras

from tandem.models.objectives.settings import ObjectiveSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tandem.models.batch import Batch
    from tandem.models.network import Forward
    from tandem.models.tasks import TaskGraph


class Loss(NamedTuple):
    """A scalar and its factor in the sum that is minimized."""

    value: tf.Tensor
    weight: float


class Outcomes(NamedTuple):
    """What became of the rows of a batch, by label name; float32 [B] each.

    Attributes:
      labels: 0 or 1.
      weights: How much a row counts for the label's task; None: all rows count alike.
      ages: Hours until the label was set, or waited for it in vain (see `Batch`); None: not asked for.
    """

    labels: Mapping[str, tf.Tensor]
    weights: Mapping[str, tf.Tensor] | None = None
    ages: Mapping[str, tf.Tensor] | None = None

    @classmethod
    def of(cls, batch: Batch, graph: TaskGraph) -> Outcomes:
        """Takes a batch's matrices apart, whose columns are in the order of the tasks."""

        def by_label(matrix: tf.Tensor) -> dict[str, tf.Tensor]:
            columns = tf.unstack(tf.cast(matrix, tf.float32), num=len(graph), axis=1)
            return dict(zip(graph.labels, columns, strict=True))

        return cls(
            by_label(batch.labels),
            None if batch.weights is None else by_label(batch.weights),
            None if batch.ages is None else by_label(batch.ages),
        )

    def weight(self, label: str) -> tf.Tensor | None:
        """Returns how much each row counts for a label's task, [B]; None: all alike."""
        return None if self.weights is None else self.weights[label]


def weighted_mean(values: tf.Tensor, *factors: tf.Tensor | None) -> tf.Tensor:
    """Returns the mean of values [B], weighed by the product of the factors.

    Args:
      values: [B].
      *factors: [B] each, 0 or more (a mask, the rows' weights); None: 1.

    Returns:
      A scalar; 0 where no row counts. That weights are all twice as large changes nothing.
    """
    given = [factor for factor in factors if factor is not None]
    if not given:
        return tf.reduce_mean(values)
    product = functools.reduce(tf.multiply, given)
    return tf.math.divide_no_nan(tf.reduce_sum(values * product), tf.reduce_sum(product))


class Objective(keras.layers.Layer, abc.ABC):
    """Losses that train the network. It may own variables; they live with the learner and are not exported."""

    Settings: ClassVar[type[ObjectiveSettings]] = ObjectiveSettings

    def __init__(self, graph: TaskGraph, settings: Any):
        super().__init__(name=type(self).__name__.lower())
        self.graph = graph
        self.settings = settings

    @abc.abstractmethod
    def losses_of(self, forward: Forward, outcomes: Outcomes) -> dict[str, Loss]:
        """Computes the losses of one batch.

        Args:
          forward: The pass through the network.
          outcomes: The labels, and what else is known of them.

        Returns:
          By a name for reports, the loss.
        """

    def by_row(self, forward: Forward, outcomes: Outcomes) -> dict[str, tf.Tensor]:
        """Returns what reports show of every row, by name, [B, ...]; nothing by default.

        Args:
          forward: The pass through the network.
          outcomes: As in `losses_of`.
        """
        return {}
