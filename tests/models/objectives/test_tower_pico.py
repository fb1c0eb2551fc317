import numpy as np
import pytest
import tensorflow as tf

from tandem.models.objectives.objective import Outcomes
from tandem.models.registry import build
from tandem.models.settings import ModelSettings


@pytest.mark.parametrize("recipe", ["shared_bottom_tower_pico", "mmoe_tower_pico", "ple_tower_pico"])
def test_only_the_second_task_s_tower_is_trained(recipe, layout, graph, batch_of):
    learner = build(ModelSettings(recipe=recipe, tower_layers=(8, 4)), graph, layout, 40)
    batch = batch_of(graph, 16)
    outcomes = Outcomes.of(batch, graph)
    objective = learner._objectives[-1]
    with tf.GradientTape() as tape:
        losses = objective.losses_of(learner.network.forward(batch.features, training=True), outcomes)
        total = tf.add_n([loss.value for loss in losses.values()])
    variables = learner.network.trainable_variables
    reached = {v.name for v, g in zip(variables, tape.gradient(total, variables), strict=True) if g is not None}
    own = learner.network._towers["view"]._dense[0]
    assert reached == {v.name for v in own.trainable_variables}


@pytest.mark.parametrize("trains", ["both", "second", "second_tower"])
def test_what_is_trained_changes_no_value(trains, layout, graph, batch_of):
    batch = batch_of(graph, 16)
    outcomes = Outcomes.of(batch, graph)

    def losses(choice):
        tf.keras.utils.set_random_seed(3)
        settings = ModelSettings(
            recipe="taml_pico", tower_layers=(8,), objectives={"pico": {"trains": choice}}
        )  # several towers per task
        learner = build(settings, graph, layout, 40)
        found = learner._objectives[-1].losses_of(learner.network.forward(batch.features), outcomes)
        return [float(loss.value) for loss in found.values()]

    np.testing.assert_allclose(losses(trains), losses("both"), rtol=1e-6)
