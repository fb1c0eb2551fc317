import numpy as np
import pytest
import tensorflow as tf

from tandem.models.backbones.aitm import AITM, Transfer
from tandem.models.backbones.single_dnn import SingleDNN
from tandem.models.tasks import Task, TaskGraph

# A chain, and a sibling in it.
GRAPH = TaskGraph(
    [Task(name="a"), Task(name="b", given="a"), Task(name="c", given="a"), Task(name="d", given="b"), Task(name="e")]
)
X = np.random.default_rng(1).normal(size=(6, 7)).astype(np.float32)


@pytest.fixture
def aitm():
    backbone = AITM(GRAPH, AITM.Settings(layers=(5, 4)))
    backbone(tf.constant(X))
    random = np.random.default_rng(3)
    backbone.set_weights([w + random.normal(scale=0.3, size=w.shape) for w in backbone.get_weights()])
    return backbone


def transferred(p, q, maps):
    """The attention, one row and one vector after the other."""
    value, query, key = np.split(maps, 3, axis=1)
    states, weights = [], []
    for row in zip(p, q, strict=True):
        scores = np.exp([(u @ query) @ (u @ key) / np.sqrt(len(u)) for u in row])
        weights.append(scores / scores.sum())
        states.append(sum(w * (u @ value) for w, u in zip(weights[-1], row, strict=True)))
    return np.array(states), np.array(weights)


def test_every_task_reads_from_the_one_it_is_given(aitm):
    answer = aitm(tf.constant(X))
    networks = SingleDNN(GRAPH, SingleDNN.Settings(layers=(5, 4)))
    networks(tf.constant(X))
    networks.set_weights(aitm._networks.get_weights())
    q = {name: state.numpy() for name, state in networks(tf.constant(X)).by_task.items()}

    z = {"a": q["a"], "e": q["e"]}
    for child, parent in (("b", "a"), ("c", "a"), ("d", "b")):
        kernel, bias = aitm._info[parent].get_weights()
        p = np.maximum(z[parent] @ kernel + bias, 0)
        z[child], weights = transferred(p, q[child], aitm._transfer[child].get_weights()[0])
        np.testing.assert_allclose(answer.aux[f"transfer/{child}"], weights, rtol=1e-4)
    assert set(aitm._info) == {"a", "b"}
    for task in GRAPH.names:
        np.testing.assert_allclose(answer.by_task[task], z[task], rtol=1e-3, atol=1e-5)


def test_attention_worked_by_hand():
    transfer = Transfer()
    p, q = tf.constant([[2.0]]), tf.constant([[0.0]])
    transfer((p, q))
    transfer.set_weights([np.array([[3.0, 1.0, np.log(3) / 4]], np.float32)])
    # Scores: query * key = 2 * 2 log(3) / 4 = log 3, and 0; weights 3/4 and 1/4; values 6 and 0.
    state, weights = transfer((p, q))
    np.testing.assert_allclose(weights, [[0.75, 0.25]], rtol=1e-5)
    np.testing.assert_allclose(state, [[4.5]], rtol=1e-5)


def test_what_is_equal_is_transferred_unchanged():
    """With p = q both weights are a half and the state is the value of q."""
    transfer = Transfer()
    q = tf.constant(X)
    state, weights = transfer((q, q))
    np.testing.assert_allclose(weights, np.full((6, 2), 0.5), rtol=1e-6)
    np.testing.assert_allclose(state, X @ transfer.get_weights()[0][:, :7], rtol=1e-3, atol=1e-5)


def test_information_flows_down_the_funnel_only(aitm):
    def reached(task):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(aitm(tf.constant(X)).by_task[task] ** 2)
        second = tape.gradient(loss, aitm._networks.weights[2]).numpy()  # [T, H, H]
        return {name for name, gradient in zip(GRAPH.names, second, strict=True) if np.abs(gradient).max() > 0}

    assert reached("a") == {"a"}
    assert reached("c") == {"a", "c"}
    assert reached("d") == {"a", "b", "d"}
    assert reached("e") == {"e"}
