"""Which columns and files a plan finds, and what it says of those that are not there."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import pytest

from tandem.components.log_example_gen.component import LogExampleGen
from tandem.components.log_example_gen.planning.making import make_plan
from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
from tandem.components.log_example_gen.settings.logs import LogSettings
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from pathlib import Path

    from tandem.components.log_example_gen.plan import Plan


def settings(files: str, **more: Any) -> LogSettings:
    return LogSettings.model_validate(
        {"table": {"files": files, **more}, "split": {"train": {"files": "a*"}, "eval": {"files": "b*"}}}
    )


def plan_of(folder: Path, logs: LogSettings, *columns: str) -> Plan:
    return make_plan(logs, {name: ExampleColumn() for name in columns}, [Label(name="click")], str(folder))


def test_a_field_that_comes_late_is_found(tmp_path: Path, run_step: Any) -> None:
    for name in ("a1", "a2", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"click": 0}\n' * 5)
    with (tmp_path / "a2.jsonl").open("a") as file:
        file.write('{"click": 1, "größe": "XL"}\n')
    head = '{"click": 0, "size_of_nothing": 1}\n' * (5 * 2**20 // 35)  # more than is looked at for names
    (tmp_path / "a1.jsonl").write_text(head + '{"click": 1, "gr\\u00f6\\u00dfe": "S", "device": "app"}\n')
    logs = settings("*.jsonl")
    assert plan_of(tmp_path, logs, "größe", "device").streams[0].columns == ("click", "größe", "device")
    with pytest.raises(LogsError, match=r"column 'price' is in no source of the examples"):
        plan_of(tmp_path, logs, "price")
    (tmp_path / "a1.jsonl").write_text('{"click": 0}\n' * 5)
    outputs = run_step(LogExampleGen(logs, {"größe": ExampleColumn()}, [Label(name="click")], str(tmp_path)))
    assert [row["größe"] for row in outputs.rows("train") if row["click"] == [1]] == [[b"XL"]]


@pytest.mark.parametrize("ending", ["csv", "csv.gz"])
def test_empty_files_are_left_out_and_told(tmp_path: Path, ending: str) -> None:
    packed = gzip.compress if ending.endswith("gz") else bytes
    for name, text in {"a1": b"user,click\nu,1\n", "a2": b"", "b": b"user,click\nu,1\n"}.items():
        (tmp_path / f"{name}.{ending}").write_bytes(packed(text))
    plan = plan_of(tmp_path, settings(f"*.{ending}"), "user")
    assert [file.name for file in plan.streams[0].files] == [f"a1.{ending}", f"b.{ending}"]
    assert plan.remarks == (f"table: 1 file is empty and left out: a2.{ending}",)
    for name in ("a1", "b"):
        (tmp_path / f"{name}.{ending}").write_bytes(packed(b""))
    with pytest.raises(LogsError, match=rf"table: a1\.{ending} is empty, as all 3 files are"):
        plan_of(tmp_path, settings(f"*.{ending}"), "user")


def test_names_given_that_no_file_has_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user_id,click\nu,1\n")
    (tmp_path / "b.csv").write_text("user,click\nu,1\n")
    # Where one file has the old name and another the new one already, both are read.
    plan = plan_of(tmp_path, settings("*.csv", rename={"user_id": "user"}), "user")
    assert plan.streams[0].columns == ("click", "user")
    with pytest.raises(
        LogsError,
        match=r"table: 'rename' speaks of 'userid', which no file has; the columns are 'user_id', 'click'; "
        r"did you mean 'user_id'\?",
    ):
        plan_of(tmp_path, settings("*.csv", rename={"userid": "user"}), "user")
    with pytest.raises(LogsError, match=r"'null_values' speaks of 'usr', which no file has; .*; did you mean 'user'\?"):
        plan_of(tmp_path, settings("*.csv", rename={"user_id": "user"}, null_values={"usr": ["0"]}), "user")
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"click": 1}\n' * 9)
    with pytest.raises(LogsError, match=r"'rename' speaks of 'usr', which no file has; the columns are 'click'"):
        plan_of(tmp_path, settings("*.jsonl", rename={"usr": "user"}))


def test_a_missing_column_of_the_examples_is_doubted_too(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("1,u1\n0,u2\n")
    with pytest.raises(
        LogsError,
        match=r"column 'user' is in no source of the examples: 'table' has 1, u1; no header\? Then name .*: 1,u1",
    ):
        plan_of(tmp_path, settings("*.csv"), "user")


def test_lists_where_one_value_belongs_are_set_aside(tmp_path: Path, run_step: Any) -> None:
    lines = ['{"click": 0, "user": "u1"}', '{"click": 1, "user": ["u2"]}', '{"click": [0, 1], "user": "u3"}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines * 10) + "\n")
    (tmp_path / "b.jsonl").write_text('{"click": 0, "user": {"id": 1}}\n' + lines[0] + "\n")
    (tmp_path / "users.csv").write_text("user,city\nu1,x\nu2,y\n")
    logs = settings("*.jsonl").model_copy(update={"max_bad_share": 0.5})
    logs = LogSettings.model_validate(
        logs.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        | {"side_tables": [{"name": "users", "files": "users.csv", "key": "user"}]}
    )
    outputs = run_step(LogExampleGen(logs, {"city": ExampleColumn()}, [Label(name="click")], str(tmp_path)))
    assert (
        sorted((row["city"], row["click"]) for row in outputs.rows("train"))
        == [([b"x"], [0])] * 10 + [([b"y"], [1])] * 10
    )
    aside = outputs.set_aside()
    assert [(row["file"], row["row"]) for row in aside["table/not_one_value"]] == [
        ("a.jsonl", 3 * i) for i in range(1, 11)
    ]
    assert [(row["file"], row["row"], row["why"]) for row in aside["table/malformed"]] == [
        ("b.jsonl", 1, "'user' is an object; a cell is a value or a list of values")
    ]
