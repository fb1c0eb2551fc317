"""The files that an evaluation leaves behind, and how to read them.

`metrics.json` has every metric of every model, output and slice, and the differences between the models, each with its
95% interval; `curves.json` what is drawn of all rows; `verdict.json` says whether the candidate may be pushed and why
not. All lie in the evaluation artifact's folder, next to TFMA's own files.
"""

from __future__ import annotations

import json
import math
import posixpath
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

from fsspec.core import open as open_file
from pydantic import BeforeValidator, PlainSerializer, TypeAdapter
from pydantic.dataclasses import dataclass

from tandem import files
from tandem.components.metrics.slice_key import SliceKey

if TYPE_CHECKING:
    from collections.abc import Iterable

METRICS_FILE = "metrics.json"
CURVES_FILE = "curves.json"
VERDICT_FILE = "verdict.json"

CANDIDATE: Final = "candidate"
BASELINE: Final = "baseline"
DIFFERENCE: Final = "difference"

Model = Literal["candidate", "baseline"]
"""The model that is evaluated, and the last blessed one."""

Compared = Literal["candidate", "baseline", "difference"]
"""Either, or the first less the second."""

T = TypeVar("T")

Number = Annotated[
    float,
    BeforeValidator(lambda value: math.nan if value is None else value),
    PlainSerializer(lambda value: value if math.isfinite(value) else None),
]
"""In a file, a number that JSON does not have is null."""

Slice = Annotated[
    SliceKey,
    BeforeValidator(lambda value: tuple(value.items()) if isinstance(value, dict) else value),
    PlainSerializer(dict),
]
"""In a file, a mapping."""


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

    model: Compared
    slice: Slice
    output: str
    metric: str
    value: Number
    low: Number = math.nan
    high: Number = math.nan


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
    predicted: Number
    observed: Number
    low: Number
    high: Number


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
    gauc: Number
    low: Number
    high: Number


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

    model: Model
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

    slice: Slice
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
      thin: Of which outputs the evaluation knows so little that a bound may be kept by chance, a sentence each.
    """

    blessed: bool
    baseline: bool
    reasons: tuple[Finding, ...] = ()
    undefined: tuple[Finding, ...] = ()
    too_small: tuple[Finding, ...] = ()
    not_compared: tuple[Finding, ...] = ()
    kept: tuple[Finding, ...] = ()
    thin: tuple[str, ...] = ()


_MODELS = (CANDIDATE, BASELINE, DIFFERENCE)

_METRICS = TypeAdapter(list[MetricValue])
_CURVES = TypeAdapter(list[Curves])
_VERDICT = TypeAdapter(Verdict)


def write_metrics(uri: str, metrics: Iterable[MetricValue]) -> None:
    """Writes `metrics.json`, ordered by model, output, slice; a missing value is null."""
    ordered = sorted(
        metrics, key=lambda each: (_MODELS.index(each.model), each.output, _order(each.slice), each.metric)
    )
    _write(uri, METRICS_FILE, _METRICS, ordered)


def read_metrics(uri: str) -> list[MetricValue]:
    """Reads `metrics.json` of an evaluation artifact's folder."""
    return _read(uri, METRICS_FILE, _METRICS)


def write_curves(uri: str, curves: Iterable[Curves]) -> None:
    """Writes `curves.json`; a missing number is null."""
    _write(uri, CURVES_FILE, _CURVES, list(curves))


def read_curves(uri: str) -> list[Curves]:
    """Reads `curves.json` of an evaluation artifact's folder."""
    return _read(uri, CURVES_FILE, _CURVES)


def write_verdict(uri: str, verdict: Verdict) -> None:
    """Writes `verdict.json`."""
    _write(uri, VERDICT_FILE, _VERDICT, verdict)


def read_verdict(uri: str) -> Verdict:
    """Reads `verdict.json` of an evaluation artifact's folder."""
    return _read(uri, VERDICT_FILE, _VERDICT)


def _order(key: SliceKey) -> tuple[int, tuple[str, ...], str]:
    return len(key), tuple(column for column, _ in key), str([value for _, value in key])


def _write(uri: str, name: str, adapter: TypeAdapter[T], content: T) -> None:
    plain: Any = adapter.dump_python(content, mode="json")
    files.write(posixpath.join(uri, name), json.dumps(plain, indent=1, allow_nan=False, ensure_ascii=True))


def _read(uri: str, name: str, adapter: TypeAdapter[T]) -> T:
    with open_file(posixpath.join(uri, name), "rb") as file:
        return adapter.validate_json(file.read())
