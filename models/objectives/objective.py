"""What a training objective is: losses from a forward pass and the labels, never part of the network."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras as keras
from pydantic import BaseModel

from tandem.models.network import Forward
from tandem.models.tasks import TaskGraph


class Loss(NamedTuple):
    """A scalar and its factor in the sum that is minimized."""

    value: tf.Tensor
    weight: float


class Objective(keras.layers.Layer, abc.ABC):
    """Losses that train the network. It may own variables; they live with the learner and are not exported."""

    class Settings(BaseModel, extra="forbid", frozen=True):
        """No settings."""

    def __init__(self, graph: TaskGraph, settings: Any):
        super().__init__(name=type(self).__name__.lower())
        self.graph = graph
        self.settings = settings

    @classmethod
    def check(cls, graph: TaskGraph, settings: Any, tower_layers: int) -> None:
        """Refuses settings that do not go with the tasks or the towers.

        Raises:
          ValueError: Saying what was received and what is allowed.
        """

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
