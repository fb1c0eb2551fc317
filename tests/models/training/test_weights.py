"""Row weights, from the transformed examples to the losses, the base rates and the validation."""

import os

import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics import log_loss, roc_auc_score

from tandem.models.backbones.backbone import States
from tandem.models.batch import RowFormat
from tandem.models.network import Forward
from tandem.models.objectives.calibrator import Calibrator
from tandem.models.objectives.entire_space import EntireSpaceLoss
from tandem.models.objectives.joint_loss import JointLoss
from tandem.models.objectives.objective import Outcomes, weighted_mean
from tandem.models.objectives.self_distillation import SelfDistillation
from tandem.models.objectives.task_loss import TaskLoss
from tandem.models.training.dataset import read_examples, shuffled_passes
from tandem.models.training.validation import base_rates, validate

RANDOM = np.random.default_rng(5)


@pytest.fixture
def weighted_files(batch_of, graph, write_examples, tmp_path):
    """Examples whose weights and ages can be told from their first number."""
    for part in range(3):
        batch = batch_of(graph, 50, seed=part)
        number = batch.features["numbers"][:, :1]
        write_examples(
            tmp_path / f"part-{part}.gz",
            batch._replace(weights=number**2 * [[1.0, 2.0]], ages=tf.abs(number) * [[3.0, 4.0]]),
        )
    return sorted(os.fspath(path) for path in tmp_path.glob("part-*"))


def test_weights_and_ages_stay_with_their_rows(weighted_files, layout):
    rows = RowFormat(layout, 2, weighted=True, aged=True)
    for batches in (read_examples(weighted_files, rows, 32), shuffled_passes(weighted_files, rows, 32, 64, 1)(0, 0)):
        seen = 0
        for batch in batches:
            number = batch.features["numbers"].numpy()[:, :1]
            np.testing.assert_allclose(batch.weights, number**2 * [[1, 2]], rtol=1e-6)
            np.testing.assert_allclose(batch.ages, np.abs(number) * [[3, 4]], rtol=1e-6)
            seen += len(number)
        assert seen == 150


def test_a_weighted_mean_by_hand():
    values = tf.constant([1.0, 2.0, 6.0])
    assert float(weighted_mean(values)) == 3
    assert float(weighted_mean(values, None, tf.constant([1.0, 1.0, 0.0]))) == 1.5
    assert float(weighted_mean(values, tf.constant([1.0, 1.0, 0.0]), tf.constant([3.0, 1.0, 9.0]))) == 1.25
    assert float(weighted_mean(values, tf.zeros(3))) == 0


def losses(objective, logits, outcomes):
    forward = Forward(
        tf.zeros([len(logits["click"]), 1]),
        States({}, {}),
        {},
        {name: tf.constant(values) for name, values in logits.items()},
        {name: tf.constant(values[:, None] + [[0.3, -0.3]], tf.float32) for name, values in logits.items()},
    )
    found = objective.losses_of(forward, outcomes)
    return {name: float(loss.value) for name, loss in found.items()}


def outcomes_of(labels, weights):
    tensors = [
        None if matrix is None else {name: tf.constant(values, tf.float32) for name, values in matrix.items()}
        for matrix in (labels, weights)
    ]
    return Outcomes(*tensors)


@pytest.mark.parametrize("kind", [TaskLoss, EntireSpaceLoss, JointLoss, Calibrator, SelfDistillation])
def test_a_row_of_weight_n_counts_as_the_row_n_times(kind, graph):
    objective = kind(graph, kind.Settings())
    logits = {name: RANDOM.normal(size=6).astype(np.float32) for name in graph.names}
    click = np.array([1, 1, 1, 0, 0, 1])
    labels = {"click": click, "view": click * [1, 0, 1, 0, 0, 0]}
    times = np.array([2, 1, 0, 3, 1, 1])
    weighted = losses(objective, logits, outcomes_of(labels, dict.fromkeys(labels, times)))
    repeated = losses(
        objective,
        {name: values.repeat(times) for name, values in logits.items()},
        outcomes_of({name: values.repeat(times) for name, values in labels.items()}, None),
    )
    assert weighted == {name: pytest.approx(value, rel=1e-5) for name, value in repeated.items()}
    assert weighted != losses(objective, logits, outcomes_of(labels, None))


def test_each_task_has_weights_of_its_own(graph):
    logits = {name: RANDOM.normal(size=4).astype(np.float32) for name in graph.names}
    labels = {"click": np.ones(4), "view": np.array([1, 0, 1, 0])}
    weights = {"click": np.ones(4), "view": np.array([1, 0, 0, 0])}
    found = losses(TaskLoss(graph, TaskLoss.Settings()), logits, outcomes_of(labels, weights))
    assert found["click"] == pytest.approx(np.log1p(np.exp(-logits["click"])).mean(), rel=1e-5)
    assert found["view"] == pytest.approx(np.log1p(np.exp(-logits["view"][0])), rel=1e-5)


def test_base_rates_by_weights(graph):
    labels = np.array([[1, 1], [1, 0], [0, 0], [0, 0]])
    weights = np.array([[3.0, 1], [1, 3], [2, 7], [2, 0]])
    # Click: 4 of 8, times 4 / 8 for a mean weight of 1, is 2 of 4; view, among clicks: 1 of 4, times 2 / 4.
    assert base_rates(labels, graph, weights) == {"click": 3 / 6, "view": pytest.approx((0.5 + 1) / 4)}
    assert base_rates(labels, graph, np.full((4, 2), 9.0)) == base_rates(labels, graph)
    assert base_rates(labels, graph, np.zeros((4, 2))) == {"click": 0.5, "view": 0.5}


def test_validation_weighs_rows_as_scikit_learn_does(graph, batch_of):
    batch = batch_of(graph, 80)
    weights = RANDOM.integers(0, 4, (80, 2)).astype(np.float32)
    scores = {name: RANDOM.random(80).astype(np.float32) for name in ("click", "view_given_click", "click_and_view")}
    rows = tf.data.Dataset.from_tensors(batch._replace(weights=tf.constant(weights)))
    answers = {name: tf.constant(values) for name, values in scores.items()}
    figures = validate(lambda features: answers, rows, graph)
    labels = batch.labels.numpy()
    for name, place, counted in (
        ("click", 0, np.ones(80, bool)),
        ("view_given_click", 1, labels[:, 0] == 1),
        ("click_and_view", 1, np.ones(80, bool)),
    ):
        of_rows = {"sample_weight": weights[counted, place]}
        truth, values = labels[counted, place], scores[name][counted]
        assert figures[f"auc/{name}"] == pytest.approx(roc_auc_score(truth, values, **of_rows))
        assert figures[f"log_loss/{name}"] == pytest.approx(log_loss(truth, values, **of_rows))
