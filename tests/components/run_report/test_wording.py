import dataclasses
import math

import pytest

from tandem.components.evaluator.results import MetricValue
from tandem.components.metrics.catalog import METRICS
from tandem.components.run_report import wording


def difference(value, low, high):
    return MetricValue("difference", (), "click", "any", value, low, high)


@pytest.mark.parametrize(
    ("metric", "value", "width", "expected"),
    [
        ("auc", 0.01, 0.005, "better"),
        ("auc", -0.01, 0.005, "worse"),
        ("auc", 0.01, 0.02, "unclear"),
        ("log_loss", 0.01, 0.005, "worse"),
        ("log_loss", -0.01, 0.005, "better"),
        ("auc", 0.01, math.nan, "unknown"),
        ("example_count", 5.0, 1.0, "unknown"),
    ],
)
def test_a_change_is_good_by_the_metrics_direction(metric, value, width, expected):
    assert wording.change(metric, difference(value, value - width, value + width), 0.7 + value, 0.7) == expected


@pytest.mark.parametrize(
    ("candidate", "baseline", "expected"),
    [(1.02, 1.12, "better"), (1.12, 1.02, "worse"), (0.98, 0.90, "better"), (0.85, 1.1, "worse")],
)
def test_a_calibration_is_good_near_one(candidate, baseline, expected):
    value = candidate - baseline
    assert wording.change("calibration", difference(value, value - 0.01, value + 0.01), candidate, baseline) == expected


def test_an_interval_that_touches_zero_says_nothing():
    assert wording.change("auc", difference(0.01, 0.0, 0.02), 0.71, 0.7) == "unclear"


def test_every_ranking_and_loss_of_the_catalogue_is_told():
    assert {name for name, info in METRICS.items() if info.better} | {"calibration"} <= set(wording.SHOWN)


@pytest.mark.parametrize(
    ("value", "digits", "signed", "text"),
    [
        (0.71234, 4, False, "0.7123"),
        (-0.00612, 4, True, "−0.0061"),
        (0.0061, 4, True, "+0.0061"),
        (-0.00001, 4, True, "0.0000"),
        (27459.0, 0, False, "27,459"),
        (math.nan, 4, False, "–"),
        (None, 4, False, "–"),
    ],
)
def test_numbers(value, digits, signed, text):
    assert wording.number(value, digits, signed) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(1, 4, "25.0 %"), (1, 1000, "0.10 %"), (1, 10**6, "< 0.01 %"), (0, 5, "0 %"), (0, 0, "–")],
)
def test_shares(part, whole, text):
    assert wording.share(part, whole) == text


def test_the_bounds_are_counted(full, bare):
    assert wording.headline(full).startswith("Do not ship: 1 of 10 bounds is not kept")
    assert wording.headline(bare) == "Ship it: the model keeps every bound, and is pushed as version 1795."
    assert wording.unchecked(full.verdict) == [
        "1 check did not count: no value there (rows of one class only, say).",
        "1 check did not count: fewer rows than the bound asks for.",
    ]


def test_thin_evidence_is_in_the_headline(bare):
    thin = "click has 3 positive rows in the evaluation"
    verdict = dataclasses.replace(bare.verdict, thin=(thin, "sale has no positive rows in the evaluation"))
    assert wording.headline(dataclasses.replace(bare, verdict=verdict)) == (
        "Ship it, on thin evidence: the model keeps every bound, and is pushed as version 1795, "
        "but click has 3 positive rows in the evaluation."
    )
