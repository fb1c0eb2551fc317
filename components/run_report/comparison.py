"""The metrics of a model beside those of the last blessed one, output by output and slice by slice."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tandem.components.evaluator.results import MetricValue, Verdict
from tandem.components.metrics.catalog import METRICS
from tandem.components.metrics.intervals import LEAST_CLUSTERS
from tandem.components.metrics.slice_key import SliceKey, slice_text
from tandem.components.run_report import wording

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tandem.components.run_report.wording import Change

# What slices are compared by, the first first; GAUC only where there are users.
SLICE_METRICS = ("auc", "gauc")


@dataclass(frozen=True)
class Compared:
    """One metric of one output over some rows.

    Attributes:
      metric: Its name.
      candidate: The candidate's value.
      baseline: The last blessed model's; None where there is none.
      difference: The first less the second; None where there is none.
      change: Whether that is good.
    """

    metric: str
    candidate: MetricValue | None
    baseline: MetricValue | None
    difference: MetricValue | None
    change: Change

    @property
    def words(self) -> wording.MetricWords:
        """How it is told."""
        return wording.SHOWN[self.metric]


@dataclass(frozen=True)
class ComparedSlice:
    """One output over the rows of one slice.

    Attributes:
      output: Of which probability.
      name: The slice's.
      rows: That count for the output; nan where it is not known.
      positives: Of them.
      metrics: By `SLICE_METRICS`.
      calibration: The candidate's.
      notes: Why its values say little; empty where they can be relied on.
    """

    output: str
    name: str
    rows: float
    positives: float
    metrics: tuple[Compared, ...]
    calibration: MetricValue | None
    notes: tuple[str, ...]


class Metrics:
    """Looks metrics up.

    Attributes:
      has_intervals: Whether any has one.

    Args:
      values: All of an evaluation.
    """

    def __init__(self, values: Iterable[MetricValue]):
        self._values: dict[tuple[str, SliceKey, str, str], MetricValue] = {
            (each.model, each.slice, each.output, each.metric): each for each in values
        }
        self._names = {name for _, _, _, name in self._values}
        self.has_intervals = any(wording.is_number(each.low) for each in self._values.values())

    def has(self, metric: str) -> bool:
        """Returns whether the evaluation has a metric."""
        return metric in self._names

    def value(self, model: str, output: str, metric: str, key: SliceKey = ()) -> MetricValue | None:
        """Returns a metric; None where there is none."""
        return self._values.get((model, key, output, metric))

    def number(self, output: str, metric: str, key: SliceKey = ()) -> float:
        """Returns the candidate's value; nan where there is none."""
        found = self.value("candidate", output, metric, key)
        return math.nan if found is None else found.value

    def compared(self, output: str, metric: str, key: SliceKey = ()) -> Compared:
        """Returns a metric of both models."""
        candidate, baseline = (self.value(model, output, metric, key) for model in ("candidate", "baseline"))
        difference = self.value("difference", output, metric, key)
        if candidate is None or baseline is None:
            return Compared(metric, candidate, baseline, None, "unknown")
        if difference is None:  # an evaluation without intervals
            difference = MetricValue("difference", key, output, metric, candidate.value - baseline.value)
        good = wording.change(metric, difference, candidate.value, baseline.value)
        return Compared(metric, candidate, baseline, difference, good)

    def keys(self, output: str) -> Iterator[SliceKey]:
        """Yields the slices of an output, all rows left out."""
        seen = {key for _, key, name, _ in self._values if name == output and key}
        yield from sorted(seen, key=lambda key: (len(key), str(key)))


def of_output(metrics: Metrics, output: str) -> list[Compared]:
    """Returns the metrics of an output over all rows that the evaluation has, in the order of the tables."""
    found = (metrics.compared(output, name) for name in wording.SHOWN)
    return [each for each in found if each.candidate is not None]


def counted(metrics: Metrics, output: str) -> str:
    """Says over how many rows and users an output was measured; nothing where that is not known."""
    numbers = {name: metrics.number(output, name) for name in wording.COUNTS}
    return ", ".join(
        f"{wording.count(number)} {wording.COUNTS[name]}"
        for name, number in numbers.items()
        if wording.is_number(number) and (number or name not in wording.COUNTS_IF_ANY)
    )


def no_intervals(metrics: Metrics, outputs: Sequence[str], grouped: bool) -> str:
    """Says why an evaluation has no intervals, to follow "since"; empty where that is not known.

    Args:
      metrics: Of the evaluation.
      outputs: Of the model.
      grouped: Whether rows belong to users.
    """
    rows = [metrics.number(output, "example_count") for output in outputs]
    positives = [metrics.number(output, "positive_count") for output in outputs]
    if any(math.isnan(number) for number in (*rows, *positives)):
        return ""
    of = "users" if grouped else "rows"
    if max(rows, default=0) < LEAST_CLUSTERS:
        return f"there are fewer than {LEAST_CLUSTERS} rows"
    if max(positives, default=0) == 0:
        return "no row is positive"
    if max(positives) == 1:
        return "one row alone is positive"
    return f"the rows, or the positive ones, are those of too few {of}"


def slices(metrics: Metrics, outputs: Sequence[str], verdict: Verdict, min_examples: int) -> list[ComparedSlice]:
    """Returns all slices of all outputs: with a baseline, what lost most first; else the lowest value first.

    Those with notes come after the others, and those without a value come last.

    Args:
      metrics: Of the evaluation.
      outputs: Of the model.
      verdict: Says which slices were too small for a bound.
      min_examples: Slices with fewer rows are marked as well.
    """
    too_small = {(each.output, each.slice) for each in verdict.too_small}
    found = [
        _slice(metrics, output, key, too_small, min_examples) for output in outputs for key in metrics.keys(output)
    ]
    return sorted(found, key=_order)


def _slice(
    metrics: Metrics, output: str, key: SliceKey, too_small: set[tuple[str, SliceKey]], min_examples: int
) -> ComparedSlice:
    compared = tuple(metrics.compared(output, name, key) for name in SLICE_METRICS if metrics.has(name))
    notes = []
    first = compared[0]
    if first.candidate is None or math.isnan(first.candidate.value):
        notes.append(f"no {first.words.title}: {METRICS[first.metric].undefined}")
    if (output, key) in too_small:
        notes.append("too small for its bound")
    elif metrics.number(output, "example_count", key) < min_examples:
        notes.append(f"fewer than {min_examples:,} rows")
    elif not notes and metrics.has_intervals and not (first.candidate and wording.is_number(first.candidate.low)):
        notes.append("too few positives for an interval")
    return ComparedSlice(
        output=output,
        name=slice_text(key),
        rows=metrics.number(output, "example_count", key),
        positives=metrics.number(output, "positive_count", key),
        metrics=compared,
        calibration=metrics.value("candidate", output, "calibration", key),
        notes=tuple(notes),
    )


def _order(each: ComparedSlice) -> tuple[bool, bool, float, str, str]:
    first = each.metrics[0]
    found = first.difference if first.baseline is not None else first.candidate
    value = math.nan if found is None else found.value
    missing = math.isnan(value)
    return missing, bool(each.notes), 0.0 if missing else value, each.output, each.name
