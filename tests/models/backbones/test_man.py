import numpy as np
import pytest
import tensorflow as tf

from tandem.models.backbones.man import MAN, TaskAttention, adjacent
from tandem.models.backbones.ple import PLE
from tandem.models.tasks import Task, TaskGraph

# A chain, a sibling in it, and a stranger.
GRAPH = TaskGraph(
    [Task(name="a"), Task(name="b", given="a"), Task(name="c", given="a"), Task(name="d", given="b"), Task(name="e")]
)
NEIGHBOURS = {"a": "bc", "b": "ad", "c": "a", "d": "b", "e": ""}
X = np.random.default_rng(1).normal(size=(6, 7)).astype(np.float32)


def man(**settings):
    backbone = MAN(GRAPH, MAN.Settings(**{"shared_experts": 2, "task_experts": 1, "expert_layers": (5, 4), **settings}))
    backbone(tf.constant(X))
    random = np.random.default_rng(3)
    backbone.set_weights([w + random.normal(scale=0.3, size=w.shape) for w in backbone.get_weights()])
    return backbone


def test_the_defaults_are_the_papers():
    assert MAN.Settings().model_dump() == {
        "shared_experts": 4,
        "task_experts": 4,
        "expert_layers": (256, 128),
        "attention": True,
    }


def test_without_attention_it_is_one_level_of_ple():
    backbone = man(attention=False)
    ple = PLE(GRAPH, PLE.Settings(levels=1, shared_experts=2, task_experts=1, expert_layers=(5, 4)))
    ple(tf.constant(X))
    ple.set_weights(backbone.get_weights())
    answer, expected = backbone(tf.constant(X)), ple(tf.constant(X))
    assert set(answer.aux) == set(expected.aux)
    assert set(answer.aux) == {f"{kind}/{task}" for kind in ("gate", "gate_groups") for task in GRAPH.names}
    for task in GRAPH.names:
        np.testing.assert_array_equal(answer.by_task[task], expected.by_task[task])
        np.testing.assert_array_equal(answer.aux[f"gate/{task}"], expected.aux[f"gate/{task}"])


def test_tasks_attend_to_their_neighbours_and_themselves():
    """The formula in numpy, one row and one task after the other, above the experts of a PLE."""
    backbone = man()
    kernel, bias = backbone._attention.get_weights()
    below = MAN(GRAPH, MAN.Settings(shared_experts=2, task_experts=1, expert_layers=(5, 4), attention=False))
    below(tf.constant(X))
    below.set_weights(backbone._extraction.get_weights())
    x = {task: state.numpy() for task, state in below(tf.constant(X)).by_task.items()}
    maps = {task: np.split(x[task] @ kernel[t] + bias[t], 3, axis=1) for t, task in enumerate(GRAPH.names)}

    answer = backbone(tf.constant(X))
    for task in GRAPH.names:
        seen = [task, *NEIGHBOURS[task]]
        for row in range(len(X)):
            query = maps[task][0][row]
            scores = np.exp([query @ maps[other][1][row] / 2 for other in seen])  # 2 = sqrt(4)
            weights = dict(zip(seen, scores / scores.sum(), strict=True))
            expected = [weights.get(other, 0) for other in GRAPH.names]
            np.testing.assert_allclose(answer.aux[f"attention/{task}"][row], expected, rtol=1e-4)
            state = sum(weight * maps[other][2][row] for other, weight in weights.items())
            np.testing.assert_allclose(answer.by_task[task][row], state, rtol=1e-3, atol=1e-5)


def test_attention_worked_by_hand():
    attention = TaskAttention(np.array([[True, True], [True, True]]))
    states = [tf.constant([[2.0]]), tf.constant([[1.0]])]
    attention(states)
    # Queries, keys and values of the first task: 2, 0, 6; of the second: 1, log(3), 2.
    kernel, bias = [[[1, 0, 3]], [[1, 0, 1]]], [[[0, 0, 0]], [[0, np.log(3), 1]]]
    attention.set_weights([np.array(kernel, np.float32), np.array(bias, np.float32)])
    mixed, weights = attention(states)
    # Scores: 0 and 2 log(3), so 1 to 9; 0 and log(3), so 1 to 3.
    np.testing.assert_allclose(weights, [[[0.1, 0.9], [0.25, 0.75]]], rtol=1e-5)
    np.testing.assert_allclose(mixed, [[[0.1 * 6 + 0.9 * 2], [0.25 * 6 + 0.75 * 2]]], rtol=1e-5)


def test_neighbours_are_mutual_and_siblings_are_none():
    assert {
        task: "".join(name for name, sees in zip(GRAPH.names, row, strict=True) if sees and name != task)
        for task, row in zip(GRAPH.names, adjacent(GRAPH), strict=True)
    } == NEIGHBOURS
    assert adjacent(GRAPH).diagonal().all()


def test_information_reaches_neighbours_only():
    backbone = man(shared_experts=0)
    for task in GRAPH.names:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(backbone(tf.constant(X)).by_task[task] ** 2)
        second = tape.gradient(loss, backbone._extraction._experts[0].weights[2]).numpy()  # [T, H, H]
        reached = {name for name, part in zip(GRAPH.names, second, strict=True) if np.abs(part).max() > 0}
        assert reached == {task, *NEIGHBOURS[task]}


def test_a_stranger_passes_through_its_value():
    weights = man()(tf.constant(X)).aux["attention/e"]
    np.testing.assert_array_equal(weights, [[float(task == "e") for task in GRAPH.names]] * len(X))


def test_the_upper_part_is_the_attention():
    backbone = man()
    assert [v.ref() for v in backbone.upper_variables] == [v.ref() for v in backbone._attention.weights]
    assert man(attention=False).upper_variables == []


@pytest.mark.parametrize("settings", [{"task_experts": 0}, {"shared_experts": -1}, {"expert_layers": ()}])
def test_sizes_are_checked(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        MAN.Settings(**settings)
