import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tandem.models.balancing import FixedWeights, UncertaintyWeights
from tandem.models.objectives.objective import Loss
from tandem.models.registry import build
from tandem.models.settings import ModelSettings
from tandem.models.tasks import Task, TaskGraph

GRAPH = TaskGraph([Task(name="a"), Task(name="b", given="a")])


def uncertainty(**settings):
    return UncertaintyWeights(GRAPH, UncertaintyWeights.Settings(**settings))


def losses(a, b, weight=1.0, **others):
    return {
        "a": Loss(tf.constant(a), 1.0),
        "b": Loss(tf.constant(b), weight),
        **{name: Loss(tf.constant(value), 0.1) for name, value in others.items()},
    }


def test_fixed_weights_worked_by_hand():
    total = FixedWeights(GRAPH, FixedWeights.Settings())(losses(0.5, 2.0, 3.0, contrast=7.0))
    assert float(total) == pytest.approx(0.5 + 6 + 0.7)


def test_uncertainty_is_the_papers_formula():
    """Equation 3 as it is printed, with the noise sigma = exp(s / 2): L_a/(2 s_a^2) + L_b/(2 s_b^2) + log(s_a s_b)."""
    balancer = uncertainty()
    balancer.set_weights([np.array([0.6, -1.4])])
    sigma = np.exp([0.3, -0.7])
    expected = 0.5 / (2 * sigma[0] ** 2) + 2.0 / (2 * sigma[1] ** 2) + np.log(sigma[0] * sigma[1])
    assert float(balancer(losses(0.5, 2.0))) == pytest.approx(expected, rel=1e-6)
    assert float(balancer(losses(0.5, 2.0, contrast=7.0))) == pytest.approx(expected + 0.7, rel=1e-6)


def test_at_the_start_every_task_counts_half():
    assert float(uncertainty()(losses(0.5, 2.0, 3.0, contrast=7.0))) == pytest.approx(0.25 + 3.0 + 0.7)


@pytest.mark.parametrize("weight", [1.0, 5.0])
def test_the_noise_learned_is_the_loss_and_the_configured_weight_stays(weight):
    """For a fixed loss the sum is least at s = log L; there a task counts weight / (2 L)."""
    balancer = uncertainty()
    value_a, value_b = tf.Variable(0.5), tf.Variable(0.01)
    optimizer = keras.optimizers.Adam(0.05)

    def slopes():
        with tf.GradientTape() as tape:
            total = balancer({"a": Loss(value_a, 1.0), "b": Loss(value_b, weight)})
        return tape.gradient(total, [value_a, value_b, *balancer.trainable_variables])

    for _ in range(500):
        optimizer.apply_gradients(zip(slopes()[2:], balancer.trainable_variables, strict=True))
    np.testing.assert_allclose(balancer.get_weights()[0], np.log([0.5, 0.01]), atol=1e-2)
    of_a, of_b, _ = slopes()
    assert float(of_a) == pytest.approx(1 / (2 * 0.5), rel=0.02)
    assert float(of_b) == pytest.approx(weight / (2 * 0.01), rel=0.02)


def test_a_batch_without_rows_for_a_task_says_nothing_about_its_noise():
    balancer = uncertainty()
    balancer.set_weights([np.array([0.6, -1.4])])
    with tf.GradientTape() as tape:
        total = balancer(losses(0.5, 0.0))
    (gradient,) = tape.gradient(total, balancer.trainable_variables)
    assert float(total) == pytest.approx(0.25 * np.exp(-0.6) + 0.3, rel=1e-6)
    np.testing.assert_allclose(gradient, [0.5 - 0.25 * np.exp(-0.6), 0], rtol=1e-6)


def test_switched_off_it_is_fixed_weights():
    balancer = uncertainty(learned=False)
    assert float(balancer(losses(0.5, 2.0, 3.0, contrast=7.0))) == pytest.approx(0.5 + 6 + 0.7)
    assert balancer.variables == []


def test_the_weights_are_learned_with_the_system_and_no_part_of_the_network(layout, graph, batch_of):
    learner = build(ModelSettings(recipe="man", tower_layers=(4,)), graph, layout, 40)
    learner.compute_loss(batch_of(graph, 8))
    (noise,) = (v for v in learner.trainable_variables if "log_variances" in v.name)
    assert noise.shape == (2,)
    assert noise.ref() in {v.ref() for v in learner.dense_variables}
    assert noise.ref() not in {v.ref() for v in learner.network.variables}
    fixed = build(ModelSettings(recipe="man", tower_layers=(4,), balancer={"learned": False}), graph, layout, 40)
    fixed.compute_loss(batch_of(graph, 8))
    assert len(fixed.trainable_variables) == len(learner.trainable_variables) - 1
