from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import sklearn.metrics

from tandem.components.metrics.catalog import INTERVAL_METRICS
from tandem.components.metrics.curves import curves
from tandem.components.metrics.estimates import JackknifedMetrics, all_statistics, jackknifed_metrics, output_estimates
from tandem.components.metrics.rows import Rows
from tandem.components.metrics.slicing import Sliced
from tandem.components.metrics.statistics import FINE, Statistics, Table, bin_edges, score_bins
from tandem.components.metrics.users import NO_USER


def _rows(users: np.ndarray, labels: np.ndarray, scores: np.ndarray) -> Rows:
    return Rows(
        users=users,
        clusters=(users % 128).astype(np.uint8),
        labels=labels[:, None].astype(np.int8),
        scores=scores[:, None].astype(np.float32),
        slicings=(Sliced.all_rows(len(users)),),
    )


def _random(count: int = 3000, users: int = 100) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    logits = rng.normal(-1, 1, count)
    labels = rng.random(count) < 1 / (1 + np.exp(-logits))
    return rng.integers(0, users, count), labels, np.round(1 / (1 + np.exp(-logits)), 3).astype(np.float32)


def _statistics(*arrays: np.ndarray) -> Statistics:
    return all_statistics(_rows(*arrays))


def test_entropy_and_calibration_error_by_hand() -> None:
    labels, scores = np.array([1, 0, 0, 0]), np.array([0.5, 0.5, 0.2, 0.2])
    everything = np.ones(4, bool)
    values = output_estimates(np.arange(4), labels, scores.astype(np.float32), everything)
    entropy = -(0.25 * math.log(0.25) + 0.75 * math.log(0.75))
    log_loss = -(2 * math.log(0.5) + 2 * math.log(0.8)) / 4
    assert values["normalized_entropy"].value == pytest.approx(log_loss / entropy, rel=1e-6)
    # Two bins: 1.0 promised and 1 seen; 0.4 promised and none seen.
    assert values["expected_calibration_error"].value == pytest.approx(0.4 / 4, rel=1e-6)


def test_predicting_the_base_rate_has_an_entropy_of_1_and_no_calibration_error() -> None:
    labels = np.tile([1, 0, 0, 0], 50)
    everything = np.ones(200, bool)
    values = output_estimates(np.arange(200), labels, np.full(200, 0.25, np.float32), everything)
    assert values["normalized_entropy"].value == pytest.approx(1, rel=1e-12)
    assert values["expected_calibration_error"].value == pytest.approx(0, abs=1e-12)
    assert values["calibration"].value == 1


def test_rows_without_a_user_are_left_out_of_gauc_and_counted() -> None:
    users, labels, scores = _random()
    counted, grouped = np.arange(3000) % 5 != 0, np.arange(3000) % 3 != 0
    values = output_estimates(np.where(grouped, users, NO_USER), np.where(counted, labels, 7), scores, counted)
    assert values["example_count"].value == 2400
    assert values["gauc_rows_without_user"].value == 800
    assert values["gauc_rows_left_out"].value >= 800
    assert values["auc"].value == pytest.approx(sklearn.metrics.roc_auc_score(labels[counted], scores[counted]))


def test_replicates_are_those_of_the_other_rows() -> None:
    users, labels, scores = _random()
    (found,) = jackknifed_metrics(_statistics(users, labels, scores), 1)
    assert found.clusters.tolist() == list(range(100))
    for cluster in (0, 17, 99):
        kept = users != cluster
        (others,) = jackknifed_metrics(_statistics(users[kept], labels[kept], scores[kept]), 1)
        for position, name in enumerate(INTERVAL_METRICS):
            # AUC takes the pairs within the cluster for ordinary ones.
            wanted = 2e-5 if name == "auc" else 1e-12
            assert found.replicates[cluster, position] == pytest.approx(others.values[name], abs=wanted), name


def test_a_model_less_itself_is_nothing_with_no_interval() -> None:
    (found,) = jackknifed_metrics(_statistics(*_random()), 1)
    for value in found.difference(found).values():
        assert value.value == 0
        assert math.isnan(value.low)


def test_a_slice_without_rows_that_count_has_counts_of_0() -> None:
    empty = Statistics(((("city", 1),),), {})
    (found,) = jackknifed_metrics(empty, 1)
    assert isinstance(found, JackknifedMetrics)
    assert found.values["example_count"] == found.values["gauc_users"] == 0
    assert math.isnan(found.values["auc"])


def test_bins_lie_between_their_edges() -> None:
    scores = np.append(np.random.default_rng(0).random(1000), [0, 1, 1e-12])
    bins = score_bins(scores) // FINE
    assert (bin_edges()[bins] <= scores + 1e-12).all()
    assert (scores <= bin_edges()[bins + 1] + 1e-12).all()


def test_curves_add_up() -> None:
    users, labels, scores = _random()
    found = curves(_statistics(users, labels, scores), 0)
    assert found is not None
    assert sum(found["positives"]) == labels.sum()
    assert sum(found["negatives"]) == (~labels).sum()
    assert len(found["score_edges"]) == len(found["positives"]) + 1
    assert 20 <= len(found["positives"]) <= 52
    assert found["score_edges"] == sorted(found["score_edges"])
    below = (scores < found["score_edges"][7] - 1e-6).sum()
    assert sum(found["positives"][:7]) + sum(found["negatives"][:7]) == pytest.approx(below, abs=3)
    reliability = found["reliability"]
    assert sum(each["rows"] for each in reliability) == 3000
    assert sum(each["rows"] * each["observed"] for each in reliability) == pytest.approx(labels.sum())
    assert sum(each["rows"] * each["predicted"] for each in reliability) == pytest.approx(scores.sum(), rel=1e-5)
    assert [each["predicted"] for each in reliability] == sorted(each["predicted"] for each in reliability)
    assert 15 <= len(reliability) <= 20
    assert all(each["low"] < each["observed"] < each["high"] for each in reliability)


def test_models_that_are_drawn_together_have_the_same_bins() -> None:
    users, labels, scores = _random()
    narrow, wide = _statistics(users, labels, scores / 20 + np.float32(0.4)), _statistics(users, labels, scores)
    other = {
        name: Table(table.keys + (np.arange(table.keys.shape[1]) == 1), table.values)
        for name, table in wide.tables.items()
    }
    both = Statistics.merged([narrow, Statistics(wide.slices, other)])
    alone, beside, wider = curves(both, 0), curves(both, 0, beside=[1]), curves(both, 1, beside=[0])
    assert alone is not None
    assert beside is not None
    assert wider is not None
    assert set(beside["score_edges"]) <= set(wider["score_edges"])
    assert len(beside["score_edges"]) < len(alone["score_edges"])
    assert sum(beside["positives"]) == sum(alone["positives"]) == labels.sum()


def test_the_roc_has_few_points_of_the_exact_curve() -> None:
    users, labels, scores = _random(20_000)
    found = curves(_statistics(users, labels, scores), 0)
    assert found is not None
    false, true, _ = sklearn.metrics.roc_curve(labels, scores, drop_intermediate=False)
    points = list(zip(found["false_positive_rate"], found["true_positive_rate"], strict=True))
    assert points[0] == (0, 0)
    assert points[-1] == (1, 1)
    assert 100 <= len(points) <= 202
    exact = set(zip(np.round(false, 12), np.round(true, 12), strict=True))
    assert {(round(x, 12), round(y, 12)) for x, y in points} <= exact
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))
    assert area == pytest.approx(sklearn.metrics.roc_auc_score(labels, scores), abs=1e-3)


def test_gauc_by_the_number_of_rows() -> None:
    # User 0: 2 rows, ranked right; users 1 and 2: 3 rows, right and wrong; user 3: 1 row; user 4: 1,200 rows, all tied.
    users = np.concatenate([np.repeat([0, 1, 2, 3], [2, 3, 3, 1]), np.full(1200, 4)])
    labels = np.concatenate([[1, 0, 1, 0, 0, 0, 0, 1, 1], np.arange(1200) % 2])
    scores = np.concatenate([[0.9, 0.1, 0.9, 0.1, 0.2, 0.5, 0.6, 0.1, 0.5], np.full(1200, 0.5)])
    found = curves(_statistics(users, labels, scores), 0)
    assert found is not None
    assert [(each["least"], each["most"], each["users"], each["gauc"]) for each in found["by_activity"]] == [
        (2, 3, 3, pytest.approx(2 / 3)),
        (1024, None, 1, 0.5),
    ]
    assert all(math.isnan(each["low"]) for each in found["by_activity"])


def test_one_class_has_no_roc() -> None:
    users, _, scores = _random(50)
    found = curves(_statistics(users, np.zeros(50, int), scores), 0)
    assert found is not None
    assert found["false_positive_rate"] == found["true_positive_rate"] == []
    assert found["by_activity"] == []
