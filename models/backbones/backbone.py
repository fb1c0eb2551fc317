"""What every architecture is: shared input in, one state per task out."""

from __future__ import annotations

import abc
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras as keras
from pydantic import BaseModel

from models.tasks import TaskGraph


class States(NamedTuple):
    """What a backbone gives.

    Attributes:
      by_task: By task name, the input of the task's tower, [B, H].
      aux: Tensors for reports and objectives (gate weights, say), by name.
    """

    by_task: dict[str, tf.Tensor]
    aux: dict[str, tf.Tensor]


class Backbone(keras.layers.Layer, abc.ABC):
    """Maps the embedded features [B, D] to one state per task.

    A subclass names its settings in a nested class `Settings` and builds its layers in `__init__`. Of the tasks it uses
    the names and which one is given which; it knows neither the features nor the labels, and has no losses.
    """

    class Settings(BaseModel, extra="forbid", frozen=True):
        """No settings."""

    def __init__(self, graph: TaskGraph, settings: Any):
        super().__init__(name=type(self).__name__.lower())
        self.tasks = graph.names
        self.settings = settings

    @property
    def upper_variables(self) -> list[tf.Variable]:
        """What of the backbone belongs to the network's upper part (see `Network.upper_variables`): nothing."""
        return []

    @abc.abstractmethod
    def call(self, x: tf.Tensor, training: bool = False) -> States:
        """Maps [B, D] to the tasks' states.

        Only a backbone that says so also takes [T, B, D], an input per task (`Recipe.shared_embeddings`).
        """
