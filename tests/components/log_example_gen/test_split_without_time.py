"""Splits by share, by the values of a column, and by the last row of each user: by hand, by properties, end to end."""

from __future__ import annotations

import dataclasses
import random
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.components.log_example_gen import executor
from tandem.components.log_example_gen.component import LogExampleGen
from tandem.components.log_example_gen.drawing import fnv1a, lots
from tandem.components.log_example_gen.planning.making import make_plan
from tandem.components.log_example_gen.records import FILE, ROW, TIME
from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
from tandem.components.log_example_gen.settings.logs import LogSettings
from tandem.components.log_example_gen.settings.split import Split
from tandem.components.log_example_gen.split import by_last, by_share, by_value, last_of_all, last_rows

if TYPE_CHECKING:
    from pathlib import Path

SHARES = {"train": {"share": 0.8}, "validation": {"share": 0.1}, "eval": {"share": 0.1}}


def split_of(**said: Any) -> Split:
    return Split.model_validate(said)


def rows_of(users: list[str], **more: list[Any]) -> pl.DataFrame:
    number = len(users)
    return pl.DataFrame(
        {"user": users, FILE: [0] * number, ROW: list(range(1, number + 1)), **more},
        schema_overrides={FILE: pl.Int32, ROW: pl.Int64, "user": pl.String},
    )


# --- Lots ---


def reference(text: str) -> int:
    """FNV-1a of 64 bits, a byte at a time."""
    state = 0xCBF29CE484222325
    for byte in text.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    return state


def test_the_hash_is_the_published_one() -> None:
    assert [hex(value) for value in fnv1a(pl.Series(["", "a", "foobar"]))] == [
        "0xcbf29ce484222325",
        "0xaf63dc4c8601ec8c",
        "0x85944171f73967e8",
    ]


@given(st.lists(st.text(max_size=8)))
def test_the_hash_equals_one_that_goes_byte_by_byte(texts: list[str]) -> None:
    assert fnv1a(pl.Series(texts, dtype=pl.String)).tolist() == [reference(text) for text in texts]


def test_lots_of_ids_that_differ_in_their_last_digit_are_spread_evenly() -> None:
    drawn = lots(pl.Series([f"{number}" for number in range(100_000)]))
    assert drawn.min() >= 0
    assert drawn.max() < 1
    tenths = [int(((drawn >= k / 10) & (drawn < (k + 1) / 10)).sum()) for k in range(10)]
    assert all(abs(number - 10_000) < 400 for number in tenths)  # four standard deviations
    assert sorted(drawn) != drawn.tolist()


# --- Shares ---


@given(st.lists(st.sampled_from([f"u{number}" for number in range(40)]), max_size=60), st.integers(1, 59))
def test_a_user_belongs_to_one_part_however_the_rows_are_cut(users: list[str], cut: int) -> None:
    rows, split = rows_of(users), split_of(key="user", **SHARES)
    whole, outside = by_share(rows, split, ["a.csv"])
    assert outside.is_empty()
    of_user = {name: set(part.get_column("user")) for name, part in whole.items()}
    assert sum(map(len, of_user.values())) == len(set(users))
    pieces = [by_share(piece, split, ["a.csv"])[0] for piece in (rows.head(cut), rows.slice(cut))]
    for name, part in whole.items():
        assert part.equals(pl.concat([piece[name] for piece in pieces]))


def test_shares_are_near_what_is_asked_for_and_what_they_leave_belongs_to_no_part() -> None:
    rows = rows_of([""] * 20_000)
    parts, outside = by_share(rows, split_of(train={"share": 0.6}, eval={"share": 0.1}), ["a.csv"])
    numbers = [len(parts["train"]), len(parts["eval"]), len(outside)]
    assert all(abs(got - want) < 280 for got, want in zip(numbers, (12_000, 2_000, 6_000), strict=True))
    # A share that grows takes in new rows and gives none away.
    more, _ = by_share(rows, split_of(train={"share": 0.7}, eval={"share": 0.1}), ["a.csv"])
    assert set(parts["train"].get_column(ROW)) < set(more["train"].get_column(ROW))
    # Nobody's rows draw one by one, also where users draw together.
    nobody, _ = by_share(rows, split_of(key="user", train={"share": 0.6}, eval={"share": 0.1}), ["a.csv"])
    assert nobody["train"].equals(parts["train"])
    # A row draws by its file's name, so that another file does not repeat the first.
    other, _ = by_share(rows, split_of(train={"share": 0.6}, eval={"share": 0.1}), ["b.csv"])
    assert not other["train"].equals(parts["train"])


def test_shares_that_are_all_leave_nothing() -> None:
    parts, outside = by_share(rows_of([""] * 5000), split_of(**SHARES), ["a.csv"])
    assert outside.is_empty()
    assert sum(map(len, parts.values())) == 5000


# --- Values ---


def test_a_column_says_which_part_a_row_belongs_to() -> None:
    rows = rows_of(["a"] * 6, fold=["0", "1", "2.0", "3", "", "x"])
    split = split_of(column="fold", train={"values": [0, 1]}, eval={"values": [2, "x"]})
    parts, outside = by_value(rows, split)
    found = {name: part.get_column("fold").to_list() for name, part in parts.items()}
    assert found == {"train": ["0", "1"], "eval": ["2.0", "x"]}
    assert outside.get_column("fold").to_list() == ["3", ""]


# --- The last of each user ---


def last_split(rows: pl.DataFrame, split: Split, cuts: list[int]) -> dict[str, list[int]]:
    """Places of the rows of each part, where the rows come in pieces."""
    edges = [0, *sorted(cuts), len(rows)]
    pieces = [rows[a:b] for a, b in pairwise(edges)]
    last = last_of_all(last_rows(piece, "user") for piece in pieces)
    found: dict[str, list[int]] = {name: [] for name in split.periods()}
    for piece in pieces:
        parts, outside = by_last(piece, split, last)
        assert outside.is_empty()
        for name, part in parts.items():
            found[name] += part.get_column(ROW).to_list()
    return found


def test_the_last_row_of_each_user_judges() -> None:
    rows = rows_of(
        ["a", "b", "a", "a", "c", "", "b", ""],
        **{TIME: [5, 9, 7, 7, 1, 1, 3, 2]},
    )
    split = split_of(leave_last_out="user")
    # a: rows 3 and 4 at the same time, the later row is the last; b: row 2; c has a single row; nobody trains.
    assert last_split(rows, split, []) == {"train": [1, 3, 5, 6, 7, 8], "eval": [2, 4]}
    split = split_of(leave_last_out="user", validation={"rows": "second_last"})
    assert last_split(rows, split, []) == {"train": [1, 5, 6, 7, 8], "validation": [3], "eval": [2, 4]}
    # Without a time, the order of the rows is that of the files.
    assert last_split(rows.drop(TIME), split_of(leave_last_out="user"), [])["eval"] == [4, 7]


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", ""]), st.integers(0, 5)), max_size=25),
    st.lists(st.integers(0, 25), max_size=3),
    st.booleans(),
)
def test_the_last_rows_are_those_of_a_sorted_list_however_the_rows_are_cut(
    events: list[tuple[str, int]], cuts: list[int], validates: bool
) -> None:
    rows = rows_of([user for user, _ in events]).with_columns(pl.Series(TIME, [t for _, t in events], pl.Int64))
    split = split_of(leave_last_out="user", **({"validation": {"rows": "second_last"}} if validates else {}))
    expected: dict[str, list[int]] = {name: [] for name in split.periods()}
    for place, (user, _) in enumerate(events, 1):
        order = sorted((t, other) for other, (u, t) in enumerate(events, 1) if u == user and user)
        rank = [other for _, other in order][::-1].index(place) if user else -1
        name = "eval" if rank == 0 and len(order) > 1 else "train"
        name = "validation" if validates and rank == 1 and len(order) > 2 else name
        expected[name].append(place)
    assert last_split(rows, split, [cut for cut in cuts if cut <= len(events)]) == expected


# --- What may be said ---


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"train": {"share": 0.8}, "eval": {"files": "x"}}, "split all parts by time, or all parts by file"),
        ({"train": {"share": 0.8}, "eval": {"share": 0.3}}, "the shares are 1.1 together, more than 1"),
        ({"train": {"share": 0.8, "files": "x"}, "eval": {"share": 0.1}}, "'share' does not go with 'files'"),
        ({"train": {}, "eval": {"share": 0.1}}, "give 'from', 'before' or both"),
        (
            {"key": "u", "train": {"files": "x"}, "eval": {"files": "y"}},
            "'key' goes with parts by 'share', not by files",
        ),
        ({"train": {"values": 1}, "eval": {"values": 2}}, "parts by 'values' need 'column'"),
        (
            {"column": "f", "train": {"values": [0, 1]}, "eval": {"values": "1.0"}},
            "the value '1.0' belongs to two parts",
        ),
        ({"column": "f", "train": {"share": 0.5}, "eval": {"share": 0.5}}, "'column' goes with parts by 'values'"),
        ({"train": {"rows": "earlier"}, "eval": {"rows": "last"}}, "parts by 'rows' need 'leave_last_out'"),
        ({"leave_last_out": "u", "validation": {"rows": "last"}}, "validation the 'second_last'"),
        ({"leave_last_out": "u", "eval": {"share": 0.1}}, "split all parts by time, or all parts by file"),
        ({"train": {"share": 0.1}}, "eval\n  Field required"),
    ],
)
def test_what_does_not_go_together_is_told(said: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Split.model_validate(said)


# --- Whole runs ---


@pytest.fixture
def table(tmp_path: Path) -> Path:
    chance = random.Random(3)
    for name in ("a", "b", "c"):
        rows = [f"u{chance.randrange(30)},{chance.randrange(2)},{chance.randrange(4)}" for _ in range(200)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["user,click,fold", *rows]) + "\n")
    return tmp_path


def users(outputs: Any) -> dict[str, list[str]]:
    return {split: sorted(row["user"][0].decode() for row in outputs.rows(split)) for split in outputs.examples.splits}


@pytest.mark.parametrize(
    "split",
    [
        {"key": "user", "train": {"share": 0.5}, "validation": {"share": 0.2}, "eval": {"share": 0.3}},
        SHARES,
        {"column": "fold", "train": {"values": [0, 1]}, "eval": {"values": 2}},
        {"leave_last_out": "user", "validation": {"rows": "second_last"}},
    ],
)
def test_a_table_without_times_is_split_the_same_way_in_blocks_of_any_size(
    table: Path, run_step: Any, monkeypatch: pytest.MonkeyPatch, split: dict[str, Any]
) -> None:
    logs = LogSettings.model_validate({"table": {"files": "*.csv"}, "split": split})
    component = LogExampleGen(logs, {"user": ExampleColumn()}, [Label(name="click")], str(table))
    whole = run_step(component, "whole")
    monkeypatch.setattr(
        executor, "make_plan", lambda *said, **more: dataclasses.replace(make_plan(*said, **more), block_bytes=300)
    )
    cut = run_step(component, "cut")
    assert users(cut) == users(whole)
    assert cut.counts() == whole.counts()
    assert len(cut.files("train")) > len(whole.files("train"))
    if "key" in split:
        parts = [set(names) for names in users(whole).values()]
        assert sum(map(len, parts)) == 30
    if "leave_last_out" in split:
        # Every user has three rows and more; files are read in their order.
        assert users(whole)["eval"] == users(whole)["validation"] == sorted({f"u{number}" for number in range(30)})


def test_streams_may_be_split_by_a_key_and_by_the_last_of_each_user(tmp_path: Path, run_step: Any) -> None:
    shown = "".join(f"{i},{1_700_000_000 + i * 60},u{i % 20}\n" for i in range(200))
    (tmp_path / "shown.csv").write_text(f"id,at,user\n{shown}")
    (tmp_path / "clicks.csv").write_text(
        "id,at\n" + "".join(f"{i},{1_700_000_030 + i * 60}\n" for i in range(0, 200, 3))
    )
    seconds = {"column": "at", "unit": "s"}
    logs = {
        "impressions": {"files": "shown.csv", "time": seconds},
        "clicks": {"files": "clicks.csv", "time": seconds},
        "join": {"on": "id", "click_window_hours": 48},  # longer than the logs: no gap is asked for
    }

    def run(name: str, **split: Any) -> dict[str, list[str]]:
        settings = LogSettings.model_validate({**logs, "split": split})
        component = LogExampleGen(settings, {"user": ExampleColumn()}, [Label(name="click")], str(tmp_path))
        return users(run_step(component, name))

    by_key = run("key", key="user", train={"share": 0.5}, eval={"share": 0.5})
    assert not set(by_key["train"]) & set(by_key["eval"])
    assert len(by_key["train"]) + len(by_key["eval"]) == 200
    last = run("last", leave_last_out="user")
    assert last["eval"] == sorted(f"u{number}" for number in range(20))
    assert len(last["train"]) == 180
