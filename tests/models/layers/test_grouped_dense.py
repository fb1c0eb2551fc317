import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tandem.models.layers.experts import Experts
from tandem.models.layers.grouped_dense import GroupedDense

X = np.random.default_rng(1).normal(size=(3, 5, 4)).astype(np.float32)


def test_every_group_has_a_dense_layer_of_its_own():
    layer = GroupedDense(2, activation="relu")
    answer = layer(tf.constant(X)).numpy()
    kernel, bias = (w.numpy() for w in layer.weights)
    bias += np.arange(6).reshape(3, 1, 2)
    layer.set_weights([kernel, bias])
    answer = layer(tf.constant(X)).numpy()
    for group in range(3):
        expected = np.maximum(X[group] @ kernel[group] + bias[group], 0)
        np.testing.assert_allclose(answer[group], expected, rtol=1e-4, atol=1e-6)


def test_kernels_stored_together_start_as_wide_as_alone():
    together, alone = GroupedDense(40), keras.layers.Dense(40)
    together(tf.zeros([8, 1, 60]))
    alone(tf.zeros([1, 60]))
    limit = np.sqrt(6 / (60 + 40))
    for kernel in (together.weights[0].numpy(), alone.kernel.numpy()):
        assert kernel.max() == pytest.approx(limit, rel=0.01)
        assert kernel.min() == pytest.approx(-limit, rel=0.01)
    experts = Experts(8, (40,))
    experts(tf.zeros([1, 60]))
    assert experts.weights[0].numpy().max() == pytest.approx(limit, rel=0.01)


@pytest.mark.parametrize("sizes", [(4,), (4, 6)])
def test_experts_may_have_an_input_each(sizes):
    experts = Experts(3, sizes)
    answer = experts(tf.constant(X)).numpy()
    for e in range(3):
        expected = np.maximum(X[e] @ experts.weights[0].numpy()[e], 0)  # Biases start at 0.
        if len(sizes) == 2:
            expected = np.maximum(expected @ experts.weights[2].numpy()[e], 0)
        np.testing.assert_allclose(answer[:, e], expected, rtol=1e-4, atol=1e-6)


def test_a_wrong_number_of_inputs_is_refused():
    with pytest.raises(ValueError, match="5 experts need one input for all or one for each, got 3 inputs"):
        Experts(5, (4,))(tf.constant(X))
