"""The two losses of AITM: joint heads over all impressions, and the calibrator."""

import numpy as np
import pytest
import tensorflow as tf

from tandem.models.backbones.backbone import States
from tandem.models.network import Forward
from tandem.models.objectives.calibrator import Calibrator
from tandem.models.objectives.joint_loss import JointLoss
from tandem.models.objectives.objective import Outcomes
from tandem.models.tasks import Task, TaskGraph

GRAPH = TaskGraph(
    [Task(name="click"), Task(name="view", given="click", loss_weight=3), Task(name="like", given="click")]
)
P = {"click": np.array([0.5, 0.2, 0.9]), "view": np.array([0.7, 0.1, 0.95]), "like": np.array([0.1, 0.1, 0.1])}
LABELS = {
    "click": tf.constant([1.0, 0, 1]),
    "view": tf.constant([1.0, 1, 0]),  # The second row has no click: its label does not count.
    "like": tf.constant([0.0, 0, 1]),
}


def forward(graph=GRAPH):
    logits = {name: tf.constant(np.log(P[name] / (1 - P[name])), tf.float32) for name in graph.names}
    return Forward(tf.zeros([3, 1]), States({}, {}), {}, logits)


def test_joint_heads_are_held_against_the_whole_chain_over_all_rows():
    losses = JointLoss(GRAPH, JointLoss.Settings()).losses_of(forward(), Outcomes(LABELS))
    assert float(losses["click"].value) == pytest.approx(-np.log([0.5, 0.8, 0.9]).mean(), rel=1e-5)
    assert float(losses["view"].value) == pytest.approx(-np.log([0.7, 0.9, 0.05]).mean(), rel=1e-5)
    assert float(losses["like"].value) == pytest.approx(-np.log([0.9, 0.9, 0.1]).mean(), rel=1e-5)
    assert [losses[name].weight for name in GRAPH.names] == [1, 3, 1]


def test_the_calibrator_counts_what_a_child_has_above_its_parent():
    losses = Calibrator(GRAPH, Calibrator.Settings()).losses_of(forward(), Outcomes(LABELS))
    assert float(losses["calibrator/view"].value) == pytest.approx((0.2 + 0 + 0.05) / 3, rel=1e-4)
    assert float(losses["calibrator/like"].value) == 0
    assert {loss.weight for loss in losses.values()} == {0.6}
    assert set(losses) == {"calibrator/view", "calibrator/like"}


def test_the_calibrator_compares_with_the_step_before_not_with_the_first():
    graph = TaskGraph([Task(name="click"), Task(name="view", given="click"), Task(name="like", given="view")])
    losses = Calibrator(graph, Calibrator.Settings(weight=0.1)).losses_of(forward(graph), Outcomes(LABELS))
    # 0.1 against 0.7, 0.1, 0.95; set beside view's (0.2 + 0 + 0.05) / 3.
    assert float(losses["calibrator/like"].value) == pytest.approx(0, abs=1e-7)
    assert losses["calibrator/like"].weight == 0.1


def test_a_single_task_has_nothing_to_calibrate():
    graph = TaskGraph([Task(name="click")])
    assert Calibrator(graph, Calibrator.Settings()).losses_of(forward(graph), Outcomes(LABELS)) == {}
