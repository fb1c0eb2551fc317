import re

import numpy as np
import pytest
import tensorflow as tf

from tandem.models.backbones.backbone import States
from tandem.models.network import Forward
from tandem.models.objectives.objective import Outcomes
from tandem.models.objectives.pico import Pico
from tandem.models.tasks import Task, TaskGraph

ROWS = 6
GRAPH = TaskGraph([Task(name="click"), Task(name="buy", given="click")])
LABELS = {"click": tf.constant([1.0, 1, 1, 0, 0, 0]), "buy": tf.constant([1.0, 1, 0, 0, 0, 0])}
OUTCOMES = Outcomes(LABELS)


@pytest.fixture
def tensors():
    random = np.random.default_rng(0)
    return {name: tf.Variable(random.normal(size=(ROWS, 4)).astype(np.float32)) for name in ("x0", "x1", "h0", "h1")}


def forward_of(tensors):
    deeper = {name: 2 * tensors[name] for name in ("h0", "h1")}
    return Forward(
        embedded=tensors["x0"],
        states=States({"click": tensors["x0"], "buy": tensors["x1"]}, {}),
        tower_layers={"click": [tensors["h0"], deeper["h0"]], "buy": [tensors["h1"], deeper["h1"]]},
        logits={},
    )


def pico(**settings):
    return Pico(GRAPH, Pico.Settings(**settings))


def values(objective, tensors):
    return {name: float(loss.value) for name, loss in objective.losses_of(forward_of(tensors), OUTCOMES).items()}


def normalized(h):
    return h / np.sqrt((h**2).sum(axis=1, keepdims=True))


def expected_contrast(h0, h1, tau):
    logits = h0 @ h1.T / tau[:, None]
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - np.diag(logits)))


def test_the_whole_objective_equals_the_formulas_in_numpy(tensors):
    objective = pico()
    losses = objective.losses_of(forward_of(tensors), OUTCOMES)
    relevance = objective._relevance["click", "buy"]
    logits = relevance(tensors["x0"], tensors["x1"]).numpy()
    p = 1 / (1 + np.exp(-logits))
    y = np.array([1, 1, 0, 1, 1, 1])  # labels are equal: both 1, both 1, only a click, then none
    assert float(losses["pico_relevance/click/buy"].value) == pytest.approx(
        float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))), rel=1e-5
    )
    tau = (0.05 - 1) * p + 1
    h0, h1 = normalized(tensors["h0"].numpy()), normalized(tensors["h1"].numpy())
    assert float(losses["pico_contrast/click/buy"].value) == pytest.approx(expected_contrast(h0, h1, tau), rel=1e-4)
    assert losses["pico_relevance/click/buy"].weight == 1.0
    assert losses["pico_contrast/click/buy"].weight == 0.01


def test_the_temperature_passes_no_gradient(tensors):
    objective = pico()
    with tf.GradientTape() as tape:
        contrast = objective.losses_of(forward_of(tensors), OUTCOMES)["pico_contrast/click/buy"].value
    own = objective.trainable_variables
    gradients = tape.gradient(contrast, [*own, tensors["x0"], tensors["h0"], tensors["h1"]])
    assert len(own) == 6
    assert all(gradient is None or not np.any(gradient) for gradient in gradients[: len(own) + 1])
    assert all(float(tf.norm(gradient)) > 0 for gradient in gradients[len(own) + 1 :])


@pytest.mark.parametrize("trains", [True, False])
def test_the_relevance_loss_reaches_the_backbone_only_when_asked(tensors, trains):
    objective = pico(relevance_trains_backbone=trains)
    with tf.GradientTape() as tape:
        loss = objective.losses_of(forward_of(tensors), OUTCOMES)["pico_relevance/click/buy"].value
    gradient = tape.gradient(loss, tensors["x0"])
    assert (gradient is not None and np.any(gradient)) == trains


@pytest.mark.parametrize("layer", [1, -1])
def test_any_tower_layer_can_be_contrasted(tensors, layer):
    settings = {"temperature": "fixed", "fixed_temperature": 0.5, "normalize": False}
    h0, h1 = 2 * tensors["h0"].numpy(), 2 * tensors["h1"].numpy()
    expected = expected_contrast(h0, h1, np.full(ROWS, 0.5))
    assert values(pico(tower_layer=layer, **settings), tensors)["pico_contrast/click/buy"] == pytest.approx(
        expected, rel=1e-4
    )


def test_statistical_temperature_uses_the_share_of_equal_labels(tensors):
    h0, h1 = normalized(tensors["h0"].numpy()), normalized(tensors["h1"].numpy())
    tau = np.full(ROWS, (0.05 - 1) * 5 / 6 + 1)
    contrast = values(pico(temperature="statistical"), tensors)["pico_contrast/click/buy"]
    assert contrast == pytest.approx(expected_contrast(h0, h1, tau), rel=1e-4)


def test_without_negatives_pairs_are_only_pulled_together(tensors):
    h0, h1 = normalized(tensors["h0"].numpy()), normalized(tensors["h1"].numpy())
    objective = pico(negatives=False, temperature="fixed", fixed_temperature=0.25)
    assert values(objective, tensors)["pico_contrast/click/buy"] == pytest.approx(
        float(-np.mean((h0 * h1).sum(1)) / 0.25), rel=1e-4
    )


def test_dead_units_give_no_nan(tensors):
    tensors["h0"].assign(tf.zeros([ROWS, 4]))
    with tf.GradientTape() as tape:
        loss = pico().losses_of(forward_of(tensors), OUTCOMES)["pico_contrast/click/buy"].value
    assert np.isfinite(tape.gradient(loss, tensors["h0"]).numpy()).all()


def test_the_first_task_is_paired_with_every_other_by_default():
    graph = TaskGraph([Task(name="a"), Task(name="b", given="a"), Task(name="c", given="b")])
    assert Pico.Settings().pairs_of(graph) == (("a", "b"), ("a", "c"))
    assert Pico.Settings(pairs=(("b", "c"),)).pairs_of(graph) == (("b", "c"),)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pairs": (("click", "view"),)}, r"\['click', 'view'\] is no pair of different tasks; the tasks are"),
        ({"pairs": (("click", "click"),)}, "no pair of different tasks"),
        ({"tower_layer": 3}, "got 3, the towers have layers 0 to 2"),
    ],
)
def test_settings_that_do_not_go_with_the_tasks_are_refused(settings, message):
    ((path, sentence),) = Pico.Settings(**settings).contradictions(GRAPH, towers=3)
    assert path[0] in settings
    assert re.search(message, sentence)


def test_one_task_has_no_pair():
    ((path, sentence),) = Pico.Settings().contradictions(TaskGraph([Task(name="click")]), towers=3)
    assert path == ()
    assert "only one task" in sentence


def test_what_is_not_known_is_not_held_against_the_settings():
    settings = Pico.Settings(pairs=(("click", "view"),), tower_layer=3)
    assert [path for path, _ in settings.contradictions(None, None)] == []
    assert [path for path, _ in settings.contradictions(None, 3)] == [("tower_layer",)]
    assert [path for path, _ in settings.contradictions(GRAPH, None)] == [("pairs", 0)]


def test_temperatures_must_be_in_order():
    with pytest.raises(ValueError, match=r"temperature_low \(1.0\) is above temperature_high \(0.5\)"):
        Pico.Settings(temperature_low=1.0, temperature_high=0.5)


def test_reports_are_given_the_temperature_of_every_row(tensors):
    objective = pico(temperature_low=0.1, temperature_high=0.9)
    told = objective.by_row(forward_of(tensors), OUTCOMES)
    logits = objective._relevance["click", "buy"](tensors["x0"], tensors["x1"]).numpy()
    assert set(told) == {"temperature/click/buy"}
    np.testing.assert_allclose(told["temperature/click/buy"], 0.9 - 0.8 / (1 + np.exp(-logits)), rtol=1e-5)


def test_reports_are_given_the_share_of_equal_labels_as_a_temperature(tensors):
    told = pico(temperature="statistical", temperature_low=0.1, temperature_high=0.9).by_row(
        forward_of(tensors), OUTCOMES
    )
    np.testing.assert_allclose(told["temperature/click/buy"], [0.9 - 0.8 * 5 / 6] * ROWS, rtol=1e-6)
