"""Single-DNN: a network per task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from tandem.models.backbones.backbone import Backbone, States
from tandem.models.backbones.settings import SingleDNNSettings
from tandem.models.layers.experts import Experts

if TYPE_CHECKING:
    from tandem.models.tasks import TaskGraph


class SingleDNN(Backbone):
    """A network per task, none of whose layers is shared (the first baseline of the PICO and TAML papers).

    With embeddings of its own for every task (`Recipe.shared_embeddings`) this is one model per task, trained side by
    side; with shared embeddings it is the architecture of ESMM (Ma et al., SIGIR 2018).
    """

    Settings = SingleDNNSettings

    def __init__(self, graph: TaskGraph, settings: SingleDNNSettings):
        super().__init__(graph, settings)
        self._networks = Experts(len(graph), settings.layers, name="networks")

    def call(self, x: tf.Tensor, training: bool = False) -> States:
        """Maps [B, D], or [T, B, D] where every task reads embeddings of its own, to [B, layers[-1]] per task."""
        states = tf.unstack(self._networks(x), num=len(self.tasks), axis=1)
        return States(dict(zip(self.tasks, states, strict=True)), {})
