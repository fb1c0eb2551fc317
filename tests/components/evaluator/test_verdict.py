from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from tandem.components.evaluator.results import MetricValue, Verdict
from tandem.components.evaluator.verdict import Bound, judge

if TYPE_CHECKING:
    from tandem.components.evaluator.settings import RefuseIf

_CITY_12 = (("city", 12),)
_CITY_13 = (("city", 13),)


def _metrics(values: dict, count: float = 500.0) -> list[MetricValue]:
    """From {(model, slice, metric): value} of the output `click`; every slice has `count` rows."""
    found = [MetricValue(model, key, "click", metric, value) for (model, key, metric), value in values.items()]
    slices = {(each.model, each.slice) for each in found}
    return found + [MetricValue(model, key, "click", "example_count", count) for model, key in sorted(slices, key=str)]


def _judge(values: dict, *bounds: Bound, count: float = 500.0) -> Verdict:
    return judge(_metrics(values, count), bounds, has_baseline=any(model == "baseline" for model, _, _ in values))


def test_keeps_its_bounds() -> None:
    values = {("candidate", (), "auc"): 0.7, ("candidate", (), "log_loss"): 0.2}
    verdict = _judge(values, Bound("auc", "click", lower=0.7), Bound("log_loss", "click", upper=0.2))
    assert (verdict.blessed, verdict.baseline, verdict.reasons) == (True, False, ())
    assert [each.text for each in verdict.kept] == [
        "auc of click is 0.7; its bound 0.7 is kept",
        "log_loss of click is 0.2; its bound 0.2 is kept",
    ]


def test_below_and_above_its_bounds() -> None:
    values = {("candidate", (), "auc"): 0.6512, ("candidate", (), "calibration"): 1.25}
    verdict = _judge(values, Bound("auc", "click", lower=0.7), Bound("calibration", "click", upper=1.2))
    assert not verdict.blessed
    assert [reason.text for reason in verdict.reasons] == [
        "auc of click is 0.6512, below its bound 0.7",
        "calibration of click is 1.2500, above its bound 1.2",
    ]
    reason = verdict.reasons[0]
    assert (reason.slice, reason.output, reason.metric, reason.value) == ((), "click", "auc", 0.6512)
    assert (reason.bound, reason.kind, reason.baseline_value) == (0.7, "absolute", None)


def test_a_bound_on_all_rows_is_not_about_slices() -> None:
    values = {("candidate", (), "auc"): 0.8, ("candidate", _CITY_12, "auc"): 0.1}
    assert _judge(values, Bound("auc", "click", lower=0.7)).blessed


def test_a_bound_on_every_slice_of_a_column() -> None:
    values = {
        ("candidate", (), "gauc"): 0.1,
        ("candidate", _CITY_12, "gauc"): 0.5312,
        ("candidate", _CITY_13, "gauc"): 1.0,
    }
    verdict = _judge(values, Bound("gauc", "click", columns=("city",), lower=0.55))
    assert [reason.text for reason in verdict.reasons] == ["gauc of click in city=12 is 0.5312, below its bound 0.55"]
    assert verdict.reasons[0].slice == _CITY_12


def test_a_bound_on_one_named_slice() -> None:
    values = {("candidate", _CITY_12, "auc"): 0.9, ("candidate", _CITY_13, "auc"): 0.1}
    bound = Bound("auc", "click", columns=("city",), values=(("city", "12"),), lower=0.5)
    assert _judge(values, bound).blessed


def test_worse_than_the_blessed_model() -> None:
    values = {("candidate", (), "auc"): 0.6512, ("baseline", (), "auc"): 0.66}
    verdict = _judge(values, Bound("auc", "click", not_worse_by=0.005))
    reason = verdict.reasons[0]
    assert reason.text == "auc of click is 0.6512, worse than the blessed model's 0.6600 by 0.0088; allowed is 0.005"
    assert (reason.kind, reason.bound, reason.baseline_value) == ("change", 0.005, 0.66)
    assert verdict.baseline


@pytest.mark.parametrize(
    ("candidate", "baseline", "metric", "blessed"),
    [
        (0.7, 0.705, "auc", True),  # just allowed, whatever the rounding of the difference
        (0.6999, 0.705, "auc", False),
        (0.8, 0.7, "auc", True),
        (0.205, 0.2, "log_loss", True),
        (0.2051, 0.2, "log_loss", False),
        (0.1, 0.2, "log_loss", True),
    ],
)
def test_direction_of_change(candidate: float, baseline: float, metric: str, blessed: bool) -> None:
    values = {("candidate", (), metric): candidate, ("baseline", (), metric): baseline}
    assert _judge(values, Bound(metric, "click", not_worse_by=0.005)).blessed is blessed


def test_without_a_baseline_change_is_not_compared() -> None:
    verdict = _judge({("candidate", (), "auc"): 0.5}, Bound("auc", "click", not_worse_by=0.005))
    assert (verdict.blessed, verdict.baseline) == (True, False)
    assert [each.text for each in verdict.not_compared] == [
        "auc of click is not compared with the blessed model's: there is none"
    ]


def test_a_baseline_without_this_output_is_not_compared() -> None:
    values = {("candidate", (), "auc"): 0.5, ("baseline", (), "auc"): math.nan}
    verdict = _judge(values, Bound("auc", "click", not_worse_by=0.005))
    assert verdict.blessed
    assert verdict.not_compared[0].text.endswith("it does not answer this output")


def test_a_slice_of_one_class_is_listed_and_does_not_block() -> None:
    values = {("candidate", _CITY_12, "auc"): math.nan, ("candidate", _CITY_13, "auc"): 0.8}
    verdict = _judge(values, Bound("auc", "click", columns=("city",), lower=0.7))
    assert verdict.blessed
    assert [(each.slice, each.value) for each in verdict.undefined] == [(_CITY_12, None)]
    assert verdict.undefined[0].text == (
        "auc of click in city=12 is undefined (one class only): its bound 0.7 cannot be checked"
    )


@pytest.mark.parametrize(
    "bound",
    [
        Bound("auc", "click", lower=0.7),
        Bound("auc", "click", not_worse_by=0.01),
        Bound("auc", "click", columns=("city",), values=(("city", "12"),), lower=0.7),
    ],
)
def test_an_undefined_value_blocks_where_it_was_asked_for(bound: Bound) -> None:
    values = {(model, key, "auc"): math.nan for model in ("candidate", "baseline") for key in ((), _CITY_12)}
    verdict = _judge(values, bound)
    assert not verdict.blessed
    assert "is undefined (one class only)" in verdict.reasons[0].text


def test_a_named_slice_without_rows_blocks() -> None:
    bound = Bound("auc", "click", columns=("city",), values=(("city", "99"),), lower=0.7, min_examples=100)
    verdict = _judge({("candidate", (), "auc"): 0.9}, bound)
    assert [each.text for each in verdict.reasons] == [
        "auc of click in city=99 is undefined (no rows): its bound 0.7 cannot be checked"
    ]


def test_small_slices_do_not_block_but_all_rows_do() -> None:
    values = {("candidate", (), "auc"): 0.1, ("candidate", _CITY_12, "auc"): 0.1}
    in_slices = Bound("auc", "click", columns=("city",), lower=0.7, min_examples=100)
    verdict = _judge(values, in_slices, count=99.0)
    assert [each.text for each in verdict.too_small] == [
        "auc of click in city=12 is over 99 rows, fewer than the 100 its bound asks for"
    ]
    assert [each.slice for each in _judge(values, in_slices, count=100.0).reasons] == [_CITY_12]
    assert not _judge(values, Bound("auc", "click", lower=0.7, min_examples=100), count=99.0).blessed


def test_numbers_have_the_digits_that_tell_them_apart() -> None:
    verdict = _judge({("candidate", (), "auc"): 0.69999}, Bound("auc", "click", lower=0.7))
    assert verdict.reasons[0].text == "auc of click is 0.699990, below its bound 0.7"


def test_no_bounds_is_an_error() -> None:
    with pytest.raises(ValueError, match="no threshold"):
        judge([], [], has_baseline=False)


def _measured(
    value: float, low: float, high: float, model: str = "candidate", key: tuple = (), metric: str = "auc"
) -> MetricValue:
    return MetricValue(model, key, "click", metric, value, low, high)  # type: ignore[arg-type]


def _one(measured: list[MetricValue], bound: Bound) -> Verdict:
    counts = {(each.model, each.slice) for each in measured if each.model != "difference"}
    rows = [MetricValue(model, key, "click", "example_count", 500.0) for model, key in sorted(counts, key=str)]
    return judge([*measured, *rows], [bound], has_baseline=any(each.model == "baseline" for each in measured))


@pytest.mark.parametrize(
    ("low", "high", "refuse_if", "blessed"),
    [
        (0.69, 0.73, "missed", True),
        (0.69, 0.73, "maybe_missed", False),
        (0.70, 0.73, "maybe_missed", True),  # the bound itself is allowed
        (0.69, 0.73, "surely_missed", True),
    ],
)
def test_the_interval_decides_where_it_is_asked(low: float, high: float, refuse_if: RefuseIf, blessed: bool) -> None:
    verdict = _one([_measured(0.71, low, high)], Bound("auc", "click", lower=0.7, refuse_if=refuse_if))
    assert verdict.blessed is blessed
    (finding,) = verdict.kept if blessed else verdict.reasons
    assert (finding.low, finding.high) == (low, high)


def test_a_value_that_misses_its_bound_within_chance() -> None:
    missed = [_measured(0.69, 0.68, 0.71)]
    assert not _one(missed, Bound("auc", "click", lower=0.7)).blessed
    verdict = _one(missed, Bound("auc", "click", lower=0.7, refuse_if="surely_missed"))
    assert [each.text for each in verdict.kept] == [
        "auc of click is 0.6900 (95% interval 0.6800 to 0.7100); its bound 0.7 is missed, but not surely"
    ]
    verdict = _one([_measured(0.69, 0.68, 0.699)], Bound("auc", "click", lower=0.7, refuse_if="surely_missed"))
    assert [each.text for each in verdict.reasons] == [
        "auc of click is 0.6900 (95% interval 0.6800 to 0.6990), below its bound 0.7"
    ]


def test_upper_bounds_look_at_the_other_end() -> None:
    measured = [_measured(1.1, 1.0, 1.3, metric="calibration")]
    refused = _one(measured, Bound("calibration", "click", upper=1.2, refuse_if="maybe_missed"))
    assert [each.text for each in refused.reasons] == [
        "calibration of click is 1.1000 (95% interval 1.0000 to 1.3000), which may be above its bound 1.2"
    ]
    assert _one(measured, Bound("calibration", "click", upper=1.2, refuse_if="surely_missed")).blessed
    assert not _one(measured, Bound("calibration", "click", upper=0.9, refuse_if="surely_missed")).blessed


@pytest.mark.parametrize(
    ("metric", "sign", "low", "high", "refuse_if", "blessed"),
    [
        # Worse by 0.003, surely by no more than 0.007, surely by more than 0.001; allowed is 0.005.
        ("auc", -1, -0.007, -0.001, "missed", True),
        ("auc", -1, -0.007, -0.001, "maybe_missed", False),
        ("auc", -1, -0.005, -0.001, "maybe_missed", True),
        ("auc", -1, -0.009, -0.006, "surely_missed", False),
        ("auc", -1, -0.009, -0.004, "surely_missed", True),
        ("log_loss", 1, 0.001, 0.007, "maybe_missed", False),
        ("log_loss", 1, 0.001, 0.005, "maybe_missed", True),
    ],
)
def test_change_is_held_to_the_interval_of_the_difference(
    metric: str, sign: int, low: float, high: float, refuse_if: RefuseIf, blessed: bool
) -> None:
    difference = (low + high) / 2 if refuse_if == "surely_missed" else sign * 0.003
    measured = [
        # The models' own intervals are wide, for they share what is hard about the rows: they must not decide.
        _measured(0.7 + difference, 0.5, 0.9, metric=metric),
        _measured(0.7, 0.5, 0.9, "baseline", metric=metric),
        _measured(difference, low, high, "difference", metric=metric),
    ]
    bound = Bound(metric, "click", not_worse_by=0.005, refuse_if=refuse_if)
    verdict = _one(measured, bound)
    assert verdict.blessed is blessed
    (finding,) = verdict.kept if blessed else verdict.reasons
    assert (finding.low, finding.high, finding.kind) == (low, high, "change")


def test_words_for_a_change_with_its_interval() -> None:
    measured = [
        _measured(0.697, 0.6, 0.8),
        _measured(0.7, 0.6, 0.8, "baseline"),
        _measured(-0.003, -0.007, 0.001, "difference"),
    ]
    bound = Bound("auc", "click", not_worse_by=0.005, refuse_if="maybe_missed")
    assert _one(measured, bound).reasons[0].text == (
        "auc of click is 0.6970, worse than the blessed model's 0.7000 by 0.0030 (95% interval -0.0010 to 0.0070), "
        "which may be more; allowed is 0.005"
    )
    better = [
        _measured(0.72, 0.6, 0.8),
        _measured(0.7, 0.6, 0.8, "baseline"),
        _measured(0.02, 0.01, 0.03, "difference"),
    ]
    assert _one(better, bound).kept[0].text == (
        "auc of click is 0.7200, better than the blessed model's 0.7000 by 0.0200 (95% interval 0.0100 to 0.0300); "
        "its bound 0.005 is kept"
    )


def test_without_an_interval_nothing_is_sure() -> None:
    measured = [_measured(0.9, math.nan, math.nan), _measured(0.9, math.nan, math.nan, key=_CITY_12)]
    asked = _one(measured, Bound("auc", "click", lower=0.7, refuse_if="maybe_missed"))
    assert [each.text for each in asked.reasons] == [
        "auc of click is 0.9000; without a 95% interval its bound 0.7 cannot be checked"
    ]
    # A slice of a column is listed; and as there is no other, the bound was checked nowhere.
    sliced = Bound("auc", "click", columns=("city",), lower=0.7, refuse_if="surely_missed")
    verdict = _one(measured, sliced)
    assert [each.slice for each in verdict.undefined] == [_CITY_12]
    assert "could be checked nowhere (1 slice: 1 undefined)" in verdict.reasons[0].text
    measured.append(_measured(0.9, 0.8, 0.95, key=_CITY_13))
    assert _one(measured, sliced).blessed


@pytest.mark.parametrize("refuse_if", ["missed", "maybe_missed", "surely_missed"])
def test_a_model_that_is_trained_again_keeps_up_with_itself(refuse_if: RefuseIf) -> None:
    # The difference is 0 whichever users are left out, and has no interval.
    values = {("candidate", (), "auc"): 0.7, ("baseline", (), "auc"): 0.7}
    assert _judge(values, Bound("auc", "click", not_worse_by=0.005, refuse_if=refuse_if)).blessed


@pytest.mark.parametrize(
    ("candidate", "baseline", "blessed"),
    [
        (1.1, 1.1, True),
        (0.8, 1.25, True),  # as far from 1 on the other side: ln 0.8 = -ln 1.25
        (1.2, 1.0, False),  # ln 1.2 = 0.182
        (1.0, 1.2, True),
        (0.85, 0.95, False),  # 0.163 - 0.051 = 0.111
        (0.9, 0.95, True),  # 0.105 - 0.051 = 0.054
        (0.0, 0.5, False),
        (0.0, 0.0, False),  # nothing is promised: no distance at all, and never a pass
    ],
)
def test_calibration_is_compared_by_its_distance_from_1(candidate: float, baseline: float, blessed: bool) -> None:
    values = {("candidate", (), "calibration"): candidate, ("baseline", (), "calibration"): baseline}
    assert _judge(values, Bound("calibration", "click", not_worse_by=0.1)).blessed is blessed


def test_words_for_a_calibration_that_got_worse() -> None:
    values = {("candidate", (), "calibration"): 0.8, ("baseline", (), "calibration"): 1.0}
    verdict = _judge(values, Bound("calibration", "click", not_worse_by=0.1))
    assert verdict.reasons[0].text == (
        "calibration of click is 0.8000, worse than the blessed model's 1.0000: "
        "its distance from 1 is worse by 0.2231 (|ln|); allowed is 0.1"
    )


@pytest.mark.parametrize(
    ("values", "count", "why"),
    [
        ({_CITY_12: math.nan, _CITY_13: math.nan}, 500.0, "2 slices: 2 undefined"),
        ({_CITY_12: 0.9, _CITY_13: 0.9}, 99.0, "2 slices: 2 too small"),
        ({}, 500.0, "there is no such slice"),
    ],
)
def test_a_bound_that_could_be_checked_nowhere_is_a_reason(values: dict, count: float, why: str) -> None:
    measured = {("candidate", key, "auc"): value for key, value in ({(): 0.9} | values).items()}
    bound = Bound("auc", "click", columns=("city",), lower=0.7, min_examples=100)
    verdict = _judge(measured, bound, count=count)
    assert [each.text for each in verdict.reasons] == [
        f"auc of click by city: its bound 0.7 could be checked nowhere ({why})"
    ]


@pytest.mark.parametrize(("rows", "blessed"), [(99.0, False), (100.0, True)])
def test_a_bound_whose_slices_are_undefined_or_too_small_was_checked_nowhere(rows: float, blessed: bool) -> None:
    measured = [
        MetricValue("candidate", _CITY_12, "click", "auc", math.nan),
        MetricValue("candidate", _CITY_12, "click", "example_count", 500.0),
        MetricValue("candidate", _CITY_13, "click", "auc", 0.9),
        MetricValue("candidate", _CITY_13, "click", "example_count", rows),
    ]
    bound = Bound("auc", "click", columns=("city",), lower=0.7, min_examples=100)
    verdict = judge(measured, [bound], has_baseline=False)
    assert verdict.blessed is blessed
    assert [each.slice for each in verdict.undefined] == [_CITY_12]
    if not blessed:
        assert [each.slice for each in verdict.too_small] == [_CITY_13]
        assert [each.text for each in verdict.reasons] == [
            "auc of click by city: its bound 0.7 could be checked nowhere (2 slices: 1 too small, 1 undefined)"
        ]


def test_without_a_baseline_slices_are_not_held_to_change() -> None:
    values = {("candidate", (), "auc"): 0.9, ("candidate", _CITY_12, "auc"): math.nan}
    bound = Bound("auc", "click", columns=("city",), not_worse_by=0.01)
    assert _judge(values, bound).blessed
    assert not _judge(values | {("baseline", _CITY_12, "auc"): math.nan}, bound).blessed
