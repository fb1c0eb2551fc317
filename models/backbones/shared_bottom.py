"""Shared-Bottom: all tasks read the output of one network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tandem.models.backbones.backbone import Backbone, States
from tandem.models.backbones.settings import SharedBottomSettings
from tandem.models.layers.mlp import MLP

if TYPE_CHECKING:
    import tensorflow as tf

    from tandem.models.tasks import TaskGraph


class SharedBottom(Backbone):
    """One bottom network for all tasks (Caruana, Multitask learning, 1997); hard sharing, PICO eq. 2."""

    Settings = SharedBottomSettings

    def __init__(self, graph: TaskGraph, settings: SharedBottomSettings):
        super().__init__(graph, settings)
        self._bottom = MLP(settings.layers, name="bottom")

    def call(self, x: tf.Tensor, training: bool = False) -> States:
        """Maps [B, D] to the same [B, layers[-1]] for every task."""
        shared = self._bottom(x, training=training)
        return States(dict.fromkeys(self.tasks, shared), {})
