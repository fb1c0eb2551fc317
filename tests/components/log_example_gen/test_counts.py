"""Counts as a file."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from pydantic import ValidationError

from tandem.components.log_example_gen.counts import Counts, describe_lost, merged

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
        "numbers": {},
        "numbers_in": {},
        "observed_until_us": None,
        "outcomes": {"clicks": {"attached": 2, "duplicate": 1}},
        "positive_rows": {},
        "positives": {"train": {"buy": 0, "click": 2}},
        "positives_by_day": {},
        "rows": {"clicks": 3},
        "unmatched": {},
        "unreadable": {},
        "unreadable_values": {},
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


def test_values_that_are_no_numbers_are_told_alike_however_they_were_cut() -> None:
    parts = [
        Counts(
            numbers=Counter(n=7), unreadable=Counter(n=2), unreadable_values={"n": [("b", "2.csv"), ("d", "1.csv")]}
        ),
        Counts(unreadable=Counter(n=1), unreadable_values={"n": [("a", "1.csv")]}),
        Counts(unreadable=Counter(n=1), unreadable_values={"n": [("b", "2.csv")]}),
        Counts(unreadable=Counter(n=1), unreadable_values={"n": [("c", "1.csv")]}),
    ]
    assert merged(parts) == merged(reversed(parts)) == merged([merged(parts[1:]), parts[0]])
    assert describe_lost(merged(parts)) == [
        "n: 5 of 12 values (41.7%) are no numbers and count as missing, such as 'a' (1.csv), 'b' (2.csv), 'c' (1.csv)"
    ]


def test_lost_positives_are_told() -> None:
    counts = Counts(positive_rows=Counter(buy=60), lost_positives={"buy": Counter(bad_time=10, no_click=2)})
    assert describe_lost(merged([counts, Counts()])) == ["buy: 12 of the 60 rows that make it 1 (20.0%) are bad"]
    assert counts.properties() == {"lost_positives.buy": 12}
