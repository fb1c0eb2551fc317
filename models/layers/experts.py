"""Experts: networks of the same shape, computed together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf
import tf_keras as keras

from tandem.models.layers.grouped_dense import GroupedDense, glorot_uniform

if TYPE_CHECKING:
    from collections.abc import Sequence


class Experts(keras.layers.Layer):
    """Expert MLPs with ReLU layers; each layer of all of them is one matrix product.

    Args:
      count: Number of experts, E.
      sizes: Units of each layer of an expert.
    """

    def __init__(self, count: int, sizes: Sequence[int], name: str | None = None):
        super().__init__(name=name)
        self._count = count
        self._sizes = tuple(sizes)

    def build(self, input_shape: tf.TensorShape) -> None:
        """Makes the layers; the first is one wide kernel where all experts read the same."""
        shape = tf.TensorShape(input_shape).as_list()
        if len(shape) == 2:
            self._first: keras.layers.Layer = keras.layers.Dense(
                self._count * self._sizes[0],
                activation="relu",
                kernel_initializer=glorot_uniform(shape[-1], self._sizes[0]),
            )
        elif shape[0] == self._count:
            self._first = GroupedDense(self._sizes[0], activation="relu")
        else:
            raise ValueError(f"{self._count} experts need one input for all or one for each, got {shape[0]} inputs")
        self._rest = [GroupedDense(size, activation="relu") for size in self._sizes[1:]]
        super().build(input_shape)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Maps the input to every expert's output.

        Args:
          x: [B, D], which all experts read; or [E, B, D], an input for each.

        Returns:
          [B, E, sizes[-1]].
        """
        hidden = self._first(x)
        if x.shape.rank == 2:
            hidden = tf.reshape(hidden, [-1, self._count, self._sizes[0]])  # [B, E, H]
            if not self._rest:
                return hidden
            hidden = tf.transpose(hidden, [1, 0, 2])
        for layer in self._rest:
            hidden = layer(hidden)  # [E, B, H]
        return tf.transpose(hidden, [1, 0, 2])


def mix(experts: tf.Tensor, gate: tf.Tensor) -> tf.Tensor:
    """Weighs experts by gates.

    Args:
      experts: [B, E, H].
      gate: [B, T, E], each row of weights summing to 1.

    Returns:
      [B, T, H].
    """
    return tf.matmul(gate, experts)
