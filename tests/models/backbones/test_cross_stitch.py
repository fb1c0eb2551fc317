import numpy as np
import pytest
import tensorflow as tf

from tandem.models.backbones.cross_stitch import CrossStitch, CrossStitchUnit
from tandem.models.backbones.single_dnn import SingleDNN
from tandem.models.tasks import Task, TaskGraph

GRAPH = TaskGraph([Task(name="a"), Task(name="b"), Task(name="c")])
X = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)


def cross_stitch(**settings):
    backbone = CrossStitch(GRAPH, CrossStitch.Settings(layers=(6, 4), **settings))
    backbone(tf.constant(X))
    return backbone


def networks_of(backbone):
    """The tasks' layers without the units."""
    return [w.numpy() for layer in (backbone._first, *backbone._rest) for w in layer.weights]


def test_at_identity_it_is_separate_networks():
    stitched = cross_stitch(alpha_same=1.0, alpha_different=0.0)
    separate = SingleDNN(GRAPH, SingleDNN.Settings(layers=(6, 4)))
    separate(tf.constant(X))
    separate.set_weights(networks_of(stitched))
    expected, states = separate(tf.constant(X)).by_task, stitched(tf.constant(X)).by_task
    for task in GRAPH.names:
        np.testing.assert_allclose(states[task], expected[task], rtol=1e-4, atol=1e-6)


def test_equals_the_formula_in_numpy():
    backbone = cross_stitch()
    random = np.random.default_rng(2)
    alphas = random.normal(size=(2, 3, 3)).astype(np.float32)
    for unit, alpha in zip(backbone._units, alphas, strict=True):
        unit.set_weights([alpha])
    first, _, second, _ = networks_of(backbone)  # Biases start at 0.
    hidden = [np.maximum(X @ first[:, 6 * t : 6 * t + 6], 0) for t in range(3)]
    hidden = [sum(alphas[0][t, s] * hidden[s] for s in range(3)) for t in range(3)]
    hidden = [np.maximum(hidden[t] @ second[t], 0) for t in range(3)]
    expected = [sum(alphas[1][t, s] * hidden[s] for s in range(3)) for t in range(3)]
    states = backbone(tf.constant(X)).by_task
    for index, task in enumerate(GRAPH.names):
        np.testing.assert_allclose(states[task], expected[index], rtol=1e-4, atol=1e-5)


def test_a_unit_starts_near_the_identity_whatever_the_number_of_tasks():
    unit = CrossStitchUnit(same=0.9, different=0.1)
    # Two tasks, one row, one unit of hidden layer: 0.9 * 1 + 0.1 * 3 and 0.1 * 1 + 0.9 * 3.
    np.testing.assert_allclose(unit(tf.constant([[[1.0]], [[3.0]]])), [[[1.2]], [[2.8]]], rtol=1e-6)
    alpha = cross_stitch()._units[0].weights[0].numpy()
    np.testing.assert_allclose(alpha, [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]], rtol=1e-6)


def test_mixed_evenly_all_tasks_read_the_same():
    backbone = cross_stitch(alpha_same=1 / 3, alpha_different=2 / 3)
    states = backbone(tf.constant(X)).by_task
    np.testing.assert_allclose(states["a"], states["b"], rtol=1e-5)
    np.testing.assert_allclose(states["a"], states["c"], rtol=1e-5)
    assert np.abs(states["a"]).max() > 0


@pytest.mark.parametrize("layers", [(4,), (4, 4, 4)])
def test_there_is_a_unit_after_every_layer(layers):
    backbone = CrossStitch(GRAPH, CrossStitch.Settings(layers=layers))
    backbone(tf.constant(X))
    assert [tuple(unit.weights[0].shape) for unit in backbone._units] == [(3, 3)] * len(layers)
