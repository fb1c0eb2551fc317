from __future__ import annotations

import gzip
import math
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.components.metrics.estimates import IntervalEstimate, jackknifed_metrics
from tandem.components.metrics.rows import NOT_COUNTED, Rows, ScoredRows
from tandem.components.metrics.sharding import Sharding
from tandem.components.metrics.slicing import Column, Sliced
from tandem.components.metrics.statistics import Statistics
from tandem.components.metrics.users import NO_USER, cluster_of, user_codes

if TYPE_CHECKING:
    from collections.abc import Iterator

KUAIRAND = Path(os.environ.get("TANDEM_KUAIRAND", Path(__file__).parents[4] / "shared" / "data" / "kuairand"))


def _rows(count: int = 400, users: int = 40, seed: int = 3) -> Rows:
    """Rows with ties in the scores, users of one class, rows without a user, a missing city and two cities in a row."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, users, count) ** 2 % (users + 3)
    groups[: count // 20] = NO_USER
    x = rng.integers(0, 2, count)
    y = np.where(x == 1, rng.integers(0, 2, count), NOT_COUNTED)
    scores = np.round(rng.random((count, 4)), 2).astype(np.float32)
    counts = rng.integers(0, 3, count)
    cities = Column(rng.integers(0, 4, counts.sum()), counts).sliced("city")
    return Rows(
        users=groups,
        clusters=cluster_of(groups, lambda: np.arange(count)),
        labels=np.stack([x, y], 1).astype(np.int8),
        scores=scores,
        slicings=(Sliced.all_rows(count), cities),
    )


def _computed(sharding: Sharding, batches: list[Rows]) -> Statistics:
    """What the Beam transform computes, without Beam."""
    of_users: dict[int, list[Rows]] = {}
    of_scores: dict[tuple[int, int], list[ScoredRows]] = {}
    found: list[Statistics] = []
    for batch in batches:
        for shard, rows in sharding.by_user(batch):
            of_users.setdefault(shard, []).append(rows)
    for rows_of_shard in of_users.values():
        for each in sharding.of_users(rows_of_shard):
            if isinstance(each, Statistics):
                found.append(each)
            else:
                of_scores.setdefault(each[0], []).append(each[1])
    for (column, _), rows_of_shard in of_scores.items():
        found += sharding.of_scores(column, rows_of_shard)
    return Statistics.merged(found)


def _values_by_slice(statistics: Statistics, columns: int = 4) -> dict[tuple, dict[str, IntervalEstimate]]:
    """By slice and column."""
    return {
        (of_slice.slices[0], column): each.estimates()
        for of_slice in statistics.each()
        for column, each in enumerate(jackknifed_metrics(of_slice, columns))
    }


def _slices(rows: Rows) -> Iterator[tuple[tuple, np.ndarray]]:
    """Yields the slices and their rows, [M] int64."""
    for sliced in rows.slicings:
        for code, key in enumerate(sliced.keys):
            index = sliced.rows[sliced.codes == code]
            if len(index):
                yield key, index


def _reference(users: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """AUC and GAUC by scikit-learn, user by user; nan where undefined."""
    counted = labels != NOT_COUNTED
    users, labels, scores = users[counted], labels[counted], scores[counted]
    by_user = [(labels[users == user], scores[users == user]) for user in np.unique(users[users != NO_USER])]
    used = [(y, p) for y, p in by_user if 0 < y.sum() < len(y)]
    aucs = [sklearn.metrics.roc_auc_score(y, p) for y, p in used]

    def mean(weights: list) -> float:
        return float(np.average(aucs, weights=weights)) if used else math.nan

    return {
        "auc": sklearn.metrics.roc_auc_score(labels, scores) if 0 < labels.sum() < len(labels) else math.nan,
        "gauc": mean([1 for _ in used]),
        "gauc_by_impressions": mean([len(y) for y, _ in used]),
        "gauc_by_positives": mean([y.sum() for y, _ in used]),
        "example_count": len(labels),
        "positive_count": int(labels.sum()),
        "gauc_users": len(used),
        "gauc_users_left_out": len(by_user) - len(used),
        "gauc_rows_left_out": len(labels) - sum(len(y) for y, _ in used),
        "gauc_rows_without_user": int((users == NO_USER).sum()),
    }


def _check(rows: Rows, sharding: Sharding, batches: list[Rows]) -> int:
    """Compares every slice with scikit-learn; returns how many values were numbers."""
    found = _values_by_slice(_computed(sharding, batches), len(rows.columns))
    expected = {
        (key, column): _reference(rows.users[index], rows.labels[index, output], rows.scores[index, column])
        for key, index in _slices(rows)
        for column, output in rows.columns
    }
    assert found.keys() == expected.keys()
    for place, values in expected.items():
        for metric, value in values.items():
            assert found[place][metric].value == pytest.approx(value, abs=1e-12, nan_ok=True), (place, metric)
    return sum(not np.isnan(value) for values in expected.values() for value in values.values())


@pytest.mark.parametrize("budget", [2**28, 20_000, 1_000])
def test_every_slice_equals_scikit_learn_user_by_user(budget: int) -> None:
    rows = _rows()
    halves = [rows.take(np.arange(start, 400, 2)) for start in range(2)]
    assert _check(rows, Sharding((False, False), users=4, budget=budget), halves) > 100


@settings(max_examples=15)
@given(
    cuts=st.lists(st.integers(0, 150), max_size=5),
    seed=st.integers(0, 99),
    shards=st.sampled_from([1, 3, 16]),
    budget=st.sampled_from([1_000, 5_000, 2**28]),
    users=st.sampled_from([1, 7, 60]),
)
def test_batches_shards_and_budget_do_not_matter(
    cuts: list[int], seed: int, shards: int, budget: int, users: int
) -> None:
    rows = _rows(150, users)
    order = np.random.default_rng(seed).permutation(len(rows))
    batches = [rows.take(index) for index in np.split(order, sorted(cuts)) if len(index)]
    slicings = (False, True)
    expected = _values_by_slice(_computed(Sharding(slicings, (3, 6)), [rows]))
    found = _values_by_slice(_computed(Sharding(slicings, (3, 6), shards, budget), batches))
    assert found.keys() == expected.keys()
    for place, values in expected.items():
        for metric, value in values.items():
            assert vars(found[place][metric]) == pytest.approx(vars(value), abs=1e-9, nan_ok=True), (place, metric)


def test_activity_counts_the_rows_of_a_user() -> None:
    users = np.array([1, 2, 2, 3, 3, 3, NO_USER])
    rows = Rows(
        users=users,
        clusters=cluster_of(users, lambda: users),
        labels=np.ones((7, 1), np.int8),
        scores=np.full((7, 1), 0.5, np.float32),
        slicings=(Sliced.all_rows(7),),
    )
    found = _values_by_slice(_computed(Sharding((True,), (2, 3), users=2), [rows]), 1)
    assert {key[0][1]: values["example_count"].value for (key, _), values in found.items()} == {
        "<2": 1,
        "2..3": 2,
        ">=3": 3,
        "(missing)": 1,
    }


def test_an_output_that_a_model_lacks_has_counts_only() -> None:
    rows = _rows()
    rows.scores[:, 1] = np.nan
    found = _values_by_slice(_computed(Sharding((False, False)), [rows]))
    lacking, other = found[(), 1], found[(), 3]
    assert lacking["example_count"] == other["example_count"]
    assert all(np.isnan(lacking[name].value) for name in ("auc", "gauc", "log_loss", "calibration", "gauc_users"))
    assert not np.isnan(other["auc"].value)


@pytest.mark.skipif(not KUAIRAND.is_dir(), reason=f"there are no real logs at {KUAIRAND} (TANDEM_KUAIRAND)")
def test_kuairand_equals_scikit_learn_in_every_slice() -> None:
    with gzip.open(KUAIRAND / "impressions.csv.gz") as file:
        logs = pd.read_csv(file, nrows=15_000)
    with gzip.open(KUAIRAND / "clicks.csv.gz") as file:
        clicked = set(pd.read_csv(file)["impression_id"])
    labels = logs["impression_id"].isin(clicked).to_numpy()
    rng = np.random.default_rng(5)
    # As a model that knows something, rounded so that scores tie.
    scores = np.round(1 / (1 + np.exp(-(labels + rng.normal(size=len(labels)) - 1))), 3)
    one = np.ones(len(logs), np.int64)
    users = user_codes(Column(logs["user_id"].to_numpy(), one), "user_id")
    tab = Column(logs["tab"].to_numpy(), one).sliced("tab")
    duration = Column(logs["duration_ms"].to_numpy(), one).sliced("duration_ms", (10_000, 60_000))
    rows = Rows(
        users=users,
        clusters=cluster_of(users, lambda: users),
        labels=labels[:, None].astype(np.int8),
        scores=scores[:, None].astype(np.float32),
        slicings=(Sliced.all_rows(len(logs)), tab, duration, tab.cross(duration)),
    )
    batches = [rows.take(index) for index in np.array_split(np.arange(len(logs)), 6)]
    assert labels.sum() > 1000
    assert _check(rows, Sharding((False,) * 4, budget=100_000), batches) > 100
