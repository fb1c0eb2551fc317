from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from tandem.models import recipes, registry
from tandem.models.backbones.backbone import States
from tandem.models.network import Forward
from tandem.models.objectives.objective import Outcomes
from tandem.models.objectives.self_distillation import SelfDistillation
from tandem.models.settings import ModelSettings
from tandem.models.tasks import Task, TaskGraph

GRAPH = TaskGraph([Task(name="click"), Task(name="buy", given="click")])


def objective(**settings):
    return SelfDistillation(GRAPH, SelfDistillation.Settings(**settings))


def forward_of(learner_logits):
    fused = {name: tf.reduce_mean(logits, axis=1) for name, logits in learner_logits.items()}
    return Forward(tf.zeros([2, 1]), States({}, {}), {}, fused, learner_logits)


def test_two_rows_by_hand():
    """Odds of 3:1 and 1:3 fuse to even odds: each learner's loss is -(log .75 + log .25) / 2; agreeing ones: log 2."""
    log_3 = float(np.log(3))
    forward = forward_of({"click": tf.constant([[log_3, -log_3], [0.0, 0.0]])})
    loss = objective().losses_of(forward, Outcomes({}))["self_distillation/click"]
    first = 2 * -(np.log(0.75) + np.log(0.25)) / 2
    second = 2 * np.log(2)
    assert float(loss.value) == pytest.approx((first + second) / 2, rel=1e-6)
    assert loss.weight == 0.1
    assert objective(weight=0.0).losses_of(forward, Outcomes({}))["self_distillation/click"].weight == 0.0


def test_equals_cross_entropy_in_numpy_for_every_task_over_all_rows():
    random = np.random.default_rng(1)
    logits = {name: random.normal(size=(6, 3)) for name in GRAPH.names}
    losses = objective().losses_of(forward_of({k: tf.constant(v, tf.float32) for k, v in logits.items()}), Outcomes({}))
    assert set(losses) == {"self_distillation/click", "self_distillation/buy"}
    for name, values in logits.items():
        students = 1 / (1 + np.exp(-values))
        teacher = 1 / (1 + np.exp(-values.mean(axis=1)))
        total = 0.0
        for row in range(6):
            for p in students[row]:
                total -= teacher[row] * np.log(p) + (1 - teacher[row]) * np.log(1 - p)
        assert float(losses[f"self_distillation/{name}"].value) == pytest.approx(total / 6, rel=1e-5)


def test_the_teacher_gets_no_gradient():
    """A student's gradient is (p of the student - p of the teacher) / rows, and nothing through the fused logit."""
    values = np.array([[2.0, -1.0, 0.5], [0.0, 1.0, -3.0]], np.float32)
    logits = tf.Variable(values)
    with tf.GradientTape() as tape:
        forward = forward_of({"click": tf.identity(logits)})
        tape.watch(forward.logits["click"])
        loss = objective().losses_of(forward, Outcomes({}))["self_distillation/click"].value
    gradient, of_teacher = tape.gradient(loss, (logits, forward.logits["click"]))
    assert of_teacher is None
    students = 1 / (1 + np.exp(-values))
    teacher = 1 / (1 + np.exp(-values.mean(axis=1, keepdims=True)))
    np.testing.assert_allclose(gradient, (students - teacher) / 2, rtol=1e-4, atol=1e-7)


def test_a_single_learner_has_no_loss():
    forward = Forward(tf.zeros([2, 1]), States({}, {}), {}, {"click": tf.zeros([2])})
    assert objective().losses_of(forward, Outcomes({})) == {}


def test_nothing_of_it_is_served(layout, graph, batch_of, monkeypatch):
    taml = recipes.SYSTEMS["taml"]
    monkeypatch.setitem(recipes.RECIPES, "taml_alone", replace(taml, objectives={}))
    features, *_ = batch_of(graph, 4)

    def served(recipe):
        learner = registry.build(ModelSettings(recipe=recipe, tower_layers=(8, 4)), graph, layout, 40)
        network = learner.network
        function = tf.function(lambda x: network(x), autograph=False).get_concrete_function(features)
        operations = sorted(operation.type for operation in function.graph.get_operations())
        return (
            operations,
            [variable.shape for variable in network.variables],
            list(learner.losses_of(batch_of(graph, 4), training=True)),
        )

    operations, variables, losses = served("taml")
    alone = served("taml_alone")
    assert (operations, variables) == alone[:2]
    assert set(losses) - set(alone[2]) == {"self_distillation/click", "self_distillation/view"}
    assert "StopGradient" not in operations
