import numpy as np
import pytest
import tensorflow as tf

from tandem.models.backbones.backbone import States
from tandem.models.network import Forward
from tandem.models.objectives.entire_space import EntireSpaceLoss, log_joint
from tandem.models.objectives.objective import Outcomes
from tandem.models.tasks import Task, TaskGraph

GRAPH = TaskGraph(
    [
        Task(name="click"),
        Task(name="view", given="click", loss_weight=2.0),
        Task(name="like", given="click"),
        Task(name="buy", given="view"),
    ]
)
RANDOM = np.random.default_rng(1)
LOGITS = {name: RANDOM.normal(size=8).astype(np.float32) for name in GRAPH.names}
CLICK = np.array([1, 1, 1, 1, 1, 0, 0, 0.0])
VIEW = np.array([1, 1, 1, 0, 0, 0, 0, 0.0])
LABELS = {
    "click": CLICK,
    "view": VIEW,
    "like": np.array([1, 0, 0, 1, 0, 0, 0, 0.0]),
    "buy": np.array([1, 0, 0, 0, 0, 0, 0, 0.0]),
}


def losses(logits, labels, graph=GRAPH):
    forward = Forward(
        tf.zeros([8, 1]), States({}, {}), {}, {name: tf.constant(values) for name, values in logits.items()}
    )
    tensors = {name: tf.constant(values, tf.float32) for name, values in labels.items()}
    return EntireSpaceLoss(graph, EntireSpaceLoss.Settings()).losses_of(forward, Outcomes(tensors))


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def cross_entropy(p, y):
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def test_equals_the_cross_entropy_of_the_products_in_numpy():
    p = {name: sigmoid(values) for name, values in LOGITS.items()}
    joint = {
        "click": p["click"],
        "view": p["click"] * p["view"],
        "like": p["click"] * p["like"],
        "buy": p["click"] * p["view"] * p["buy"],
    }
    answer = losses(LOGITS, LABELS)
    for name in GRAPH.names:
        assert float(answer[name].value) == pytest.approx(cross_entropy(joint[name], LABELS[name]), rel=1e-5)
        assert answer[name].weight == (2.0 if name == "view" else 1.0)


def test_a_label_counts_only_where_its_ancestors_do():
    stray = LABELS | {"buy": np.array([1, 0, 0, 1, 0, 1, 0, 0.0])}  # Bought without a view, and without a click.
    assert float(losses(LOGITS, stray)["buy"].value) == float(losses(LOGITS, LABELS)["buy"].value)


def test_confident_logits_keep_their_loss_and_their_gradient():
    """1 - p q computed as such would be 0 in float32, its logarithm infinite."""
    logits = {name: tf.constant([30.0, -200.0, 200.0]) for name in ("click", "view")}
    graph = TaskGraph([GRAPH["click"], GRAPH["view"]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        happens, fails = log_joint(graph, logits)["view"]
    # 1 - s(30)^2 = 2 exp(-30); s(-200)^2 = exp(-400); 1 - s(200)^2 = 2 exp(-200).
    np.testing.assert_allclose(fails, [np.log(2) - 30, 0, np.log(2) - 200], rtol=1e-5)
    np.testing.assert_allclose(happens, [0, -400, 0], atol=1e-5)
    gradient = tape.gradient(fails, logits)
    np.testing.assert_allclose(gradient["view"], [-0.5, 0, -0.5], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(gradient["click"], [-0.5, 0, -0.5], rtol=1e-4, atol=1e-6)


def test_rows_without_a_click_train_the_conversion_through_the_product():
    """The bias that ESMM is for: unclicked impressions reach the conversion's logits, unlike in the masked loss."""
    logits = {name: tf.Variable(values) for name, values in LOGITS.items()}
    with tf.GradientTape() as tape:
        forward = Forward(tf.zeros([8, 1]), States({}, {}), {}, logits)
        tensors = {name: tf.constant(values, tf.float32) for name, values in LABELS.items()}
        loss = EntireSpaceLoss(GRAPH, EntireSpaceLoss.Settings()).losses_of(forward, Outcomes(tensors))["view"].value
    gradient = tape.gradient(loss, logits["view"]).numpy()
    p = {name: sigmoid(LOGITS[name]) for name in ("click", "view")}
    joint = p["click"] * p["view"]
    expected = np.where(VIEW == 1, p["view"] - 1, joint * (1 - p["view"]) / (1 - joint)) / 8
    np.testing.assert_allclose(gradient, expected, rtol=1e-4)
    assert (gradient[CLICK == 0] > 0).all()
