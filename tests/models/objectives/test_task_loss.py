import numpy as np
import pytest
import tensorflow as tf

from tandem.models.backbones.backbone import States
from tandem.models.network import Forward
from tandem.models.objectives.objective import Outcomes, weighted_mean
from tandem.models.objectives.task_loss import TaskLoss
from tandem.models.tasks import Task, TaskGraph

LOGITS = {"click": np.array([0.0, 2.0, -1.0]), "buy": np.array([1.0, 0.5, 3.0])}
LABELS = {"click": tf.constant([1.0, 1.0, 0.0]), "buy": tf.constant([1.0, 0.0, 0.0])}


def forward():
    logits = {name: tf.constant(values, tf.float32) for name, values in LOGITS.items()}
    return Forward(tf.zeros([3, 1]), States({}, {}), {}, logits)


def cross_entropy(logits, labels):
    return np.log1p(np.exp(-logits)) * labels + np.log1p(np.exp(logits)) * (1 - labels)


@pytest.mark.parametrize(("train_on", "rows"), [("parent_positives", slice(0, 2)), ("all", slice(0, 3))])
def test_a_conditional_task_counts_its_rows_only(train_on, rows):
    graph = TaskGraph([Task(name="click"), Task(name="buy", given="click", train_on=train_on, loss_weight=3)])
    losses = TaskLoss(graph, TaskLoss.Settings()).losses_of(forward(), Outcomes(LABELS))
    expected = cross_entropy(LOGITS["buy"], LABELS["buy"].numpy())[rows].mean()
    assert float(losses["buy"].value) == pytest.approx(expected, rel=1e-5)
    assert losses["buy"].weight == 3
    expected = cross_entropy(LOGITS["click"], LABELS["click"].numpy()).mean()
    assert float(losses["click"].value) == pytest.approx(expected, rel=1e-5)


def test_a_batch_without_a_row_that_counts_has_loss_zero():
    assert float(weighted_mean(tf.constant([1.0, 2.0]), tf.zeros(2))) == 0.0
