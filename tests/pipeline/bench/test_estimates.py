import math

import numpy as np
import pytest
from scipy import stats

from tandem.pipeline.bench.estimates import difference, estimate


def test_mean_and_standard_deviation_by_hand():
    found = estimate([0.60, 0.62, 0.64])
    assert (found.mean, found.sd, found.seeds) == (pytest.approx(0.62), pytest.approx(0.02), 3)


def test_one_seed_has_no_standard_deviation():
    assert estimate([0.6, None, math.nan]).sd is None
    assert estimate([0.6, None, math.nan]).seeds == 1
    assert estimate([None]) is None


def test_a_difference_by_hand():
    # Differences 0.01, 0.02, 0.03: mean 0.02, sd 0.01, standard error 0.01 / sqrt(3); t(0.975, 2) = 4.302653.
    found = difference({1: 0.61, 2: 0.63, 3: 0.65}, {1: 0.60, 2: 0.61, 3: 0.62}, "mmoe")
    half = 4.302653 * 0.01 / math.sqrt(3)
    assert found.mean == pytest.approx(0.02)
    assert (found.low, found.high) == (pytest.approx(0.02 - half, abs=1e-8), pytest.approx(0.02 + half, abs=1e-8))
    assert (found.against, found.seeds, found.is_clear) == ("mmoe", 3, False)


@pytest.mark.parametrize("seeds", [2, 5, 12])
def test_the_interval_is_that_of_scipys_paired_test(seeds):
    random = np.random.default_rng(seeds)
    ours, theirs = random.normal(0.62, 0.01, seeds), random.normal(0.61, 0.01, seeds)
    found = difference(dict(enumerate(ours)), dict(enumerate(theirs)), "x")
    reference = stats.ttest_rel(ours, theirs)
    low, high = reference.confidence_interval(0.95)
    assert (found.low, found.high) == (pytest.approx(low, abs=1e-9), pytest.approx(high, abs=1e-9))
    assert found.is_clear == (reference.pvalue < 0.05)


def test_pairing_takes_what_the_seeds_share_out():
    # The seeds differ by far more than the systems do; every difference is 0.001.
    ours = {seed: 0.5 + 0.05 * seed + 0.001 for seed in range(4)}
    theirs = {seed: 0.5 + 0.05 * seed for seed in range(4)}
    assert difference(ours, theirs, "x").is_clear


def test_only_seeds_that_both_have_are_compared():
    found = difference({1: 0.6, 2: 0.7, 3: None}, {2: 0.5, 3: 0.5, 4: 0.1}, "x")
    assert (found.mean, found.seeds, found.low, found.high) == (pytest.approx(0.2), 1, None, None)
    assert not found.is_clear
    assert difference({1: 0.6}, {2: 0.5}, "x") is None
