"""OMoE: shared experts, and one gate for all tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf
import tf_keras as keras

from tandem.models.backbones.backbone import Backbone, States
from tandem.models.backbones.settings import OMoESettings
from tandem.models.layers.experts import Experts, mix

if TYPE_CHECKING:
    from tandem.models.tasks import TaskGraph


class OMoE(Backbone):
    """One-gate mixture of experts (Ma et al., KDD 2018): every task reads sum_e softmax(W x)_e expert_e(x).

    `aux["gate/<task>"]` holds the gate, [B, E], the same for every task.
    """

    Settings = OMoESettings

    def __init__(self, graph: TaskGraph, settings: OMoESettings):
        super().__init__(graph, settings)
        self._experts = Experts(settings.experts, settings.expert_layers, name="experts")
        self._gate = keras.layers.Dense(settings.experts, activation="softmax", name="gate")

    def call(self, x: tf.Tensor, training: bool = False) -> States:
        """Maps [B, D] to the same [B, expert_layers[-1]] for every task."""
        gate = self._gate(x)  # [B, E]
        shared = tf.squeeze(mix(self._experts(x), gate[:, None]), axis=1)
        return States(dict.fromkeys(self.tasks, shared), {f"gate/{task}": gate for task in self.tasks})
