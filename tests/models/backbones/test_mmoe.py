import numpy as np
import tensorflow as tf

from tandem.models.backbones.mmoe import MMoE
from tandem.models.layers.experts import Experts
from tandem.models.tasks import Task, TaskGraph

GRAPH = TaskGraph([Task(name="a"), Task(name="b")])
X = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)


def test_equals_experts_weighed_by_softmax_gates_in_numpy():
    backbone = MMoE(GRAPH, MMoE.Settings(experts=3, expert_layers=(4,)))
    states = backbone(tf.constant(X))
    kernel, bias = (w.numpy() for w in backbone._experts._first.weights)
    experts = np.maximum(X @ kernel + bias, 0).reshape(5, 3, 4)
    gate_kernel, gate_bias = (w.numpy() for w in backbone._gates.weights)
    scores = (X @ gate_kernel + gate_bias).reshape(5, 2, 3)
    gates = np.exp(scores) / np.exp(scores).sum(axis=2, keepdims=True)
    for index, task in enumerate(("a", "b")):
        expected = sum(gates[:, index, e, None] * experts[:, e] for e in range(3))
        np.testing.assert_allclose(states.by_task[task], expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(states.aux[f"gate/{task}"], gates[:, index], rtol=1e-5)


def test_with_one_expert_all_tasks_read_the_same():
    states = MMoE(GRAPH, MMoE.Settings(experts=1))(tf.constant(X))
    np.testing.assert_array_equal(states.by_task["a"], states.by_task["b"])


def test_experts_of_two_layers_equal_separate_networks():
    experts = Experts(2, (4, 3))
    together = experts(tf.constant(X)).numpy()
    kernel, bias = (w.numpy() for w in experts._first.weights)
    second, second_bias = (w.numpy() for w in experts._rest[0].weights)
    for e in range(2):
        hidden = np.maximum(X @ kernel[:, 4 * e : 4 * e + 4] + bias[4 * e : 4 * e + 4], 0)
        np.testing.assert_allclose(
            together[:, e], np.maximum(hidden @ second[e] + second_bias[e], 0), rtol=1e-4, atol=1e-6
        )
