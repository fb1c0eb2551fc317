"""Numbers in words: what each metric says, how a value is written, whether a change is good."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tandem.components.metrics.catalog import METRICS

if TYPE_CHECKING:
    import datetime

    from tandem.components.evaluator.results import MetricValue, Verdict
    from tandem.components.run_report.facts import Facts, PushFacts

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"  # where there is no value


@dataclass(frozen=True)
class MetricWords:
    """How a metric is told.

    Attributes:
      title: What a table calls it.
      meaning: What it says, in one sentence.
      digits: After the point.
    """

    title: str
    meaning: str
    digits: int = 4


SHOWN: dict[str, MetricWords] = {
    "auc": MetricWords(
        "AUC",
        "How often a positive row has a higher score than a negative one, over all pairs: 0.5 is chance, 1 is perfect.",
    ),
    "gauc": MetricWords("GAUC, users alike", "AUC among each user's own rows, then the mean over users."),
    "gauc_by_impressions": MetricWords("GAUC by impressions", "The same, with users weighed by their rows."),
    "gauc_by_positives": MetricWords("GAUC by positives", "The same, with users weighed by their positive rows."),
    "log_loss": MetricWords(
        "Log loss", "How surprised the model was by what happened. Compare it on the same rows only; lower is better."
    ),
    "normalized_entropy": MetricWords(
        "Normalised entropy",
        "Log loss divided by that of always saying the mean rate: below 1, the model knows more than the mean.",
    ),
    "calibration": MetricWords(
        "Calibration", "Positives predicted over positives observed: 1 is right, 1.2 promises 20 % too many.", 3
    ),
    "expected_calibration_error": MetricWords(
        "Expected calibration error",
        "How far predicted and observed rates lie apart, on average over groups of rows with like scores; 0 is best.",
    ),
}
"""The metrics of the tables, in order."""

COUNTS: dict[str, str] = {
    "example_count": "rows",
    "positive_count": "positives",
    "gauc_users": "users with both classes (GAUC is over these)",
    "gauc_users_left_out": "users of one class, left out of GAUC",
    "gauc_rows_without_user": "rows that name no user, left out of GAUC",
}

COUNTS_IF_ANY = ("gauc_rows_without_user",)
"""Those that are told only where they are not 0."""

MEASURES: dict[str, str] = {
    "infinity_norm": "largest change of a value's share",
    "jensen_shannon_divergence": "Jensen-Shannon divergence",
}
"""The distances between distributions, by the schema's names; both lie between 0 and 1."""

Change = Literal["better", "worse", "unclear", "unknown"]


def is_number(value: float | None) -> bool:
    """Whether there is a value."""
    return value is not None and math.isfinite(value)


def number(value: float | None, digits: int = 4, signed: bool = False) -> str:
    """Writes a number; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{value:{'+' if signed else ''},.{digits}f}"
    if not float(text.replace(",", "")):
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


def interval(low: float | None, high: float | None, digits: int = 4, signed: bool = False) -> str:
    """Writes an interval; nothing where there is none."""
    if not is_number(low) or not is_number(high):
        return ""
    return f"{number(low, digits, signed)} to {number(high, digits, signed)}"


def share(part: float, whole: float) -> str:
    """Writes a part of a whole in per cent; a dash where there is no whole."""
    if not whole:
        return NONE
    value = 100 * part / whole
    if not value:
        return "0 %"
    if value < 0.01:
        return "< 0.01 %"
    return f"{value:.{2 if value < 1 else 1}f} %"


def count(value: float | None) -> str:
    """Writes how many there are."""
    return number(value, 0)


def compact(value: float | None) -> str:
    """Writes a number of any size with four significant digits."""
    if value is None or not math.isfinite(value):
        return NONE
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return text.replace("-", MINUS)


def moment(time: datetime.datetime | None, zone: str = " UTC") -> str:
    """Writes a time, which is in UTC."""
    return NONE if time is None else f"{time:%Y-%m-%d %H:%M}{zone}"


def change(metric: str, difference: MetricValue | None, candidate: float, baseline: float) -> Change:
    """Says whether a metric got better, by the interval of its difference.

    Args:
      metric: Its name. Of a calibration 1 is best; of the others the catalogue knows whether more or less is.
      difference: Candidate less baseline, with its interval.
      candidate: The candidate's value.
      baseline: The baseline's value.

    Returns:
      `unclear`: the interval holds 0; `unknown`: there is no interval, or neither more nor less is better.
    """
    if difference is None or not (is_number(difference.low) and is_number(difference.high)):
        return "unknown"
    if difference.low <= 0 <= difference.high:
        return "unclear"
    if metric == "calibration":
        return "better" if abs(candidate - 1) < abs(baseline - 1) else "worse"
    better = METRICS[metric].better if metric in METRICS else None
    if better is None:
        return "unknown"
    return "better" if (difference.value > 0) == (better == "higher") else "worse"


CHANGES: dict[Change, str] = {
    "better": "better",
    "worse": "worse",
    "unclear": "no clear difference",
    "unknown": "",
}


def headline(facts: Facts) -> str:
    """Returns the verdict in one sentence."""
    verdict = facts.verdict
    if verdict.blessed:
        kept = len(verdict.kept)
        what = f"the model keeps {_bounds(kept)} that could be checked" if kept else "the model keeps every bound"
        if verdict.thin:
            return f"Ship it, on thin evidence: {what}{_pushed(facts.push)}, but {verdict.thin[0]}."
        return f"Ship it: {what}{_pushed(facts.push)}."
    broken = len(verdict.reasons)
    of = broken + len(verdict.kept)
    return (
        f"Do not ship: {broken} of {of} bounds {'is' if broken == 1 else 'are'} not kept; "
        "what was pushed before stays in place."
    )


def compared(facts: Facts) -> str:
    """Says in a sentence what the candidate was compared with."""
    if facts.verdict.baseline:
        version = f", version {facts.baseline}" if facts.baseline else ""
        return f"Compared with the last blessed model{version}, row by row on the same evaluation days."
    reason = f" ({facts.no_baseline})" if facts.no_baseline else ""
    return f"There was no blessed model to compare with{reason}; only bounds on the values themselves apply."


def unchecked(verdict: Verdict) -> list[str]:
    """Says what the gate did not look at."""
    parts = (
        (len(verdict.undefined), "no value there (rows of one class only, say)"),
        (len(verdict.too_small), "fewer rows than the bound asks for"),
        (len(verdict.not_compared), "no value of a blessed model to compare with"),
    )
    return [f"{number} {'check' if number == 1 else 'checks'} did not count: {why}." for number, why in parts if number]


def _bounds(number: int) -> str:
    return "the one bound" if number == 1 else f"all {number} bounds"


def _pushed(push: PushFacts) -> str:
    return f", and is pushed as version {push.version}" if push.pushed else ""
