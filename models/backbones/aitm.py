"""AITM: what a task has found out is handed down to the tasks that depend on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf
import tf_keras as keras

from tandem.models.backbones.backbone import Backbone, States
from tandem.models.backbones.settings import AITMSettings
from tandem.models.layers.experts import Experts
from tandem.models.layers.grouped_dense import glorot_uniform

if TYPE_CHECKING:
    from tandem.models.tasks import TaskGraph


class Transfer(keras.layers.Layer):
    """Attention over what comes from the parent task, p, and what the task found itself, q.

      z = sum over u in {p, q} of w_u value(u),  w = softmax(<query(u), key(u)> / sqrt(H))

    Query, key and value are linear maps without bias, computed in one product.
    """

    def build(self, input_shape: tuple[tf.TensorShape, tf.TensorShape]) -> None:
        """Makes the maps: H to H each."""
        self._size = int(input_shape[0][-1])
        initializer = glorot_uniform(self._size, self._size)
        self._maps = keras.layers.Dense(
            3 * self._size, use_bias=False, kernel_initializer=initializer, name="value_query_key"
        )
        super().build(input_shape)

    def call(self, inputs: tuple[tf.Tensor, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
        """Maps p and q, [B, H] each, to z, [B, H], and the weights of p and q, [B, 2]."""
        value, query, key = tf.split(self._maps(tf.stack(inputs, axis=1)), 3, axis=2)  # [B, 2, H]
        weights = tf.nn.softmax(tf.reduce_sum(query * key, axis=2) / self._size**0.5)
        return tf.reduce_sum(weights[:, :, None] * value, axis=1), weights


class AITM(Backbone):
    """Adaptive information transfer (Xi et al., KDD 2021) along the dependencies of the tasks.

    The paper has a chain of steps, each reading from the step before. Here every task reads from the task it is given:
    a root's state is its own network's output, z = q; a child's is the attention over p = ReLU(W z_parent + b) and its
    q. Two tasks given the same one read the same p, each with an attention of its own, and not from each other.

    The paper's output layer on z is the task's tower. Its heads answer for the whole chain up to the task
    (`Recipe.joint_heads`): that is what the paper's loss and its calibrator are about.

    `aux["transfer/<task>"]` holds a child's weights of p and q, [B, 2].
    """

    Settings = AITMSettings

    def __init__(self, graph: TaskGraph, settings: AITMSettings):
        super().__init__(graph, settings)
        self._networks = Experts(len(graph), settings.layers, name="networks")
        self._parents = {task.name: task.given for task in graph if task.given is not None}
        self._info = {
            name: keras.layers.Dense(settings.layers[-1], activation="relu", name=f"{name}_info")
            for name in dict.fromkeys(self._parents.values())
        }
        self._transfer = {name: Transfer(name=f"{name}_transfer") for name in self._parents}

    def call(self, x: tf.Tensor, training: bool = False) -> States:
        """Maps [B, D] to [B, layers[-1]] per task."""
        found = dict(zip(self.tasks, tf.unstack(self._networks(x), num=len(self.tasks), axis=1), strict=True))
        states: dict[str, tf.Tensor] = {}
        info: dict[str, tf.Tensor] = {}
        aux: dict[str, tf.Tensor] = {}
        for name in self.tasks:  # Parents come first.
            states[name] = found[name]
            if name in self._parents:
                inputs = (info[self._parents[name]], found[name])
                states[name], aux[f"transfer/{name}"] = self._transfer[name](inputs)
            if name in self._info:
                info[name] = self._info[name](states[name])
        return States(states, aux)
