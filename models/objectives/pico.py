"""PICO: personalized inter-task contrastive learning (Lin et al., AAAI 2023)."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import tensorflow as tf
import tf_keras as keras

from tandem.models.layers.mlp import MLP
from tandem.models.objectives.contrastive import LARGEST_SAFE_LOGIT, alignment, info_nce
from tandem.models.objectives.objective import Loss, Objective, Outcomes, weighted_mean
from tandem.models.objectives.settings import PicoSettings
from tandem.models.precision import Precision, of_products

if TYPE_CHECKING:
    from tandem.models.network import Forward
    from tandem.models.settings import LayerSizes
    from tandem.models.tasks import TaskGraph


class Relevance(keras.layers.Layer):
    """Predicts whether two tasks' labels of a row are equal, from the product of the tasks' inputs (eq. 7-8)."""

    def __init__(self, layers: LayerSizes, name: str):
        super().__init__(name=name)
        self._mlp = MLP(layers)
        self._logit = keras.layers.Dense(1)

    def call(self, first: tf.Tensor, second: tf.Tensor) -> tf.Tensor:
        """Maps two [B, H] to log-odds [B]."""
        return tf.squeeze(self._logit(self._mlp(first * second)), axis=1)


class Pico(Objective):
    """Contrasts the towers of pairs of tasks, more strongly where the pair is more relevant to each other.

    For a pair (a, b), with h the output of one tower layer, L2-normalized by default because temperatures near 0.05 ask
    for similarities of bounded size:

      y_rel = 1 where both labels are equal. The paper prints an exclusive-or; its text asks for equality.     eq. 8
      L_rel = binary cross-entropy of sigmoid(MLP(x_a * x_b)) against y_rel                                     eq. 7-9
      tau   = (low - high) * p_rel + high, without gradient                                                     eq. 10
      L_cl  = InfoNCE of h_a against h_b of the batch, with tau of the anchor's row; mean over the batch         eq. 11
      loss  = alpha * L_rel + beta * L_cl                                                                        eq. 12

    The mean replaces the paper's sum, so that beta does not depend on the batch size. Where rows have weights, both
    losses weigh a row as the pair's first task does; as a negative it counts in full.
    """

    Settings = PicoSettings

    def __init__(self, graph: TaskGraph, settings: PicoSettings):
        super().__init__(graph, settings)
        self._relevance = {
            pair: Relevance(settings.relevance_layers, name=f"relevance_{pair[0]}_{pair[1]}")
            for pair in settings.pairs_of(graph)
        }
        # Keras does not look for layers behind keys that are tuples.
        self._relevance_layers = list(self._relevance.values())
        # XLA makes one pass of what is done to every element of the [B, B] matrix; there it pays on every processor.
        self._compiled = {
            pair: tf.function(functools.partial(self._losses_of_pair, relevance), autograph=False, jit_compile=True)
            for pair, relevance in self._relevance.items()
        }

    def losses_of(self, forward: Forward, outcomes: Outcomes) -> dict[str, Loss]:
        """Returns, per pair, `pico_relevance/<a>/<b>` and `pico_contrast/<a>/<b>`."""
        losses = {}
        for pair, relevance in self._relevance.items():
            states = [forward.states.by_task[task] for task in pair]
            hidden = self._hidden(forward, pair)
            first, second = (self.graph.label(task) for task in pair)
            pair_labels = [outcomes.labels[first], outcomes.labels[second]]
            if not relevance.built:
                relevance(*states)  # makes its variables, which a compiled function may not
            of_relevance, of_contrast = self._compiled[pair](
                states, hidden, pair_labels, outcomes.weight(first), of_products()
            )
            name = "/".join(pair)
            losses[f"pico_relevance/{name}"] = Loss(of_relevance, self.settings.alpha)
            losses[f"pico_contrast/{name}"] = Loss(of_contrast, self.settings.beta)
        return losses

    def by_row(self, forward: Forward, outcomes: Outcomes) -> dict[str, tf.Tensor]:
        """Returns, per pair, `temperature/<a>/<b>`: tau of every row, [B]."""
        told = {}
        for pair, relevance in self._relevance.items():
            logits = relevance(*(forward.states.by_task[task] for task in pair))
            equal = tf.cast(tf.equal(*(outcomes.labels[self.graph.label(task)] for task in pair)), logits.dtype)
            told[f"temperature/{'/'.join(pair)}"] = self._temperature(logits, equal)
        return told

    def _hidden(self, forward: Forward, pair: tuple[str, str]) -> list[tf.Tensor]:
        """Returns the two tasks' h, [B, H] each, with gradients for what is trained only."""
        first, second = (forward.tower_layers[task] for task in pair)
        layer, trains = self.settings.tower_layer, self.settings.trains
        if trains == "both":
            return [first[layer], second[layer]]
        if trains == "second_tower":
            second = forward.detached_tower_layers(pair[1])
        return [tf.stop_gradient(first[layer]), second[layer]]

    def _losses_of_pair(
        self,
        relevance: Relevance,
        states: list[tf.Tensor],
        hidden: list[tf.Tensor],
        labels: list[tf.Tensor],
        weights: tf.Tensor | None,
        precision: Precision,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the relevance loss and the contrastive loss of a pair.

        Args:
          relevance: The pair's network.
          states: The two tasks', [B, H].
          hidden: What is contrasted, [B, H].
          labels: The two tasks', [B].
          weights: The rows', as anchors, [B]; None: all alike.
          precision: Of the products.
        """
        if not self.settings.relevance_trains_backbone:
            states = [tf.stop_gradient(x) for x in states]
        logits = relevance(*states)
        equal = tf.cast(tf.equal(*labels), logits.dtype)
        cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=equal, logits=logits)
        if self.settings.normalize:
            # The epsilon keeps the gradient finite where all units of a row are off.
            hidden = [tf.nn.l2_normalize(h, axis=1, epsilon=1e-6) for h in hidden]
        anchors, positives = hidden
        rows = self._contrast(anchors, positives, self._temperature(logits, equal), precision)
        return weighted_mean(cross_entropy, weights), weighted_mean(rows, weights)

    def _contrast(
        self, anchors: tf.Tensor, positives: tf.Tensor, temperature: tf.Tensor, precision: Precision
    ) -> tf.Tensor:
        """Returns the contrastive loss of every row, [B]."""
        settings = self.settings
        if not settings.negatives:
            return alignment(anchors, positives, temperature)
        lowest = settings.fixed_temperature if settings.temperature == "fixed" else settings.temperature_low
        # A product of two vectors of length 1 is 1 at most.
        bounded = settings.normalize and 1 / lowest <= LARGEST_SAFE_LOGIT
        return info_nce(anchors, positives, temperature, 1 / lowest if bounded else None, precision)

    def _temperature(self, relevance_logits: tf.Tensor, equal: tf.Tensor) -> tf.Tensor:
        """Returns tau of every row, [B]; no gradient passes."""
        settings = self.settings
        if settings.temperature == "fixed":
            return tf.fill(tf.shape(relevance_logits), settings.fixed_temperature)
        relevance = tf.sigmoid(relevance_logits)
        if settings.temperature == "statistical":
            relevance = tf.fill(tf.shape(relevance_logits), tf.reduce_mean(equal))
        tau = (settings.temperature_low - settings.temperature_high) * relevance + settings.temperature_high
        return tf.stop_gradient(tau)
