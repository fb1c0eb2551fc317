"""Counts as a file."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from pydantic import ValidationError

from tandem.components.log_example_gen.counts import Counts, merged

COUNTS = Counts(
    rows=Counter({"clicks": 3}),
    outcomes={"clicks": Counter({"duplicate": 1, "attached": 2})},
    positives={"train": Counter({"click": 2, "buy": 0})},
    not_final={"train": Counter({"buy": 1})},
    first_us=7,
    last_us=7,
)


def test_what_is_written_is_read_back() -> None:
    again = Counts.from_json(COUNTS.to_json())
    assert again == COUNTS
    assert again.outcomes["clicks"]["attached"] == 2
    assert again.outcomes["clicks"]["nothing of the kind"] == 0
    assert again.positives["train"] == {"click": 2, "buy": 0}  # a zero is a number, too


def test_the_file_is_sorted_and_says_what_there_is_not() -> None:
    assert json.loads(COUNTS.to_json()) == {
        "first_us": 7,
        "last_us": 7,
        "id_forms": {},
        "impressions_by_day": {},
        "leads": {},
        "lost_positives": {},
        "not_final": {"train": {"buy": 1}},
        "observed_until_us": None,
        "outcomes": {"clicks": {"attached": 2, "duplicate": 1}},
        "positive_rows": {},
        "positives": {"train": {"buy": 0, "click": 2}},
        "positives_by_day": {},
        "rows": {"clicks": 3},
        "unmatched": {},
        "unreadable": {},
        "without_key": {},
    }
    assert list(json.loads(COUNTS.to_json())) == sorted(json.loads(COUNTS.to_json()))
    assert COUNTS.to_json() == merged([Counts(), COUNTS]).to_json()


@pytest.mark.parametrize("text", ['{"rows": {"clicks": "many"}}', '{"outcomes": 1}', "{"])
def test_a_file_of_something_else_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        Counts.from_json(text)


def test_the_order_of_adding_up_does_not_matter() -> None:
    some = [COUNTS, Counts(first_us=3, unmatched=Counter(users=1)), Counts(rows=Counter(clicks=1), first_us=9)]
    total = merged(some)
    assert total == merged(reversed(some))
    assert (total.rows["clicks"], total.first_us, total.last_us, total.unmatched["users"]) == (4, 3, 9, 1)
    assert COUNTS.rows["clicks"] == 3
