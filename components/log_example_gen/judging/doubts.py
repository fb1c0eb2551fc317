"""What the counts say that is likely no accident: a clock behind, a day without clicks, labels that judge nothing.

None of it stops a run. Pure: sentences made of counts.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

from tandem.components.log_example_gen.dates import describe_us
from tandem.components.log_example_gen.joining.attribution import LEADS_S
from tandem.components.log_example_gen.records import (
    BEFORE_CLICK,
    BEFORE_IMPRESSION,
    CLICKS,
    NOT_ASKED_FOR,
    OUTSIDE_CLICK_WINDOW,
    OUTSIDE_CONVERSION_WINDOW,
    no_parent,
)

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping, Sequence

    from tandem.components.log_example_gen.counts import Counts
    from tandem.components.log_example_gen.settings.columns import Label

TRAIN = "train"

_LEADS = (
    *("a second", "10 seconds", "a minute", "5 minutes", "10 minutes", "15 minutes", "30 minutes", "an hour"),
    *("2 hours", "3 hours", "6 hours", "12 hours", "a day"),
)
_FEW = 10  # Events that come too early are told from here on,
_SMALL_SHARE = 0.01  # and where they are such a share of their stream.
_MOST_LEADS = 0.9  # So many of them lie within the time that is told.
_DAYS_AROUND = 3  # To either side: what a day is compared with.
_EXPECTED = 20  # A day is told of which so many positives are expected,
_MISSING = 0.1  # and that has less than such a share of them.


def doubts(counts: Counts, labels: Sequence[Label], delays: Mapping[str, datetime.timedelta]) -> list[str]:
    """Returns what ought to be looked at.

    Args:
      counts: What became of every row.
      labels: All labels, parents first.
      delays: By label that has a window, how long after its impression it may change.
    """
    return [*_clocks(counts, labels), *_missing_days(counts, labels, delays), *_one_sided(counts, labels)]


def _clocks(counts: Counts, labels: Sequence[Label]) -> Iterator[str]:
    """Streams of which many events come shortly before what they could belong to."""
    orphans = {no_parent(label.parent).name for label in labels if label.parent is not None}
    mistimed = {BEFORE_IMPRESSION.name, BEFORE_CLICK.name, OUTSIDE_CLICK_WINDOW.name, OUTSIDE_CONVERSION_WINDOW.name}
    for stream, leads in counts.leads.items():
        outcomes, early = counts.outcomes[stream], leads.total()
        rows = counts.rows[stream] - outcomes[NOT_ASKED_FOR.name]
        lost = sum(outcomes[name] for name in mistimed | orphans)
        if early >= _FEW and early >= _SMALL_SHARE * rows and 2 * early > lost:
            before = "the impression" if stream == CLICKS or CLICKS not in counts.rows else "the click"
            yield (
                f"{stream}: {early / rows:.0%} of them ({early:,} of {rows:,}) come up to {_lead(leads)} before "
                f"{before} that they could belong to, and are lost for that: are the clocks apart?"
            )


def _lead(leads: Counter[str]) -> str:
    """Says within which time most of the events lie."""
    total, until = leads.total(), 0
    for edge, words in zip(LEADS_S, _LEADS, strict=True):
        until += leads[str(edge)]
        if until >= _MOST_LEADS * total:
            return words
    return _LEADS[-1]


def _missing_days(counts: Counts, labels: Sequence[Label], delays: Mapping[str, datetime.timedelta]) -> Iterator[str]:
    """Days whose impressions have next to none of what those of the days around have many of."""
    days = sorted(counts.impressions_by_day)
    told: dict[str, set[str]] = {}
    for label in labels:
        positives = counts.positives_by_day.get(label.name)
        if positives is None:
            continue
        told[label.name] = set(told.get(label.parent or "", ()))  # What follows from a parent's is not told again.
        last = _last_final_day(counts, delays.get(label.name))
        for place, day in enumerate(days):
            if day in told[label.name] or day > last:
                continue
            around = [*days[max(0, place - _DAYS_AROUND) : place], *days[place + 1 : place + 1 + _DAYS_AROUND]]
            shown = sum(counts.impressions_by_day[other] for other in around)
            rate = sum(positives[other] for other in around) / shown if shown else 0.0
            expected = rate * counts.impressions_by_day[day]
            if expected >= _EXPECTED and positives[day] < _MISSING * expected:
                told[label.name].add(day)
                yield (
                    f"{day}: '{label.name}' is 1 in {positives[day]:,} of {counts.impressions_by_day[day]:,} rows, "
                    f"where the days around it let expect about {expected:,.0f}: is a file missing?"
                )


def _last_final_day(counts: Counts, delay: datetime.timedelta | None) -> str:
    """Returns the last day whose labels cannot change any more, as text."""
    if delay is None or counts.observed_until_us is None:
        return "9999-12-31"
    whole = delay + datetime.timedelta(days=1)
    return describe_us(max(0, counts.observed_until_us - whole // datetime.timedelta(microseconds=1)))[:10]


def _one_sided(counts: Counts, labels: Sequence[Label]) -> Iterator[str]:
    """Labels that judge nothing, or that follow from their parent."""
    for split, positives in counts.positives.items():
        rows = counts.examples(split)
        for label in labels:
            ones = positives[label.name]
            if rows and ones in (0, rows) and split != TRAIN:
                yield (
                    f"label '{label.name}' is {int(ones > 0)} in all {rows:,} rows of '{split}': "
                    "no AUC can be computed there"
                )
            elif label.parent is not None and ones and ones == positives[label.parent] < rows:
                yield (
                    f"label '{label.name}' is 1 in all {ones:,} rows of '{split}' whose '{label.parent}' is 1: a task "
                    f"given '{label.parent}' has nothing to {'learn' if split == TRAIN else 'be judged by'} there"
                )
