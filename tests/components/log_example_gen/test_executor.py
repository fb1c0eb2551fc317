"""The whole step on small files: logs in, examples, quarantine and counts out."""

from __future__ import annotations

import datetime
import gzip
import logging
from typing import TYPE_CHECKING, Any

import fsspec
import pytest
import tensorflow as tf

from tandem.components.log_example_gen.component import LogExampleGen
from tandem.components.log_example_gen.planning import making as planning
from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
from tandem.components.log_example_gen.settings.logs import LogSettings
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from pathlib import Path

LABELS = [Label(name="click"), Label(name="buy", parent="click")]
COLUMNS = {
    "user": ExampleColumn(),
    "age": ExampleColumn(kind="int"),
    "tags": ExampleColumn(separator="|"),
    "hour": ExampleColumn(),
}
HOURS = {"column": "time", "unit": "iso8601"}


def stream_settings(**more: Any) -> dict[str, Any]:
    return {
        "impressions": {"files": "impressions*", "time": HOURS, "rename": {"uid": "user"}},
        "clicks": {"files": "clicks.jsonl", "time": {"column": "ms", "unit": "ms"}},
        "conversions": {"files": "conversions.csv", "time": HOURS, "event": "kind"},
        "side_tables": [
            {"name": "users", "files": "users.csv", "key": "user"},
            {"name": "items", "files": "items.csv", "key": "item"},
        ],
        "join": {"on": "id"},
        "derived": {"hour": "hour_of_day"},
        "split": {"train": {"before": "1970-01-02"}, "eval": {"from": "1970-01-03"}},
        "max_bad_share": 0.5,
        "max_lost_positives_share": 1.0,
        "max_unreadable_share": 1.0,
        **more,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    (data / "impressions-1.csv").write_text(
        "id,time,uid,item\n1,1970-01-01T05:00:00,u1,i1\n2,1970-01-01T06:00:00,u2,i2\nbroken line\n,1970-01-01,u1,i1\n"
    )
    with gzip.open(data / "impressions-2.csv.gz", "wt") as file:
        file.write(
            "id,time,uid,item\n3,1970-01-03T00:00:00,u9,i1\n4,1970-01-02T12:00:00,u1,i1\n1,1970-01-01T05:00:00,u1,i1\n"
        )
    (data / "clicks.jsonl").write_text(
        '{"id": 1, "ms": 1000}\n{"id": 3, "ms": 0}\n{"id": 3, "ms": 5}\n{"id": 7, "ms": 5}\n{]\n'
    )
    (data / "conversions.csv").write_text(
        "id,time,kind\n1,1970-01-01,buy\n2,1970-01-01,buy\n2,yesterday,buy\n3,1970-01-01,hate\n"
    )
    (data / "users.csv").write_text("user,age\nu1,30\nu2,old\nu1,31\n")
    (data / "items.csv").write_text("item,tags\ni1,a|b\ni2,\n")
    return data


def step(settings: dict[str, Any], folder: Path | str, **more: Any) -> LogExampleGen:
    logs = LogSettings.model_validate(settings)
    return LogExampleGen(**{"logs": logs, "columns": COLUMNS, "labels": LABELS, "data_dir": str(folder), **more})


def read_examples(outputs: Any, split: str) -> list[dict[str, Any]]:
    """The examples in the order of their times, as a model would parse them; the times of labels are left out."""
    spec = {
        **{name: tf.io.VarLenFeature(tf.string) for name in ("user", "tags", "hour")},
        "age": tf.io.VarLenFeature(tf.int64),
        **{name: tf.io.FixedLenFeature([], tf.int64) for name in ("click", "buy", "impression_time_us")},
    }
    rows = []
    for record in outputs.records(split):
        values = tf.io.parse_single_example(record, spec)
        rows.append(
            {
                name: value.values.numpy().tolist() if isinstance(value, tf.SparseTensor) else int(value)
                for name, value in values.items()
            }
        )
    return sorted(rows, key=lambda row: row["impression_time_us"])


HOUR_US = 3_600_000_000
TRAIN = [
    {
        "user": [b"u1"],
        "age": [30],
        "tags": [b"a", b"b"],
        "hour": [b"5"],
        "click": 1,
        "buy": 1,
        "impression_time_us": 5 * HOUR_US,
    },
    {"user": [b"u2"], "age": [], "tags": [], "hour": [b"6"], "click": 0, "buy": 0, "impression_time_us": 6 * HOUR_US},
]
EVAL = [
    {
        "user": [b"u9"],
        "age": [],
        "tags": [b"a", b"b"],
        "hour": [b"0"],
        "click": 1,
        "buy": 0,
        "impression_time_us": 48 * HOUR_US,
    }
]
COUNTS = {
    "impressions.rows": 7,
    "impressions.examples.train": 2,
    "impressions.examples.eval": 1,
    "impressions.duplicate": 1,
    "impressions.malformed": 1,
    "impressions.missing_key": 1,
    "impressions.outside_split": 1,
    "clicks.rows": 5,
    "clicks.attached": 2,
    "clicks.duplicate": 1,
    "clicks.malformed": 1,
    "clicks.no_impression": 1,
    "conversions.rows": 4,
    "conversions.attached": 1,
    "conversions.bad_time": 1,
    "conversions.no_click": 1,
    "conversions.unused_event": 1,
    "users.rows": 3,
    "users.kept": 2,
    "users.duplicate": 1,
    "items.rows": 2,
    "items.kept": 2,
    "positives.train.click": 1,
    "positives.train.buy": 1,
    "positives.eval.click": 1,
    "positives.eval.buy": 0,
    "unmatched.users": 1,
    "unreadable.age": 1,
}


@pytest.mark.parametrize("bytes_per_shard", [1 << 28, 40])
def test_streams_become_examples_and_every_row_is_accounted_for(
    folder: Path,
    run_step: Any,
    bytes_per_shard: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(planning, "_BYTES_PER_SHARD", bytes_per_shard)
    with caplog.at_level(logging.INFO, "tandem.ingest"):
        outputs = run_step(step(stream_settings(), folder))
    assert outputs.examples.splits == ["train", "eval"]
    assert read_examples(outputs, "train") == TRAIN
    assert read_examples(outputs, "eval") == EVAL
    assert outputs.examples.span == 0
    assert outputs.examples.get_string_custom_property("payload_format") == "FORMAT_TF_EXAMPLE"
    for artifact in (outputs.examples, outputs.quarantine):
        assert {name: artifact.get_int_custom_property(name) for name in COUNTS} == COUNTS
    rows = outputs.set_aside()
    assert sorted(rows) == [
        "clicks/duplicate",
        "clicks/malformed",
        "clicks/no_impression",
        "conversions/bad_time",
        "conversions/no_click",
        "conversions/unused_event",
        "impressions/duplicate",
        "impressions/malformed",
        "impressions/missing_key",
        "impressions/outside_split",
        "users/duplicate",
    ]
    assert rows["impressions/malformed"] == [
        {
            "file": "impressions-1.csv",
            "row": 3,
            "reason": "malformed",
            "text": "broken line",
            "why": "1 cells instead of 4",
        }
    ]
    assert rows["clicks/no_impression"] == [
        {"file": "clicks.jsonl", "row": 4, "reason": "no_impression", "cells": {"id": "7", "ms": "5"}}
    ]
    assert rows["impressions/outside_split"][0]["cells"]["user"] == "u1"
    told = "impressions  7 rows = 3 examples (train 2, eval 1) + 1 duplicates + 1 malformed + 1 missing_key"
    assert f"{told} + 1 outside_split" in caplog.messages
    several = len(outputs.files("train")) > 1
    assert several == (bytes_per_shard == 40)
    assert outputs.counts()["rows"]["impressions"] == 7


def test_the_same_logs_give_the_same_bytes(folder: Path, run_step: Any) -> None:
    outputs = []
    for name in ("first", "second"):
        root = run_step(step(stream_settings(), folder), name).root
        outputs.append({str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()})
    assert outputs[0] == outputs[1]
    assert len(outputs[0]) == 14  # Two splits, eleven kinds of rejects, the counts.


def test_too_many_bad_rows_fail_the_run_and_are_kept(folder: Path, tmp_path: Path, run_step: Any) -> None:
    with pytest.raises(LogsError) as failure:
        run_step(step(stream_settings(max_bad_share=0.3), folder))
    text = str(failure.value)
    assert "clicks: 2 of 5 rows (40.0%) are bad, more than 'max_bad_share' allows (30.0%):" in text
    assert "  no_impression: 1 rows. No impression has the key of this event." in text
    assert '{"file":"clicks.jsonl","row":4,"reason":"no_impression","cells":{"id":"7","ms":"5"}}' in text
    assert "conversions: 2 of 4 rows (50.0%)" in text
    assert "impressions:" not in text
    kept = tmp_path / "out" / "LogExampleGen" / "failed" / "1"
    assert text.endswith(str(kept))
    assert (kept / "clicks" / "no_impression-00000.jsonl.gz").is_file()


def test_the_failure_folder_can_be_chosen(folder: Path, tmp_path: Path, run_step: Any) -> None:
    component = step(stream_settings(max_bad_share=0), folder, failure_dir=str(tmp_path / "look here"))
    with pytest.raises(LogsError, match="look here"):
        run_step(component)
    assert list((tmp_path / "look here").glob("*/*.jsonl.gz"))


def test_a_split_without_examples_fails_the_run_and_says_what_times_there_are(folder: Path, run_step: Any) -> None:
    split = {"train": {"before": "1970-01-05"}, "eval": {"from": "1970-01-06"}}
    with pytest.raises(LogsError) as failure:
        run_step(step(stream_settings(split=split), folder))
    assert (
        "split 'eval' (from 1970-01-06 00:00:00+00:00) has no examples; the impressions read are from "
        "1970-01-01 05:00:00+00:00 to 1970-01-03 00:00:00+00:00"
    ) in str(failure.value)


def table_settings(**more: Any) -> dict[str, Any]:
    return {
        "table": {"files": ["train.csv", "test.jsonl", "rest.csv"]},
        "side_tables": [{"name": "users", "files": "users.csv", "key": "user"}],
        "split": {"train": {"files": "train.csv"}, "eval": {"files": "test.jsonl"}},
        "max_bad_share": 0.7,
        "max_lost_positives_share": 1.0,
        "max_unreadable_share": 1.0,
        **more,
    }


def write_tables(folder: Path) -> None:
    (folder / "train.csv").write_text("user,tags,click,buy,at\nu1,x,1,1,10\nu2,,0,0,11\nu2,,0,1,12\nu2,,maybe,0,13\n")
    (folder / "test.jsonl").write_text('{"user": "u1", "tags": ["y", "z"], "click": true, "buy": 0, "at": 20}\n')
    (folder / "rest.csv").write_text("user,tags,click,buy,at\nu1,,0,0,30\n")


TABLE_COLUMNS = {name: column for name, column in COLUMNS.items() if name != "hour"}


def test_a_labelled_table_split_by_file(folder: Path, run_step: Any) -> None:
    write_tables(folder)
    outputs = run_step(step(table_settings(), folder, columns=TABLE_COLUMNS))
    names = {split: outputs.files(split) for split in ("train", "eval")}
    assert [path.name for path in names["train"]] == ["data_tfrecord-00002-of-00003.gz"]
    found = {}
    for split, (path,) in names.items():
        found[split] = []
        for record in tf.data.TFRecordDataset(str(path), compression_type="GZIP").as_numpy_iterator():
            feature = tf.train.Example.FromString(record).features.feature
            assert sorted(feature) == ["age", "buy", "click", "tags", "user"]
            found[split].append(
                (
                    feature["user"].bytes_list.value[0],
                    list(feature["tags"].bytes_list.value),
                    list(feature["age"].int64_list.value),
                    feature["click"].int64_list.value[0],
                    feature["buy"].int64_list.value[0],
                )
            )
    assert sorted(found["train"]) == [(b"u1", [b"x"], [30], 1, 1), (b"u2", [], [], 0, 0)]
    assert found["eval"] == [(b"u1", [b"y", b"z"], [30], 1, 0)]
    rows = outputs.set_aside()
    assert {name: [(row["file"], row["row"]) for row in some] for name, some in rows.items()} == {
        "table/bad_label": [("train.csv", 4)],
        "table/no_click": [("train.csv", 3)],
        "table/outside_split": [("rest.csv", 1)],
        "users/duplicate": [("users.csv", 3)],
    }
    assert outputs.examples.get_int_custom_property("table.rows") == 6


def test_a_labelled_table_split_by_time(folder: Path, run_step: Any) -> None:
    write_tables(folder)
    split = {"train": {"before": "1970-01-01T00:00:20"}, "eval": {"from": "1970-01-01T00:00:20"}}
    table = {"files": ["train.csv", "test.jsonl", "rest.csv"], "time": {"column": "at", "unit": "s"}}
    settings = table_settings(table=table, split=split, derived={"hour": "hour_of_day"})
    outputs = run_step(step(settings, folder))
    assert [row["impression_time_us"] for row in read_examples(outputs, "train")] == [10_000_000, 11_000_000]
    assert [(row["impression_time_us"], row["hour"]) for row in read_examples(outputs, "eval")] == [
        (20_000_000, [b"0"]),
        (30_000_000, [b"0"]),
    ]


def test_few_bad_rows_that_are_many_of_the_positives_stop_the_run(
    folder: Path, run_step: Any, caplog: pytest.LogCaptureFixture
) -> None:
    rows = [f"u{i},{int(i % 10 == 0)},0,{1_700_000_000 + i * 1000}" for i in range(100)]
    for i in (0, 10):
        rows[i] = f"u{i},1,0,never"
    (folder / "log.csv").write_text("\n".join(["user,click,buy,at", *rows]) + "\n")
    settings = {
        "table": {"files": "log.csv", "time": {"column": "at", "unit": "s"}},
        "split": {"train": {"before": "2023-11-15T06"}, "eval": {"from": "2023-11-15T06"}},
    }
    more = {"columns": {"user": ExampleColumn()}, "labels": [Label(name="click")]}
    with pytest.raises(
        LogsError,
        match=r"label 'click': 2 of the 10 rows that make it 1 \(20\.0%\) are bad \(bad_time 2\), "
        r"more than 'max_lost_positives_share' allows \(5\.0%\)",
    ):
        run_step(step(settings, folder, **more))
    with caplog.at_level(logging.INFO, "tandem.ingest"):
        outputs = run_step(step({**settings, "max_lost_positives_share": 0.2}, folder, **more), "allowed")
    assert "click: 2 of the 10 rows that make it 1 (20.0%) are bad" in caplog.messages
    assert outputs.examples.get_int_custom_property("lost_positives.click") == 2


def test_conversions_of_a_kind_are_judged_by_themselves(folder: Path, run_step: Any) -> None:
    conversions = [f"1,1970-01-01,{'like' if i else 'buy'}" for i in range(50)]
    (folder / "conversions.csv").write_text("\n".join(["id,time,kind", *conversions, "1,yesterday,buy"]) + "\n")
    settings = stream_settings(max_lost_positives_share=0.4)
    with pytest.raises(
        LogsError, match=r"label 'buy': 1 of the 2 rows that make it 1 \(50\.0%\) are bad \(bad_time 1\)"
    ):
        run_step(step(settings, folder, labels=[*LABELS, Label(name="like", parent="click")]))


def test_labels_that_are_counts_are_refused_with_the_setting_that_reads_them(folder: Path, run_step: Any) -> None:
    (folder / "log.csv").write_text("user,buys\nu1,0\nu2,3\nu3,1\n")
    (folder / "more.csv").write_text("user,buys\nu1,1\n")
    settings = {
        "table": {"files": ["log.csv", "more.csv"], "labels": {"buy": {"column": "buys"}}},
        "split": {"train": {"files": "log.csv"}, "eval": {"files": "more.csv"}},
    }
    more = {"columns": {"user": ExampleColumn()}, "labels": [Label(name="buy")]}
    with pytest.raises(LogsError, match=r"log\.csv: column 'buys' holds '3': a count or a rating\?"):
        run_step(step(settings, folder, **more))
    settings["table"]["labels"]["buy"]["positive"] = ">0"
    outputs = run_step(step(settings, folder, **more), "said")
    assert {row["user"][0]: row["buy"] for row in outputs.rows("train")} == {b"u1": [0], b"u2": [1], b"u3": [1]}


def write_prices(folder: Path, *prices: str) -> dict[str, Any]:
    """Writes a table of two rows for training, and two to judge, with a price each."""
    for name, some in (("train.csv", prices[:2]), ("test.csv", prices[2:])):
        rows = [f"u{i},{i},0,{price}" for i, price in enumerate(some)]
        (folder / name).write_text(
            "\n".join(["user;click;buy;price", *(row.replace(",", ";", 3) for row in rows)]) + "\n"
        )
    return {
        "table": {"files": ["train.csv", "test.csv"], "delimiter": ";"},
        "split": {"train": {"files": "train.csv"}, "eval": {"files": "test.csv"}},
    }


PRICE = {"price": ExampleColumn(kind="float", single=True)}


def test_numbers_that_cannot_be_read_stop_the_run_with_the_setting_that_reads_them(folder: Path, run_step: Any) -> None:
    settings = write_prices(folder, "1,5", "2", "3,25", "4")
    with pytest.raises(
        LogsError,
        match=r"column 'price': 2 of 4 values \(50\.0%\) are no numbers, more than 'max_unreadable_share' allows "
        r"\(5\.0%\), such as '1,5' \(train\.csv\), '3,25' \(test\.csv\); say how 'table' writes them: decimal: ','",
    ):
        run_step(step(settings, folder, columns=PRICE, labels=LABELS[:1]))
    settings["table"]["decimal"] = ","
    outputs = run_step(step(settings, folder, columns=PRICE, labels=LABELS[:1]), "said")
    assert sorted(row["price"] for row in outputs.rows("train")) == [[1.5], [2.0]]


def test_numbers_that_cannot_be_read_are_told(folder: Path, run_step: Any, caplog: pytest.LogCaptureFixture) -> None:
    settings = {**write_prices(folder, "1.5", "dear", "3", ""), "max_unreadable_share": 0.5}
    with caplog.at_level(logging.INFO, "tandem.ingest"):
        run_step(step(settings, folder, columns=PRICE, labels=LABELS[:1]))
    told = "price: 1 of 3 values (33.3%) are no numbers and count as missing, such as 'dear' (train.csv)"
    assert told in caplog.messages


def test_a_numeric_column_without_a_number_in_training_stops_the_run(folder: Path, run_step: Any) -> None:
    settings = write_prices(folder, "", "", "3", "4")
    with pytest.raises(
        LogsError, match=r"column 'price' has no number in any of the 2 training examples; there are some in eval only"
    ):
        run_step(step(settings, folder, columns=PRICE, labels=LABELS[:1]))
    write_prices(folder, "", "", "", "")
    with pytest.raises(LogsError, match=r"has no number in any of the 2 training examples: remove what is made of it"):
        run_step(step(settings, folder, columns=PRICE, labels=LABELS[:1]), "nowhere")


def test_a_numeric_column_without_a_number_in_evaluation_is_told(
    folder: Path, run_step: Any, caplog: pytest.LogCaptureFixture
) -> None:
    run_step(step(write_prices(folder, "true", "false", "", ""), folder, columns=PRICE, labels=LABELS[:1]))
    assert "column 'price' has no number in any of the 2 examples of 'eval'" in caplog.messages


def test_numbers_of_a_side_table_that_reach_no_training_example_stop_the_run(folder: Path, run_step: Any) -> None:
    (folder / "users.csv").write_text("user,age\nu9,30\nu7,31\n")
    with pytest.raises(
        LogsError,
        match=r"column 'age' has no number in any of the 2 training examples \('users' lacks the keys of 2 examples\); "
        r"there are some in eval only",
    ):
        run_step(step(stream_settings(), folder))


def test_few_counts_among_labels_are_many_of_the_positives(folder: Path, run_step: Any) -> None:
    cells = ["2", "1", "1", "1", *["0"] * 36]
    for name in ("train.csv", "test.csv"):
        (folder / name).write_text("\n".join(["user,buy", *(f"u{i},{cell}" for i, cell in enumerate(cells))]) + "\n")
    settings = {
        "table": {"files": ["train.csv", "test.csv"]},
        "split": {"train": {"files": "train.csv"}, "eval": {"files": "test.csv"}},
    }
    with pytest.raises(LogsError) as caught:
        run_step(step(settings, folder, columns={"user": ExampleColumn()}, labels=[Label(name="buy")]))
    assert "label 'buy': 2 of the 8 rows that make it 1 (25.0%) are bad (bad_label 2)" in str(caught.value)
    assert "train.csv: column 'buy' holds '2': a count or a rating?" in str(caught.value)
    assert "max_bad_share" not in str(caught.value)  # two rows of eighty are few


def test_a_file_in_another_unit_stops_the_run_by_its_name(folder: Path, run_step: Any) -> None:
    (folder / "first.csv").write_text("user,click,buy,at\nu1,1,0,1700000000000\nu2,0,0,1700003600000\n")
    (folder / "second.csv").write_text("user,click,buy,at\nu1,1,0,1700090000\nu2,0,0,1700090060\n")
    split = {"train": {"before": "2023-11-15"}, "eval": {"from": "2023-11-15"}}
    table = {"files": ["first.csv", "second.csv"], "time": {"column": "at", "unit": "ms"}}
    settings = {"table": table, "split": split}
    with pytest.raises(Exception, match=r"table: 2 of 2 times in second\.csv .*By unit 's' it is 2023-11-15"):
        run_step(step(settings, folder, columns={"user": ExampleColumn()}))


def test_absurd_times_are_bad_rows_and_hours_those_of_the_zone(folder: Path, run_step: Any) -> None:
    (folder / "log.csv").write_text(
        "user,click,at\nu1,1,2023-11-14 23:30\nu2,0,2023-11-15 00:30\nu3,0,1970-01-01\nu4,1,2999-01-01\n"
        "u5,0,2023-11-14 00:30\n"
    )
    settings = {
        "table": {"files": "log.csv", "time": {"column": "at", "unit": "iso8601", "timezone": "Asia/Shanghai"}},
        "split": {"train": {"before": "2023-11-14T16:00"}, "eval": {"from": "2023-11-14T16:00"}},
        "derived": {"hour": "hour_of_day", "day": "day_of_week"},
        "max_bad_share": 0.5,
    }
    columns = {name: ExampleColumn() for name in ("user", "hour", "day")}
    outputs = run_step(step(settings, folder, columns=columns, labels=[Label(name="click")]))
    found = [(row["user"], row["hour"], row["day"]) for name in ("train", "eval") for row in outputs.rows(name)]
    assert sorted(found) == [([b"u1"], [b"23"], [b"1"]), ([b"u2"], [b"0"], [b"2"]), ([b"u5"], [b"0"], [b"1"])]
    assert [row["cells"]["user"] for row in outputs.set_aside()["table/bad_time"]] == ["u3", "u4"]


@pytest.mark.parametrize(
    ("change", "columns", "labels", "message"),
    [
        ({}, {"shoe": ExampleColumn()}, LABELS, r"column 'shoe' is in no source of the examples: 'impressions' has id"),
        ({}, {"click": ExampleColumn()}, LABELS, r"columns \['click'\] have the name of a label"),
        ({}, COLUMNS, LABELS[1:], r"has the parent 'click', which is no label"),
        ({}, COLUMNS, [Label(name="buy")], r"clicks: the label 'click' is not among the labels \['buy'\]"),
        ({"conversions": None}, COLUMNS, LABELS, r"labels \['buy'\] come from no stream"),
        ({"join": {"on": "nr"}}, COLUMNS, LABELS, r"impressions: column 'nr' is missing in impressions-1\.csv"),
        (
            {"derived": {"item": "hour_of_day", "hour": "hour_of_day"}},
            COLUMNS,
            LABELS,
            r"derived: 'item' is a column of 'impressions' already",
        ),
        (
            {"side_tables": [{"name": "clicks", "files": "users.csv", "key": "user"}]},
            COLUMNS,
            LABELS,
            r"a side table cannot be called 'clicks'",
        ),
        (
            {
                "side_tables": [
                    {"name": "users", "files": "users.csv", "key": "user"},
                    {"name": "items", "files": "items.csv", "key": "item", "rename": {"tags": "age"}},
                ]
            },
            {"age": ExampleColumn()},
            LABELS,
            r"column 'age' is both in 'users' and in 'items'; rename one",
        ),
    ],
)
def test_what_does_not_fit_is_said_before_anything_is_read(
    folder: Path, change: dict[str, Any], columns: dict[str, ExampleColumn], labels: list[Label], message: str
) -> None:
    logs = LogSettings.model_validate({**stream_settings(), **change})
    with pytest.raises(LogsError, match=message):
        planning.make_plan(logs, columns, labels, str(folder))


def test_a_column_that_one_of_many_files_lacks_is_found_before_reading(folder: Path) -> None:
    (folder / "impressions-3.csv").write_text("id,time,item\n")
    logs = LogSettings.model_validate(stream_settings())
    with pytest.raises(
        LogsError, match=r"column 'user' is missing in impressions-3\.csv; the columns are 'id', 'time', 'item'"
    ):
        planning.make_plan(logs, COLUMNS, LABELS, str(folder))


def test_the_properties_of_the_step_change_with_the_files(folder: Path) -> None:
    first = dict(step(stream_settings(), folder).exec_properties)
    assert first == dict(step(stream_settings(), folder).exec_properties)
    with (folder / "clicks.jsonl").open("a") as file:
        file.write('{"id": 2, "ms": 5}\n')
    second = dict(step(stream_settings(), folder).exec_properties)
    assert {name for name in first if first[name] != second[name]} == {"fingerprint"}
    assert first["logs"] == LogSettings.model_validate_json(first["logs"]).model_dump_json(by_alias=True)


def test_touching_or_moving_the_files_changes_no_property_but_their_place(folder: Path, tmp_path: Path) -> None:
    first = dict(step(stream_settings(), folder).exec_properties)
    (folder / "clicks.jsonl").touch()
    assert dict(step(stream_settings(), folder).exec_properties) == first
    moved = folder.rename(tmp_path / "moved")
    second = dict(step(stream_settings(), moved).exec_properties)
    assert {name for name in first if first[name] != second[name]} == {"data_dir"}


def test_the_index_of_digests_is_no_property(folder: Path, tmp_path: Path) -> None:
    with_index = step(stream_settings(), folder, digest_index=str(tmp_path / "digests.json"))
    assert dict(with_index.exec_properties) == dict(step(stream_settings(), folder).exec_properties)


def test_logs_elsewhere_are_read_and_noticed_alike(folder: Path, run_step: Any) -> None:
    store = fsspec.filesystem("memory")
    store.put(f"{folder}/", "/shop/", recursive=True)
    try:
        component = step(stream_settings(), "memory://shop")
        outputs = run_step(component)
        assert read_examples(outputs, "train") == TRAIN
        assert read_examples(outputs, "eval") == EVAL
        assert outputs.set_aside() == run_step(step(stream_settings(), folder), "local").set_aside()
        store.pipe_file("/shop/users.csv", b"user,age\nu1,33\n")
        again = step(stream_settings(), "memory://shop")
        assert again.exec_properties["fingerprint"] != component.exec_properties["fingerprint"] != ""
    finally:
        store.rm("/shop", recursive=True)


def test_logs_that_cannot_be_seen_from_here_are_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    component = step(stream_settings(), "nowhere://shop")
    assert component.exec_properties["fingerprint"] == ""
    assert "nowhere://shop cannot be seen from here, so changes of the logs are not noticed" in caplog.text


def test_a_step_can_be_described_where_the_data_is_not(tmp_path: Path) -> None:
    assert step(stream_settings(), tmp_path / "elsewhere").exec_properties["fingerprint"] == ""


def finality(outputs: Any, split: str) -> dict[int, tuple[int, ...]]:
    """By hour of the impression: whether the labels `click` and `buy` are final."""
    return {
        row["impression_time_us"][0] // HOUR_US: (*row["click_is_final"], *row["buy_is_final"])
        for row in outputs.rows(split)
    }


@pytest.fixture
def late_logs(tmp_path: Path) -> tuple[dict[str, Any], Path]:
    """Evaluation days 11 and 12; the last event that counts, a conversion, happens at 12 o'clock on day 12."""
    data = tmp_path / "late"
    data.mkdir()
    shown = ["02T00", "11T06", "12T05", "12T06", "12T09", "12T11", "02T00"]
    rows = [f"{number},1970-01-{time}:00:00,u,i" for number, time in enumerate(shown)]
    (data / "impressions.csv").write_text("\n".join(["id,time,uid,item", *rows]))
    # A minute after their impressions; the last one far outside its window, as is the last conversion.
    clicks = [(0, 86_460_000), (1, 885_660_000), (5, 990_060_000), (3, 4_070_908_800_000)]
    (data / "clicks.jsonl").write_text("".join(f'{{"id": {number}, "ms": {ms}}}\n' for number, ms in clicks))
    orders = "0,1970-01-02T01:00:00,buy\n5,1970-01-12T12:00:00,buy\n1,1970-01-30T12:00:00,buy\n"
    (data / "conversions.csv").write_text(f"id,time,kind\n{orders}")
    for name, head in (("users", "user,age\nu,3\n"), ("items", "item,tags\ni,a\n")):
        (data / f"{name}.csv").write_text(head)
    settings = stream_settings(
        join={"on": "id", "click_window_hours": 1, "conversion_window_hours": 5},
        split={"train": {"before": "1970-01-03"}, "eval": {"from": "1970-01-11"}},
        max_bad_share=1,
    )
    return settings, data


@pytest.mark.parametrize("bytes_per_shard", [1 << 28, 60])
def test_labels_of_the_last_hours_are_not_final(
    late_logs: tuple[dict[str, Any], Path],
    run_step: Any,
    bytes_per_shard: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(planning, "_BYTES_PER_SHARD", bytes_per_shard)
    settings, data = late_logs
    with caplog.at_level(logging.INFO, logger="tandem.ingest"):
        outputs = run_step(step(settings, data))
    day = 24 * 11
    assert finality(outputs, "train") == {24: (1, 1)}
    # Observed until 12 o'clock: rejected events do not count. A click may come for an hour, a conversion for six.
    assert finality(outputs, "eval") == {
        day - 18: (1, 1), day + 5: (1, 1), day + 6: (1, 1), day + 9: (1, 0), day + 11: (1, 0)
    }  # fmt: skip
    counts = outputs.counts()
    assert counts["not_final"] == {"train": {"buy": 0, "click": 0}, "eval": {"buy": 2, "click": 0}}
    assert counts["observed_until_us"] == (day + 12) * 3_600_000_000
    assert outputs.examples.get_int_custom_property("not_final.eval.buy") == 2
    assert (
        "buy may still change in 2 of 5 eval examples: its window reaches beyond the end of the logs, "
        "1970-01-12 12:00 UTC" in caplog.text
    )


def test_the_end_of_the_logs_can_be_told(
    late_logs: tuple[dict[str, Any], Path], run_step: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings, data = late_logs
    later = step({**settings, "observed_until": "1970-01-12T17:00"}, data)
    assert set(finality(run_step(later, "later"), "eval").values()) == {(1, 1)}
    earlier = step({**settings, "observed_until": "1970-01-12"}, data)
    outputs = run_step(earlier, "earlier")
    assert sorted(finality(outputs, "eval").values()) == [(0, 0)] * 4 + [(1, 1)]
    assert "most examples of 'eval' are younger than the window of 'buy' at the end of the logs" in caplog.text


def test_without_windows_nothing_is_added(folder: Path, run_step: Any) -> None:
    outputs = run_step(step(stream_settings(), folder))
    assert b"_is_final" not in b"".join(outputs.records("train"))
    counts = outputs.counts()
    assert (counts["not_final"], counts["observed_until_us"]) == ({}, None)


def test_a_column_called_like_one_made_here_is_refused(late_logs: tuple[dict[str, Any], Path], run_step: Any) -> None:
    settings, data = late_logs
    with pytest.raises(LogsError, match=r"columns \['buy_is_final'\] have the name of .* a column made here"):
        run_step(step(settings, data, columns={"buy_is_final": ExampleColumn()}))


def test_examples_tell_when_their_labels_were_set(folder: Path, run_step: Any) -> None:
    outputs = run_step(step(stream_settings(), folder))
    told = {
        row["user"][0]: {name: values for name, values in row.items() if name in ("click_time_us", "buy_time_us")}
        for split in ("train", "eval")
        for row in outputs.rows(split)
    }
    # u1 clicked in the first second and bought at midnight (there are no windows); u9 clicked at 0 and again.
    assert told == {b"u1": {"click_time_us": [1_000_000], "buy_time_us": [0]}, b"u2": {}, b"u9": {"click_time_us": [0]}}


def test_a_labelled_table_has_no_times_of_labels(folder: Path, run_step: Any) -> None:
    write_tables(folder)
    outputs = run_step(step(table_settings(), folder, columns=TABLE_COLUMNS))
    assert b"_time_us" not in b"".join(outputs.records("train") + outputs.records("eval"))


@pytest.mark.parametrize(("given", "end"), [(None, "1970-01-12T12:00"), ("1970-01-12T17:00", "1970-01-12T17:00")])
def test_examples_can_tell_when_the_logs_end(
    late_logs: tuple[dict[str, Any], Path], run_step: Any, given: str | None, end: str
) -> None:
    settings, data = late_logs
    outputs = run_step(step({**settings, "observed_until": given}, data, observed_until=True))
    moment = datetime.datetime.fromisoformat(end).replace(tzinfo=datetime.timezone.utc)
    rows = [row for split in ("train", "eval") for row in outputs.rows(split)]
    assert {tuple(row["observed_until_us"]) for row in rows} == {(int(moment.timestamp()) * 1_000_000,)}
    assert len(rows) == 7


def test_without_windows_the_end_of_the_logs_can_be_told_all_the_same(folder: Path, run_step: Any) -> None:
    outputs = run_step(step(stream_settings(), folder, observed_until=True))
    end = 48 * HOUR_US
    assert {tuple(row["observed_until_us"]) for row in outputs.rows("train")} == {(end,)}
    assert outputs.counts()["observed_until_us"] == end
    assert b"observed_until_us" not in b"".join(run_step(step(stream_settings(), folder), "without").records("train"))


def test_a_table_does_not_know_when_the_logs_end(folder: Path) -> None:
    write_tables(folder)
    with pytest.raises(LogsError, match=r"examples of a 'table' cannot say when the logs end"):
        step(table_settings(), folder, columns=TABLE_COLUMNS, observed_until=True)
    with pytest.raises(LogsError, match=r"examples of a 'table' cannot say when the logs end"):
        planning.make_plan(LogSettings.model_validate(table_settings()), TABLE_COLUMNS, LABELS, str(folder), True)


WEIGHTED = {"user": ExampleColumn(), "w": ExampleColumn(weight=True)}


def test_impressions_that_weigh_nothing_sensible_are_set_aside(folder: Path, run_step: Any) -> None:
    (folder / "impressions-1.csv").write_text(
        "id,time,uid,item,w\n1,1970-01-01T05:00:00,u1,i1,0.5\n2,1970-01-01T06:00:00,u2,i2,-1\n5,1970-01-01,u1,i1,\n"
        ",1970-01-01,u1,i1,x\n6,1970-01-01T07:00:00,u2,i1,1\n"
    )
    (folder / "impressions-2.csv.gz").unlink()
    (folder / "impressions-3.jsonl").write_text('{"id": 3, "time": "1970-01-03", "uid": "u9", "item": "i1", "w": 2}\n')
    settings = stream_settings(max_bad_share=1)
    settings["impressions"]["weight"] = "w"
    outputs = run_step(step(settings, folder, columns=WEIGHTED))
    assert sorted((row["user"], row["w"]) for row in outputs.rows("train")) == [([b"u1"], [0.5]), ([b"u2"], [1.0])]
    assert [(row["user"], row["w"]) for row in outputs.rows("eval")] == [([b"u9"], [2.0])]
    found = outputs.set_aside()
    assert [row["row"] for row in found["impressions/bad_weight"]] == [2, 3]
    assert found["impressions/bad_weight"][0]["cells"] == {
        "id": "2", "time": "1970-01-01T06:00:00", "user": "u2", "item": "i2", "w": "-1"
    }  # fmt: skip
    assert [row["row"] for row in found["impressions/missing_key"]] == [4]  # the first reason that is found
    assert outputs.counts()["outcomes"]["impressions"] == {
        "bad_weight": 2, "examples.eval": 1, "examples.train": 2, "missing_key": 1
    }  # fmt: skip


def test_a_side_table_of_which_nothing_is_asked_for_is_counted_all_the_same(folder: Path, run_step: Any) -> None:
    outputs = run_step(step(stream_settings(), folder, columns={"user": ExampleColumn(), "hour": ExampleColumn()}))
    assert [row["user"] for row in outputs.rows("train")] in ([[b"u1"], [b"u2"]], [[b"u2"], [b"u1"]])
    assert outputs.counts()["outcomes"]["users"] == {"duplicate": 1, "kept": 2}
    assert outputs.counts()["unmatched"] == {"users": 1}


def test_bad_weights_count_as_bad(folder: Path, run_step: Any) -> None:
    (folder / "train.csv").write_text("user,click,buy,w\nu1,1,1,1\nu2,0,0,nan\nu3,maybe,0,2\nu4,0,0,1\n")
    (folder / "test.csv").write_text("user,click,buy,w\nu1,1,1,1\n")
    settings = {
        "table": {"files": ["train.csv", "test.csv"], "weight": "w"},
        "split": {"train": {"files": "train.csv"}, "eval": {"files": "test.csv"}},
        "max_bad_share": 0.3,
    }
    with pytest.raises(LogsError) as failure:
        run_step(step(settings, folder, columns=WEIGHTED))
    assert "table: 2 of 5 rows (40.0%) are bad" in str(failure.value)
    assert "  bad_weight: 1 rows. The row weight is empty, no number, not finite or negative." in str(failure.value)
    outputs = run_step(step({**settings, "max_bad_share": 0.5}, folder, columns=WEIGHTED), "again")
    assert [row["w"] for row in outputs.rows("train")] == [[1.0], [1.0]]
    assert sorted(outputs.set_aside()) == ["table/bad_label", "table/bad_weight"]


@pytest.mark.parametrize(
    ("change", "columns", "message"),
    [
        (
            {},
            {"age": ExampleColumn(weight=True)},
            "column 'age' weighs rows and comes from 'users'; a weight is a column",
        ),
        ({}, {"hour": ExampleColumn(weight=True)}, "column 'hour' weighs rows and comes from 'derived'"),
        ({"weight": "item"}, {}, r"impressions: the weight 'item' is not among the columns that weigh rows: \[\]"),
    ],
)
def test_weights_come_from_the_impressions_themselves(
    folder: Path, change: dict[str, Any], columns: dict[str, ExampleColumn], message: str
) -> None:
    settings = stream_settings()
    settings["impressions"] |= change
    with pytest.raises(LogsError, match=message):
        planning.make_plan(LogSettings.model_validate(settings), COLUMNS | columns, LABELS, str(folder))


@pytest.mark.parametrize("column", ["click_time_us", "impression_time_us"])
def test_the_times_of_labels_have_names_of_their_own(folder: Path, column: str) -> None:
    logs = LogSettings.model_validate(stream_settings())
    with pytest.raises(LogsError, match=rf"columns \['{column}'\] have the name of a label or of a column made here"):
        planning.make_plan(logs, {column: ExampleColumn()}, LABELS, str(folder))


def test_a_label_that_leads_to_a_column_twice_is_refused(folder: Path) -> None:
    logs = LogSettings.model_validate(stream_settings())
    with pytest.raises(LogsError, match="lead to several columns 'impression_time_us'; rename one"):
        planning.make_plan(logs, {}, [*LABELS, Label(name="impression")], str(folder))


def test_a_split_that_names_no_file_is_found_before_anything_is_read(folder: Path) -> None:
    write_tables(folder)
    split = {"train": {"files": "train.csv"}, "eval": {"files": "tset.jsonl"}}
    with pytest.raises(LogsError, match=r"split 'eval': 'tset\.jsonl' matches none of the table's files"):
        planning.make_plan(LogSettings.model_validate(table_settings(split=split)), TABLE_COLUMNS, LABELS, str(folder))


def test_what_a_killed_worker_has_left_is_no_example(folder: Path, tmp_path: Path, run_step: Any) -> None:
    left = tmp_path / "out" / "LogExampleGen" / "examples" / "1" / "Split-train" / ".data_tfrecord-00000-of-00001.gz.1f"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half of a file")
    assert [path.name for path in run_step(step(stream_settings(), folder)).files("train")] == [
        "data_tfrecord-00000-of-00001.gz"
    ]
