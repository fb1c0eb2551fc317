"""Weighted metrics: against scikit-learn's `sample_weight`, and rows that weigh 2 against rows that come twice."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.components.metrics.catalog import METRICS
from tandem.components.metrics.curves import curves
from tandem.components.metrics.estimates import all_statistics, jackknifed_metrics, output_estimates
from tandem.components.metrics.pairs import auc, grouped_auc
from tandem.components.metrics.rows import NOT_COUNTED, Rows, ScoredRows
from tandem.components.metrics.sharding import Sharding
from tandem.components.metrics.slicing import Column, Sliced
from tandem.components.metrics.statistics import Statistics
from tandem.components.metrics.users import NO_USER, cluster_of

_COUNTS = {name for name, entry in METRICS.items() if entry.scale is None}


def test_auc_by_hand() -> None:
    # Pairs (positive, negative): (.4, .1) won, weighs 2 * 1; (.4, .4) tied, 2 * 3; (.8, .1) 0.5 * 1; (.8, .4) 0.5 * 3.
    labels, scores, weights = [0, 1, 0, 1], [0.1, 0.4, 0.4, 0.8], [1, 2, 3, 0.5]
    assert auc(labels, scores, weights) == (2 + 6 / 2 + 0.5 + 1.5) / (2.5 * 4)


_WEIGHTED_ROWS = st.lists(
    st.tuples(
        st.sampled_from([-(2**62), 0, 1, 2, 2**62]),
        st.integers(0, 1),
        st.sampled_from([0.0, 1e-40, 0.1, 0.25, 0.5, 1.0]),
        st.sampled_from([0.0, 1e-3, 0.5, 1.0, 3.0, 1e4]),
    ),
    max_size=60,
)


@given(rows=_WEIGHTED_ROWS, dtype=st.sampled_from([np.float32, np.float64]))
def test_equals_scikit_learn_user_by_user(rows: list[tuple[int, int, float, float]], dtype: type) -> None:
    groups = np.array([row[0] for row in rows], np.int64)
    labels = np.array([row[1] for row in rows], np.int64)
    scores = np.array([row[2] for row in rows], dtype)
    weights = np.array([row[3] for row in rows])
    counted = weights > 0
    users = [counted & (groups == user) for user in np.unique(groups[counted])]
    used = [user for user in users if 0 < labels[user].sum() < user.sum()]
    aucs = [sklearn.metrics.roc_auc_score(labels[user], scores[user], sample_weight=weights[user]) for user in used]

    result = grouped_auc(groups, labels, scores, weights)

    assert (result.users, result.users_left_out) == (len(used), len(users) - len(used))
    assert result.rows_left_out == counted.sum() - sum(user.sum() for user in used)
    if used:
        of_user = {
            "uniform": np.ones(len(used)),
            "by_impressions": [weights[user].sum() for user in used],
            "by_positives": [weights[user & (labels == 1)].sum() for user in used],
        }
        for name, weight in of_user.items():
            assert getattr(result, name) == pytest.approx(np.average(aucs, weights=weight), abs=1e-12)
    if 0 < labels[counted].sum() < counted.sum():
        expected = sklearn.metrics.roc_auc_score(labels[counted], scores[counted], sample_weight=weights[counted])
        assert auc(labels, scores, weights) == pytest.approx(expected, abs=1e-12)
    else:
        assert math.isnan(auc(labels, scores, weights))


def test_a_light_user_after_heavy_ones_keeps_its_digits() -> None:
    groups = np.repeat([0, 1], [1000, 4])
    labels = np.append(np.arange(1000) % 2, [1, 0, 1, 0])
    scores = np.append(np.linspace(0, 1, 1000), [0.9, 0.5, 0.1, 0.3])
    weights = np.append(np.full(1000, 1e12 / 3), np.array([1, 2, 3, 4]) * 1e-3)
    light = sklearn.metrics.roc_auc_score(labels[1000:], scores[1000:], sample_weight=weights[1000:])
    heavy = sklearn.metrics.roc_auc_score(labels[:1000], scores[:1000])
    assert grouped_auc(groups, labels, scores, weights).uniform == pytest.approx((heavy + light) / 2, rel=1e-13)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0, -1.0], "not negative; 1 of 2 are not, one is -1.0"),
        ([1.0, math.inf], "must be finite .* one is inf"),
        ([1.0], r"weights must be of shape \(2,\), not \(1,\)"),
    ],
)
def test_refuses_what_is_no_weight(weights: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        auc([0, 1], [0.5, 0.6], weights)
    with pytest.raises(ValueError, match=message):
        output_estimates(np.arange(2), np.ones(2), np.full(2, 0.5, np.float32), np.ones(2, bool), weights)


def _rows(weights: tuple[np.ndarray | None, ...] = (), count: int = 400, users: int = 40, seed: int = 3) -> Rows:
    """Two models and two outputs; ties, users of one class, rows without a user, none to two cities in a row."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, users, count) ** 2 % (users + 3)
    codes[: count // 20] = NO_USER
    x = rng.integers(0, 2, count)
    y = np.where(x == 1, rng.integers(0, 2, count), NOT_COUNTED)
    cities = rng.integers(0, 3, count)
    return Rows(
        users=codes,
        clusters=cluster_of(codes, lambda: np.arange(count)),
        labels=np.stack([x, y], 1).astype(np.int8),
        scores=np.round(rng.random((count, 4)), 2).astype(np.float32),
        slicings=(Sliced.all_rows(count), Column(rng.integers(0, 4, cities.sum()), cities).sliced("city")),
        weights=weights,
    )


def _weights(count: int = 400, seed: int = 5) -> np.ndarray:
    """Some are 0."""
    return np.random.default_rng(seed).choice([0, 0.1, 0.7, 1, 2.5], count)


def _sharded(rows: Rows, sharding: Sharding, batches: int = 3) -> Statistics:
    """What the Beam transform computes, without Beam."""
    of_users: dict[int, list[Rows]] = {}
    of_scores: dict[tuple[int, int], list[ScoredRows]] = {}
    found: list[Statistics] = []
    for number in range(batches):
        for shard, part in sharding.by_user(rows.take(np.arange(number, len(rows), batches))):
            of_users.setdefault(shard, []).append(part)
    for parts in of_users.values():
        for each in sharding.of_users(parts):
            if isinstance(each, Statistics):
                found.append(each)
            else:
                of_scores.setdefault(each[0], []).append(each[1])
    for (column, _), scored in of_scores.items():
        found += sharding.of_scores(column, scored)
    return Statistics.merged(found)


def _estimates(statistics: Statistics) -> dict[tuple, tuple[float, float, float]]:
    """By slice, column (or `less` the baseline's) and metric: value, low, high."""
    found = {}
    for of_slice in statistics.each():
        columns = jackknifed_metrics(of_slice, 4)
        named = {number: each.estimates() for number, each in enumerate(columns)}
        named |= {f"{number} less": columns[number].difference(columns[number + 2]) for number in range(2)}
        for name, metrics in named.items():
            for metric, each in metrics.items():
                found[of_slice.slices[0], name, metric] = (each.value, each.low, each.high)
    return found


def _reference(users: np.ndarray, labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    """By scikit-learn, user by user."""
    counted = (labels != NOT_COUNTED) & (weights > 0)
    users, labels, scores, weights = (values[counted] for values in (users, labels, scores.astype(float), weights))
    of_users = [users == user for user in np.unique(users[users != NO_USER])]
    used = [rows for rows in of_users if 0 < labels[rows].sum() < rows.sum()]
    aucs = [sklearn.metrics.roc_auc_score(labels[rows], scores[rows], sample_weight=weights[rows]) for rows in used]

    def mean(of_user: list) -> float:
        return float(np.average(aucs, weights=of_user)) if used else math.nan

    both, positive = 0 < labels.sum() < len(labels), labels == 1
    clipped = np.clip(scores, 1e-7, 1 - 1e-7)
    loss = sklearn.metrics.log_loss(labels, clipped, sample_weight=weights, labels=[0, 1]) if len(labels) else math.nan
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = weights[positive].sum() / weights.sum()
        bins = np.clip(np.floor(2 * (np.log(scores) - np.log1p(-scores))), -20, 19)
    gaps = [abs((weights * (scores - labels))[bins == each].sum()) for each in np.unique(bins)]
    return {
        "auc": sklearn.metrics.roc_auc_score(labels, scores, sample_weight=weights) if both else math.nan,
        "gauc": mean([1 for _ in used]),
        "gauc_by_impressions": mean([weights[rows].sum() for rows in used]),
        "gauc_by_positives": mean([weights[rows & positive].sum() for rows in used]),
        "log_loss": loss,
        "normalized_entropy": loss / -(rate * math.log(rate) + (1 - rate) * math.log(1 - rate)) if both else math.nan,
        "calibration": (weights * scores).sum() / weights[positive].sum() if positive.any() else math.nan,
        "expected_calibration_error": sum(gaps) / weights.sum() if len(labels) else math.nan,
        "example_count": len(labels),
        "positive_count": labels.sum(),
        "gauc_users": len(used),
        "gauc_users_left_out": len(of_users) - len(used),
        "gauc_rows_left_out": len(labels) - sum(rows.sum() for rows in used),
        "gauc_rows_without_user": (users == NO_USER).sum(),
    }


@pytest.mark.parametrize("budget", [2**28, 20_000, 1_000])
def test_every_slice_equals_scikit_learn(budget: int) -> None:
    weights = (_weights(), _weights(seed=6))
    rows = _rows(weights)
    found = _estimates(_sharded(rows, Sharding((False, False), users=4, budget=budget)))
    compared = 0
    for sliced in rows.slicings:
        for code, key in enumerate(sliced.keys):
            index = sliced.rows[sliced.codes == code]
            for column, output in rows.columns:
                expected = _reference(
                    rows.users[index], rows.labels[index, output], rows.scores[index, column], weights[output][index]
                )
                assert expected.keys() == METRICS.keys()
                for metric, value in expected.items():
                    assert found[key, column, metric][0] == pytest.approx(value, abs=1e-12, nan_ok=True), (key, metric)
                    compared += not math.isnan(value)
    assert compared > 250


@settings(max_examples=10)
@given(
    shards=st.sampled_from([1, 3, 16]),
    budget=st.sampled_from([1_000, 5_000, 2**28]),
    users=st.sampled_from([1, 7, 60]),
    batches=st.integers(1, 5),
)
def test_batches_shards_and_budget_do_not_matter(shards: int, budget: int, users: int, batches: int) -> None:
    rows = _rows((_weights(150), None), 150, users)
    expected = _estimates(_sharded(rows, Sharding((False, True), (3, 6)), 1))
    found = _estimates(_sharded(rows, Sharding((False, True), (3, 6), shards, budget), batches))
    assert found.keys() == expected.keys()
    for place, values in expected.items():
        assert found[place] == pytest.approx(values, abs=1e-9, nan_ok=True), place


@pytest.mark.parametrize("factor", [1.0, 0.3, 1e6])
@pytest.mark.parametrize("budget", [2**28, 1_000])
def test_equal_weights_change_nothing(factor: float, budget: int) -> None:
    sharding = Sharding((False, True), (3, 6), budget=budget)
    expected = _estimates(_sharded(_rows(), sharding))
    found = _estimates(_sharded(_rows((np.full(400, factor), np.full(400, factor))), sharding))
    assert found.keys() == expected.keys()
    for place, values in expected.items():
        assert found[place] == pytest.approx(values, rel=1e-9, abs=1e-12, nan_ok=True), place


def test_a_row_that_weighs_2_is_as_two_rows() -> None:
    times = np.random.default_rng(8).integers(0, 4, 400)
    weighted = _estimates(all_statistics(_rows((times.astype(float), times.astype(float)))))
    repeated = _estimates(all_statistics(_rows().take(np.repeat(np.arange(400), times))))
    assert weighted.keys() == repeated.keys()
    with_interval = 0
    for place, values in repeated.items():
        if place[2] not in _COUNTS:
            assert weighted[place] == pytest.approx(values, rel=1e-9, abs=1e-12, nan_ok=True), place
            with_interval += not math.isnan(values[1])
    assert with_interval > 60


def test_a_row_that_weighs_nothing_is_as_none() -> None:
    weights = _weights()
    some = _rows((weights, weights))
    without = some.take(np.flatnonzero(weights > 0))
    # Slices that lose all their rows are there all the same; here none does.
    expected, found = _estimates(all_statistics(without)), _estimates(all_statistics(some))
    assert found.keys() == expected.keys()
    for place, values in expected.items():
        assert found[place] == pytest.approx(values, rel=1e-9, abs=1e-12, nan_ok=True), place


def test_an_output_without_weights_stays_as_it_is_to_the_digit() -> None:
    sharding = Sharding((False, True), (3, 6), budget=5_000)
    expected = _estimates(_sharded(_rows(), replace(sharding, budget=2**28)))
    found = _estimates(_sharded(_rows((_weights(), None)), replace(sharding, budget=2**28)))
    for place, values in expected.items():
        if place[1] in (1, 3, "1 less"):
            assert repr(found[place]) == repr(values), place
    changed = [found[(), 0, metric][0] != expected[(), 0, metric][0] for metric in ("auc", "gauc", "log_loss")]
    assert all(changed)


def test_replicates_are_the_metrics_of_the_other_rows() -> None:
    rows = _rows((_weights(4000), None), 4000, 60)
    (found,) = jackknifed_metrics(next(all_statistics(rows).each()), 4)[:1]
    for position in (0, 11, len(found.clusters) - 1):
        others = rows.take(np.flatnonzero(rows.clusters != found.clusters[position]))
        expected = jackknifed_metrics(next(all_statistics(others).each()), 4)[0].values
        for number, metric in enumerate(name for name in METRICS if name not in _COUNTS):
            # AUC takes the pairs within the cluster for ordinary ones.
            wanted = 1e-4 if metric == "auc" else 1e-12
            assert found.replicates[position, number] == pytest.approx(expected[metric], abs=wanted), metric


def test_no_interval_where_one_cluster_has_all_positives() -> None:
    # Sums of weights less those left out are rounded; a class without rows must be seen all the same.
    rng = np.random.default_rng(4)
    users, weights = np.repeat(np.arange(40), 10), rng.random(400) + 0.1
    labels = (users == 7) & (rng.random(400) < 0.5)
    scores = rng.random(400).astype(np.float32)
    found = output_estimates(users, labels, scores, np.ones(400, bool), weights)
    for metric in ("auc", "gauc", "gauc_by_impressions", "gauc_by_positives", "normalized_entropy", "calibration"):
        assert not math.isnan(found[metric].value), metric
        assert math.isnan(found[metric].low), metric
    assert not math.isnan(found["log_loss"].low)


def test_a_model_less_itself_is_nothing_with_no_interval() -> None:
    rows = _rows((_weights(), _weights()))
    rows.scores[:, 2:] = rows.scores[:, :2]
    for (_, name, _), (value, low, _) in _estimates(all_statistics(rows)).items():
        if str(name).endswith("less") and not math.isnan(value):
            assert value == 0
            assert math.isnan(low)


def test_curves_are_those_of_the_weighted_rows() -> None:
    rng = np.random.default_rng(9)
    users, weights = rng.integers(0, 100, 20_000), rng.choice([0.0, 0.5, 1.5], 20_000)
    logits = rng.normal(-1, 1, 20_000)
    labels = rng.random(20_000) < 1 / (1 + np.exp(-logits))
    scores = np.round(1 / (1 + np.exp(-logits)), 3).astype(np.float32)
    rows = Rows(
        users, (users % 128).astype(np.uint8), labels[:, None].astype(np.int8), scores[:, None],
        (Sliced.all_rows(20_000),), (weights,),
    )  # fmt: skip
    found = curves(all_statistics(rows), 0)
    assert found is not None
    counted = weights > 0
    assert sum(found["positives"]) == labels[counted].sum()
    assert sum(each["rows"] for each in found["reliability"]) == counted.sum()
    for each in found["reliability"]:
        assert each["low"] < each["observed"] < each["high"]
    first = scores < found["reliability"][1]["predicted"] - 0.02
    assert found["reliability"][0]["observed"] == pytest.approx(
        np.average(labels[first], weights=weights[first]), abs=0.02
    )
    points = list(zip(found["false_positive_rate"], found["true_positive_rate"], strict=True))
    assert points[0] == (0, 0)
    assert points[-1] == (1, 1)
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(points))
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))
    assert area == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores, sample_weight=weights), abs=1e-3)
    exact = sklearn.metrics.roc_curve(labels, scores, sample_weight=weights, drop_intermediate=False)[:2]
    near = set(zip(*np.round(exact, 10), strict=True))
    assert {(round(x, 10), round(y, 10)) for x, y in points} <= near
