"""Sentences about counts that are no accident, and silence about those that may be one."""

from __future__ import annotations

import datetime
from collections import Counter
from typing import Any

import pytest

from tandem.components.log_example_gen.counts import Counts
from tandem.components.log_example_gen.judging.doubts import doubts
from tandem.components.log_example_gen.settings.columns import Label

CLICK, BUY = Label(name="click"), Label(name="buy", parent="click")
DAYS = [f"2024-03-{day:02}" for day in range(1, 9)]


def clicks(leads: dict[str, int], **outcomes: int) -> Counts:
    return Counts(
        rows=Counter(clicks=1000),
        outcomes={"clicks": Counter(outcomes)},
        leads={"clicks": Counter(leads)},
    )


def test_a_clock_behind_is_told_with_its_shift() -> None:
    (told,) = doubts(clicks({"60": 30, "300": 100, "600": 180}, before_impression=300, attached=690), [CLICK], {})
    assert told == (
        "clicks: 31% of them (310 of 1,000) come up to 10 minutes before the impression that they could belong to, and "
        "are lost for that: are the clocks apart?"
    )
    # One of a hundred that is earlier still does not change what is said.
    (told,) = doubts(clicks({"60": 300, "86400": 3}, before_impression=303), [CLICK], {})
    assert "come up to a minute before" in told


@pytest.mark.parametrize(
    "counts",
    [
        clicks({"60": 9}, before_impression=9, attached=991),  # few
        clicks({"600": 40}, before_impression=10, outside_click_window=90, attached=900),  # most were late
        clicks({}, before_impression=300, attached=700),  # far away: another reason
    ],
)
def test_other_clicks_that_are_lost_are_no_matter_of_clocks(counts: Counts) -> None:
    assert doubts(counts, [CLICK], {}) == []


def test_conversions_are_compared_with_the_clicks_if_there_are_any() -> None:
    found: dict[str, Any] = {
        "outcomes": {"conversions": Counter(no_click=20, attached=60), "clicks": Counter()},
        "leads": {"conversions": Counter({"3600": 20})},
    }
    (told,) = doubts(Counts(rows=Counter(conversions=80, clicks=99), **found), [CLICK, BUY], {})
    assert told.startswith("conversions: 25% of them (20 of 80) come up to an hour before the click that")
    (told,) = doubts(Counts(rows=Counter(conversions=80), **found), [CLICK, BUY], {})
    assert "an hour before the impression that" in told


def by_day(shown: list[int], **positives: list[int]) -> Counts:
    return Counts(
        impressions_by_day=Counter(dict(zip(DAYS, shown, strict=False))),
        positives_by_day={name: Counter(dict(zip(DAYS, ones, strict=False))) for name, ones in positives.items()},
        observed_until_us=1_709_856_000_000_000,  # 2024-03-08 00:00
    )


def test_a_day_without_clicks_among_days_that_have_many_is_told_with_its_date() -> None:
    counts = by_day([1000] * 7, click=[300, 310, 290, 4, 300, 280, 320], buy=[50, 60, 40, 0, 50, 60, 50])
    # The buys of a day without clicks are missing for that reason alone.
    assert doubts(counts, [CLICK, BUY], {}) == [
        "2024-03-04: 'click' is 1 in 4 of 1,000 rows, where the days around it let expect about 300: is a file missing?"
    ]
    days_off = by_day([1000, 1000, 60, 1000, 0, 1000], click=[10, 20, 0, 15, 0, 1], buy=[0] * 6)
    assert doubts(days_off, [CLICK, BUY], {}) == []  # 1.5 were expected on the third, 15 on the last


def test_the_last_days_are_not_told_while_their_labels_may_still_change() -> None:
    counts = by_day([1000] * 7, click=[300] * 7, buy=[100, 100, 100, 100, 100, 100, 0])
    assert [line[:10] for line in doubts(counts, [CLICK, BUY], {})] == ["2024-03-07"]
    assert doubts(counts, [CLICK, BUY], {"buy": datetime.timedelta(hours=30)}) == []


def test_labels_that_judge_nothing_or_follow_from_their_parent() -> None:
    counts = Counts(
        outcomes={"table": Counter({"examples.train": 50, "examples.eval": 20, "examples.validation": 10})},
        positives={
            "train": Counter(click=15, buy=15),
            "eval": Counter(click=4),
            "validation": Counter(click=10, buy=3),
        },
    )
    assert doubts(counts, [CLICK, BUY], {}) == [
        "label 'buy' is 1 in all 15 rows of 'train' whose 'click' is 1: a task given 'click' has nothing to learn "
        "there",
        "label 'buy' is 0 in all 20 rows of 'eval': no AUC can be computed there",
        "label 'click' is 1 in all 10 rows of 'validation': no AUC can be computed there",
    ]
