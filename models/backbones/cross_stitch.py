"""Cross-stitch networks: a network per task, mixed after every layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tandem.models.backbones.backbone import Backbone, States
from tandem.models.backbones.settings import CrossStitchSettings
from tandem.models.layers.experts import Experts
from tandem.models.layers.grouped_dense import GroupedDense

if TYPE_CHECKING:
    from tandem.models.tasks import TaskGraph


class CrossStitchUnit(keras.layers.Layer):
    """Mixes the tasks' hidden layers: x'_t = sum_s alpha_ts x_s (eq. 1), alpha learned.

    Args:
      same: alpha_tt to start from.
      different: What the alpha_ts of one task's other tasks s start with, together.
    """

    def __init__(self, same: float, different: float, name: str | None = None):
        super().__init__(name=name)
        self._same = same
        self._different = different

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes alpha [T, T]."""
        tasks = tf.TensorShape(input_shape).as_list()[0]
        alpha = np.full((tasks, tasks), self._different / max(tasks - 1, 1), np.float32)
        np.fill_diagonal(alpha, self._same)
        self._alpha = self.add_weight(
            name="alpha", shape=(tasks, tasks), initializer=keras.initializers.Constant(alpha)
        )
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Maps [T, B, H] to [T, B, H]."""
        tasks, _, size = x.shape
        return tf.reshape(tf.matmul(self._alpha, tf.reshape(x, [tasks, -1])), [tasks, -1, size])


class CrossStitch(Backbone):
    """Cross-stitch networks (Misra et al., CVPR 2016) on shared embeddings, for any number of tasks.

    Every layer of the tasks' networks is followed by a `CrossStitchUnit`; the towers above are not mixed. The paper
    starts near the identity with two tasks, (0.9, 0.1); with more, the other tasks share what is left evenly, so that
    a start that is a convex combination stays one.
    """

    Settings = CrossStitchSettings

    def __init__(self, graph: TaskGraph, settings: CrossStitchSettings):
        super().__init__(graph, settings)
        self._first = Experts(len(graph), settings.layers[:1], name="first")
        self._rest = [GroupedDense(size, activation="relu") for size in settings.layers[1:]]
        self._units = [CrossStitchUnit(settings.alpha_same, settings.alpha_different) for _ in settings.layers]

    def call(self, x: tf.Tensor, training: bool = False) -> States:
        """Maps [B, D] to [B, layers[-1]] per task."""
        hidden = self._units[0](tf.transpose(self._first(x), [1, 0, 2]))  # [T, B, H]
        for layer, unit in zip(self._rest, self._units[1:], strict=True):
            hidden = unit(layer(hidden))
        return States(dict(zip(self.tasks, tf.unstack(hidden, num=len(self.tasks)), strict=True)), {})
