"""From metrics and bounds to a verdict, in numbers and in words."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from components.evaluator.results import Finding, MetricValue, Verdict
from components.metrics.catalog import METRICS
from components.metrics.slice_key import SliceKey, slice_text

_COUNT = "example_count"

# The difference of two metrics carries rounding errors; this much beyond a bound on change still keeps it.
_ROUNDING = 1e-12

_Table = dict[tuple[str, SliceKey, str, str], float]  # (model, slice, output, metric) -> value
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
      change: The change against the baseline that is just allowed.
      higher_is_better: Which way the change is meant.
      min_examples: Slices in which fewer rows count are not held to it.
    """

    metric: str
    output: str
    columns: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()
    lower: float | None = None
    upper: float | None = None
    change: float | None = None
    higher_is_better: bool = True
    min_examples: int = 0

    @property
    def must_be_defined(self) -> bool:
        """Whether it is about one slice (all rows, or one that is named), which then must have a value."""
        return not self.columns or bool(self.values)

    def is_about(self, key: SliceKey) -> bool:
        """Returns whether it is about a slice."""
        if tuple(column for column, _ in key) != self.columns:
            return False
        return not self.values or tuple((column, str(value)) for column, value in key) == self.values


def judge(metrics: Iterable[MetricValue], bounds: Sequence[Bound], has_baseline: bool) -> Verdict:
    """Holds the candidate to its bounds.

    A bound on all rows, or on one named slice, must be checkable: a value that is missing or nan is a reason. Among the
    slices of a column some have rows of one class only; these are listed and do not block, nor do slices with fewer
    rows than the bound asks for. A bound on change is not checked where the baseline has no value.

    Args:
      metrics: Of the candidate and, if there is one, of the baseline.
      bounds: At least one.
      has_baseline: Whether there is a blessed model to compare with.

    Raises:
      ValueError: There are no bounds.
    """
    if not bounds:
        raise ValueError("there is no threshold: every model would be blessed")
    table: _Table = {(each.model, each.slice, each.output, each.metric): each.value for each in metrics}
    slices = sorted({key for _, key, _, _ in table}, key=str)
    outcomes: dict[str, list[Finding]] = {
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
        for key in keys:
            outcome, finding = _check(bound, key, table, has_baseline)
            outcomes[outcome].append(finding)
    return Verdict(
        blessed=not outcomes["reasons"],
        baseline=has_baseline,
        reasons=tuple(outcomes["reasons"]),
        undefined=tuple(outcomes["undefined"]),
        too_small=tuple(outcomes["too_small"]),
        not_compared=tuple(outcomes["not_compared"]),
        kept=tuple(outcomes["kept"]),
    )


def _check(bound: Bound, key: SliceKey, table: _Table, has_baseline: bool) -> tuple[_Outcome, Finding]:
    """Says what comes of a bound in a slice."""
    value = table.get(("candidate", key, bound.output, bound.metric), math.nan)
    blessed = table.get(("baseline", key, bound.output, bound.metric), math.nan)
    subject = f"{bound.metric} of {bound.output}" + (f" in {slice_text(key)}" if key else "")

    def found(outcome: _Outcome, text: str) -> tuple[_Outcome, Finding]:
        limit, kind = _limit(bound)
        return outcome, Finding(key, bound.output, bound.metric, _number(value), limit, kind, _number(blessed), text)

    examples = table.get(("candidate", key, bound.output, _COUNT), math.nan)
    if key and examples < bound.min_examples:
        rows = f"{examples:.0f} row{'' if examples == 1 else 's'}"
        return found("too_small", f"{subject} is over {rows}, fewer than the {bound.min_examples} its bound asks for")
    if math.isnan(value):
        why = METRICS[bound.metric].undefined if not math.isnan(examples) else "no rows"
        text = f"{subject} is undefined ({why}): its bound {_limit(bound)[0]:g} cannot be checked"
        return found("reasons" if bound.must_be_defined else "undefined", text)
    if bound.change is not None and math.isnan(blessed):
        why = "it does not answer this output" if has_baseline else "there is none"
        return found("not_compared", f"{subject} is not compared with the blessed model's: {why}")
    failure = _failure(bound, value, blessed)
    return (
        found("reasons", f"{subject} is {failure}") if failure else found("kept", f"{subject} is {value:.4f}, as asked")
    )


def _failure(bound: Bound, value: float, blessed: float) -> str:
    """Says how a value lies out of its bound; empty if it does not."""
    if bound.lower is not None and value < bound.lower:
        return f"{_shown(value, bound.lower)}, below its bound {bound.lower:g}"
    if bound.upper is not None and value > bound.upper:
        return f"{_shown(value, bound.upper)}, above its bound {bound.upper:g}"
    if bound.change is not None:
        worse, allowed = _worse_by(bound, value - blessed), _limit(bound)[0]
        if worse > allowed + _ROUNDING:
            return (
                f"{_shown(value, blessed)}, worse than the blessed model's {_shown(blessed, value)} by "
                f"{_shown(worse, allowed)}; allowed is {allowed:g}"
            )
    return ""


def _limit(bound: Bound) -> tuple[float, Literal["absolute", "change"]]:
    if bound.change is not None:
        return _worse_by(bound, bound.change), "change"
    return (bound.lower if bound.lower is not None else bound.upper or 0.0), "absolute"


def _worse_by(bound: Bound, change: float) -> float:
    return (-change if bound.higher_is_better else change) + 0.0


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _shown(value: float, other: float) -> str:
    """Writes a number with as many digits as it takes to tell it from another."""
    for digits in (4, 6, 9):
        if f"{value:.{digits}f}" != f"{other:.{digits}f}":
            return f"{value:.{digits}f}"
    return repr(value)
