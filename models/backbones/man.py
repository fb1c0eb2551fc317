"""MAN: shared and task experts, then attention between the tasks that are next to each other in the funnel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tandem.models.backbones.backbone import Backbone, States
from tandem.models.backbones.settings import MANSettings
from tandem.models.layers.experts import mix
from tandem.models.layers.extraction import Extraction, gates_aux
from tandem.models.layers.grouped_dense import glorot_uniform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tandem.models.tasks import TaskGraph


def adjacent(graph: TaskGraph) -> NDArray[np.bool_]:
    """Returns which tasks a task attends to, bool [T, T]: itself, the task it is given, and the tasks given it."""
    position = {name: index for index, name in enumerate(graph.names)}
    seen = np.eye(len(graph), dtype=bool)
    for task in graph:
        if task.given is not None:
            child, parent = position[task.name], position[task.given]
            seen[child, parent] = seen[parent, child] = True
    return seen


class TaskAttention(keras.layers.Layer):
    """Attention of every task j over what it and its neighbours have extracted (section 3.2.3).

      C_j = sum over i in N(j) of w_ij value_i(x_i),  w_ij = softmax over N(j) of <query_j(x_j), key_i(x_i)> / sqrt(H)

    Query, key and value are a feed-forward layer of each task, linear and with bias, H to H; all of them are one
    product.

    Args:
      seen: N: which tasks (columns) a task (row) attends to, bool [T, T].
    """

    def __init__(self, seen: NDArray[np.bool_], name: str | None = None):
        super().__init__(name=name)
        self._seen = seen

    def build(self, input_shape: Sequence[tf.TensorShape]) -> None:
        """Makes the maps: kernels [T, H, 3 H] and biases [T, 1, 3 H]."""
        tasks, size = len(self._seen), int(input_shape[0][-1])
        self._kernel = self.add_weight(
            name="query_key_value", shape=(tasks, size, 3 * size), initializer=glorot_uniform(size, size)
        )
        self._bias = self.add_weight(name="bias", shape=(tasks, 1, 3 * size), initializer="zeros")
        super().build(input_shape)

    def call(self, states: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps the T tasks' x, [B, H] each, to C, [B, T, H], and the weights, [B, T, T]; 0 for tasks not seen."""
        maps = tf.matmul(tf.stack(states), self._kernel) + self._bias  # [T, B, 3 H]
        query, key, value = tf.split(tf.transpose(maps, [1, 0, 2]), 3, axis=2)
        scores = tf.matmul(query, key, transpose_b=True) / query.shape[2] ** 0.5
        weights = tf.nn.softmax(tf.where(self._seen, scores, scores.dtype.min))
        return mix(value, weights), weights


class MAN(Backbone):
    """Multi-task attention network (2023): one level of PLE's extraction, and above it attention between the tasks.

    The paper writes C_ij = at(x_i || x_j) for "adjacent" tasks i and the current task j, and has two tasks. It leaves
    open over what the weights run and what becomes of a third task. Here:

    - The concatenation is a sequence of two parts, and query, key and value are made of each part: the text gives one
      weight to the neighbour's information and one to the task's own, and then adds the two up. A map of the
      concatenated numbers would leave no part to weigh. A task's maps are its own, so that the attention knows whose
      information it reads.
    - Tasks are adjacent along the funnel, in both directions: a task and the one it is given. The paper wants the
      tasks to improve each other, and reports that the first one gains, too; AITM already has the direction downwards
      alone. Two tasks given the same one are not adjacent, and reach each other through it. With several neighbours
      the weights run over all of them, so there is one C_j and no choice between C_ij.
    - A task without neighbours attends to itself with weight 1: its state is value_j(x_j).

    Without attention this is `PLE` with one level.

    `aux["gate/<task>"]` holds the gates, [B, shared_experts + task_experts], shared experts first;
    `aux["attention/<task>"]` the weights of all tasks' information, [B, T] in the order of the tasks, 0 for those that
    are not adjacent.
    """

    Settings = MANSettings

    def __init__(self, graph: TaskGraph, settings: MANSettings):
        super().__init__(graph, settings)
        self._extraction = Extraction(
            len(graph), settings.shared_experts, settings.task_experts, settings.expert_layers, name="extraction"
        )
        self._attention = TaskAttention(adjacent(graph), name="attention") if settings.attention else None

    @property
    def upper_variables(self) -> list[tf.Variable]:
        """The attention's: what fuses the tasks is the high-level part that the paper's second stage trains."""
        return [] if self._attention is None else self._attention.trainable_variables

    def call(self, x: tf.Tensor, training: bool = False) -> States:
        """Maps [B, D] to [B, expert_layers[-1]] per task."""
        states, gates = self._extraction(x, ())
        aux = gates_aux(gates, self.settings.shared_experts, self.tasks)
        if self._attention is not None:
            mixed, weights = self._attention(states)
            states = tf.unstack(mixed, num=len(self.tasks), axis=1)
            aux |= {f"attention/{task}": weights[:, index] for index, task in enumerate(self.tasks)}
        return States(dict(zip(self.tasks, states, strict=True)), aux)
