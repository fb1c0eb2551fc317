import os

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tandem.models.batch import Batch
from tandem.models.registry import build
from tandem.models.settings import ModelSettings
from tandem.models.steps.bilevel import BilevelStep
from tandem.models.steps.plain import PlainStep
from tandem.models.tasks import Task, TaskGraph
from tandem.models.training.distribution import Replicas
from tandem.models.training.update import compiled_steps

TOKENS = 40
CHAIN = TaskGraph([Task(name="click"), Task(name="view", given="click"), Task(name="buy", given="view")])


@pytest.fixture
def system_of(layout, batch_of):
    """Builds a system whose alpha is random, and the search step in it."""

    def make(graph=CHAIN, seed=1, **search):
        keras.utils.set_random_seed(seed)
        settings = {
            "recipe": "autoheri",
            "tower_layers": (6,),
            "backbone": {"layers": (5, 4)},
            "steps": {"search": search},
        }
        learner = build(ModelSettings(**settings), graph, layout, TOKENS)
        learner.prepare(batch_of(graph, 4))
        random = np.random.default_rng(seed)
        for variable in learner.trainable_variables:  # Larger than they start, so that gradients are no rounding.
            variable.assign_add(random.normal(scale=0.2, size=variable.shape))
        return learner, learner.steps[0]

    return make


def gradients(step, learner, batch):
    return step.gradients(learner, batch, learner.network.encoder.look_up(batch.features["ids"]).vectors)


def split(step, learner, result):
    """The gradients of the weights, and those of alpha."""
    own = {alpha.ref() for alpha in step.weights}
    pairs = list(zip(step.trained(learner), result.variables, strict=True))
    return [g for v, g in pairs if v.ref() not in own], [g for v, g in pairs if v.ref() in own]


def assert_all_close(actual, expected, rtol=1e-4, atol=1e-7):
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)


@pytest.mark.parametrize(("rows", "training"), [(16, 8), (9, 5)])
def test_weights_learn_from_the_first_half_as_in_a_plain_step(system_of, batch_of, rows, training):
    learner, step = system_of()
    batch = batch_of(CHAIN, rows)
    result = gradients(step, learner, batch)
    plain = PlainStep(CHAIN, PlainStep.Settings())
    expected = gradients(plain, learner, batch.part(slice(training)))
    weights, _ = split(step, learner, result)
    assert_all_close(weights, split(step, learner, expected)[0])
    np.testing.assert_allclose(result.vectors[:training], expected.vectors, rtol=1e-4, atol=1e-7)
    assert result.vectors.shape[0] == rows
    assert not np.any(result.vectors[training:])
    assert {name: float(value) for name, value in result.losses.items()} == {
        name: pytest.approx(float(value), rel=1e-5) for name, value in expected.losses.items()
    }


@pytest.mark.parametrize("rows", [16, 9])
def test_the_architecture_learns_from_the_other_half_as_finite_differences_say(system_of, batch_of, rows):
    learner, step = system_of()
    batch = batch_of(CHAIN, rows)
    _, of_alpha = split(step, learner, gradients(step, learner, batch))
    held_out = batch.part(slice((rows + 1) // 2, None))
    assert [g.shape for g in of_alpha] == [(1, 2, 2), (1, 4, 2)]
    for alpha, connections, gradient in zip(step.weights, learner.network.backbone.connections, of_alpha, strict=True):
        values = alpha.numpy()
        for position in np.ndindex(*values.shape):
            losses = []
            for change in (0.01, -0.01):  # Larger ones cross the ReLUs' kinks.
                moved = values.copy()
                moved[position] += change
                connections.assign(1 / (1 + np.exp(-moved)))
                losses.append(float(learner.compute_loss(held_out)))
            connections.assign(1 / (1 + np.exp(-values)))
            assert float(gradient[position]) == pytest.approx((losses[0] - losses[1]) / 0.02, rel=0.03, abs=1.5e-5)
        assert np.abs(gradient.numpy()).max() > 1e-4


def test_each_half_reaches_its_own_side_only(system_of, batch_of):
    learner, step = system_of()
    features, labels, *_ = batch_of(CHAIN, 16)
    other = 1 - labels

    def of_labels(*halves):
        return split(step, learner, gradients(step, learner, Batch(features, tf.concat(halves, axis=0))))

    base = of_labels(labels[:8], labels[8:])
    trained = of_labels(other[:8], labels[8:])
    held = of_labels(labels[:8], other[8:])
    for changed, same, result in ((0, 1, trained), (1, 0, held)):
        assert_all_close(result[same], base[same], rtol=0, atol=0)
        assert all(np.abs(a - b).max() > 1e-4 for a, b in zip(result[changed], base[changed], strict=True))


def test_the_network_is_computed_with_the_expected_connections(system_of, batch_of):
    learner, step = system_of()
    gradients(step, learner, batch_of(CHAIN, 8))
    expected = [1 / (1 + np.exp(-alpha.numpy())) for alpha in step.weights]
    assert_all_close(learner.network.backbone.connections, expected, rtol=1e-6)


def test_one_row_is_both_halves(system_of, batch_of):
    learner, step = system_of()
    batch = batch_of(CHAIN, 1)
    result = gradients(step, learner, batch)
    assert result.vectors.shape[0] == 1
    assert all(np.isfinite(gradient).all() for gradient in (result.vectors, *result.variables))
    weights, _ = split(step, learner, result)
    plain = gradients(PlainStep(CHAIN, PlainStep.Settings()), learner, batch)
    assert_all_close(weights, split(step, learner, plain)[0])


@pytest.mark.parametrize("rows", [8, 7])
def test_compiled_by_xla_it_is_the_same(system_of, batch_of, rows):
    batch = batch_of(CHAIN, rows)
    learners = []
    for xla in (True, False):
        learner, step = system_of()
        optimizer = keras.optimizers.SGD(0.1, jit_compile=False)
        optimizer.build(learner.trainable_variables)
        batches = tf.data.Dataset.from_tensor_slices(batch).batch(rows).repeat(3)  # The shape is not known beforehand.
        compiled_steps(learner, step, optimizer, rows, xla, Replicas(None))(iter(batches), tf.constant(3))
        learners.append(learner)
    assert_all_close(*(learner.get_weights() for learner in learners), rtol=1e-3, atol=1e-6)


def test_finish_keeps_the_connections_that_are_more_likely_than_not(system_of):
    learner, step = system_of()
    first, second = step.weights
    first.assign([[[0.1, -0.1], [3.0, -3.0]]])
    second.assign(tf.fill(second.shape, -1.0))
    step.finish(learner)
    of_child, of_grandchild = learner.network.backbone.connections
    assert of_child.numpy().tolist() == [[[1, 0], [1, 0]]]
    assert not of_grandchild.numpy().any()


@pytest.mark.parametrize(("threshold", "expected"), [(None, [0.75, 0.5]), (0.6, [1, 0]), (0.8, [0, 0])])
def test_finish_by_threshold(system_of, threshold, expected):
    learner, step = system_of(TaskGraph([CHAIN["click"], CHAIN["view"]]), threshold=threshold)
    step.weights[0].assign([[[np.log(3), 0.0], [0.0, 0.0]]])
    step.finish(learner)
    np.testing.assert_allclose(learner.network.backbone.connections[0][0, 0], expected, rtol=1e-6)


@pytest.fixture
def searched(system_of, batch_of):
    """A system after both stages, and what it was between them."""
    learner, search = system_of()
    optimizer = keras.optimizers.Adam(0.05, jit_compile=False)
    optimizer.build(learner.trainable_variables)
    batches = tf.data.Dataset.from_tensors(batch_of(CHAIN, 16)).repeat()
    names = [variable.name for variable in learner.variables]
    compiled_steps(learner, search, optimizer, 16, xla=False, replicas=Replicas(None))(iter(batches), tf.constant(5))
    search.finish(learner)
    between = [variable.numpy() for variable in (*search.weights, *learner.network.backbone.connections)]
    kernel = learner.network.backbone._first.kernel.numpy()
    compiled_steps(learner, learner.steps[1], optimizer, 16, xla=False, replicas=Replicas(None))(
        iter(batches), tf.constant(5)
    )
    assert np.abs(learner.network.backbone._first.kernel - kernel).max() > 0.01  # The weights go on.
    assert [variable.name for variable in learner.variables] == names
    return learner, between


def test_after_the_search_the_connections_stay_as_they_are(searched):
    learner, between = searched
    after = [*learner.steps[0].weights, *learner.network.backbone.connections]
    assert_all_close(after, between, rtol=0, atol=0)
    assert set(np.concatenate([c.numpy().ravel() for c in learner.network.backbone.connections])) <= {0.0, 1.0}
    assert any(np.abs(alpha).max() > 0 for alpha in learner.steps[0].weights)


def test_nothing_of_the_search_is_exported(searched, batch_of, tmp_path):
    learner, _ = searched
    features, *_ = batch_of(CHAIN, 8)
    searched_for = {alpha.ref() for alpha in learner.steps[0].weights}
    assert len(searched_for) == 2
    assert searched_for <= {variable.ref() for variable in learner.trainable_variables}
    assert not searched_for & {variable.ref() for variable in learner.network.variables}

    module = tf.Module()
    module.kept = learner.network.variables
    module.serve = tf.function(lambda x: learner.network(x), autograph=False)
    function = module.serve.get_concrete_function(features)
    assert sum(operation.type == "Sigmoid" for operation in function.graph.get_operations()) == len(CHAIN)
    tf.saved_model.save(module, os.fspath(tmp_path), signatures=function)
    reloaded = tf.saved_model.load(os.fspath(tmp_path))
    answers = reloaded.serve(features)
    for alpha in learner.steps[0].weights:
        alpha.assign(-alpha)  # Nothing reads it any more.
    for name, values in learner.network(features).items():
        np.testing.assert_allclose(answers[name], values, rtol=1e-4)


def test_the_fixed_connections_are_in_a_checkpoint(searched, system_of, batch_of, tmp_path):
    """As training saves it: the learner's variables, as a list."""
    learner, _ = searched
    path = tf.train.Checkpoint(variables=learner.variables).write(os.fspath(tmp_path / "saved"))
    fresh, _ = system_of(seed=2)
    tf.train.Checkpoint(variables=fresh.variables).read(path).assert_consumed()
    features, *_ = batch_of(CHAIN, 8)
    answers = fresh.network(features)
    for name, values in learner.network(features).items():
        np.testing.assert_array_equal(answers[name], values)


def test_a_backbone_without_connections_is_refused(layout, graph):
    network = build(ModelSettings(recipe="mmoe"), graph, layout, TOKENS).network
    with pytest.raises(ValueError, match="BilevelStep searches for connections; a MMoE has none"):
        BilevelStep(graph, BilevelStep.Settings()).prepare(network)


def test_tasks_without_a_parent_are_trained_all_the_same(system_of, batch_of):
    graph = TaskGraph([Task(name="click"), Task(name="view")])
    learner, step = system_of(graph)
    result = gradients(step, learner, batch_of(graph, 8))
    assert step.weights == []
    assert len(result.variables) == len(learner.dense_variables)
    step.finish(learner)
