import dataclasses
import json
import math

from tandem.components.run_report import charts


def traces(chart):
    return {trace["name"]: trace for trace in chart.figure["data"]}


def test_candidate_and_baseline_together(full):
    reliability, roc, scores, activity = charts.of_output("click", full.curves)
    for chart in (reliability, roc, activity):
        assert {"this model", "last blessed"} <= set(traces(chart))
    assert traces(reliability)["this model"]["meta"] == {"role": "candidate"}
    assert len(traces(scores)) == 4


def test_intervals_become_error_bars(full):
    reliability, *_, activity = charts.of_output("click", full.curves)
    (curve,) = [each for each in full.curves if (each.model, each.output) == ("candidate", "click")]
    drawn = traces(reliability)["this model"]
    assert drawn["y"] == [one.observed for one in curve.reliability]
    ends = [y + up for y, up in zip(drawn["y"], drawn["error_y"]["array"], strict=True)]
    assert all(math.isclose(end, one.high) for end, one in zip(ends, curve.reliability, strict=True))
    drawn = traces(activity)["this model"]
    starts = [y - down for y, down in zip(drawn["y"], drawn["error_y"]["arrayminus"], strict=True)]
    assert all(math.isclose(start, one.low) for start, one in zip(starts, curve.by_activity, strict=True))
    assert drawn["x"] == ["2–3", "4–7", "8–15", "16–31", "32+"]


def test_scores_are_shares_of_their_class(full):
    drawn = traces(charts.of_output("click", full.curves)[2])["positives, this model"]
    assert math.isclose(sum(drawn["y"]), 1)
    assert (drawn["y"][0], drawn["y"][-1]) == (0, 0)
    assert len(drawn["x"]) == len(drawn["y"])


def test_bins_that_widen_are_drawn_by_their_logarithm(full):
    (curve,) = [each for each in full.curves if (each.model, each.output) == ("candidate", "click")]
    bins = {"positives": (0, 4, 6, 0), "negatives": (0, 500, 490, 1)}
    even = dataclasses.replace(curve, score_edges=(0.1, 0.2, 0.3, 0.4, 0.5), **bins)
    assert charts.of_output("click", [even])[2].figure["layout"]["xaxis"]["range"] == [0.2, 0.4]
    wide = dataclasses.replace(curve, score_edges=(0.001, 0.01, 0.1, 0.5, 1.0), **bins)
    axis = charts.of_output("click", [wide])[2].figure["layout"]["xaxis"]
    assert (axis["type"], axis["range"]) == ("log", [-2, math.log10(0.5)])


def test_wide_intervals_do_not_flatten_the_calibration(full):
    (curve,) = [each for each in full.curves if (each.model, each.output) == ("candidate", "click")]
    bins = [dataclasses.replace(one, high=1.0) for one in curve.reliability]
    axis = charts.of_output("click", [dataclasses.replace(curve, reliability=tuple(bins))])[0].figure["layout"]["yaxis"]
    assert axis["range"] == [0, 2.5 * max(one.observed for one in bins)]


def test_empty_bins_and_missing_numbers_are_left_out(full):
    (curve,) = [each for each in full.curves if (each.model, each.output) == ("candidate", "click")]
    empty = dataclasses.replace(curve.by_activity[0], users=0, gauc=math.nan, low=math.nan, high=math.nan)
    single = dataclasses.replace(curve.by_activity[1], low=math.nan, high=math.nan)
    odd = dataclasses.replace(curve, by_activity=(empty, single, *curve.by_activity[2:]))
    drawn = traces(charts.of_output("click", [odd])[3])["this model"]
    assert drawn["x"] == ["4–7", "8–15", "16–31", "32+"]
    assert drawn["error_y"]["array"][0] is None
    json.dumps([each.figure for each in charts.of_output("click", [odd])], allow_nan=False)


def test_every_part_of_the_loss_has_a_curve(full):
    drawn = charts.training(full.history)
    assert [chart.title for chart in drawn] == [
        "click",
        "conversion",
        "pico_contrast/click/conversion",
        "embedding_l2",
        "validation/auc/click",
    ]
    assert drawn[0].figure["data"][0]["x"] == list(range(1, 9))
    assert charts.training([]) == []


def test_shifts_are_drawn_with_their_thresholds(full):
    skew = charts.shifts("skew", full.shifts)
    bars, marks = skew.figure["data"]
    assert bars["x"] == sorted(bars["x"], reverse=True)
    assert bars["meta"]["roles"] == ["bad"] + ["candidate"] * 5
    assert marks["x"] == [0.04] * 6
    assert charts.shifts("skew", [dataclasses.replace(full.shifts[0], distance=None)]) is None


def test_names_are_no_markup(full, evil):
    (bars, *_) = charts.shifts("skew", [dataclasses.replace(full.shifts[0], feature=evil)]).figure["data"]
    assert "<" not in bars["y"][0]


def test_unknown_values_are_rates(full):
    by_split = traces(charts.unknown(full.unknown))
    assert by_split["train"]["y"] == ["user_id", "last_item", "item_id"]
    assert by_split["train"]["x"] == [0.02, 0.01, 0.003]
    assert charts.unknown([]) is None
