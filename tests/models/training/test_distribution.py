"""Several replicas learn what one process learns."""

import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def mirrored():
    environment = {**os.environ, "PYTHONPATH": os.fspath(ROOT)}
    script = Path(__file__).with_name("mirrored_script.py")
    process = subprocess.run([sys.executable, os.fspath(script)], env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr[-3000:]
    return json.loads(process.stdout.splitlines()[-1])


def test_each_batch_is_divided_and_no_row_is_lost(mirrored):
    assert mirrored["replicas"] == 2
    assert mirrored["parts"][0] == [[[0, 2, 4], [1, 3]], [[5], [6]]]


def test_a_batch_of_fewer_rows_than_replicas_gives_each_of_them_one(mirrored):
    assert mirrored["parts"][1] == [[[0, 2, 4], [1, 3]], [[5], [5]]]


@pytest.mark.parametrize("recipe", ["mmoe", "shared_bottom"])
def test_two_replicas_reach_the_weights_of_one(mirrored, recipe):
    figures = mirrored["apart"][recipe]
    assert figures["same_start"]
    assert figures["moved"] > 0.01
    assert figures["apart"] < 1e-4


def weights_of(model):
    """The variables of a SavedModel in the order in which its layers were made: Keras numbers their names."""
    checkpoint = tf.train.load_checkpoint(os.fspath(model / "variables" / "variables"))
    names = [name for name in checkpoint.get_variable_to_shape_map() if name.endswith("VARIABLE_VALUE")]
    by_number = sorted(
        names, key=lambda name: [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
    )
    return [checkpoint.get_tensor(name) for name in by_number]


def test_two_worker_processes_reach_the_weights_of_one(run_trainer, caplog):
    caplog.set_level(logging.INFO, "tandem.train")
    settings = {"distribution": "multi_worker", "workers": 2, "epochs": 2}
    outputs = run_trainer(attempt=1, recipe="mmoe", train_on="all", **settings)
    run_trainer(attempt=2, recipe="mmoe", train_on="all", epochs=2)
    assert "2 replicas" in caplog.text
    alone, together = (weights_of(outputs / "model" / attempt) for attempt in "21")
    assert len(alone) > 10
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-4)
    first, second = (json.loads((outputs / "model_run" / a / "history.json").read_text()) for a in "12")
    assert [epoch["epoch"] for epoch in first] == [1, 2]
    assert first[1]["validation/auc/click"] == pytest.approx(second[1]["validation/auc/click"], abs=0.02)
    assert list((outputs / "checkpoints").iterdir()) == []


def test_a_worker_that_fails_is_named_with_what_it_said(run_trainer):
    with pytest.raises(RuntimeError, match=r"(?s)worker [01] ended with exit code 1:.*no file of examples matches"):
        run_trainer(attempt=1, train_files=["nothing*"], distribution="multi_worker", workers=2)
