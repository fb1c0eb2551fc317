"""Dense layers one after another, with every hidden output kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tf_keras as keras

from tandem.models.layers.dropout import Dropout

if TYPE_CHECKING:
    from collections.abc import Sequence

    import tensorflow as tf


class MLP(keras.layers.Layer):
    """ReLU layers, each followed by dropout in training.

    Args:
      sizes: Units of each layer.
      dropout: Share of a layer's outputs set to 0 in training.
    """

    def __init__(self, sizes: Sequence[int], dropout: float = 0.0, name: str | None = None):
        super().__init__(name=name)
        self._dense = [keras.layers.Dense(size, activation="relu") for size in sizes]
        self._dropout = Dropout(dropout) if dropout else None

    def hidden(self, x: tf.Tensor, training: bool = False) -> list[tf.Tensor]:
        """Returns the output of every layer, [B, size] each."""
        outputs = []
        for dense in self._dense:
            x = dense(x)
            if self._dropout is not None:
                x = self._dropout(x, training=training)
            outputs.append(x)
        return outputs

    def call(self, x: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Maps [B, D] to the last layer's output, [B, sizes[-1]]."""
        return self.hidden(x, training)[-1]
