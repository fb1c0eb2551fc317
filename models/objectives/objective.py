"""What a training objective is: losses from a forward pass and the labels, never part of the network."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import tensorflow as tf
import tf_keras as keras

from tandem.models.network import Forward
from tandem.models.objectives.settings import ObjectiveSettings
from tandem.models.tasks import TaskGraph


class Loss(NamedTuple):
    """A scalar and its factor in the sum that is minimized."""

    value: tf.Tensor
    weight: float


class Objective(keras.layers.Layer, abc.ABC):
    """Losses that train the network. It may own variables; they live with the learner and are not exported."""

    Settings: ClassVar[type[ObjectiveSettings]] = ObjectiveSettings

    def __init__(self, graph: TaskGraph, settings: Any):
        super().__init__(name=type(self).__name__.lower())
        self.graph = graph
        self.settings = settings

    @abc.abstractmethod
    def losses_of(self, forward: Forward, labels: Mapping[str, tf.Tensor]) -> dict[str, Loss]:
        """Computes the losses of one batch.

        Args:
          forward: The pass through the network.
          labels: By label name, float32 [B], 0 or 1.

        Returns:
          By a name for reports, the loss.
        """

    def by_row(self, forward: Forward, labels: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Returns what reports show of every row, by name, [B, ...]; nothing by default.

        Args:
          forward: The pass through the network.
          labels: As in `losses_of`.
        """
        return {}
