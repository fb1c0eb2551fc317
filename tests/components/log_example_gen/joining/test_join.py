"""The join against cases worked out by hand and against a plain reference that goes row by row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.components.log_example_gen.joining.join import Joined, join
from tandem.components.log_example_gen.records import EVENT, REASON, TIME
from tandem.components.log_example_gen.settings.columns import Label, time_column
from tandem.components.log_example_gen.settings.join import Join
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

HOUR = 3_600_000_000
CHAIN = [Label(name="click"), Label(name="view", parent="click"), Label(name="buy", parent="view")]
BY_ID = Join(on="id", click_window_hours=2, conversion_window_hours=10)
BY_TOUCH = Join(on=("user", "item"), attribution="last_touch", click_window_hours=2, conversion_window_hours=10)


def by_id(
    impressions: list, clicks: list, conversions: list, rules: Join = BY_ID, labels: list[Label] = CHAIN
) -> Joined:
    """Joins (id, hour[, text]), (id, hour) and (id, hour, kind)."""
    return join(
        frame(impressions, ["id"], ["note"]), frame(clicks, ["id"]), frame(conversions, ["id"], [EVENT]), rules, labels
    )


def by_touch(impressions: list, clicks: list, conversions: list, rules: Join = BY_TOUCH) -> Joined:
    """The same with (key, hour ...): the key stands for a user and an item."""
    keys = ["user", "item"]
    return join(
        frame([(k, k, *r) for k, *r in impressions], keys, ["note"]),
        frame([(k, k, *r) for k, *r in clicks], keys),
        frame([(k, k, *r) for k, *r in conversions], keys, [EVENT]),
        rules,
        CHAIN,
    )


def frame(rows: list[tuple], keys: list[str], more: list[str] = []) -> pl.DataFrame:  # noqa: B006
    width = len(keys) + 1 + len(more)
    rows = [(*row, "") if len(row) < width else row for row in rows]
    names = [*keys, TIME, *more]
    columns = list(zip(*rows, strict=True)) or [()] * width
    data: dict[str, Any] = dict(zip(names, columns, strict=True))
    data[TIME] = [round(hour * HOUR) for hour in data[TIME]]
    return pl.DataFrame(data, schema=dict.fromkeys(names, pl.String) | {TIME: pl.Int64})


def labels_of(joined: Joined, key: str = "id") -> dict[tuple, tuple[int, ...]]:
    """By (key, hour), the labels click, view, buy."""
    return {(row[key], row[TIME] / HOUR): (row["click"], row["view"], row["buy"]) for row in joined.examples.to_dicts()}


def times_of(joined: Joined, key: str = "id") -> dict[tuple, dict[str, float]]:
    """By (key, hour), the hour of the event that set each label that is 1."""
    return {
        (row[key], row[TIME] / HOUR): {
            label.name: row[time_column(label.name)] / HOUR
            for label in CHAIN
            if row[time_column(label.name)] is not None
        }
        for row in joined.examples.to_dicts()
    }


def reasons_of(joined: Joined, stream: str) -> list[tuple]:
    rows = joined.rejects[stream].to_dicts()
    return sorted((row.get("id", row.get("user")), row[TIME] / HOUR, row[REASON]) for row in rows)


def test_a_chain_sets_its_labels_whatever_the_order_of_the_files() -> None:
    joined = by_id(
        [("c", 5), ("a", 0), ("b", 1)],
        [("b", 2), ("a", 1)],
        [("a", 4, "buy"), ("a", 3, "view"), ("b", 2.5, "view")],
    )
    assert labels_of(joined) == {("a", 0): (1, 1, 1), ("b", 1): (1, 1, 0), ("c", 5): (0, 0, 0)}
    assert joined.attached == {"clicks": 2, "conversions": 3}
    assert all(rows.is_empty() for rows in joined.rejects.values())


def test_the_edge_of_a_window_lies_inside() -> None:
    second = 1 / 3_600_000_000
    joined = by_id(
        [("in", 0), ("late", 0), ("early", 1), ("same", 3)],
        [("in", 2), ("late", 2 + second), ("early", 1 - second), ("same", 3)],
        [("in", 12, "view"), ("same", 13 + second, "view")],
    )
    assert labels_of(joined) == {
        ("in", 0): (1, 1, 0),
        ("late", 0): (0, 0, 0),
        ("early", 1): (0, 0, 0),
        ("same", 3): (1, 0, 0),
    }
    assert [row[::2] for row in reasons_of(joined, "clicks")] == [
        ("early", "before_impression"),
        ("late", "outside_click_window"),
    ]
    assert [row[::2] for row in reasons_of(joined, "conversions")] == [("same", "outside_conversion_window")]


def test_without_windows_no_order_is_demanded() -> None:
    joined = by_id([("a", 5)], [("a", 5)], [("a", 1, "view")], Join(on="id"))
    assert labels_of(joined) == {("a", 5): (1, 1, 0)}


def test_duplicates_count_once_the_earliest_that_counts() -> None:
    joined = by_id(
        [("a", 1, "later"), ("a", 0, "first")],
        [("a", 9), ("a", 2), ("a", 1)],
        [("a", 11, "view"), ("a", 3, "view"), ("a", 20, "view"), ("a", 3, "view")],
    )
    assert joined.examples.get_column("note").to_list() == ["first"]
    assert reasons_of(joined, "impressions") == [("a", 1, "duplicate")]
    assert reasons_of(joined, "clicks") == [("a", 2, "duplicate"), ("a", 9, "outside_click_window")]
    assert reasons_of(joined, "conversions") == [
        ("a", 3, "duplicate"),
        ("a", 11, "duplicate"),
        ("a", 20, "outside_conversion_window"),
    ]


def test_events_of_nothing_and_of_no_use() -> None:
    joined = by_id([("a", 0)], [("x", 0)], [("y", 0, "view"), ("a", 0, "hate"), ("a", 0, "click"), ("a", 0, "")])
    assert reasons_of(joined, "clicks") == [("x", 0, "no_impression")]
    assert reasons_of(joined, "conversions") == [("a", 0, "unused_event")] * 3 + [("y", 0, "no_impression")]


def test_orphans_are_quarantined_by_the_parent_they_lack() -> None:
    joined = by_id([("a", 0), ("b", 0)], [("b", 1)], [("a", 1, "view"), ("a", 1, "buy"), ("b", 2, "buy")])
    assert labels_of(joined) == {("a", 0): (0, 0, 0), ("b", 0): (1, 0, 0)}
    assert sorted(reasons_of(joined, "conversions")) == [("a", 1, "no_click"), ("a", 1, "no_view"), ("b", 2, "no_view")]


def test_orphans_imply_their_ancestors() -> None:
    rules = BY_ID.model_copy(update={"orphan_conversions": "imply_click"})
    joined = by_id(
        [("a", 0), ("b", 0), ("c", 0)],
        [("b", 1)],
        [("a", 12, "buy"), ("b", 11, "buy"), ("c", 12.5, "buy"), ("b", 11.5, "view"), ("x", 0, "buy")],
        rules,
    )
    assert labels_of(joined) == {("a", 0): (1, 1, 1), ("b", 0): (1, 1, 1), ("c", 0): (0, 0, 0)}
    assert reasons_of(joined, "conversions") == [
        ("b", 11.5, "outside_conversion_window"),
        ("c", 12.5, "outside_conversion_window"),
        ("x", 0, "no_impression"),
    ]


def test_a_label_keeps_the_time_of_its_earliest_event() -> None:
    joined = by_id(
        [("a", 0), ("b", 0), ("c", 0)],
        [("a", 2), ("a", 1), ("b", 1), ("b", -1)],
        [("a", 9, "view"), ("a", 3, "view"), ("a", 5, "view"), ("a", 4, "buy"), ("b", 2, "buy")],
    )
    # Clicks outside their window and orphans set nothing.
    assert times_of(joined) == {("a", 0): {"click": 1, "view": 3, "buy": 4}, ("b", 0): {"click": 1}, ("c", 0): {}}
    assert joined.examples.schema["view_time_us"] == pl.Int64
    assert set(joined.examples.filter(pl.col("id") == "c").select("view_time_us", "view").rows()) == {(None, 0)}


def test_what_is_implied_has_the_time_of_the_earliest_conversion_that_implies_it() -> None:
    rules = BY_ID.model_copy(update={"orphan_conversions": "imply_click"})
    joined = by_id(
        [("a", 0), ("b", 0)],
        [("b", 1)],
        [("a", 6, "buy"), ("a", 4, "buy"), ("a", 7, "buy"), ("a", 5, "view"), ("b", 8, "buy")],
        rules,
    )
    assert times_of(joined) == {
        ("a", 0): {"click": 4, "view": 4, "buy": 4},
        ("b", 0): {"click": 1, "view": 8, "buy": 8},
    }


def test_a_label_without_parent_belongs_to_the_impression() -> None:
    labels = [Label(name="click"), Label(name="view"), Label(name="buy", parent="click")]
    joined = by_id([("a", 0)], [], [("a", 12, "view"), ("a", 12.5, "view")], labels=labels)
    assert labels_of(joined) == {("a", 0): (0, 1, 0)}
    assert reasons_of(joined, "conversions") == [("a", 12.5, "outside_conversion_window")]
    several = by_id([("a", 0)], [], [("a", 3, "view"), ("a", 1, "view"), ("a", 2, "view")], labels=labels)
    assert times_of(several) == {("a", 0): {"view": 1}}


def test_last_touch() -> None:
    joined = by_touch(
        [("a", 0), ("a", 3), ("a", 3), ("b", 0)],
        [("a", 3), ("a", 1), ("a", 3.5), ("a", 6), ("c", 0), ("b", -1)],
        [
            ("a", 2, "view"),
            ("a", 4, "view"),
            ("a", 13, "buy"),
            ("a", 13.5, "view"),
            ("a", 13.6, "view"),
            ("a", 0.5, "view"),
            ("b", 1, "view"),
        ],
    )
    # The click at 1 belongs to the impression at 0, that at 3 to the impression of the same moment; 3.5 repeats it, and
    # the view at 13.5 still lies in its window.
    assert labels_of(joined, "user") == {("a", 0): (1, 1, 0), ("a", 3): (1, 1, 1), ("b", 0): (0, 0, 0)}
    assert reasons_of(joined, "impressions") == [("a", 3, "duplicate")]
    assert reasons_of(joined, "clicks") == [
        ("a", 3.5, "duplicate"),
        ("a", 6, "outside_click_window"),
        ("b", -1, "before_impression"),
        ("c", 0, "no_impression"),
    ]
    assert reasons_of(joined, "conversions") == [
        ("a", 0.5, "no_click"),
        ("a", 13.5, "duplicate"),
        ("a", 13.6, "outside_conversion_window"),
        ("b", 1, "no_click"),
    ]


def test_last_touch_implies_a_click_of_the_latest_impression_that_has_none() -> None:
    rules = BY_TOUCH.model_copy(update={"orphan_conversions": "imply_click"})
    joined = by_touch([("a", 0), ("a", 3), ("b", 0)], [("b", 0)], [("a", 4, "view"), ("b", 11, "view")], rules)
    assert labels_of(joined, "user") == {("a", 0): (0, 0, 0), ("a", 3): (1, 1, 0), ("b", 0): (1, 0, 0)}
    assert reasons_of(joined, "conversions") == [("b", 11, "outside_conversion_window")]


def test_there_may_be_no_conversions() -> None:
    joined = join(frame([("a", 0)], ["id"]), frame([("a", 0)], ["id"]), None, BY_ID, [Label(name="click")])
    assert joined.examples.get_column("click").to_list() == [1]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([Label(name="click", parent="view")], "which is no label"),
        ([Label(name="click", parent="view"), Label(name="view", parent="click")], "form a circle"),
        ([Label(name="click"), Label(name="click")], "different names"),
    ],
)
def test_labels_must_form_a_tree(labels: list[Label], message: str) -> None:
    with pytest.raises(LogsError, match=message):
        by_id([("a", 0)], [], [], labels=labels)


@pytest.mark.parametrize("joined_by", [by_id, by_touch])
def test_a_conversion_belongs_to_the_latest_click_before_it(joined_by: Callable[..., Joined]) -> None:
    clicks = [("a", 1), ("a", 1.5), ("b", 1), ("b", 1.75), ("b", 2.5)]
    joined = joined_by(
        [("a", 0), ("b", 0)],
        clicks,
        [("a", 11.5, "view"), ("b", 11.75, "view"), ("b", 11.8, "view"), ("b", 12.5, "view")],
    )
    # 10 hours after the second click of a; after that of b, whose third lies outside the click window of 2 hours.
    assert sorted(labels_of(joined, joined.examples.columns[0]).values()) == [(1, 1, 0), (1, 1, 0)]
    assert [row[1:] for row in reasons_of(joined, "conversions")] == [
        (11.8, "outside_conversion_window"),
        (12.5, "outside_conversion_window"),
    ]
    # They still repeat the click, whose time is that of the first.
    assert [row[1:] for row in reasons_of(joined, "clicks")] == [
        (1.5, "duplicate"),
        (1.75, "duplicate"),
        (2.5, "outside_click_window"),
    ]
    assert joined.examples.get_column("click_time_us").to_list() == [HOUR, HOUR]
    assert joined.attached == {"clicks": 2, "conversions": 2}


def test_too_early_is_told_from_too_late() -> None:
    minute = 1 / 60
    joined = by_id(
        [("a", 1), ("b", 1), ("c", 1)],
        [("a", 1 - minute), ("b", 1 - 10 * minute), ("c", 2)],
        [("c", 2 - 30 * minute, "view"), ("c", 13, "view"), ("a", 3, "view")],
    )
    assert [row[::2] for row in reasons_of(joined, "clicks")] == [
        ("a", "before_impression"),
        ("b", "before_impression"),
    ]
    assert [row[::2] for row in reasons_of(joined, "conversions")] == [
        ("a", "no_click"),
        ("c", "before_click"),
        ("c", "outside_conversion_window"),
    ]
    assert joined.leads == {"clicks": {"60": 1, "600": 1}, "conversions": {"1800": 1}}


def test_how_early_an_event_is_tells_the_next_impression_also_where_there_is_an_older_one() -> None:
    joined = by_touch([("a", 0), ("a", 9), ("b", 20)], [("a", 8.5), ("a", 8.9), ("b", 19.75), ("b", 4)], [])
    assert [row[1:] for row in reasons_of(joined, "clicks")] == [
        (8.5, "outside_click_window"),
        (8.9, "outside_click_window"),
        (4, "before_impression"),
        (19.75, "before_impression"),
    ]
    # 30, 6 and 15 minutes, and 16 hours.
    assert joined.leads["clicks"] == {"1800": 1, "600": 1, "900": 1, "86400": 1}


def without_clicks(impressions: list, conversions: list, rules: Join, labels: list[Label] | None = None) -> Joined:
    labels = labels or [Label(name="view"), Label(name="buy")]
    return join(frame(impressions, ["id"]), None, frame(conversions, ["id"], [EVENT]), rules, labels)


def test_without_clicks_a_conversion_belongs_to_the_impression() -> None:
    rules = Join(on="id", attribution="last_touch", conversion_window_hours=2)
    joined = without_clicks(
        [("a", 0), ("a", 3), ("b", 5)],
        [("a", 2, "buy"), ("a", 2.5, "buy"), ("a", 5, "view"), ("a", 4, "view"), ("b", 4, "buy"), ("c", 4, "buy")],
        rules,
    )
    found = {(row["id"], row[TIME] / HOUR): (row["view"], row["buy"]) for row in joined.examples.to_dicts()}
    assert found == {("a", 0): (0, 1), ("a", 3): (1, 0), ("b", 5): (0, 0)}
    assert reasons_of(joined, "conversions") == [
        ("a", 2.5, "outside_conversion_window"),
        ("a", 5, "duplicate"),
        ("b", 4, "before_impression"),
        ("c", 4, "no_impression"),
    ]
    assert list(joined.rejects) == ["impressions", "conversions"]
    assert joined.attached == {"conversions": 2}
    assert joined.leads["conversions"] == {"1800": 1, "3600": 1}


def test_without_clicks_kinds_may_still_need_each_other() -> None:
    labels = [Label(name="view"), Label(name="buy", parent="view")]
    events = [("a", 1, "buy"), ("b", 1, "buy"), ("b", 2, "view")]
    joined = without_clicks([("a", 0), ("b", 0)], events, Join(on="id"), labels)
    assert reasons_of(joined, "conversions") == [("a", 1, "no_view")]
    rules = Join(on="id", orphan_conversions="imply_click")
    assert without_clicks([("a", 0), ("b", 0)], events, rules, labels).examples.get_column("view").to_list() == [1, 1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), max_size=10),
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12), st.sampled_from(["view", "buy"])), max_size=12),
    st.sampled_from([1, 3, None]),
    st.booleans(),
)
def test_without_clicks_equals_pairs_tried_one_by_one(
    impressions: list, conversions: list, window: float | None, touch: bool
) -> None:
    if touch:
        rules = Join(on="id", attribution="last_touch", conversion_window_hours=window or 2)
        shown = sorted(set(impressions))
    else:
        rules = Join(on="id", conversion_window_hours=window)
        shown = sorted({key: min(hour for k, hour in impressions if k == key) for key, _ in impressions}.items())
    expected = dict.fromkeys(shown, (0, 0))
    for key, hour, kind in conversions:
        candidates = [row for row in shown if row[0] == key and (not touch or row[1] <= hour)]
        if candidates and within(candidates[-1][1], hour, rules.conversion_window_hours):
            view, buy = expected[candidates[-1]]
            expected[candidates[-1]] = (1, buy) if kind == "view" else (view, 1)
    joined = without_clicks(impressions, conversions, rules)
    assert {(r["id"], r[TIME] / HOUR): (r["view"], r["buy"]) for r in joined.examples.to_dicts()} == expected
    assert len(conversions) == joined.attached["conversions"] + len(joined.rejects["conversions"])


# ----------------------------------------------------------------------------- the reference, a row at a time


PARENT = {"view": "click", "buy": "view"}
ANCESTORS = {"view": ["click"], "buy": ["view", "click"]}


def within(anchor: float, event: float, window: float | None) -> bool:
    return window is None or 0 <= event - anchor <= window


class Reference:
    """Joins rows with the labels of `CHAIN`; rows are told apart by (key, hour) and, for conversions, the kind.

    Attributes:
      since: By impression and label, the hour of the earliest event that sets it.
      rejects: By stream, the rows that count for nothing with their reason.
    """

    def __init__(self, impressions: list, clicks: list, conversions: list, rules: Join):
        self.rules = rules
        self.touch = rules.attribution == "last_touch"
        self.imply = rules.orphan_conversions == "imply_click"
        self.rejects: dict[str, list] = {"impressions": [], "clicks": [], "conversions": []}
        self.since: dict[tuple, dict[str, float]] = {}
        self.kept: dict[tuple, tuple] = {}  # (key, time of the click) -> impression
        self.seen: set[tuple] = set()
        for row in sorted(impressions, key=lambda row: row[1]):
            self.show(row)
        self.keys = {row[0] for row in self.since}
        for row in sorted(clicks, key=lambda row: row[1]):
            self.click(row)
        for row in sorted(conversions, key=lambda row: (row[2] != "view", row[1])):
            self.convert(row)

    def labels(self) -> dict[tuple, tuple[int, ...]]:
        return {row: tuple(int(name in since) for name in ("click", *PARENT)) for row, since in self.since.items()}

    def latest(self, rows: list, event: tuple) -> tuple | None:
        """The latest row of the event's key at or before it; of a key that names one impression else the first."""
        found = sorted(row for row in rows if row[0] == event[0])
        before = [row for row in found if row[1] <= event[1]]
        return before[-1] if before else found[0] if found and not self.touch else None

    def show(self, row: tuple) -> None:
        if any(row[0] == other[0] and (not self.touch or row[1] == other[1]) for other in self.since):
            self.rejects["impressions"].append((*row, "duplicate"))
        else:
            self.since[row] = {}

    def click(self, row: tuple) -> None:
        impression = self.latest(list(self.since), row)
        if row[0] not in self.keys:
            self.rejects["clicks"].append((*row, "no_impression"))
        elif impression is None or not within(impression[1], row[1], self.rules.click_window_hours):
            early = impression is None or row[1] < impression[1]
            self.rejects["clicks"].append((*row, "before_impression" if early else "outside_click_window"))
        else:
            self.kept[row] = impression
            if "click" in self.since[impression]:
                self.rejects["clicks"].append((*row, "duplicate"))
            else:
                self.since[impression]["click"] = row[1]

    def convert(self, row: tuple) -> None:
        why = self.rejected(row)
        if why is not None:
            self.rejects["conversions"].append((*row, why))

    def rejected(self, row: tuple) -> str | None:
        """Sets the labels of a conversion, or says why it has none."""
        key, hour, kind = row
        if kind not in PARENT:
            return "unused_event"
        if key not in self.keys:
            return "no_impression"
        target = self.target(row)
        if target is None:
            return self.mistimed(row)
        if not self.imply and PARENT[kind] not in self.since[target]:
            return f"no_{PARENT[kind]}"
        for name in (kind, *(ANCESTORS[kind] if self.imply else [])):
            self.since[target][name] = min(hour, self.since[target].get(name, hour))
        repeated = (target, kind) in self.seen
        self.seen.add((target, kind))
        return "duplicate" if repeated else None

    def mistimed(self, row: tuple) -> str:
        """Says why a conversion of a known key belongs to nothing."""
        _, hour, kind = row
        impression, click = self.latest(list(self.since), row), self.latest(list(self.kept), row)
        if self.imply and (impression is None or hour < impression[1]):
            return "before_impression"
        if click is not None:
            return "before_click" if hour < click[1] else "outside_conversion_window"
        return "outside_conversion_window" if self.imply else f"no_{PARENT[kind]}"

    def target(self, row: tuple) -> tuple | None:
        """Returns the impression of a conversion."""
        click = self.latest(list(self.kept), row)
        if click and within(click[1], row[1], self.rules.conversion_window_hours):
            return self.kept[click]
        impression = self.latest(list(self.since), row) if self.imply else None
        if impression is None or impression in self.kept.values():
            return None
        windows = (self.rules.click_window_hours, self.rules.conversion_window_hours)
        both = None if None in windows else sum(window for window in windows if window is not None)
        return impression if within(impression[1], row[1], both) else None


key = st.sampled_from(["a", "b", "c"])
hour = st.integers(0, 12)
event_rows = st.lists(st.tuples(key, hour), max_size=10)
kind_rows = st.lists(st.tuples(key, hour, st.sampled_from(["view", "view", "buy", "hate"])), max_size=12)
join_rules = st.builds(
    Join,
    on=st.just("id"),
    attribution=st.just("impression_id"),
    click_window_hours=st.sampled_from([None, 1, 3]),
    conversion_window_hours=st.sampled_from([None, 2, 5]),
    orphan_conversions=st.sampled_from(["quarantine", "imply_click"]),
) | st.builds(
    Join,
    on=st.just("id"),
    attribution=st.just("last_touch"),
    click_window_hours=st.sampled_from([1, 3]),
    conversion_window_hours=st.sampled_from([2, 5]),
    orphan_conversions=st.sampled_from(["quarantine", "imply_click"]),
)


@settings(max_examples=150)
@given(event_rows, event_rows, kind_rows, join_rules, st.randoms(use_true_random=False))
def test_equals_the_reference_in_any_order_and_adds_up(
    impressions: list, clicks: list, conversions: list, rules: Join, order: random.Random
) -> None:
    joined = by_id(impressions, clicks, conversions, rules)
    expected = Reference(impressions, clicks, conversions, rules)
    rejects = expected.rejects
    assert labels_of(joined) == expected.labels()
    assert times_of(joined) == expected.since
    for stream in ("impressions", "clicks"):
        assert reasons_of(joined, stream) == sorted(rejects[stream])
    got = [(r["id"], r[TIME] / HOUR, r[EVENT], r[REASON]) for r in joined.rejects["conversions"].to_dicts()]
    assert sorted(got) == sorted(rejects["conversions"])
    assert len(impressions) == len(joined.examples) + len(joined.rejects["impressions"])
    for stream, rows in (("clicks", clicks), ("conversions", conversions)):
        assert len(rows) == joined.attached[stream] + len(joined.rejects[stream])
    shuffled = [order.sample(rows, len(rows)) for rows in (impressions, clicks, conversions)]
    again = by_id(*shuffled, rules)
    assert again.examples.equals(joined.examples)
    assert again.attached == joined.attached


@given(st.permutations([("a", 0, "x"), ("a", 0, "y"), ("a", 0, "w"), ("b", 1, "z")]))
def test_which_of_two_impressions_at_once_is_kept_depends_on_what_they_say(impressions: list) -> None:
    joined = by_id(list(impressions), [], [])
    assert sorted(joined.examples.get_column("note").to_list()) == ["w", "z"]
