from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from tandem.components.metrics.calibration import calibration, log_loss


def test_by_hand() -> None:
    labels, probabilities = np.array([1, 0, 0, 0]), np.array([0.5, 0.5, 0.25, 0.25])
    assert log_loss(labels, probabilities) == pytest.approx(-(2 * math.log(0.5) + 2 * math.log(0.75)) / 4)
    assert calibration(labels, probabilities) == 1.5


@given(st.lists(st.tuples(st.booleans(), st.floats(1e-6, 1 - 1e-6)), min_size=1, max_size=30))
def test_equals_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    labels, probabilities = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    assert log_loss(labels, probabilities) == pytest.approx(
        sklearn.metrics.log_loss(labels, probabilities, labels=[False, True]), rel=1e-12
    )


def test_saturated_probabilities_have_a_finite_loss() -> None:
    assert log_loss(np.array([1]), np.array([0.0], np.float32)) == pytest.approx(-math.log(1e-7))


def test_sums_in_float64() -> None:
    probabilities = np.full(1_000_000, 0.1, np.float32)
    assert calibration(np.ones(1_000_000, int), probabilities) == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_nothing_to_measure() -> None:
    assert math.isnan(calibration(np.array([0, 0]), np.array([0.1, 0.2])))
    assert math.isnan(log_loss(np.zeros(0, int), np.zeros(0)))


def test_refuses_logits_and_counts() -> None:
    with pytest.raises(ValueError, match=r"1 of 2 do not, one is 1\.5"):
        log_loss(np.array([0, 1]), np.array([0.5, 1.5]))
    with pytest.raises(ValueError, match="1 of 2 do not, one is nan"):
        calibration(np.array([0, 1]), np.array([0.5, np.nan]))
    with pytest.raises(ValueError, match="labels must be 0 or 1, not 3"):
        calibration(np.array([0, 3]), np.array([0.5, 0.5]))
