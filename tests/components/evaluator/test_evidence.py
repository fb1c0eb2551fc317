from __future__ import annotations

import math

import pytest

from tandem.components.evaluator.evidence import thin_evidence
from tandem.components.evaluator.results import MetricValue
from tandem.components.evaluator.verdict import Bound, judge


def _metrics(positives: float, low: float, high: float, output: str = "click", auc: float = 0.7) -> list[MetricValue]:
    return [
        MetricValue("candidate", (), output, "positive_count", positives),
        MetricValue("candidate", (), output, "auc", auc, low, high),
        MetricValue("candidate", (("device", "tv"),), output, "positive_count", 1.0),
        MetricValue("baseline", (), output, "positive_count", 1.0),
    ]


@pytest.mark.parametrize(
    ("positives", "low", "high", "expected"),
    [
        (
            3,
            0.02,
            0.99,
            "click has 3 positive rows in the evaluation and an AUC that may be anything from 0.02 to 0.99",
        ),
        (1, math.nan, math.nan, "click has 1 positive row in the evaluation and an AUC whose interval is unknown"),
        (99, math.nan, math.nan, "click has an AUC whose interval is unknown"),
        (9, 0.65, 0.75, "click has 9 positive rows in the evaluation"),
        (500, 0.55, 0.76, "click has an AUC that may be anything from 0.55 to 0.76"),
    ],
)
def test_few_positives_and_wide_intervals(positives: float, low: float, high: float, expected: str) -> None:
    assert thin_evidence(_metrics(positives, low, high), ["click"]) == (expected,)


def test_without_a_positive_there_is_no_auc_to_speak_of() -> None:
    metrics = _metrics(0, math.nan, math.nan, auc=math.nan)
    assert thin_evidence(metrics, ["click"]) == ("click has no positive rows in the evaluation",)


@pytest.mark.parametrize(("positives", "low", "high"), [(10, 0.61, 0.8), (100, math.nan, math.nan), (math.nan, 0, 1)])
def test_what_is_well_known_or_not_counted_is_not_told(positives: float, low: float, high: float) -> None:
    assert thin_evidence(_metrics(positives, low, high), ["click"]) == ()


def test_the_outputs_that_a_bound_is_about_are_told_and_one_called_by_a_number_is_quoted() -> None:
    metrics = [*_metrics(3, 0.6, 0.75, "4"), *_metrics(2, 0.6, 0.75, "sale")]
    verdict = judge(metrics, [Bound("auc", "4", lower=0.6)], has_baseline=False)
    assert verdict.blessed
    assert verdict.thin == ("'4' has 3 positive rows in the evaluation",)
    assert verdict.kept[0].text.startswith("auc of '4' is 0.7000")
