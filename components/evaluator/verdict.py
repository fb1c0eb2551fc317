"""From metrics and bounds to a verdict, in numbers and in words."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tandem.components.evaluator.evidence import output_text, thin_evidence
from tandem.components.evaluator.results import BASELINE, CANDIDATE, DIFFERENCE, Finding, MetricValue, Verdict
from tandem.components.metrics.catalog import METRICS
from tandem.components.metrics.slice_key import SliceKey, slice_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tandem.components.evaluator.plan import EvaluationPlan
    from tandem.components.evaluator.settings import RefuseIf, Threshold

_COUNT = "example_count"

# The difference of two metrics carries rounding errors; this much beyond a bound on change still keeps it.
_ROUNDING = 1e-12

_Table = dict[tuple[str, SliceKey, str, str], MetricValue]  # by (model, slice, output, metric)
_Outcome = Literal["kept", "reasons", "undefined", "too_small", "not_compared"]


@dataclass(frozen=True)
class Bound:
    """What one threshold asks of one metric of one output.

    Attributes:
      metric: The metric's name.
      output: The output's name.
      columns: The columns of the slices it is about, sorted; () for all rows together.
      values: Column -> value, where it is about one slice only.
      lower: The smallest value allowed.
      upper: The largest value allowed.
      not_worse_by: How much worse than the baseline it may be, from 0. Where one value is best (a calibration of 1), by
        how much its distance from it may be larger, on a log scale: |ln value|.
      min_examples: Slices in which fewer rows count are not held to it.
      refuse_if: See `RefuseIf`.
    """

    metric: str
    output: str
    columns: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    lower: float | None = None
    upper: float | None = None
    not_worse_by: float | None = None
    min_examples: int = 0
    refuse_if: RefuseIf = "missed"

    @property
    def must_be_defined(self) -> bool:
        """Whether it is about one slice (all rows, or one that is named), which then must have a value."""
        return not self.columns or bool(self.values)

    def is_about(self, key: SliceKey) -> bool:
        """Returns whether it is about a slice."""
        if tuple(column for column, _ in key) != self.columns:
            return False
        return not self.values or tuple((column, str(value)) for column, value in key) == self.values


def bounds(plan: EvaluationPlan) -> list[Bound]:
    """Takes the thresholds of a plan apart, ordered by output and metric."""
    outputs, metrics = [output.name for output in plan.outputs], list(METRICS)
    ordered = sorted(
        plan.settings.thresholds, key=lambda each: (outputs.index(each.output), metrics.index(each.metric))
    )
    return [bound for threshold in ordered for bound in _bounds(threshold, plan.settings.least_examples(threshold))]


def _bounds(threshold: Threshold, min_examples: int) -> Iterator[Bound]:
    values = tuple(sorted(threshold.slice.items())) if isinstance(threshold.slice, dict) else ()

    def bound(**limit: float | None) -> Bound:
        return Bound(
            metric=threshold.metric,
            output=threshold.output,
            columns=threshold.columns,
            values=values,
            min_examples=min_examples if threshold.slice else 0,
            refuse_if=threshold.refuse_if,
            **limit,
        )

    if threshold.at_least is not None:
        yield bound(lower=threshold.at_least)
    if threshold.at_most is not None:
        yield bound(upper=threshold.at_most)
    if threshold.not_worse_than_blessed_by is not None:
        yield bound(not_worse_by=threshold.not_worse_than_blessed_by)


def judge(metrics: Iterable[MetricValue], bounds: Sequence[Bound], has_baseline: bool) -> Verdict:
    """Holds the candidate to its bounds.

    What is undefined is never kept. A bound on all rows, or on one named slice, must be checkable: a value that is
    missing or nan is a reason. Among the slices of a column some have rows of one class only; these are listed and do
    not block, nor do slices with fewer rows than the bound asks for; but a bound that could be checked in none of its
    slices is a reason. A bound on change is not checked where the baseline has no value.

    Args:
      metrics: Of the candidate and, if there is one, of the baseline, and their differences.
      bounds: At least one.
      has_baseline: Whether there is a blessed model to compare with.

    Raises:
      ValueError: There are no bounds.
    """
    if not bounds:
        raise ValueError("there is no threshold: every model would be blessed")
    metrics = list(metrics)
    table: _Table = {(each.model, each.slice, each.output, each.metric): each for each in metrics}
    slices = sorted({key for _, key, _, _ in table}, key=str)
    outcomes: dict[_Outcome, list[Finding]] = {
        "kept": [],
        "reasons": [],
        "undefined": [],
        "too_small": [],
        "not_compared": [],
    }
    for bound in bounds:
        keys = [key for key in slices if bound.is_about(key)]
        if not keys and bound.must_be_defined:
            keys = [bound.values]
        found = [_check(bound, key, table, has_baseline) for key in keys]
        for outcome, finding in found:
            outcomes[outcome].append(finding)
        if {outcome for outcome, _ in found} <= {"undefined", "too_small"} and (
            bound.not_worse_by is None or has_baseline
        ):
            outcomes["reasons"].append(_checked_nowhere(bound, Counter(outcome for outcome, _ in found)))
    return Verdict(
        blessed=not outcomes["reasons"],
        baseline=has_baseline,
        reasons=tuple(outcomes["reasons"]),
        undefined=tuple(outcomes["undefined"]),
        too_small=tuple(outcomes["too_small"]),
        not_compared=tuple(outcomes["not_compared"]),
        kept=tuple(outcomes["kept"]),
        thin=thin_evidence(metrics, list(dict.fromkeys(bound.output for bound in bounds))),
    )


@dataclass(frozen=True)
class _Measured:
    """What a bound is held against, the larger the worse, and its 95% interval; nan where there is none.

    Attributes:
      badness: The value, less it where less is worse, or by how much it is worse than the blessed model's.
      least: The lower end of its interval.
      most: The upper end.
      limit: The largest badness allowed.
    """

    badness: float
    least: float
    most: float
    limit: float

    @property
    def has_interval(self) -> bool:
        return not (math.isnan(self.least) or math.isnan(self.most))

    def refused(self, refuse_if: RefuseIf) -> bool:
        judged = {
            "missed": self.badness,
            "maybe_missed": max(self.badness, self.most),
            "surely_missed": min(self.badness, self.least),
        }
        return judged[refuse_if] > self.limit


def _check(bound: Bound, key: SliceKey, table: _Table, has_baseline: bool) -> tuple[_Outcome, Finding]:
    """Says what comes of a bound in a slice."""
    nothing = MetricValue(CANDIDATE, key, bound.output, bound.metric, math.nan)
    value, blessed, difference, count = (
        table.get((model, key, bound.output, metric), nothing)
        for model, metric in (
            (CANDIDATE, bound.metric),
            (BASELINE, bound.metric),
            (DIFFERENCE, bound.metric),
            (CANDIDATE, _COUNT),
        )
    )
    interval = value if bound.not_worse_by is None else difference
    subject = f"{bound.metric} of {output_text(bound.output)}" + (f" in {slice_text(key)}" if key else "")

    def found(outcome: _Outcome, text: str) -> tuple[_Outcome, Finding]:
        return outcome, Finding(
            slice=key,
            output=bound.output,
            metric=bound.metric,
            value=_number(value.value),
            bound=_limit(bound),
            kind=_kind(bound),
            baseline_value=_number(blessed.value),
            text=f"{subject} {text}",
            low=_number(interval.low),
            high=_number(interval.high),
        )

    examples = count.value
    if key and examples < bound.min_examples:
        rows = f"{examples:.0f} row{'' if examples == 1 else 's'}"
        return found("too_small", f"is over {rows}, fewer than the {bound.min_examples} its bound asks for")
    if math.isnan(value.value):
        why = METRICS[bound.metric].undefined if not math.isnan(examples) else "no rows"
        text = f"is undefined ({why}): its bound {_limit(bound):g} cannot be checked"
        return found("reasons" if bound.must_be_defined else "undefined", text)
    if bound.not_worse_by is not None and math.isnan(blessed.value):
        why = "it does not answer this output" if has_baseline else "there is none"
        return found("not_compared", f"is not compared with the blessed model's: {why}")
    measured = _measured(bound, value, blessed, difference)
    words = _words(bound, value, blessed, measured)
    if bound.refuse_if != "missed" and not measured.has_interval:
        # Not proven to be good: a reason. Not proven to be bad: neither kept nor missed.
        needed = f"{words}; without a 95% interval its bound {_limit(bound):g} cannot be checked"
        return found("reasons" if bound.refuse_if == "maybe_missed" else "undefined", needed)
    if not measured.refused(bound.refuse_if):
        missed = "is missed, but not surely" if measured.badness > measured.limit else "is kept"
        return found("kept", f"{words}; its bound {_limit(bound):g} {missed}")
    return found("reasons", f"{words}{_missed(bound, measured)}")


def _measured(bound: Bound, value: MetricValue, blessed: MetricValue, difference: MetricValue) -> _Measured:
    if bound.lower is not None:
        return _Measured(-value.value, -value.high, -value.low, -bound.lower)
    if bound.upper is not None:
        return _Measured(value.value, value.low, value.high, bound.upper)
    limit = _limit(bound) + _ROUNDING
    if METRICS[bound.metric].best is not None:
        # The distance has a corner where the value is best: an interval of the difference says nothing about it.
        distance = _distance(bound.metric, value.value)
        worse = math.inf if math.isinf(distance) else distance - _distance(bound.metric, blessed.value)
        return _Measured(worse, math.nan, math.nan, limit)
    worse = _worse_by(bound.metric, value.value - blessed.value)
    ends = [_worse_by(bound.metric, difference.low), _worse_by(bound.metric, difference.high)]
    if any(math.isnan(end) for end in ends):
        # Equal to the last digit: the same model, trained again. Nothing is uncertain between it and itself.
        unknown = 0.0 if value.value == blessed.value else math.nan
        return _Measured(worse, unknown, unknown, limit)
    return _Measured(worse, min(ends), max(ends), limit)


def _words(bound: Bound, value: MetricValue, blessed: MetricValue, measured: _Measured) -> str:
    """Says what was measured, with the interval that belongs to it."""
    if bound.not_worse_by is None:
        limit = _limit(bound)
        return f"is {_shown(value.value, limit)}{_interval(value.low, value.high)}"
    side, sign = ("better", -1) if measured.badness < 0 else ("worse", 1)
    text = (
        f"is {_shown(value.value, blessed.value)}, {side} than the blessed model's {_shown(blessed.value, value.value)}"
    )
    by = _shown(sign * measured.badness, _limit(bound))
    if METRICS[bound.metric].best is not None:
        return f"{text}: its distance from {METRICS[bound.metric].best:g} is {side} by {by} (|ln|)"
    if not measured.has_interval:
        return f"{text} by {by}"
    ends = sorted([sign * measured.least, sign * measured.most])
    return f"{text} by {by}{_interval(ends[0], ends[1])}"


def _missed(bound: Bound, measured: _Measured) -> str:
    """Goes on after `_words` where the bound refuses the model."""
    maybe = "which may be " if measured.badness <= measured.limit else ""
    if bound.not_worse_by is not None:
        return f"{', which may be more; ' if maybe else '; '}allowed is {_limit(bound):g}"
    return f", {maybe}{'below' if bound.lower is not None else 'above'} its bound {_limit(bound):g}"


def _checked_nowhere(bound: Bound, outcomes: Counter[_Outcome]) -> Finding:
    """The reason that a bound leaves when none of its slices could be held to it."""
    where = slice_text(bound.values) if bound.values else " and ".join(bound.columns) or "all rows"
    words = {"undefined": "undefined", "too_small": "too small"}
    counted = ", ".join(f"{number} {words[outcome]}" for outcome, number in sorted(outcomes.items()))
    slices = f"{sum(outcomes.values())} slice{'' if sum(outcomes.values()) == 1 else 's'}: {counted}"
    text = (
        f"{bound.metric} of {output_text(bound.output)} by {where}: "
        f"its bound {_limit(bound):g} could be checked nowhere ({slices if outcomes else 'there is no such slice'})"
    )
    return Finding(bound.values, bound.output, bound.metric, None, _limit(bound), _kind(bound), None, text)


def _kind(bound: Bound) -> Literal["absolute", "change"]:
    return "absolute" if bound.not_worse_by is None else "change"


def _limit(bound: Bound) -> float:
    if bound.not_worse_by is not None:
        return bound.not_worse_by
    return bound.lower if bound.lower is not None else bound.upper or 0.0


def _worse_by(metric: str, change: float) -> float:
    """By how much a metric is worse that changed by so much."""
    return (-change if METRICS[metric].better == "higher" else change) + 0.0


def _distance(metric: str, value: float) -> float:
    """How far a value is from the best one, on a log scale: twice as much is as far as half as much."""
    best = METRICS[metric].best or 1.0
    return abs(math.log(value / best)) if value > 0 else math.inf


def _interval(low: float, high: float) -> str:
    if math.isnan(low) or math.isnan(high):
        return ""
    return f" (95% interval {low:.4f} to {high:.4f})"


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _shown(value: float, other: float) -> str:
    """Writes a number with as many digits as it takes to tell it from another."""
    for digits in (4, 6, 9):
        if f"{value:.{digits}f}" != f"{other:.{digits}f}":
            return f"{value:.{digits}f}"
    return repr(value)
