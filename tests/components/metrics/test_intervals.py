from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from benchmarks.interval_coverage import METRICS, World, coverage
from tandem.components.metrics.intervals import jackknife_interval


def test_of_a_mean_it_is_students() -> None:
    # With a row per cluster, the jackknife's variance of a mean is the usual one.
    rows = np.random.default_rng(1).normal(size=40)
    replicates = (rows.sum() - rows) / 39
    low, high = jackknife_interval(np.array([rows.mean()]), replicates[:, None], ("identity",))
    deviations = rows - rows.mean()
    freedom = min(3 * (deviations**2).sum() ** 2 / (deviations**4).sum() - 2, 39)
    expected = stats.t.interval(0.95, freedom, loc=rows.mean(), scale=rows.std(ddof=1) / 40**0.5)
    assert (low[0], high[0]) == pytest.approx(expected, rel=1e-9)
    assert freedom > 25


def test_scales_keep_what_they_bound() -> None:
    replicates = np.linspace(0.97, 0.99, 12)[:, None]
    for scale, value in (("log_odds", 0.98), ("log", 0.02)):
        low, high = jackknife_interval(
            np.array([value]), replicates if scale == "log_odds" else 1 - replicates, (scale,)
        )
        assert 0 < low[0] < value < high[0]
        assert high[0] < 1 or scale == "log"


def test_one_cluster_that_makes_all_the_difference_says_little() -> None:
    replicates = np.full((50, 2), 0.7)
    replicates[0, 0] = 0.6
    replicates[:, 1] += np.random.default_rng(2).choice([-1, 1], 50) * 0.1 / 50**0.5
    low, high = jackknife_interval(np.array([0.7, 0.7]), replicates, ("identity", "identity"))
    # Equal variances; about one degree of freedom against many.
    assert (high[0] - low[0]) / (high[1] - low[1]) > 4


def test_no_interval_where_nothing_is_known() -> None:
    rng = np.random.default_rng(3)
    few = jackknife_interval(np.array([0.5]), rng.random((9, 1)), ("log",))
    same = jackknife_interval(np.array([1.0]), np.ones((30, 1)), ("log_odds",))
    undefined = jackknife_interval(np.array([0.5]), np.append(rng.random(20), math.nan)[:, None], ("log",))
    for ends in (few, same, undefined):
        assert np.isnan(ends).all()


@pytest.mark.parametrize(
    "world",
    [
        World("correlated", 120, (3, 8, 20), -1.2, between=1.0),
        World("few positives", 150, (2, 5, 10), -3.2),
        World("weighted", 120, (3, 8, 20), -1.2, weights=(0.25, 1, 4)),
    ],
    ids=lambda world: world.name,
)
def test_intervals_cover_the_truth_as_often_as_they_say(world: World) -> None:
    found = coverage(world, repetitions=400, seed=11)
    assert set(found) == {(model, metric) for model in ("good", "noisy", "difference") for metric in METRICS}
    for key, (covered, have_one) in found.items():
        assert have_one > 0.99, key
        assert 0.92 <= covered <= 0.98, key


def test_rows_taken_for_independent_would_not_cover() -> None:
    # The test above can fail: with a cluster for every row, users' correlation is overlooked.
    class Independent(World):
        def draw(self, rng: np.random.Generator):
            rows = super().draw(rng)
            rows.clusters[:] = rng.integers(0, 128, len(rows))
            return rows

    found = coverage(Independent("", 100, (30,), -1.0, between=1.5, within=0.5), repetitions=100, seed=1)
    assert found["good", "log_loss"][0] < 0.85


def test_a_ratio_that_may_be_anything_has_no_interval() -> None:
    # Of 12 clusters one has most of the positives: calibration without it is 40 times as large.
    replicates = np.append(np.full(11, 1.0), 40.0)[:, None]
    low, high = jackknife_interval(np.array([1.0]), replicates, ("log",))
    assert np.isnan([low[0], high[0]]).all()
    low, high = jackknife_interval(np.array([1.0]), np.append(np.full(11, 1.0), 1.4)[:, None], ("log",))
    assert 0.001 < low[0] < 1 < high[0] < 1000
