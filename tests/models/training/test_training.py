import json
import logging
import os

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tandem.models.batch import Batch, RowFormat
from tandem.models.registry import build
from tandem.models.settings import EarlyStopping, ModelSettings, TrainingSettings
from tandem.models.training.dataset import matching_files, read_examples, shuffled_passes
from tandem.models.training.loop import initialize, train
from tandem.models.training.validation import base_rates, validate


@pytest.fixture
def passes(files, layout):
    names = matching_files([os.fspath(files / "part-*")])
    return lambda seed: shuffled_passes(names, RowFormat(layout, 2), batch_size=32, shuffle_rows=150, seed=seed)


def order_of(dataset):
    return np.concatenate([batch.features["numbers"].numpy()[:, 0] for batch in dataset]).tolist()


def test_every_row_comes_once_whatever_the_order(files, layout, passes):
    names = matching_files([os.fspath(files / "part-*")])
    straight = order_of(read_examples(names, RowFormat(layout, 2), batch_size=32))
    shuffled = order_of(passes(1)(0, 0))
    assert len(straight) == 150
    assert sorted(straight) == sorted(shuffled)
    assert straight != shuffled


def test_seed_and_epoch_alone_fix_the_order(passes):
    first = passes(7)
    orders = [order_of(first(epoch, 0)) for epoch in range(3)]
    assert len({tuple(order) for order in orders}) == 3
    assert order_of(passes(7)(2, 0)) == orders[2]
    assert order_of(passes(8)(2, 0)) != orders[2]
    third = first(2, 0)
    assert order_of(third) == order_of(third)


@pytest.mark.parametrize("step", range(6))
def test_a_pass_entered_at_a_step_is_the_rest_of_it(passes, step):
    rest = passes(7)(1, step)
    assert int(rest.cardinality()) == 5 - step
    whole = order_of(passes(7)(1, 0))
    assert [row for batch in rest for row in batch.features["numbers"].numpy()[:, 0]] == whole[32 * step :]


def test_no_file_is_an_error_that_names_the_pattern(tmp_path):
    with pytest.raises(ValueError, match=r"no file of examples matches \['.*nothing\*'\]"):
        matching_files([os.fspath(tmp_path / "nothing*")])


def test_base_rates_count_the_rows_a_task_is_trained_on(graph):
    labels = np.array([[1, 1], [1, 0], [0, 0], [0, 0], [0, 0], [0, 0]])
    assert base_rates(labels, graph) == {"click": 3 / 8, "view": 2 / 4}


def test_validation_figures_are_over_the_rows_that_count(batch_of, graph, layout):
    keras.utils.set_random_seed(0)
    learner = build(ModelSettings(tower_layers=(4,)), graph, layout, 40)
    features, labels, *_ = batch_of(graph, 80)
    dataset = tf.data.Dataset.from_tensor_slices(Batch(features, labels)).batch(32)
    figures = validate(learner.network, dataset, graph)
    p = learner.network(features)["view_given_click"].numpy()[labels[:, 0].numpy() == 1].astype(float)
    y = labels[:, 1].numpy()[labels[:, 0].numpy() == 1]
    pairs = [(a > b) + 0.5 * (a == b) for a in p[y == 1] for b in p[y == 0]]
    assert figures["auc/view_given_click"] == pytest.approx(np.mean(pairs))
    assert figures["log_loss/view_given_click"] == pytest.approx(
        -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)), rel=1e-5
    )


def test_early_stopping_goes_back_to_the_best_weights(batch_of, graph, layout):
    keras.utils.set_random_seed(0)
    learner = build(ModelSettings(tower_layers=(8,)), graph, layout, 40)
    rows = tf.data.Dataset.from_tensors(batch_of(graph, 64))
    features, labels, *_ = batch_of(graph, 64)
    # The validation rows carry the opposite clicks: every epoch of learning makes them worse.
    opposite = tf.data.Dataset.from_tensors(Batch(features, tf.stack([1 - labels[:, 0], 0 * labels[:, 1]], axis=1)))
    settings = TrainingSettings(
        epochs=20, learning_rate=0.02, early_stopping=EarlyStopping(patience=2, task="click"), batch_size=64
    )
    initialize(learner, graph, rows)
    history = train(learner, graph, settings, lambda epoch, step: rows, opposite)
    losses = [epoch["validation/log_loss/click"] for epoch in history]
    assert len(history) < 20
    assert validate(learner.network, opposite, graph)["log_loss/click"] == pytest.approx(min(losses), rel=1e-5)


def test_a_linear_schedule_ends_at_zero(batch_of, graph, layout):
    learner = build(ModelSettings(tower_layers=(4,)), graph, layout, 40)
    rows = tf.data.Dataset.from_tensor_slices(batch_of(graph, 96)).batch(32)
    initialize(learner, graph, rows)
    settings = TrainingSettings(epochs=2, learning_rate=0.5, learning_rate_schedule="linear", batch_size=32)
    train(learner, graph, settings, lambda epoch, step: rows)
    schedule = learner.optimizer.get_config()["learning_rate"]["config"]
    assert (schedule["initial_learning_rate"], schedule["end_learning_rate"], schedule["decay_steps"]) == (0.5, 0.0, 6)
    assert float(keras.optimizers.schedules.deserialize(learner.optimizer.get_config()["learning_rate"])(6)) == 0.0


def test_max_steps_ends_training_whatever_the_epochs(batch_of, graph, layout):
    learner = build(ModelSettings(tower_layers=(4,)), graph, layout, 40)
    rows = tf.data.Dataset.from_tensor_slices(batch_of(graph, 96)).batch(32)
    initialize(learner, graph, rows)
    settings = TrainingSettings(epochs=10, max_steps=5, batch_size=32)
    history = train(learner, graph, settings, lambda epoch, step: rows)
    assert int(learner.optimizer.iterations) == 5
    assert [figures["epoch"] for figures in history] == [1, 2]


def test_who_watches_is_told_of_the_start_of_every_pass_and_of_every_call(batch_of, graph, layout, monkeypatch):
    monkeypatch.setattr("tandem.models.training.loop.STEPS_PER_CALL", 2)
    learner = build(ModelSettings(tower_layers=(4,)), graph, layout, 40)
    rows = tf.data.Dataset.from_tensor_slices(batch_of(graph, 96)).batch(32)
    initialize(learner, graph, rows)
    told = []
    train(
        learner,
        graph,
        TrainingSettings(epochs=2, batch_size=32),
        lambda epoch, step: rows,
        watch=lambda position: told.append((position.epoch, position.step)),
    )
    assert told == [(0, 0), (0, 2), (0, 3), (1, 0), (1, 2), (1, 3)]


def test_run_fn_trains_and_exports(run_trainer):
    outputs = run_trainer(attempt=1)
    history = json.loads((outputs / "model_run" / "1" / "history.json").read_text())
    assert [epoch["epoch"] for epoch in history] == [1, 2]
    assert {"click", "view", "pico_contrast/click/view", "validation/auc/click_and_view"} <= set(history[0])
    answer = tf.saved_model.load(os.fspath(outputs / "model" / "1")).signatures["serving_default"](
        examples=tf.constant([b""])
    )
    assert set(answer) == {"click", "view_given_click", "click_and_view"}
    assert list((outputs / "checkpoints").iterdir()) == []


def test_an_attempt_resumes_what_the_same_settings_left(run_trainer, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.INFO, "tandem.train")
    kept = tmp_path / "Trainer" / "checkpoints"
    with monkeypatch.context() as patch:
        patch.setattr("tandem.models.training.trainer.export", lambda *args: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_trainer(attempt=1)
    (folder,) = kept.iterdir()
    for changed in ({"code_version": "other"}, {"learning_rate": 0.1}, {"seed": 2}, {"checkpoint_minutes": 0}):
        run_trainer(attempt=2, **changed)
    assert "finished before" not in caplog.text
    assert list(kept.iterdir()) == [folder]
    run_trainer(attempt=3, checkpoint_minutes=60)
    assert "training was finished before, after epoch 2" in caplog.text
    assert list(kept.iterdir()) == []
    first, third = (tmp_path / "Trainer" / "model_run" / name / "history.json" for name in "13")
    assert json.loads(third.read_text()) == json.loads(first.read_text())
