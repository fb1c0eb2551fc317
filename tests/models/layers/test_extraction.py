import numpy as np
import tensorflow as tf

from tandem.models.layers.extraction import all_experts_gates


def test_gates_spread_over_all_experts():
    gates = tf.constant([[[0.1, 0.2, 0.7], [0.3, 0.4, 0.3]]])  # Two shared experts and one of each task.
    np.testing.assert_allclose(all_experts_gates(gates, 2), [[[0.1, 0.2, 0.7, 0], [0.3, 0.4, 0, 0.3]]], rtol=1e-6)
    np.testing.assert_allclose(all_experts_gates(gates, 1), [[[0.1, 0.2, 0.7, 0, 0], [0.3, 0, 0, 0.4, 0.3]]], rtol=1e-6)
