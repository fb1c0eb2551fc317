"""Interrupted training reaches what uninterrupted training reaches, to the bit."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tandem.models.layers.dropout import generators
from tandem.models.registry import build
from tandem.models.settings import EarlyStopping, ModelSettings, TrainingSettings
from tandem.models.training import loop
from tandem.models.training.checkpoints import Checkpoints, Position, digest, files_below

ROOT = Path(__file__).resolve().parents[3]
MODEL = ModelSettings(recipe="shared_bottom_pico", tower_layers=(8, 4), dropout=0.3)
EVERY_CALL = 1e-9  # minutes
STEPS = 10  # of a pass


class Killed(Exception):
    """Stands for whatever ends a process."""


@pytest.fixture(autouse=True)
def few_steps_per_call(monkeypatch):
    monkeypatch.setattr(loop, "STEPS_PER_CALL", 3)


@pytest.fixture
def run(batch_of, graph, layout):
    """Trains a fresh learner; `killed_after` counts the steps that this process does."""

    def run(folder=None, killed_after=None, **settings):
        keras.utils.set_random_seed(1)
        learner = build(MODEL, graph, layout, 40)
        rows = tf.data.Dataset.from_tensor_slices(batch_of(graph, 16 * STEPS))
        settings = TrainingSettings(**{"epochs": 3, "batch_size": 16, "learning_rate": 0.01, **settings})

        def passes(epoch, step):
            order = rows.shuffle(16 * STEPS, seed=epoch, reshuffle_each_iteration=False)
            return order.batch(16).skip(step)

        def watched():
            if killed_after is not None and int(learner.optimizer.iterations) >= killed_after:
                raise Killed

        loop.initialize(learner, graph, rows.batch(16).take(2))
        checkpoints = Checkpoints(os.fspath(folder), EVERY_CALL) if folder else None
        validation = rows.batch(64)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop.TrainingReport, "steps_done", lambda self, position: watched())
            history = loop.train(learner, graph, settings, passes, validation, checkpoints=checkpoints)
        return learner, history

    return run


def assert_same(one, other):
    (learner, history), (other_learner, other_history) = one, other
    assert history == other_history
    for first, second in zip(learner.get_weights(), other_learner.get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)
    for first, second in zip(learner.optimizer.variables, other_learner.optimizer.variables, strict=True):
        np.testing.assert_array_equal(first.numpy(), second.numpy())


@pytest.mark.parametrize("optimizer", ["lazy_adam", "adagrad"])
def test_killed_in_the_second_epoch_and_resumed_is_as_if_nothing_had_happened(run, tmp_path, caplog, optimizer):
    straight = run(optimizer=optimizer)
    with pytest.raises(Killed):
        run(tmp_path, killed_after=STEPS + 6, optimizer=optimizer)
    with caplog.at_level(logging.INFO, "tandem.train"):
        resumed = run(tmp_path, optimizer=optimizer)
    # The kill came before steps 4 to 6 were saved.
    assert "resuming at epoch 2, step 3 of 10" in caplog.text
    assert [figures["epoch"] for figures in resumed[1]] == [1, 2, 3]
    assert_same(straight, resumed)


def test_killed_again_and_again(run, tmp_path):
    straight = run(epochs=1)
    for steps in (4, 7):  # saved after 3 steps, then after 6
        with pytest.raises(Killed):
            run(tmp_path, killed_after=steps, epochs=1)
    assert_same(straight, run(tmp_path, epochs=1))


def test_killed_in_the_export_trains_no_more(run, tmp_path, caplog):
    straight = run(tmp_path)
    with caplog.at_level(logging.INFO, "tandem.train"):
        assert_same(straight, run(tmp_path, killed_after=0))
    assert "training was finished before, after epoch 3" in caplog.text


def test_the_best_weights_outlive_a_kill(run, tmp_path):
    # So large a learning rate makes the second epoch worse than the first.
    stopping = {"early_stopping": EarlyStopping(patience=1), "learning_rate": 0.5, "epochs": 5}
    straight = run(**stopping)
    losses = [
        figures["validation/log_loss/click"] + figures["validation/log_loss/view_given_click"]
        for figures in straight[1]
    ]
    assert len(losses) < 5
    best = int(np.argmin(losses))
    with pytest.raises(Killed):
        run(tmp_path, killed_after=STEPS * (best + 1) + 6, **stopping)
    assert_same(straight, run(tmp_path, **stopping))


def test_a_cut_last_pass_is_resumed_too(run, tmp_path):
    straight = run(max_steps=15)
    with pytest.raises(Killed):
        run(tmp_path, killed_after=13 + 2, max_steps=15)
    assert_same(straight, run(tmp_path, max_steps=15))


def test_every_dropout_layer_is_found(graph, layout):
    found = generators(build(MODEL, graph, layout, 40))
    assert len(found) == len({id(generator) for generator in found}) == 2  # one per tower
    assert len({tuple(generator.state.numpy()) for generator in found}) == 2


def test_another_state_is_refused_with_the_folder(tmp_path):
    first = Checkpoints(os.fspath(tmp_path), 1)
    assert not first.resume({"position": Position(), "table": tf.Variable([1.0])})
    first.save()
    with pytest.raises(ValueError, match=rf"cannot be resumed: .*remove {tmp_path} to train from the start"):
        Checkpoints(os.fspath(tmp_path), 1).resume({"position": Position(), "table": tf.Variable([1.0, 2.0])})


def test_one_checkpoint_is_kept_and_none_after_deletion(tmp_path):
    folder = tmp_path / "one"
    checkpoints = Checkpoints(os.fspath(folder), 1)
    table = tf.Variable([0.0])
    checkpoints.resume({"table": table})
    for value in (1.0, 2.0, 3.0):
        table.assign([value])
        checkpoints.save()
    assert len(list(folder.glob("*.index"))) == 1
    restored = tf.Variable([0.0])
    assert Checkpoints(os.fspath(folder), 1).resume({"table": restored})
    assert restored.numpy().tolist() == [3.0]
    checkpoints.delete()
    assert not folder.exists()
    checkpoints.delete()


def test_checkpoints_are_saved_when_they_are_due(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("tandem.models.training.checkpoints.time.monotonic", lambda: now[0])
    checkpoints = Checkpoints(os.fspath(tmp_path), 2)
    checkpoints.resume({"table": tf.Variable([0.0])})
    saved = []
    monkeypatch.setattr(checkpoints._manager, "save", lambda: saved.append(now[0]))
    for now[0] in (150.0, 219.0, 220.0, 300.0, 341.0):
        checkpoints.save_if_due()
    assert saved == [220.0, 341.0]


def test_a_position_keeps_every_bit():
    position, restored = Position(), Position()
    position.step = 7
    position.end_epoch({"epoch": 1, "click": 0.1 + 0.2})
    position.step = 4
    restored.deserialize(position.serialize().encode())
    assert (restored.epoch, restored.step, restored.finished) == (1, 4, False)
    assert restored.history == [{"epoch": 1, "click": 0.1 + 0.2}]


def test_the_digest_changes_with_settings_and_files(tmp_path):
    (tmp_path / "inner").mkdir()
    first, second = tmp_path / "a", tmp_path / "inner" / "b"
    first.write_text("one")
    second.write_text("two")
    files = files_below(os.fspath(tmp_path))
    assert sorted(files) == [os.fspath(first), os.fspath(second)]
    before = digest({"rate": 1}, files)
    assert digest({"rate": 1}, reversed(files)) == before
    os.utime(second, ns=(1, 1))
    others = [digest({"rate": 2}, files), digest({"rate": 1}, files), digest({"rate": 1}, files[:1])]
    assert len({before, *others}) == 4


SCRIPT = """
import os, signal, sys
import tensorflow as tf
import tensorflow.python.checkpoint.checkpoint_management as management
from tandem.models.training.checkpoints import Checkpoints
table = tf.Variable(tf.zeros([100_000]))
checkpoints = Checkpoints(sys.argv[1], 1)
checkpoints.resume({"table": table})
table.assign_add(tf.ones([100_000]))
checkpoints.save()
def killed(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
table.assign_add(tf.ones([100_000]))
management.update_checkpoint_state_internal = killed  # the files are written, and nothing points to them yet
checkpoints.save()
"""


def test_killed_while_saving_the_checkpoint_before_is_good(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.fspath(ROOT), "TF_USE_LEGACY_KERAS": "1"}
    process = subprocess.run([sys.executable, "-c", SCRIPT, os.fspath(tmp_path)], env=environment, capture_output=True)
    assert process.returncode == -signal.SIGKILL, process.stderr.decode()
    table = tf.Variable(tf.zeros([100_000]))
    assert Checkpoints(os.fspath(tmp_path), 1).resume({"table": table})
    assert set(table.numpy()) == {1.0}
