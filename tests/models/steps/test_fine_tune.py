import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tandem.models.recipe_check import check
from tandem.models.recipes import RECIPES
from tandem.models.registry import build
from tandem.models.settings import ModelSettings, TrainingSettings
from tandem.models.steps.fine_tune import FineTuneStep
from tandem.models.steps.plain import PlainStep
from tandem.models.training.loop import train

SMALL = {"shared_experts": 1, "task_experts": 1, "expert_layers": [8, 4]}


@pytest.fixture
def system_of(layout, graph, batch_of):
    def system_of(recipe, **settings):
        keras.utils.set_random_seed(1)
        learner = build(ModelSettings(recipe=recipe, tower_layers=(4,), **settings), graph, layout, 40)
        learner.prepare(batch_of(graph, 4))
        return learner

    return system_of


def changed_by(learner, step, graph, batch):
    """Learns from one batch and returns the variables that are not what they were."""
    learner.steps = (step,)
    before = learner.get_weights()
    rows = tf.data.Dataset.from_tensors(batch)
    train(learner, graph, TrainingSettings(batch_size=32, learning_rate=0.01), lambda epoch, step: rows)
    after = zip(learner.variables, before, strict=True)
    return {variable.ref() for variable, value in after if (variable.numpy() != value).any()}


def test_the_upper_part_is_attention_towers_heads_and_what_only_training_has(system_of, graph, batch_of):
    learner = system_of("man_pico", backbone=SMALL)
    step = FineTuneStep(graph, FineTuneStep.Settings())
    network = learner.network
    upper = [
        *network._backbone._attention.trainable_variables,
        *(v for tower in network._towers.values() for v in tower.trainable_variables),
        *(v for head in network._heads.values() for v in head.trainable_variables),
    ]
    own = {v.ref() for v in network.trainable_variables}
    training_only = [v for v in learner.trainable_variables if v.ref() not in own]
    assert len(training_only) == 1 + 6  # the losses' weights; PICO's relevance network
    trained = {v.ref() for v in step.trained(learner)}
    assert trained == {v.ref() for v in [*upper, *training_only]}
    assert changed_by(learner, step, graph, batch_of(graph, 32)) == trained


def test_without_attention_the_upper_part_is_towers_and_heads(system_of, graph):
    learner = system_of("man", backbone={**SMALL, "attention": False})
    trained = FineTuneStep(graph, FineTuneStep.Settings()).trained(learner)
    assert len(trained) == 2 * (2 + 2) + 1


def test_of_a_recipe_without_an_upper_backbone_towers_and_heads_are_tuned(system_of, graph):
    learner = system_of("ple")
    trained = FineTuneStep(graph, FineTuneStep.Settings()).trained(learner)
    assert {v.ref() for v in trained} == {v.ref() for v in learner.network.upper_variables}
    assert len(trained) == 2 * (2 + 2)


def test_without_a_first_stage_all_is_trained_as_in_the_usual_step(system_of, graph, batch_of):
    learner = system_of("man", backbone=SMALL)
    step, plain = FineTuneStep(graph, FineTuneStep.Settings(part="all")), PlainStep(graph, PlainStep.Settings())
    assert step.trains_embeddings
    assert not FineTuneStep(graph, FineTuneStep.Settings()).trains_embeddings
    batch = batch_of(graph, 32)
    vectors = tf.gather(learner.network.encoder.table, batch.features["ids"])
    results = [each.gradients(learner, batch, vectors) for each in (step, plain)]
    tf.nest.map_structure(np.testing.assert_array_equal, *results)
    assert changed_by(learner, step, graph, batch) == {v.ref() for v in learner.trainable_variables}


def test_its_gradients_are_the_usual_ones(system_of, graph, batch_of):
    learner = system_of("man", backbone=SMALL)
    batch = batch_of(graph, 32)
    vectors = tf.gather(learner.network.encoder.table, batch.features["ids"])
    step, plain = FineTuneStep(graph, FineTuneStep.Settings()), PlainStep(graph, PlainStep.Settings())
    result, usual = (each.gradients(learner, batch, vectors) for each in (step, plain))
    of = dict(zip((v.ref() for v in plain.trained(learner)), usual.variables, strict=True))
    for variable, gradient in zip(step.trained(learner), result.variables, strict=True):
        np.testing.assert_allclose(gradient, of[variable.ref()], rtol=1e-5, atol=1e-8)


def test_the_stages_and_their_settings(graph, layout):
    settings = ModelSettings(recipe="man", steps={"meta": {"share": 0.0}, "fine_tune": {"part": "all"}})
    assert check(settings, graph) == []
    meta, fine_tune = build(settings, graph, layout, 40).steps
    assert list(RECIPES["man"].steps) == ["meta", "fine_tune"]
    assert meta.settings.share == 0
    assert fine_tune.trains_embeddings
