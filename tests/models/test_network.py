import numpy as np
import pytest
import tf_keras as keras

from tandem.models.network import MOST_GIVEN_PARENT
from tandem.models.recipes import RECIPES
from tandem.models.registry import build
from tandem.models.settings import ModelSettings
from tandem.models.tasks import Task, TaskGraph

GRAPH = TaskGraph([Task(name="click"), Task(name="view", given="click"), Task(name="buy", given="view")])


def network_with(logits, layout, batch_of, recipe):
    """A network whose heads answer the same for every row."""
    network = build(ModelSettings(recipe=recipe, tower_layers=(4,)), GRAPH, layout, 40).network
    features, *_ = batch_of(GRAPH, 2)
    network(features)
    for name, logit in logits.items():
        head = network._heads[name]
        head.set_weights([np.zeros((4, 1)), np.array([logit])])
    return {name: float(values[0]) for name, values in network(features).items()}


def logit(p):
    return np.log(p / (1 - p))


def test_heads_given_the_parent_are_multiplied(layout, batch_of):
    answer = network_with({"click": logit(0.5), "view": logit(0.4), "buy": logit(0.1)}, layout, batch_of, "esmm")
    assert answer == {
        "click": pytest.approx(0.5),
        "view_given_click": pytest.approx(0.4),
        "buy_given_view": pytest.approx(0.1, rel=1e-5),
        "click_and_view": pytest.approx(0.2),
        "click_and_view_and_buy": pytest.approx(0.02, rel=1e-5),
    }


def test_joint_heads_are_divided(layout, batch_of):
    answer = network_with({"click": logit(0.5), "view": logit(0.2), "buy": logit(0.02)}, layout, batch_of, "aitm")
    assert answer == {
        "click": pytest.approx(0.5),
        "view_given_click": pytest.approx(0.4, rel=1e-5),
        "buy_given_view": pytest.approx(0.1, rel=1e-5),
        "click_and_view": pytest.approx(0.2, rel=1e-5),
        "click_and_view_and_buy": pytest.approx(0.02, rel=1e-5),
    }


def test_a_joint_head_above_its_parents_counts_as_the_parents(layout, batch_of):
    answer = network_with({"click": logit(0.3), "view": logit(0.6), "buy": logit(0.15)}, layout, batch_of, "aitm")
    assert answer["click_and_view"] == pytest.approx(0.3, rel=1e-5)
    assert answer["view_given_click"] == pytest.approx(MOST_GIVEN_PARENT, rel=1e-7)
    assert answer["view_given_click"] < 1
    # The next step is held against what the step above it counts as: 0.15 / 0.3.
    assert answer["buy_given_view"] == pytest.approx(0.5, rel=1e-5)


def test_a_parent_that_cannot_happen_gives_no_nan(layout, batch_of):
    answer = network_with({"click": -200.0, "view": -200.0, "buy": -200.0}, layout, batch_of, "aitm")
    assert all(np.isfinite(value) for value in answer.values())


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_no_joint_probability_is_above_its_parents(recipe, any_graph, layout, batch_of):
    keras.utils.set_random_seed(1)
    network = build(ModelSettings(recipe=recipe, tower_layers=(8,)), any_graph, layout, 40).network
    features, *_ = batch_of(any_graph, 64)
    network(features)
    random = np.random.default_rng(1)
    network.set_weights([w + random.normal(scale=0.3, size=w.shape) for w in network.get_weights()])
    answers = network(features)
    for task in any_graph:
        if task.given is not None:
            joint, parent = (answers["_and_".join(any_graph.chain(name))].numpy() for name in (task.name, task.given))
            own = answers[any_graph.own_output(task.name).name].numpy()
            assert (joint <= parent).all()
            np.testing.assert_allclose(joint, parent * own, rtol=1e-5)


@pytest.mark.parametrize(
    ("recipe", "train_on", "expected"),
    [
        ("mmoe", "parent_positives", {"click": 0.4, "view": 0.5, "buy": 0.1}),
        ("aitm", "parent_positives", {"click": 0.4, "view": 0.2, "buy": 0.02}),
        ("aitm", "all", {"click": 0.4, "view": 0.5, "buy": 0.1}),
    ],
)
def test_heads_start_at_the_rate_of_what_they_answer(recipe, train_on, expected, layout, batch_of):
    graph = TaskGraph([GRAPH["click"], *(GRAPH[n].model_copy(update={"train_on": train_on}) for n in ("view", "buy"))])
    network = build(ModelSettings(recipe=recipe), graph, layout, 40).network
    network.forward(batch_of(graph, 2)[0])
    network.set_base_rates({"click": 0.4, "view": 0.5, "buy": 0.1})
    rates = {name: 1 / (1 + np.exp(-float(head.bias[0]))) for name, head in network._heads.items()}
    assert rates == {name: pytest.approx(rate, rel=1e-5) for name, rate in expected.items()}
