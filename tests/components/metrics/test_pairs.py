from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from tandem.components.metrics.pairs import auc, grouped_auc


def test_auc_by_hand() -> None:
    # Pairs (positive, negative): (.4, .1) won, (.4, .4) tied, (.8, .1) won, (.8, .4) won: 3.5 of 4.
    assert auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.4, 0.8])) == 3.5 / 4


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_scores_are_a_coin_toss(dtype: type) -> None:
    labels = np.array([1, 0, 0, 1, 0])
    assert auc(labels, np.full(5, 0.3, dtype)) == 0.5
    assert grouped_auc(np.zeros(5, int), labels, np.full(5, 0.3, dtype)).uniform == 0.5


@pytest.mark.parametrize("labels", [[], [0, 0], [1, 1]])
def test_auc_of_one_class_is_nan(labels: list[int]) -> None:
    assert math.isnan(auc(np.array(labels, int), np.zeros(len(labels))))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_grouped_auc_by_hand(dtype: type) -> None:
    # User 5: positives .9, negatives .1 .9: 1.5 of 2 pairs; 3 rows, 1 positive.
    # User 2: positives .2 .3, negative .1: 2 of 2 pairs; 3 rows, 2 positives.
    # User 9: positive .1, negatives .5 .6 .7: 0 of 3; 4 rows, 1 positive. User 4: one class, 2 rows.
    groups = np.array([5, 2, 9, 4, 5, 2, 9, 4, 5, 2, 9, 9])
    labels = np.array([1, 1, 1, 1, 0, 1, 0, 1, 0, 0, 0, 0])
    scores = np.array([0.9, 0.2, 0.1, 0.8, 0.1, 0.3, 0.5, 0.2, 0.9, 0.1, 0.6, 0.7], dtype)
    result = grouped_auc(groups, labels, scores)
    assert result.uniform == pytest.approx((0.75 + 1 + 0) / 3, abs=1e-15)
    assert result.by_impressions == pytest.approx((3 * 0.75 + 3 * 1 + 4 * 0) / 10, abs=1e-15)
    assert result.by_positives == pytest.approx((1 * 0.75 + 2 * 1 + 1 * 0) / 4, abs=1e-15)
    assert (result.users, result.users_left_out, result.rows_left_out) == (3, 1, 2)


def test_no_user_with_both_classes() -> None:
    result = grouped_auc(np.array([1, 1, 2]), np.array([1, 1, 0]), np.array([0.1, 0.2, 0.3]))
    assert math.isnan(result.uniform)
    assert math.isnan(result.by_impressions)
    assert math.isnan(result.by_positives)
    assert (result.users, result.users_left_out, result.rows_left_out) == (0, 2, 3)


def test_no_rows() -> None:
    result = grouped_auc(np.zeros(0, int), np.zeros(0, int), np.zeros(0, np.float32))
    assert math.isnan(result.uniform)
    assert (result.users, result.users_left_out, result.rows_left_out) == (0, 0, 0)


_ROWS = st.lists(
    st.tuples(
        st.sampled_from([-(2**62), -1, 0, 1, 2, 2**31, 2**62]),
        st.integers(0, 1),
        st.sampled_from([-1.5, -0.0, 0.0, 1e-40, 0.1, 0.25, 0.5, 1.0]),
    ),
    max_size=60,
)


@given(rows=_ROWS, dtype=st.sampled_from([np.float32, np.float64]))
def test_equals_scikit_learn_user_by_user(rows: list[tuple[int, int, float]], dtype: type) -> None:
    groups = np.array([group for group, _, _ in rows], np.int64)
    labels = np.array([label for _, label, _ in rows], np.int64)
    scores = np.array([score for _, _, score in rows], dtype)
    users = [groups == user for user in np.unique(groups)]
    used = [user for user in users if 0 < labels[user].sum() < user.sum()]
    aucs = [roc_auc_score(labels[user], scores[user]) for user in used]

    result = grouped_auc(groups, labels, scores)

    assert (result.users, result.users_left_out) == (len(used), len(users) - len(used))
    assert result.rows_left_out == len(rows) - sum(user.sum() for user in used)
    if used:
        weights = {
            "uniform": np.ones(len(used)),
            "by_impressions": [user.sum() for user in used],
            "by_positives": [labels[user].sum() for user in used],
        }
        for name, weight in weights.items():
            assert getattr(result, name) == pytest.approx(np.average(aucs, weights=weight), abs=1e-12)
    if 0 < labels.sum() < len(rows):
        assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)


@given(rows=_ROWS, seed=st.integers(0, 100))
def test_order_of_rows_does_not_matter(rows: list[tuple[int, int, float]], seed: int) -> None:
    groups, labels, scores = (
        np.array([row[part] for row in rows], dtype) for part, dtype in enumerate((int, int, "f4"))
    )
    order = np.random.default_rng(seed).permutation(len(rows))
    np.testing.assert_equal(
        vars(grouped_auc(groups, labels, scores)), vars(grouped_auc(groups[order], labels[order], scores[order]))
    )


def test_refuses_what_it_cannot_rank() -> None:
    with pytest.raises(ValueError, match="1 of 2 scores are nan"):
        auc(np.array([0, 1]), np.array([0.5, np.nan]))
    with pytest.raises(ValueError, match="labels must be 0 or 1, not 2"):
        auc(np.array([0, 2]), np.array([0.5, 0.6]))
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        auc(np.array([0, 1]), np.array([0.5, 0.6, 0.7]))
    with pytest.raises(ValueError, match=r"integer codes of shape \(2,\), not float64"):
        grouped_auc(np.array([0.5, 1.0]), np.array([0, 1]), np.array([0.5, 0.6]))
