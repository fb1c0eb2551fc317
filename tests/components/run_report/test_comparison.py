import dataclasses
import math

from tandem.components.run_report import comparison
from tandem.components.run_report.comparison import Metrics


def test_what_lost_most_comes_first_and_no_value_last(full):
    found = comparison.slices(Metrics(full.metrics), ["click", "click_and_conversion"], full.verdict, 100)
    assert (found[0].name, found[0].output) == ("device=desktop", "click")
    assert found[0].rows == 3000
    assert [each.name for each in found[-2:]] == ["device=tv", "device=tv"]
    weak = [bool(each.notes) for each in found]
    assert weak == sorted(weak)
    for notes in (False, True):
        lost = [each.metrics[0].difference.value for each in found[:-2] if bool(each.notes) == notes]
        assert lost == sorted(lost)


def test_without_a_baseline_the_lowest_value_comes_first(full):
    alone = [each for each in full.metrics if each.model == "candidate"]
    found = comparison.slices(Metrics(alone), ["click"], full.verdict, 100)
    values = [each.metrics[0].candidate.value for each in found]
    reliable = [each.metrics[0].candidate.value for each in found if not each.notes]
    assert len(reliable) == 15
    assert values[:15] == sorted(reliable)
    assert math.isnan(values[-1])
    assert all(each.metrics[0].difference is None for each in found)


def test_undefined_and_small_slices_are_marked(full, evil):
    found = comparison.slices(Metrics(full.metrics), ["click"], full.verdict, 100)
    notes = {each.name: each.notes for each in found}
    assert notes["device=tv"] == ("no AUC: one class only", "fewer than 100 rows")
    assert notes[f"device={evil}"] == ("too small for its bound",)
    assert notes["device=desktop"] == ()
    found = comparison.slices(Metrics(full.metrics), ["click"], full.verdict, 3001)
    assert {each.name: each.notes for each in found}["device=desktop"] == ("fewer than 3,001 rows",)


def test_an_evaluation_without_intervals_still_has_differences(full):
    plain = [dataclasses.replace(each, low=math.nan, high=math.nan) for each in full.metrics]
    (auc,) = [
        each
        for each in comparison.of_output(Metrics(each for each in plain if each.model != "difference"), "click")
        if each.metric == "auc"
    ]
    assert math.isclose(auc.difference.value, 0.0061)
    assert auc.change == "unknown"


def test_metrics_stand_in_the_order_of_the_table(full):
    names = [each.metric for each in comparison.of_output(Metrics(full.metrics), "click")]
    assert names == list(comparison.wording.SHOWN)
