"""MMoE: shared experts, and a gate per task that weighs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf
import tf_keras as keras

from tandem.models.backbones.backbone import Backbone, States
from tandem.models.backbones.settings import MMoESettings
from tandem.models.layers.experts import Experts, mix

if TYPE_CHECKING:
    from tandem.models.tasks import TaskGraph


class MMoE(Backbone):
    """Multi-gate mixture of experts (Ma et al., KDD 2018): task t reads sum_e softmax(W_t x)_e expert_e(x).

    `aux["gate/<task>"]` holds the gates, [B, E].
    """

    Settings = MMoESettings

    def __init__(self, graph: TaskGraph, settings: MMoESettings):
        super().__init__(graph, settings)
        self._experts = Experts(settings.experts, settings.expert_layers, name="experts")
        self._gates = keras.layers.Dense(len(self.tasks) * settings.experts, name="gates")

    def call(self, x: tf.Tensor, training: bool = False) -> States:
        """Maps [B, D] to [B, expert_layers[-1]] per task."""
        experts = self._experts(x)  # [B, E, H]
        gates = tf.reshape(self._gates(x), [-1, len(self.tasks), self.settings.experts])
        gates = tf.nn.softmax(gates)  # [B, T, E]
        states = tf.unstack(mix(experts, gates), num=len(self.tasks), axis=1)
        return States(
            dict(zip(self.tasks, states, strict=True)),
            {f"gate/{task}": gates[:, index] for index, task in enumerate(self.tasks)},
        )
