import types

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tandem.models.batch import Batch
from tandem.models.objectives.objective import Loss
from tandem.models.registry import build
from tandem.models.settings import ModelSettings
from tandem.models.steps.meta import MetaStep, moved, summed_over_equal

RANDOM = np.random.default_rng(1)
ROWS, WIDTH, DIM, HIDDEN = 7, 3, 2, 4
# Few rows of the table, so that the halves share them, and a row of the batch names some of them twice.
IDS = RANDOM.integers(0, 5, (ROWS, WIDTH))
LABELS = RANDOM.integers(0, 2, (ROWS, 1))
TABLE = RANDOM.normal(size=(5, DIM))
KERNEL, WEIGHTS = RANDOM.normal(size=(WIDTH * DIM, HIDDEN)), RANDOM.normal(size=(HIDDEN, 1))


def loss_of(vectors, kernel, weights, labels):
    """A small network and its loss, in float64; it bends enough for the second order to count."""
    logits = tf.tanh(tf.reshape(vectors, [-1, WIDTH * DIM]) @ kernel) @ weights
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.cast(labels, tf.float64), logits=logits))


class Learner:
    """As much of a learner as a step needs, in float64."""

    def __init__(self):
        self.dense_variables = [tf.Variable(KERNEL), tf.Variable(WEIGHTS)]

    def losses_of(self, batch, training, vectors):
        return {"loss": Loss(loss_of(vectors, *self.dense_variables, batch.labels), 3.0)}

    def total(self, losses):
        return losses["loss"].weight * losses["loss"].value


def gradients(rows=ROWS, graph=False, **settings):
    """Gradients by the step, those of the vectors summed up by the rows of the table."""
    learner = Learner()
    step = MetaStep(None, MetaStep.Settings(**settings))
    ids, labels = tf.constant(IDS[:rows], tf.int32), tf.constant(LABELS[:rows])

    def compute(vectors):
        return step.gradients(learner, Batch({"ids": ids}, labels), vectors)

    if graph:
        compute = tf.function(compute, autograph=False)
    result = compute(tf.gather(TABLE, ids))
    for variable, value in zip(learner.dense_variables, (KERNEL, WEIGHTS), strict=True):
        np.testing.assert_array_equal(variable, value)  # restored to the bit
    of_table = np.zeros_like(TABLE)
    np.add.at(of_table, IDS[:rows], result.vectors.numpy())
    return result.losses["loss"].numpy(), [of_table, *(gradient.numpy() for gradient in result.variables)]


def after_adapting(parameters, support, query, rate):
    """The query set's loss as a function of the parameters, without any variable being changed."""

    def loss(table, kernel, weights, rows):
        return 3 * loss_of(tf.gather(table, IDS[rows]), kernel, weights, LABELS[rows])

    with tf.GradientTape() as tape:
        tape.watch(parameters)
        at_theta = loss(*parameters, support)
    slopes = [tf.convert_to_tensor(slope) for slope in tape.gradient(at_theta, parameters)]
    return loss(*(p - rate * slope for p, slope in zip(parameters, slopes, strict=True)), query)


def both_tasks(parameters, rate):
    first, second = slice(0, 3), slice(3, 7)
    return (after_adapting(parameters, first, second, rate) + after_adapting(parameters, second, first, rate)) / 2


@pytest.mark.parametrize("rate", [0.1, 2.0])
def test_the_gradient_is_that_of_the_losses_after_adapting(rate):
    """Against a functional computation that is differentiated as a whole, table included, and finite differences."""
    parameters = [tf.constant(value) for value in (TABLE, KERNEL, WEIGHTS)]
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        expected_loss = both_tasks(parameters, rate)
    loss, answer = gradients(inner_learning_rate=rate)
    assert 3 * loss == pytest.approx(float(expected_loss), rel=1e-12)
    for gradient, expected in zip(answer, tape.gradient(expected_loss, parameters), strict=True):
        np.testing.assert_allclose(gradient, tf.convert_to_tensor(expected), rtol=1e-9, atol=1e-12)

    direction = [RANDOM.normal(size=value.shape) for value in parameters]
    above, below = (
        both_tasks([p + sign * 1e-5 * d for p, d in zip(parameters, direction, strict=True)], rate) for sign in (1, -1)
    )
    slope = sum(np.sum(gradient * d) for gradient, d in zip(answer, direction, strict=True))
    assert slope == pytest.approx(float(above - below) / 2e-5, rel=1e-6)


def test_first_order_is_the_gradient_at_the_adapted_parameters():
    parameters = [tf.constant(value) for value in (TABLE, KERNEL, WEIGHTS)]
    expected = [np.zeros(value.shape) for value in parameters]
    for support, query in ((slice(0, 3), slice(3, 7)), (slice(3, 7), slice(0, 3))):
        with tf.GradientTape() as tape:
            tape.watch(parameters)
            loss = 3 * loss_of(tf.gather(parameters[0], IDS[support]), *parameters[1:], LABELS[support])
        slopes = [tf.convert_to_tensor(slope) for slope in tape.gradient(loss, parameters)]
        adapted = [p - 0.5 * slope for p, slope in zip(parameters, slopes, strict=True)]
        with tf.GradientTape() as tape:
            tape.watch(adapted)
            loss = 3 * loss_of(tf.gather(adapted[0], IDS[query]), *adapted[1:], LABELS[query])
        for total, slope in zip(expected, tape.gradient(loss, adapted), strict=True):
            total += tf.convert_to_tensor(slope).numpy() / 2
    _, answer = gradients(inner_learning_rate=0.5, second_order=False)
    for gradient, total in zip(answer, expected, strict=True):
        np.testing.assert_allclose(gradient, total, rtol=1e-9, atol=1e-12)
    _, second_order = gradients(inner_learning_rate=0.5)
    assert all(np.abs(gradient - other).max() > 1e-3 for gradient, other in zip(answer, second_order, strict=True))


def test_with_a_tiny_adapting_step_it_is_the_gradient_of_the_halves():
    parameters = [tf.constant(value) for value in (TABLE, KERNEL, WEIGHTS)]
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        vectors = tf.gather(parameters[0], IDS)
        halves = [loss_of(vectors[rows], *parameters[1:], LABELS[rows]) for rows in (slice(0, 3), slice(3, 7))]
        loss = 3 * tf.add_n(halves) / 2
    _, answer = gradients(inner_learning_rate=1e-9)
    for gradient, expected in zip(answer, tape.gradient(loss, parameters), strict=True):
        np.testing.assert_allclose(gradient, tf.convert_to_tensor(expected), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("rows", [1, 2, 3, 7])
@pytest.mark.parametrize("second_order", [True, False])
def test_inside_a_graph_it_is_the_same(rows, second_order):
    loss, eager = gradients(rows, inner_learning_rate=0.5, second_order=second_order)
    in_graph_loss, in_graph = gradients(rows, graph=True, inner_learning_rate=0.5, second_order=second_order)
    assert np.isfinite(loss)
    assert in_graph_loss == pytest.approx(loss, rel=1e-12)
    for gradient, expected in zip(in_graph, eager, strict=True):
        assert np.isfinite(expected).all()
        np.testing.assert_allclose(gradient, expected, rtol=1e-9, atol=1e-12)


def test_variables_are_restored_after_an_error():
    variable = tf.Variable([1.0, 2.0])

    def move_and_fail():
        with moved([variable], [tf.constant([3.0, 4.0])]):
            raise RuntimeError(f"at {variable.numpy().tolist()}")

    with pytest.raises(RuntimeError, match=r"at \[3.0, 4.0\]"):
        move_and_fail()
    np.testing.assert_array_equal(variable, [1, 2])


def test_a_replica_moves_its_own_copy():
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        variable = tf.Variable([1.0, 2.0])

    def doubled():
        with moved([variable], [2 * variable]):
            return variable.read_value()

    np.testing.assert_array_equal(strategy.run(doubled), [2, 4])
    np.testing.assert_array_equal(variable, [1, 2])


def test_positions_of_the_same_id_get_their_sum():
    values = tf.reshape(tf.range(6.0), [2, 3, 1])
    np.testing.assert_array_equal(
        summed_over_equal(values, tf.constant([2, 0, 2, 3, 0, 1]))[..., 0], [[2, 5, 2], [3, 5, 5]]
    )


@pytest.fixture
def system(layout, graph, batch_of):
    keras.utils.set_random_seed(1)
    backbone = {"shared_experts": 1, "task_experts": 1, "expert_layers": [8, 4]}
    learner = build(ModelSettings(recipe="man", tower_layers=(4,), backbone=backbone), graph, layout, 40)
    learner.prepare(batch_of(graph, 4))
    return learner


def of_system(system, batch):
    vectors = tf.gather(system.network.encoder.table, batch.features["ids"])
    step = MetaStep(None, MetaStep.Settings(inner_learning_rate=1.0))
    compute = tf.function(step.gradients, autograph=False)
    before = [value.copy() for value in system.get_weights()]
    result = compute(system, batch, vectors)
    for value, expected in zip(system.get_weights(), before, strict=True):
        np.testing.assert_array_equal(value, expected)
    return result


@pytest.mark.parametrize("rows", [1, 2, 9, 32])
def test_every_variable_of_a_system_has_a_finite_gradient(system, graph, batch_of, rows):
    batch = batch_of(graph, rows)
    result = of_system(system, batch)
    assert result.vectors.shape == (rows, *batch.features["ids"].shape[1:], 8)
    assert len(result.variables) == len(system.dense_variables)
    for gradient in (result.vectors, *result.variables):
        assert np.isfinite(gradient).all()
    if rows == 32:
        assert all(np.abs(gradient).max() > 0 for gradient in (result.vectors, *result.variables))


def test_halves_without_a_positive_of_the_parent_send_nothing_to_the_child(system, graph, batch_of):
    result = of_system(system, batch_of(graph, 8)._replace(labels=tf.zeros([8, 2], tf.int64)))
    assert result.losses["view"] == 0
    by_name = {
        variable.name: gradient for variable, gradient in zip(system.dense_variables, result.variables, strict=True)
    }
    assert np.isfinite(result.vectors).all()
    assert np.abs(by_name["view_logit/kernel:0"]).max() == 0
    assert np.abs(by_name["click_logit/kernel:0"]).max() > 0


def test_numbers_alone_need_no_table():
    learner = types.SimpleNamespace(dense_variables=[tf.Variable([[1.0]])])
    learner.losses_of = lambda batch, training, vectors: {
        "loss": Loss(tf.reduce_mean((batch.features["numbers"] @ learner.dense_variables[0] - 1) ** 2), 1.0)
    }
    learner.total = lambda losses: losses["loss"].value
    numbers, labels = tf.constant([[1.0], [2.0]]), tf.zeros([2, 1])
    result = MetaStep(None, MetaStep.Settings(inner_learning_rate=0.25)).gradients(
        learner, Batch({"numbers": numbers}, labels), None
    )
    assert result.vectors is None
    # By hand, w = 1: adapting to (w - 1)^2 leaves w; then 2 * 2 (2 w - 1) = 4, times 1 - 2 / 4 = 1/2: 2.
    # Adapting to (2 w - 1)^2, of slope 4 and curvature 8: w' = 0; then 2 (w' - 1) = -2, times 1 - 8 / 4 = -1: 2.
    np.testing.assert_allclose(result.variables, [[[2.0]]])
    np.testing.assert_allclose(result.losses["loss"], 1.0)  # 1 and 1
