"""Side tables that match too few examples, and how their keys would match."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tandem.components.log_example_gen.component import LogExampleGen
from tandem.components.log_example_gen.joining.side_tables import one_per_key, would_match
from tandem.components.log_example_gen.records import REASON
from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
from tandem.components.log_example_gen.settings.logs import LogSettings
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("ours", "theirs", "way"),
    [
        (["000038", "000009", "0"], ["38", "9", "0"], "without leading zeros"),
        (["12", "7", "3"], ["12.0", "7.0", "9.0"], "as whole numbers (12.0 against 12)"),
        (["012", "007"], ["12.00", "7.0"], "as whole numbers without leading zeros"),
        (["U1", "U2"], ["u1", "u2"], "in the same case"),
        ([" u1", "u2 "], ["u1", "u2"], "without spaces around them"),
        (["u1", "u2"], ["x1", "x2"], None),
        (["u1", "u2", "u3", "u4", "U5"], ["u1", "u2", "u3", "u4", "u5"], None),  # most match as they are
        ([], ["1"], None),
    ],
)
def test_how_keys_would_match(ours: list[str], theirs: list[str], way: str | None) -> None:
    assert would_match(ours, theirs) == way


def test_rows_without_a_key_are_set_aside_and_are_not_bad() -> None:
    kept, rest = one_per_key(pl.DataFrame({"u": ["", "1", "1", ""], "age": ["1", "2", "3", "4"]}), "u")
    assert kept.rows() == [("1", "2")]
    assert sorted(rest.select("age", REASON).rows()) == [("1", "without_key"), ("3", "duplicate"), ("4", "without_key")]


@pytest.fixture
def ingest(tmp_path: Path, run_step: Any) -> Any:
    def ingest(users: list[str], table: list[str], **more: Any) -> Any:
        rows = "".join(f"{user},{index % 3 % 2}\n" for index, user in enumerate(users))
        for name in ("train", "eval"):
            (tmp_path / f"{name}.csv").write_text(f"user,click\n{rows}")
        (tmp_path / "users.csv").write_text("user,age\n" + "".join(f"{user},30\n" for user in table))
        logs = LogSettings.model_validate(
            {
                "table": {"files": ["train.csv", "eval.csv"]},
                "side_tables": [{"name": "users", "files": "users.csv", "key": "user"}],
                "split": {"train": {"files": "train.csv"}, "eval": {"files": "eval.csv"}},
                **more,
            }
        )
        columns = {"user": ExampleColumn(), "age": ExampleColumn(kind="float")}
        return run_step(LogExampleGen(logs, columns, [Label(name="click")], str(tmp_path)))

    return ingest


def test_a_table_that_lacks_most_keys_stops_the_run_with_keys_of_both(ingest: Any) -> None:
    users = ["01", "02", "03", "04", "9", "05"]
    with pytest.raises(LogsError) as error:
        ingest(users, ["1", "2", "3", "4", "9"])
    assert str(error.value).startswith(
        "users: 10 of 12 examples (83.3%) have a 'user' that it lacks, more than 'max_unmatched_share' allows (50.0%); "
        "table have '01', '02', '03', the table has '1', '2', '3'; they would match without leading zeros: write them "
        "alike in both"
    )


def test_the_bound_can_be_another_or_none(ingest: Any) -> None:
    users = ["1", "2", "3", "4", "5", "6"]
    for bound in (0.7, None):
        assert ingest(users, ["1", "2"], max_unmatched_share=bound).counts()["unmatched"] == {"users": 8}
    with pytest.raises(LogsError, match=r"users: 2 of 12 examples \(16\.7%\) .* allows \(10\.0%\)"):
        ingest(users, ["1", "2", "3", "4", "5"], max_unmatched_share=0.1)
    with pytest.raises(LogsError, match=r"users: 12 of 12 examples \(100\.0%\) .* lacks, all of them; table have '1'"):
        ingest(users, ["u1"], max_unmatched_share=None)


def test_examples_without_a_key_are_unmatched_but_not_held_against_the_table(ingest: Any) -> None:
    counts = ingest(["", "", "", "", "5", "6"], ["5", "6", ""]).counts()
    assert (counts["unmatched"], counts["without_key"]) == ({"users": 8}, {"users": 8})
    assert counts["outcomes"]["users"] == {"kept": 2, "without_key": 1}
    with pytest.raises(LogsError, match="users: no example has a 'user', so that none of its columns has a value"):
        ingest(["", "", "", ""], ["5"])
