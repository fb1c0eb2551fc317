"""The files that an evaluation leaves behind, and how to read them.

`metrics.json` has every metric of every model, output and slice, and the differences between the models, each with its
95% interval; `curves.json` what is drawn of all rows; `verdict.json` says whether the candidate may be pushed and why
not. All lie in the evaluation artifact's folder, next to TFMA's own files.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal

from tandem.components.metrics.slice_key import SliceKey

METRICS_FILE = "metrics.json"
CURVES_FILE = "curves.json"
VERDICT_FILE = "verdict.json"


@dataclass(frozen=True)
class MetricValue:
    """One number.

    Attributes:
      model: Whose: the candidate's, the baseline's (the last blessed model), or the first less the second, row
        by row on the same data.
      slice: Over which rows.
      output: Of which probability.
      metric: The metric's name.
      value: nan where the metric has no value (an AUC of one class).
      low: The lower end of the value's 95% interval; nan where there is none (counts have none).
      high: Its upper end.
    """

    model: Literal["candidate", "baseline", "difference"]
    slice: SliceKey
    output: str
    metric: str
    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class ReliabilityBin:
    """Rows of neighbouring scores: what was promised, and what came.

    Attributes:
      rows: How many.
      predicted: Their mean score.
      observed: Their share of positives.
      low: The lower end of its 95% interval.
      high: The upper end.
    """

    rows: int
    predicted: float
    observed: float
    low: float
    high: float


@dataclass(frozen=True)
class ActivityBin:
    """Users by the number of their rows that count for the output.

    Attributes:
      least: The smallest number of rows.
      most: The largest; None: no limit.
      users: Users with an AUC.
      gauc: The mean of their AUCs, every user weighing 1; nan without users.
      low: The lower end of its 95% interval.
      high: The upper end.
    """

    least: int
    most: int | None
    users: int
    gauc: float
    low: float
    high: float


@dataclass(frozen=True)
class Curves:
    """What is drawn of one model's output over all rows.

    Attributes:
      model: Whose.
      output: Of which probability.
      score_edges: [K + 1], ascending: the bins of the scores.
      positives: [K] positive rows per bin.
      negatives: [K] negative rows per bin.
      false_positive_rate: [P] of the ROC curve, ascending from 0 to 1.
      true_positive_rate: [P] of the ROC curve.
      reliability: Predicted against observed, by ascending score.
      by_activity: GAUC by the number of rows per user, ascending.
    """

    model: Literal["candidate", "baseline"]
    output: str
    score_edges: tuple[float, ...]
    positives: tuple[int, ...]
    negatives: tuple[int, ...]
    false_positive_rate: tuple[float, ...]
    true_positive_rate: tuple[float, ...]
    reliability: tuple[ReliabilityBin, ...]
    by_activity: tuple[ActivityBin, ...]


@dataclass(frozen=True)
class Finding:
    """What came of one bound in one slice.

    Attributes:
      slice: Over which rows.
      output: Of which probability.
      metric: The metric's name.
      value: The candidate's value; None where it has none.
      bound: The smallest or largest value allowed (kind `absolute`), or by how much the value may be worse (`change`).
      kind: Whether the bound is on the value, or on its change against the baseline.
      baseline_value: The baseline's value; None where it has none or there is no baseline.
      text: All that in a sentence.
      low: The lower end of the 95% interval of what is bounded: the value, or its difference to the baseline's.
      high: Its upper end.
    """

    slice: SliceKey
    output: str
    metric: str
    value: float | None
    bound: float
    kind: Literal["absolute", "change"]
    baseline_value: float | None
    text: str
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Verdict:
    """Whether the candidate may be pushed.

    Attributes:
      blessed: Whether it may.
      baseline: Whether there was a blessed model to compare with.
      reasons: Why not: bounds out of which the candidate lies, or that could not be checked though they had to be.
      undefined: Slices that have no value and do not block.
      too_small: Slices that have too few rows and do not block.
      not_compared: Bounds on change without a baseline's value.
      kept: Bounds that the candidate keeps.
    """

    blessed: bool
    baseline: bool
    reasons: tuple[Finding, ...] = ()
    undefined: tuple[Finding, ...] = ()
    too_small: tuple[Finding, ...] = ()
    not_compared: tuple[Finding, ...] = ()
    kept: tuple[Finding, ...] = ()


_MODELS = ("candidate", "baseline", "difference")


def write_metrics(uri: str, metrics: Iterable[MetricValue]) -> None:
    """Writes `metrics.json`, ordered by model, output, slice; a missing value is null."""
    ordered = sorted(
        metrics, key=lambda each: (_MODELS.index(each.model), each.output, _order(each.slice), each.metric)
    )
    _write(uri, METRICS_FILE, [_plain(each) for each in ordered])


def read_metrics(uri: str) -> list[MetricValue]:
    """Reads `metrics.json` of an evaluation artifact's folder."""
    return [
        MetricValue(
            **{**each, "slice": _key(each["slice"])}
            | {name: math.nan if each[name] is None else each[name] for name in ("value", "low", "high")}
        )
        for each in _read(uri, METRICS_FILE)
    ]


def write_curves(uri: str, curves: Iterable[Curves]) -> None:
    """Writes `curves.json`; a missing number is null."""
    _write(uri, CURVES_FILE, [_without_nan(dataclasses.asdict(each)) for each in curves])


def read_curves(uri: str) -> list[Curves]:
    """Reads `curves.json` of an evaluation artifact's folder."""
    return [curves_of(**each) for each in _read(uri, CURVES_FILE)]


def curves_of(**plain: Any) -> Curves:
    """Makes curves of their fields as plain data: lists for tuples, mappings for bins, None for a missing number."""
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
    fields["reliability"] = tuple(ReliabilityBin(**_with_nan(bin_)) for bin_ in plain["reliability"])
    fields["by_activity"] = tuple(ActivityBin(**_with_nan(bin_, but="most")) for bin_ in plain["by_activity"])
    return Curves(**fields)


def write_verdict(uri: str, verdict: Verdict) -> None:
    """Writes `verdict.json`."""
    _write(uri, VERDICT_FILE, {name: _plain_part(value) for name, value in vars(verdict).items()})


def read_verdict(uri: str) -> Verdict:
    """Reads `verdict.json` of an evaluation artifact's folder."""
    parts: dict[str, Any] = {}
    for name, value in _read(uri, VERDICT_FILE).items():
        parts[name] = (
            tuple(Finding(**{**each, "slice": _key(each["slice"])}) for each in value)
            if isinstance(value, list)
            else value
        )
    return Verdict(**parts)


def _order(key: SliceKey) -> tuple[int, tuple[str, ...], str]:
    return len(key), tuple(column for column, _ in key), str([value for _, value in key])


def _plain_part(value: bool | Sequence[Finding]) -> Any:
    return value if isinstance(value, bool) else [_plain(each) for each in value]


def _plain(each: MetricValue | Finding) -> dict[str, Any]:
    return _without_nan(dataclasses.asdict(each)) | {"slice": dict(each.slice)}


def _without_nan(value: Any) -> Any:
    """Replaces numbers that JSON does not have by null, however deep."""
    if isinstance(value, dict):
        return {name: _without_nan(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _with_nan(values: dict[str, Any], but: str = "") -> dict[str, Any]:
    return {name: math.nan if value is None and name != but else value for name, value in values.items()}


def _key(slice_: dict[str, str | int]) -> SliceKey:
    return tuple(slice_.items())


def _write(uri: str, name: str, content: Any) -> None:
    with _open(uri, name, "w") as file:
        json.dump(content, file, indent=1, allow_nan=False, ensure_ascii=True)


def _read(uri: str, name: str) -> Any:
    with _open(uri, name, "r") as file:
        return json.load(file)


def _open(uri: str, name: str, mode: str) -> IO[str]:
    path = os.path.join(uri, name)
    if "://" not in uri:
        return open(path, mode, encoding="utf-8")
    from tfx.dsl.io import fileio  # seconds to import, and needed for object stores only

    return fileio.open(path, mode)
