import numpy as np
import pytest
import tensorflow as tf

from tandem.models.backbones.mmoe import MMoE
from tandem.models.backbones.ple import PLE
from tandem.models.tasks import Task, TaskGraph

GRAPH = TaskGraph([Task(name="a"), Task(name="b", given="a")])
X = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)


def ple(graph=GRAPH, **settings):
    backbone = PLE(graph, PLE.Settings(expert_layers=(4,), **settings))
    backbone(tf.constant(X))
    random = np.random.default_rng(3)
    backbone.set_weights([w + random.normal(scale=0.3, size=w.shape) for w in backbone.get_weights()])
    return backbone


def dense(x, kernel, bias):
    return x @ kernel + bias


def softmax(scores):
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def weighed(gate, experts):
    return sum(gate[:, e, None] * expert for e, expert in enumerate(experts))


def experts_of(x, kernel, bias, count):
    return [np.maximum(dense(x, kernel, bias)[:, 4 * e : 4 * e + 4], 0) for e in range(count)]


def test_two_levels_equal_the_formulas_in_numpy():
    """Two shared experts, one per task and level; every gate and expert is weighed one by one here."""
    backbone = ple(levels=2, shared_experts=2, task_experts=1)
    below, above = backbone._levels

    # Below, one layer holds the experts: shared, shared, of a, of b.
    experts = experts_of(X, *below._experts[0].get_weights(), count=4)
    seen_by = {"a": [experts[0], experts[1], experts[2]], "b": [experts[0], experts[1], experts[3]]}
    scores = dense(X, *below._gates[0].get_weights())
    gates = {"a": softmax(scores[:, :3]), "b": softmax(scores[:, 3:])}
    states = {task: weighed(gates[task], seen_by[task]) for task in GRAPH.names}
    shared = weighed(softmax(dense(X, *below._shared_gate.get_weights())), experts)

    # Above, the shared experts read the shared part, a task's expert and its gate the task's.
    shared_experts = experts_of(shared, *above._experts[0].get_weights(), count=2)
    answer = backbone(tf.constant(X))
    for index, task in enumerate(GRAPH.names):
        own = experts_of(states[task], *above._experts[index + 1].get_weights(), count=1)
        gate = softmax(dense(states[task], *above._gates[index].get_weights()))
        np.testing.assert_allclose(answer.aux[f"gate/{task}"], gate, rtol=1e-4)
        groups = np.stack([gate[:, :2].sum(axis=1), gate[:, 2]], axis=1)  # the shared experts', the task's
        np.testing.assert_allclose(answer.aux[f"gate_groups/{task}"], groups, rtol=1e-4)
        expected = weighed(gate, [*shared_experts, *own])
        np.testing.assert_allclose(answer.by_task[task], expected, rtol=1e-3, atol=1e-5)
    assert above._shared_gate is None


def test_one_level_without_task_experts_is_mmoe():
    one = ple(levels=1, shared_experts=3, task_experts=0)
    mmoe = MMoE(GRAPH, MMoE.Settings(experts=3, expert_layers=(4,)))
    mmoe(tf.constant(X))
    mmoe.set_weights(one.get_weights())
    expected, states = mmoe(tf.constant(X)), one(tf.constant(X))
    for task in GRAPH.names:
        np.testing.assert_allclose(states.by_task[task], expected.by_task[task], rtol=1e-5)
        np.testing.assert_allclose(states.aux[f"gate/{task}"], expected.aux[f"gate/{task}"], rtol=1e-6)


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_without_shared_experts_the_tasks_are_strangers(levels):
    backbone = ple(levels=levels, shared_experts=0, task_experts=2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(backbone(tf.constant(X)).by_task["a"] ** 2)
    below, *above = backbone._levels
    of_a = [layer for level in above for layer in (level._experts[1], level._gates[0])]
    of_b = [layer for level in above for layer in (level._experts[2], level._gates[1])]
    below, a, b = tape.gradient(
        loss,
        [below.weights, *([weight for layer in part for weight in layer.weights] for part in (of_a, of_b))],
        unconnected_gradients="zero",
    )
    # The columns of the first level's variables are the first task's, then the second's.
    halves = [np.split(gradient.numpy(), 2, axis=-1) for gradient in below]
    assert all(np.abs(own).max() > 0 for own in [*(own for own, _ in halves), *a])
    assert all(np.abs(other).max() == 0 for other in [*(other for _, other in halves), *b])
    assert len(a) == len(b) == 4 * (levels - 1)


@pytest.mark.parametrize(("levels", "shared_experts", "task_experts"), [(3, 1, 2), (2, 2, 0), (4, 1, 1)])
def test_every_weight_of_any_depth_reaches_the_states(levels, shared_experts, task_experts):
    graph = TaskGraph([*GRAPH, Task(name="c", given="a")])
    backbone = ple(graph, levels=levels, shared_experts=shared_experts, task_experts=task_experts)
    with tf.GradientTape() as tape:
        states = backbone(tf.constant(X)).by_task
        loss = tf.add_n([tf.reduce_sum(state**2) for state in states.values()])
    assert {state.shape[1] for state in states.values()} == {4}
    assert None not in tape.gradient(loss, backbone.weights)


def test_with_one_shared_expert_all_tasks_read_the_same():
    states = ple(levels=3, shared_experts=1, task_experts=0)(tf.constant(X)).by_task
    np.testing.assert_allclose(states["a"], states["b"], rtol=1e-6)


def test_a_task_needs_an_expert():
    with pytest.raises(ValueError, match="shared_experts and task_experts are both 0"):
        PLE.Settings(shared_experts=0, task_experts=0)
