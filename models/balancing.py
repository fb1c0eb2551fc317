"""How the losses of a system become the one number that is minimized."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras as keras
from pydantic import BaseModel

from models.objectives.objective import Loss
from models.tasks import TaskGraph


class Balancer(keras.layers.Layer, abc.ABC):
    """Sums losses up. It may own variables; like those of objectives they are trained and not exported."""

    class Settings(BaseModel, extra="forbid", frozen=True):
        """No settings."""

    def __init__(self, graph: TaskGraph, settings: Any):
        super().__init__(name=type(self).__name__.lower())
        self.graph = graph
        self.settings = settings

    @abc.abstractmethod
    def call(self, losses: Mapping[str, Loss]) -> tf.Tensor:
        """Returns the sum to minimize, a scalar. The losses of the tasks have the tasks' names."""


class FixedWeights(Balancer):
    """The sum of the losses times their weights, as configured."""

    def call(self, losses: Mapping[str, Loss]) -> tf.Tensor:
        """Returns the weighted sum."""
        return tf.add_n([loss.weight * loss.value for loss in losses.values()])
