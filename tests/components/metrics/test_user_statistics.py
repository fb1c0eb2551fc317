from __future__ import annotations

import math

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from tandem.components.metrics.estimates import output_estimates
from tandem.components.metrics.user_statistics import log_losses, unique_inverse


def _values(labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """The metrics of rows of as many users."""
    found = output_estimates(np.arange(len(labels)), labels, scores.astype(np.float32), np.ones(len(labels), bool))
    return {name: each.value for name, each in found.items()}


def test_by_hand() -> None:
    values = _values(np.array([1, 0, 0, 0]), np.array([0.5, 0.5, 0.25, 0.25]))
    assert values["log_loss"] == pytest.approx(-(2 * math.log(0.5) + 2 * math.log(0.75)) / 4)
    assert values["calibration"] == 1.5


@given(st.lists(st.tuples(st.booleans(), st.floats(2**-20, 1 - 2**-20, width=32)), min_size=1, max_size=30))
def test_equals_scikit_learn(rows: list[tuple[bool, float]]) -> None:
    labels, probabilities = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    assert _values(labels, probabilities)["log_loss"] == pytest.approx(
        sklearn.metrics.log_loss(labels, probabilities, labels=[False, True]), rel=1e-12
    )


def test_saturated_probabilities_have_a_finite_loss() -> None:
    assert log_losses(np.array([True]), np.array([0.0], np.float32)) == pytest.approx(-math.log(1e-7))


def test_sums_in_float64() -> None:
    values = _values(np.ones(1_000_000, int), np.full(1_000_000, 0.1, np.float32))
    assert values["calibration"] == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_nothing_to_measure() -> None:
    assert math.isnan(_values(np.array([0, 0]), np.array([0.1, 0.2]))["calibration"])
    assert math.isnan(_values(np.zeros(0, int), np.zeros(0))["log_loss"])


@pytest.mark.parametrize("size", [10, 1_000_000])
def test_positions_among_distinct_values_are_numpys(size: int) -> None:
    values = np.random.default_rng(0).integers(0, 10, 50)
    distinct, inverse = unique_inverse(values, size)
    expected, positions = np.unique(values, return_inverse=True)
    assert distinct.tolist() == expected.tolist()
    assert inverse.tolist() == positions.tolist()
