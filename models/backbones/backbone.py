"""What every architecture is: shared input in, one state per task out."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import tf_keras as keras

from tandem.models.backbones.settings import BackboneSettings

if TYPE_CHECKING:
    import tensorflow as tf

    from tandem.models.tasks import TaskGraph


class States(NamedTuple):
    """What a backbone gives.

    Attributes:
      by_task: By task name, the input of the task's tower, [B, H]; of a task with several learners, the mean of what
        they read, for objectives that want one state per task.
      aux: Tensors for reports and objectives (gate weights, say), by name.
      by_learner: By task name, the input of every learner's tower, [B, H] each; None where a task has one
        learner.
    """

    by_task: dict[str, tf.Tensor]
    aux: dict[str, tf.Tensor]
    by_learner: dict[str, list[tf.Tensor]] | None = None


class Backbone(keras.layers.Layer, abc.ABC):
    """Maps the embedded features [B, D] to one state per task.

    A subclass names its settings in a nested class `Settings` and builds its layers in `__init__`. Of the tasks it uses
    the names and which one is given which; it knows neither the features nor the labels, and has no losses.

    Attributes:
      tasks: Names of the tasks, parents first.
      settings: As given.
      learners: How many towers a task has, each with a state of its own (`States.by_learner` where there are several).
    """

    learners = 1

    Settings: ClassVar[type[BackboneSettings]] = BackboneSettings

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
