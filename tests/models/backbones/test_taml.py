from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tandem.models import recipes, registry
from tandem.models.backbones.ple import PLE
from tandem.models.backbones.taml import TAML, gates_of_all
from tandem.models.settings import ModelSettings
from tandem.models.tasks import Task, TaskGraph

GRAPH = TaskGraph([Task(name="a"), Task(name="b", given="a")])
X = np.random.default_rng(1).normal(size=(5, 7)).astype(np.float32)


def taml(graph=GRAPH, **settings):
    backbone = TAML(graph, TAML.Settings(**{"expert_layers": (4,), **settings}))
    backbone(tf.constant(X))
    random = np.random.default_rng(3)
    backbone.set_weights([w + random.normal(scale=0.3, size=w.shape) for w in backbone.get_weights()])
    return backbone


def softmax(scores):
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def test_every_learner_weighs_the_experts_it_may_read_as_in_numpy():
    """Two tasks, two learners each; the experts: 2 general, 1 of a, 1 of b, 2 of each of a1, a2, b1, b2."""
    backbone = taml(general_experts=2, task_experts=1, learner_experts=2, learners=2)
    kernel, bias = backbone._experts.get_weights()
    experts = np.maximum(X @ kernel + bias, 0).reshape(5, 12, 4)
    kernel, bias = backbone._gates.get_weights()
    scores = (X @ kernel + bias).reshape(5, 4, 5)
    read_by = [
        ("a", 0, [0, 1, 2, 4, 5]),
        ("a", 1, [0, 1, 2, 6, 7]),
        ("b", 0, [0, 1, 3, 8, 9]),
        ("b", 1, [0, 1, 3, 10, 11]),
    ]
    answer = backbone(tf.constant(X))
    groups = {"a": [], "b": []}
    for index, (task, learner, read) in enumerate(read_by):
        gate = softmax(scores[:, index])
        expected = sum(gate[:, i, None] * experts[:, expert] for i, expert in enumerate(read))
        np.testing.assert_allclose(answer.by_learner[task][learner], expected, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(answer.aux[f"gate/{task}"][:, learner], gate, rtol=1e-4)
        groups[task].append(np.stack([gate[:, :2].sum(1), gate[:, 2], gate[:, 3:].sum(1)], axis=1))
    for task in GRAPH.names:
        np.testing.assert_allclose(answer.aux[f"gate_groups/{task}"], np.mean(groups[task], axis=0), rtol=1e-4)
        mean = (answer.by_learner[task][0] + answer.by_learner[task][1]) / 2
        np.testing.assert_allclose(answer.by_task[task], mean, rtol=1e-5)


def test_gates_spread_over_the_experts_of_all_owners():
    general, of_task = tf.constant([[[0.2], [0.4]]]), tf.constant([[[0.5, 0.3], [0.1, 0.5]]])
    spread = gates_of_all([general, of_task], [np.ones((2, 1)), np.eye(2)])
    np.testing.assert_allclose(spread, [[[0.2, 0.5, 0.3, 0, 0], [0.4, 0, 0, 0.1, 0.5]]], rtol=1e-6)


def test_one_learner_without_experts_of_its_own_is_ple_of_one_level_over_all_impressions(
    any_graph, layout, batch_of, monkeypatch
):
    """The whole system, losses included; with one learner there is nobody to distil into."""
    monkeypatch.setitem(
        recipes.RECIPES, "ple_entire_space", replace(recipes.SYSTEMS["ple"], task_loss=recipes.ENTIRE_SPACE_LOSS)
    )
    sizes = {"general_experts": 2, "task_experts": 1, "expert_layers": (6, 5)}
    as_ple = {"levels": 1, "shared_experts": 2, "task_experts": 1, "expert_layers": (6, 5)}
    batch = batch_of(any_graph, 32)
    systems = []
    for recipe, backbone in (("taml", {**sizes, "learners": 1, "learner_experts": 0}), ("ple_entire_space", as_ple)):
        keras.utils.set_random_seed(1)
        systems.append(
            registry.build(ModelSettings(recipe=recipe, tower_layers=(4,), backbone=backbone), any_graph, layout, 40)
        )
        systems[-1].compute_loss(batch)
    one, ple = systems
    random = np.random.default_rng(1)
    weights = [w + random.normal(scale=0.3, size=w.shape) for w in one.network.get_weights()]
    for system in systems:
        system.network.set_weights(weights)
    losses, expected = (system.losses_of(batch, training=False) for system in systems)
    assert set(losses) == set(expected)
    for name, loss in expected.items():
        assert float(losses[name].value) == pytest.approx(float(loss.value), rel=1e-5)
    answers = one.network(batch[0])
    for name, values in ple.network(batch[0]).items():
        np.testing.assert_allclose(answers[name], values, rtol=1e-5)
    assert one.network.count_params() == ple.network.count_params()


def test_a_learners_expert_serves_this_learner_alone():
    backbone = taml(general_experts=1, task_experts=1, learner_experts=1, learners=2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(backbone(tf.constant(X)).by_learner["b"][0] ** 2)
    gradient = np.abs(tape.gradient(loss, backbone._experts.weights[0]).numpy()).reshape(7, 7, 4).max(axis=(0, 2))
    # General, of a, of b, of a's learners, of b's.
    assert (gradient > 0).tolist() == [True, False, True, False, False, True, False]


@pytest.mark.parametrize("absent", ["general_experts", "task_experts", "learner_experts"])
def test_any_group_of_experts_may_be_left_out(absent):
    answer = taml(learners=3, **{absent: 0})(tf.constant(X))
    for task in GRAPH.names:
        assert [state.shape for state in answer.by_learner[task]] == [(5, 4)] * 3
        groups = answer.aux[f"gate_groups/{task}"].numpy()
        np.testing.assert_allclose(groups.sum(axis=1), 1, rtol=1e-5)
        position = ["general_experts", "task_experts", "learner_experts"].index(absent)
        assert (groups[:, position] == 0).all()


def test_a_tasks_logit_and_layers_are_the_mean_of_its_learners(layout, graph, batch_of):
    keras.utils.set_random_seed(1)
    settings = ModelSettings(recipe="taml", tower_layers=(6, 3), backbone={"learners": 3})
    network = registry.build(settings, graph, layout, 40).network
    features, *_ = batch_of(graph, 9)
    forward = network.forward(features)
    for task in graph.names:
        towers = [network._towers[f"{task}_{learner}"] for learner in range(3)]
        states = forward.states.by_learner[task]
        hidden = [tower.hidden(state) for tower, state in zip(towers, states, strict=True)]
        logits = [network._heads[f"{task}_{learner}"](hidden[learner][-1])[:, 0] for learner in range(3)]
        np.testing.assert_allclose(forward.learner_logits[task], np.stack(logits, axis=1), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(forward.logits[task], np.mean(logits, axis=0), rtol=1e-4, atol=1e-7)
        for layer in range(2):
            mean = np.mean([hidden[learner][layer] for learner in range(3)], axis=0)
            np.testing.assert_allclose(forward.tower_layers[task][layer], mean, rtol=1e-4, atol=1e-7)


def test_every_learner_starts_at_the_base_rate(layout, graph, batch_of):
    network = registry.build(ModelSettings(recipe="taml"), graph, layout, 40).network
    network.forward(batch_of(graph, 2)[0])
    network.set_base_rates({"click": 0.2, "view": 0.5})
    biases = {name: float(head.bias[0]) for name, head in network._heads.items()}
    assert biases == {
        "click_0": pytest.approx(np.log(0.25)),
        "click_1": pytest.approx(np.log(0.25)),
        "view_0": pytest.approx(0, abs=1e-6),
        "view_1": pytest.approx(0, abs=1e-6),
    }


def test_one_level_of_ple_has_the_same_number_of_weights():
    one = taml(general_experts=2, task_experts=1, learner_experts=0, learners=1)
    ple = PLE(GRAPH, PLE.Settings(levels=1, shared_experts=2, task_experts=1, expert_layers=(4,)))
    ple(tf.constant(X))
    assert [w.shape for w in one.weights] == [w.shape for w in ple.weights]


def test_a_learner_needs_an_expert():
    with pytest.raises(ValueError, match="general_experts, task_experts and learner_experts are all 0"):
        TAML.Settings(general_experts=0, task_experts=0, learner_experts=0)
