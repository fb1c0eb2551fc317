"""The charts of the report, as plotly figures.

A figure says what is drawn; which colour a trace has, the page decides, since it knows whether it is light or dark. So
a trace carries its role in `meta`: `candidate`, `baseline`, `positive`, `negative`, `reference`, `good`, `bad`.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import plotly.graph_objects as go

from tandem.components.evaluator.results import ActivityBin, Curves, ReliabilityBin
from tandem.components.run_report import wording

if TYPE_CHECKING:
    from tandem.components.run_report.comparison import Compared
    from tandem.components.run_report.facts import Shift, UnknownValues

NAMES = {"candidate": "this model", "baseline": "last blessed"}

_ROW_HEIGHT = 26  # pixels of a bar and its name
_AROUND_ROWS = 90


@dataclass(frozen=True)
class Chart:
    """A figure and what stands around it.

    Attributes:
      id: Of the page's element.
      title: What it shows.
      note: How to read it, in a sentence or two.
      figure: As plotly's JavaScript takes it: `data` and `layout`.
      height: Of the drawing, in pixels.
    """

    id: str
    title: str
    note: str
    figure: dict[str, Any]
    height: int = 300


def of_output(output: str, curves: Iterable[Curves]) -> list[Chart]:
    """Draws what is drawn of an output: calibration, ROC, scores, GAUC by activity.

    Args:
      output: Its name.
      curves: Of the candidate, and of the baseline if there is one.
    """
    by_model = {each.model: each for each in curves if each.output == output}
    ordered = [by_model[model] for model in ("baseline", "candidate") if model in by_model]  # the candidate on top
    if not ordered:
        return []
    charts = [_reliability(ordered), _roc(ordered), _scores(ordered)]
    return [*charts, _activity(ordered)] if any(each.by_activity for each in ordered) else charts


def differences(compared: Mapping[str, Sequence[Compared]]) -> Chart | None:
    """Draws the differences to the last blessed model, for the metrics that lie between 0 and 1 and rank.

    Args:
      compared: By output, its metrics.

    Returns:
      None where there are no differences.
    """
    ranking = ("auc", "gauc", "gauc_by_impressions", "gauc_by_positives")
    found = [
        (f"{output}<br>{each.words.title}", each)
        for output, of_output in compared.items()
        for each in of_output
        if each.metric in ranking and each.difference is not None and wording.is_number(each.difference.value)
    ]
    if not found:
        return None
    traces = []
    kinds = (
        (("better",), "good", "better"),
        (("worse",), "bad", "worse"),
        (("unclear",), "neutral", "no clear difference"),
        (("unknown",), "neutral", "no interval"),
    )
    for changes, role, name in kinds:
        points = [(label, each.difference) for label, each in found if each.difference and each.change in changes]
        if points:
            traces.append(
                go.Scatter(
                    x=[point.value for _, point in points],
                    y=[label for label, _ in points],
                    error_x=_error([point for _, point in points]),
                    mode="markers",
                    marker={"size": 10},
                    name=name,
                    meta={"role": role},
                    hovertemplate="%{y}: %{x:+.4f}<extra></extra>",
                )
            )
    layout = {
        "xaxis": {"title": {"text": "difference"}, "zeroline": True, "tickformat": "+", "nticks": 4},
        "yaxis": {"categoryorder": "array", "categoryarray": [label for label, _ in reversed(found)], "dtick": 1},
    }
    return Chart(
        "differences",
        "Ranking, against the last blessed model",
        "A dot is the difference, the line its 95 % interval. Right of 0 this model ranks better; where the line "
        "crosses 0, the data do not tell the two apart.",
        _figure(traces, layout),
        height=44 * len(found) + _AROUND_ROWS,
    )


def training(history: Sequence[Mapping[str, float]]) -> list[Chart]:
    """Draws a curve for every figure of the epochs: the parts of the loss, then those of the validation."""
    names = list(dict.fromkeys(name for epoch in history for name in epoch if name != "epoch"))
    names.sort(key=lambda name: name.startswith("validation/"))  # stable
    charts = []
    for index, name in enumerate(names):
        points = [(epoch["epoch"], epoch[name]) for epoch in history if name in epoch]
        trace = go.Scatter(
            x=[epoch for epoch, _ in points],
            y=[_finite(value) for _, value in points],
            mode="lines+markers",
            name=name,
            meta={"role": "candidate"},
            showlegend=False,
            hovertemplate="epoch %{x}: %{y:.5g}<extra></extra>",
        )
        axis: dict[str, Any] = {"tickformat": "d", "title": {"text": "epoch"}}
        if len(history) <= 10:
            axis["dtick"] = 1
        values = [value for _, value in points if math.isfinite(value)]
        text = f"From {values[0]:.4g} to {values[-1]:.4g}." if values else "No value."
        charts.append(
            Chart(f"training-{index}", name, text, _figure([trace], {"xaxis": axis, "yaxis": {"nticks": 5}}), 190)
        )
    return charts


def shifts(kind: Literal["skew", "drift"], found: Iterable[Shift]) -> Chart | None:
    """Draws how far features moved, the farthest first; None where nothing was measured."""
    own = [each for each in found if each.kind == kind and each.distance is not None]
    own.sort(key=lambda each: each.distance or 0.0, reverse=True)
    if not own:
        return None
    names = [html.escape(each.feature) for each in own]
    bars = go.Bar(
        x=[each.distance for each in own],
        y=names,
        orientation="h",
        name="distance",
        showlegend=False,
        meta={"roles": ["bad" if each.exceeded else "candidate" for each in own], "role": "candidate"},
        customdata=[wording.MEASURES.get(each.measure, each.measure) for each in own],
        hovertemplate="%{y}: %{x:.4g} (%{customdata})<extra></extra>",
    )
    limited = [(name, each.threshold) for name, each in zip(names, own, strict=True) if each.threshold is not None]
    traces = [bars]
    if limited:
        traces.append(
            go.Scatter(
                x=[threshold for _, threshold in limited],
                y=[name for name, _ in limited],
                mode="markers",
                marker={"symbol": "line-ns-open", "size": 16, "line": {"width": 3}},
                name="threshold",
                meta={"role": "reference"},
                hovertemplate="%{y}: at most %{x:.4g}<extra></extra>",
            )
        )
    words = {
        "skew": (
            "Evaluation against training days",
            "How far the values of the evaluation days lie from those that the model learned from.",
        ),
        "drift": (
            "Training days against those before",
            "How far the values of the training days lie from those that the last run accepted.",
        ),
    }[kind]
    layout = {
        "xaxis": {"title": {"text": "distance"}, "rangemode": "tozero"},
        "yaxis": {"autorange": "reversed", "dtick": 1},
    }
    return Chart(
        f"shift-{kind}",
        words[0],
        f"{words[1]} A bar that passes its mark is more than the schema allows.",
        _figure(traces, layout),
        height=_ROW_HEIGHT * len(own) + _AROUND_ROWS,
    )


def unknown(found: Sequence[UnknownValues]) -> Chart | None:
    """Draws the share of values that are out of vocabulary, per feature and split; None where there are none."""
    features = list(dict.fromkeys(each.feature for each in found))
    rates = {(each.feature, each.split): each.unknown / each.values for each in found if each.values}
    features = [name for name in features if any(rates.get((name, each.split)) for each in found)]
    if not features:
        return None
    splits = list(dict.fromkeys(each.split for each in found))
    features.sort(key=lambda name: -max(rates.get((name, split), 0.0) for split in splits))
    roles = {"train": "baseline", "eval": "candidate"}
    traces = [
        go.Bar(
            x=[rates.get((name, split)) for name in features],
            y=[html.escape(name) for name in features],
            orientation="h",
            name=split,
            meta={"role": roles.get(split, "neutral")},
            hovertemplate="%{y}: %{x:.2%}<extra></extra>",
        )
        for split in splits
    ]
    layout = {
        "barmode": "group",
        "xaxis": {"title": {"text": "share of values"}, "tickformat": "~%", "rangemode": "tozero", "nticks": 6},
        "yaxis": {"autorange": "reversed", "dtick": 1},
    }
    return Chart(
        "unknown-values",
        "Values that the vocabulary does not know",
        "Features without such values are left out. A rate in evaluation far above that in training means that "
        "the model meets much that it has never seen.",
        _figure(traces, layout),
        height=int(1.5 * _ROW_HEIGHT) * len(features) + _AROUND_ROWS,
    )


def _reliability(curves: Sequence[Curves]) -> Chart:
    traces, points = [], []
    for each in curves:
        bins = [one for one in each.reliability if one.rows and wording.is_number(one.observed)]
        points += bins
        traces.append(
            go.Scatter(
                x=[one.predicted for one in bins],
                y=[one.observed for one in bins],
                error_y=_error(bins),
                mode="lines+markers",
                name=NAMES[each.model],
                meta={"role": each.model},
                customdata=[one.rows for one in bins],
                hovertemplate="predicted %{x:.4f}, observed %{y:.4f}, %{customdata:,} rows<extra></extra>",
            )
        )
    lowest = min((one.predicted for one in points), default=0.0)
    highest = max((one.predicted for one in points), default=1.0)
    left, right = (lowest * 0.95 if lowest > highest / 3 else 0.0), highest * 1.05
    # Intervals of few positives reach up to 1; where they are cut, the curves can still be told apart.
    top = max((one.observed for one in points), default=1.0)
    ends = [one.high for one in points if wording.is_number(one.high)]
    top = max(right, min(max([top * 1.05, *ends]), 2.5 * top))
    layout = {
        "xaxis": {"title": {"text": "predicted"}, "range": [left, right]},
        "yaxis": {"title": {"text": "observed"}, "range": [0, top]},
    }
    return Chart(
        f"reliability-{curves[-1].output}",
        "Calibration",
        "Rows of like scores: what was promised, and what came (with its 95 % interval). On the dashed line, both are "
        "the same; below it the model promises too much.",
        _figure([_line([left, right], [left, right], "as predicted"), *traces], layout),
    )


def _roc(curves: Sequence[Curves]) -> Chart:
    traces = [
        go.Scatter(
            x=list(each.false_positive_rate),
            y=list(each.true_positive_rate),
            mode="lines",
            name=NAMES[each.model],
            meta={"role": each.model},
            hovertemplate="%{y:.1%} of positives at %{x:.1%} of negatives<extra></extra>",
        )
        for each in curves
    ]
    layout = {
        "xaxis": {"title": {"text": "share of negatives above"}, "tickformat": ".0%", "range": [0, 1]},
        "yaxis": {"title": {"text": "share of positives above"}, "tickformat": ".0%", "range": [0, 1.01]},
    }
    return Chart(
        f"roc-{curves[-1].output}",
        "ROC",
        "For every cut of the score, the share of positives and of negatives above it. The area below is the AUC; the "
        "dashed line is chance.",
        _figure([_line([0, 1], [0, 1], "chance"), *traces], layout),
    )


def _scores(curves: Sequence[Curves]) -> Chart:
    traces = []
    for each in curves:
        own = each.model == "candidate"
        for role, numbers in (("negative", each.negatives), ("positive", each.positives)):
            total = sum(numbers)
            if not total:
                continue
            traces.append(
                go.Scatter(
                    x=[each.score_edges[0], *each.score_edges],
                    y=[0, *(one / total for one in numbers), 0],
                    mode="lines",
                    line={"shape": "hv", "dash": "solid" if own else "dot", "width": 2 if own else 1.5},
                    fill="tozeroy" if own else "none",
                    name=f"{role}s, {NAMES[each.model]}",
                    meta={"role": role},
                    hovertemplate="from %{x:.4f}: %{y:.1%}<extra></extra>",
                )
            )
    layout = {
        "xaxis": {"title": {"text": "score"}, **_score_axis(curves)},
        "yaxis": {"title": {"text": "share of its class"}, "tickformat": ".0%", "rangemode": "tozero"},
    }
    return Chart(
        f"scores-{curves[-1].output}",
        "Scores by class",
        "How the scores of positive and of negative rows are spread. The farther apart the two, the better the model "
        "tells them from each other.",
        _figure(traces, layout),
    )


_MANY_DECADES = 1e4


def _score_axis(curves: Sequence[Curves]) -> dict[str, Any]:
    """Shows where scores are: all but a thousandth at each end; by their logarithm where the bins widen."""
    lows, highs = zip(*(_reach(each) for each in curves), strict=True)
    low, high = min(lows), max(highs)
    edges = curves[-1].score_edges
    widths = [upper - lower for lower, upper in pairwise(edges)]
    if low > 0 and max(widths) > 1.1 * min(widths):
        return {
            "type": "log",
            "range": [math.log10(low), math.log10(high)],
            "tickformat": "~g",
            "dtick": "D2" if high / low < _MANY_DECADES else 1,  # D2: at 1, 2 and 5
        }
    return {"range": [low, high]}


def _activity(curves: Sequence[Curves]) -> Chart:
    traces = []
    for each in curves:
        bins = [one for one in each.by_activity if one.users and wording.is_number(one.gauc)]
        traces.append(
            go.Scatter(
                x=[_range(one) for one in bins],
                y=[one.gauc for one in bins],
                error_y=_error(bins, "gauc"),
                mode="markers+lines",
                name=NAMES[each.model],
                meta={"role": each.model},
                customdata=[one.users for one in bins],
                hovertemplate="%{x} rows: GAUC %{y:.4f}, %{customdata:,} users<extra></extra>",
            )
        )
    shown = curves[-1].by_activity
    ends = [
        end
        for each in curves
        for one in each.by_activity
        for end in (one.gauc, one.low, one.high)
        if one.users and wording.is_number(end)
    ]
    layout = {
        "xaxis": {
            "title": {"text": "rows per user (below: users)"},
            "type": "category",
            "categoryorder": "array",
            "categoryarray": [_range(one) for one in shown],
            "tickvals": [_range(one) for one in shown],
            "ticktext": [f"{_range(one)}<br>{one.users:,}" for one in shown],
        },
        "yaxis": {
            "title": {"text": "GAUC"},
            "range": [max(min(ends, default=0) - 0.02, 0), min(max(ends, default=1) + 0.02, 1.02)],
        },
    }
    return Chart(
        f"activity-{curves[-1].output}",
        "GAUC by activity",
        "Users by how many rows they have, each group with its 95 % interval. Users with few rows are those of whom "
        "the model knows least.",
        _figure(traces, layout),
    )


def _range(one: ActivityBin) -> str:
    if one.most is None:
        return f"{one.least}+"
    return str(one.least) if one.least == one.most else f"{one.least}\N{EN DASH}{one.most}"


def _reach(curves: Curves) -> tuple[float, float]:
    """Returns the edges between which all but a thousandth of the rows lie at each end."""
    rows = [positive + negative for positive, negative in zip(curves.positives, curves.negatives, strict=True)]
    within = [index for index in range(len(rows)) if min(sum(rows[: index + 1]), sum(rows[index:])) > sum(rows) / 1000]
    if not within:
        return curves.score_edges[0], curves.score_edges[-1]
    return curves.score_edges[within[0]], curves.score_edges[within[-1] + 1]


def _line(x: Sequence[float], y: Sequence[float], name: str) -> go.Scatter:
    return go.Scatter(
        x=list(x),
        y=list(y),
        mode="lines",
        line={"dash": "dash", "width": 1},
        name=name,
        meta={"role": "reference"},
        hoverinfo="skip",
    )


def _error(points: Sequence[Any], value: str = "") -> dict[str, Any]:
    """Makes error bars of intervals; a point without an interval has none."""
    name = value or ("observed" if points and isinstance(points[0], ReliabilityBin) else "value")

    def lengths(sign: int, end: str) -> Iterator[float | None]:
        for point in points:
            length = sign * (getattr(point, end) - getattr(point, name))
            yield max(length, 0.0) if math.isfinite(length) else None

    return {
        "type": "data",
        "symmetric": False,
        "array": list(lengths(1, "high")),
        "arrayminus": list(lengths(-1, "low")),
        "thickness": 1.5,
        "width": 3,
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _figure(traces: Sequence[Any], layout: Mapping[str, Any]) -> dict[str, Any]:
    """Lets plotly check a figure; returns it as plain data, without numbers that JSON does not have."""
    figure = go.Figure(data=list(traces), layout={"template": go.layout.Template(), **layout})
    plain: dict[str, Any] = _plain(figure.to_plotly_json())
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return _finite(value) if isinstance(value, float) else value
