"""What every registered system has to hold; to register a system is to have it tested here."""

import functools
import os

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tandem.models.batch import Batch
from tandem.models.recipes import RECIPES
from tandem.models.registry import build
from tandem.models.settings import ModelSettings, TrainingSettings
from tandem.models.training.loop import initialize, train

TOKENS = 40  # As in the batches of conftest.

recipes = pytest.mark.parametrize("recipe", sorted(RECIPES))


def settings_of(recipe, **settings):
    return ModelSettings(recipe=recipe, **{"tower_layers": (8, 4), **settings})


def build_system(recipe, layout, graph, seed=1, **settings):
    keras.utils.set_random_seed(seed)
    return build(settings_of(recipe, **settings), graph, layout, TOKENS)


@recipes
def test_answers_every_output_with_a_probability(recipe, any_graph, layout, batch_of):
    features, *_ = batch_of(any_graph, 16)
    answers = build_system(recipe, layout, any_graph)(features)
    assert set(answers) == {output.name for output in any_graph.outputs()}
    for values in answers.values():
        assert values.shape == (16,)
        assert (values.numpy() > 0).all()
        assert (values.numpy() < 1).all()


@recipes
def test_a_row_alone_gets_the_answer_it_gets_in_a_batch(recipe, layout, graph, batch_of):
    features, *_ = batch_of(graph, 8)
    system = build_system(recipe, layout, graph)
    together = system(features)
    for row in range(8):
        alone = system({name: values[row : row + 1] for name, values in features.items()})
        for name, values in alone.items():
            np.testing.assert_allclose(values[0], together[name][row], rtol=1e-5)


@recipes
def test_all_weights_of_the_network_learn(recipe, any_graph, layout, batch_of):
    batch = batch_of(any_graph, 64)
    system = build_system(recipe, layout, any_graph)
    with tf.GradientTape() as tape:
        loss = system.compute_loss(batch, training=True)
    gradients = tape.gradient(loss, system.network.trainable_variables)
    dead = [v.name for v, g in zip(system.network.trainable_variables, gradients, strict=True) if g is None]
    assert not dead


@recipes
def test_masked_labels_send_no_gradient(recipe, layout, graph, batch_of):
    """Rows without a click must not train the conversion task, whatever their conversion label says."""
    features, labels, *_ = batch_of(graph, 64)
    wrong = tf.where(labels[:, :1] == 0, tf.constant([[0, 1]], tf.int64), labels)
    system = build_system(recipe, layout, graph)

    def gradient(label_matrix):
        with tf.GradientTape() as tape:
            loss = system.losses_of(Batch(features, label_matrix), training=False)["view"].value
        return tape.gradient(loss, system.network.encoder.trainable_variables)[0]

    np.testing.assert_array_equal(
        tf.convert_to_tensor(gradient(labels)).numpy(), tf.convert_to_tensor(gradient(wrong)).numpy()
    )


def gradient_of(system, batch):
    with tf.GradientTape() as tape:
        loss = system.compute_loss(batch)
    return tf.convert_to_tensor(tape.gradient(loss, system.network.encoder.trainable_variables)[0]).numpy()


@recipes
def test_rows_of_weight_0_teach_nothing(recipe, layout, graph, batch_of):
    """Whatever their labels say. As negatives of a contrast they have no labels."""
    batch = batch_of(graph, 64)
    weights = tf.tile(tf.constant([[1.0], [0.0]]), [32, 2])
    wrong = tf.where(weights == 0, 1 - batch.labels, batch.labels)
    system = build_system(recipe, layout, graph)
    right, flipped = (
        gradient_of(system, batch._replace(labels=labels, weights=weights)) for labels in (batch.labels, wrong)
    )
    np.testing.assert_array_equal(right, flipped)
    assert (right != gradient_of(system, batch)).any()


@recipes
def test_weights_that_are_all_alike_change_nothing(recipe, layout, graph, batch_of):
    batch = batch_of(graph, 64)
    system = build_system(recipe, layout, graph)
    weighted = gradient_of(system, batch._replace(weights=tf.fill([64, 2], 3.0)))
    np.testing.assert_allclose(weighted, gradient_of(system, batch), rtol=1e-4, atol=1e-7)


@pytest.fixture(scope="module")
def overfitted(layout, graph, batch_of):
    """Gives a system by its recipe, trained on 32 rows; the same one to every test, because compiling takes seconds."""

    @functools.cache
    def system_of(recipe):
        batch = batch_of(graph, 32)
        # Wide enough towers: among four units it is a matter of luck how many die.
        system = build_system(recipe, layout, graph, tower_layers=(32, 16))
        rows = tf.data.Dataset.from_tensors(batch).repeat(200)
        initialize(system, graph, [batch])
        train(system, graph, TrainingSettings(learning_rate=0.01, batch_size=32), lambda epoch, step: rows)
        return system

    return system_of


@recipes
def test_overfits_32_rows(recipe, overfitted, graph, batch_of):
    losses = overfitted(recipe).losses_of(batch_of(graph, 32), training=False)
    assert float(losses["click"].value) < 0.05
    assert float(losses["view"].value) < 0.05


@recipes
def test_the_same_seed_gives_the_same_weights(recipe, layout, graph, batch_of):
    batch = batch_of(graph, 96)

    def trained():
        rows = tf.data.Dataset.from_tensor_slices(batch)
        system = build_system(recipe, layout, graph, dropout=0.1)
        initialize(system, graph, [batch])
        settings = TrainingSettings(epochs=2, batch_size=32)
        train(system, graph, settings, lambda epoch, step: rows.shuffle(96, seed=epoch).batch(32))
        return system.network.get_weights()

    for first, second in zip(trained(), trained(), strict=True):
        np.testing.assert_array_equal(first, second)


@recipes
def test_what_is_saved_is_the_network_alone(recipe, overfitted, graph, batch_of, tmp_path):
    features, *_ = batch_of(graph, 8)
    system = overfitted(recipe)
    answers = system.network(features)

    module = tf.Module()
    module.network = system.network
    specs = {name: tf.TensorSpec([None, *values.shape[1:]], values.dtype) for name, values in features.items()}
    module.serve = tf.function(lambda **x: system.network(x), autograph=False)
    tf.saved_model.save(module, os.fspath(tmp_path), signatures=module.serve.get_concrete_function(**specs))

    stored = {
        name: shape
        for name, shape in tf.train.list_variables(os.fspath(tmp_path / "variables" / "variables"))
        if not name.startswith("_CHECKPOINTABLE")
    }
    shapes = sorted(tuple(v.shape) for v in system.network.variables)
    assert sorted(tuple(shape) for name, shape in stored.items() if "VARIABLE_VALUE" in name) == shapes

    reloaded = tf.saved_model.load(os.fspath(tmp_path)).signatures["serving_default"](**features)
    for name, values in answers.items():
        # As rounding changes a logit of some dozens, it changes a probability that is next to nothing by more.
        np.testing.assert_allclose(reloaded[name], values, rtol=1e-6, atol=1e-9)


def operations(network, features):
    """Returns how often each operation stands in the serving graph."""
    function = tf.function(lambda x: network(x), autograph=False).get_concrete_function(features)
    kinds = [operation.type for operation in function.graph.get_operations()]
    return {kind: kinds.count(kind) for kind in kinds}


@pytest.mark.parametrize("recipe", sorted(name for name in RECIPES if f"{name}_pico" in RECIPES))
def test_serving_costs_the_same_with_and_without_pico(recipe, layout, graph, batch_of):
    features, *_ = batch_of(graph, 4)
    plain = build_system(recipe, layout, graph).network
    trained_with = build_system(f"{recipe}_pico", layout, graph).network
    assert operations(plain, features) == operations(trained_with, features)
    assert plain.count_params() == trained_with.count_params()


@recipes
def test_what_cannot_be_built_is_refused_with_all_that_is_wrong(recipe, layout, graph):
    settings = settings_of(recipe, backbone={"exprets": 2}, objectives={"distill": {}})
    with pytest.raises(ValueError, match=r"model\.backbone\.exprets: unknown key") as error:
        build(settings, graph, layout, TOKENS)
    assert "model.objectives.distill: recipe" in str(error.value).splitlines()[1]
