"""AutoHERI: layers of a task's network read layers of its parents' networks; which ones is searched for."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tandem.models.backbones.backbone import Backbone, States
from tandem.models.backbones.settings import AutoHERISettings
from tandem.models.layers.grouped_dense import GroupedDense, glorot_uniform

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.models.tasks import TaskGraph


class Level(keras.layers.Layer):
    """The networks of the tasks that have the same number of ancestors, without the first layer's share of x.

    All ancestors are computed before, so one product computes what all layers take over from all of them.

    Args:
      tasks: Number of tasks in the level, N.
      ancestors: Of each of them, A.
      sizes: Units of each of the K layers of a network; S is their sum.

    Attributes:
      connections: [N, A * K, K], not trainable: how much each of a task's layers (last axis) takes over from each
        ancestor's layers (the root's first); None in the level of the roots.
    """

    def __init__(self, tasks: int, ancestors: int, sizes: Sequence[int], name: str | None = None):
        super().__init__(name=name)
        self._sizes = list(sizes)
        self._rest = [GroupedDense(size) for size in sizes[1:]]
        self.connections: tf.Variable | None = None
        if not ancestors:
            return
        layers, units = len(sizes), sum(sizes)
        self.connections = self.add_weight(
            name=f"{self.name}/connections",
            shape=(tasks, ancestors * layers, layers),
            initializer=keras.initializers.Constant(0.5),
            trainable=False,
        )
        self._kernel = self.add_weight(
            name=f"{self.name}/taken_over",
            shape=(tasks, ancestors * units, units),
            initializer=glorot_uniform(ancestors * units, units),
        )
        self._units_of = np.repeat(np.eye(layers, dtype=np.float32), sizes, axis=1)  # [K, S]
        self._rows_of = np.kron(np.eye(ancestors, dtype=np.float32), self._units_of.T)  # [A * S, A * K]

    def call(self, first: tf.Tensor, ancestors: tf.Tensor | None) -> list[tf.Tensor]:
        """Computes the networks of the level.

        Args:
          first: W_1 x + b_1 of each, [N, B, sizes[0]].
          ancestors: All layers of all ancestors of each, [N, B, A * S]; None for roots.

        Returns:
          The output of every layer, [N, B, size] each.
        """
        taken: list[tf.Tensor | float] = [0.0] * len(self._sizes)
        if ancestors is not None:
            by_unit = tf.matmul(tf.matmul(self._rows_of, self.connections), self._units_of)  # [N, A * S, S]
            taken = tf.split(tf.matmul(ancestors, by_unit * self._kernel), self._sizes, axis=2)
        outputs = [tf.nn.relu(first + taken[0])]
        for layer, part in zip(self._rest, taken[1:], strict=True):
            outputs.append(tf.nn.relu(layer(outputs[-1]) + part))
        return outputs


class AutoHERI(Backbone):
    """Automated hierarchical representation integration (Wei et al., CIKM 2021).

    Every task has a network on shared embeddings. Layer l of task t reads, beside its own layer below, the layers k of
    its ancestors' networks:

      h_t^l = ReLU( W_t^l h_t^(l-1) + b_t^l + sum over ancestors a and layers k of w_t^(a,k,l) V_t^(a,k,l) h_a^k ),

    with h_t^0 = x. The connection weights w are what is searched for (`tandem.models.steps.bilevel`). To the network
    they are given numbers, variables that are not trainable: 0.5 at first, kept at the relaxed value of each edge while
    the search lasts, and 0 or 1 after it. So the same network is searched, trained and exported, and nothing of the
    search is in it. With all connections off it is `SingleDNN`. A connection that is off still costs its
    multiplications.

    The paper searches for connections between the layers of the tasks' networks; how a layer takes another one in is
    decided here: as a further input with a kernel V of its own, so that layers may have different sizes. As in the
    paper the loss is ESMM's, over all impressions (`EntireSpaceLoss` in the recipe).

    Where tasks form more than a pair, a task reads all tasks along its chain: a grandchild its parent and its
    grandparent. Siblings read their common ancestors, each over connections of its own, and not each other.
    The towers above are not connected: what the search shall decide has to be in `layers`.
    """

    Settings = AutoHERISettings

    def __init__(self, graph: TaskGraph, settings: AutoHERISettings):
        super().__init__(graph, settings)
        self._ancestors = {name: graph.chain(name)[:-1] for name in graph.names}
        groups = groupby(graph.names, key=lambda name: len(self._ancestors[name]))
        tasks_of = [(ancestors, list(names)) for ancestors, names in groups]
        self._tasks_of = [names for _, names in tasks_of]
        self._levels = [
            Level(len(names), ancestors, settings.layers, name=f"level_{ancestors}") for ancestors, names in tasks_of
        ]

    @property
    def connections(self) -> list[tf.Variable]:
        """The connection weights, one variable for each number of ancestors (see `Level`)."""
        return [level.connections for level in self._levels if level.connections is not None]

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes the first layer, all tasks' in one kernel."""
        inputs, outputs = tf.TensorShape(input_shape).as_list()[-1], self.settings.layers[0]
        self._first = keras.layers.Dense(
            len(self.tasks) * outputs, kernel_initializer=glorot_uniform(inputs, outputs), name="first"
        )
        super().build(input_shape)

    def call(self, x: tf.Tensor, training: bool = False) -> States:
        """Maps [B, D] to [B, layers[-1]] per task."""
        first = tf.reshape(self._first(x), [-1, len(self.tasks), self.settings.layers[0]])
        by_level = tf.split(tf.transpose(first, [1, 0, 2]), [len(names) for names in self._tasks_of])
        states: dict[str, tf.Tensor] = {}
        layers: dict[str, tf.Tensor] = {}
        for names, level, own in zip(self._tasks_of, self._levels, by_level, strict=True):
            ancestors = None
            if level.connections is not None:
                ancestors = tf.stack([tf.concat([layers[a] for a in self._ancestors[name]], axis=1) for name in names])
            outputs = level(own, ancestors)
            states |= zip(names, tf.unstack(outputs[-1], num=len(names)), strict=True)
            layers |= zip(names, tf.unstack(tf.concat(outputs, axis=2), num=len(names)), strict=True)  # [B, S] each
        return States(states, {})
