"""What is said of rows, on tables and streams whose rows are written here."""

import pytest

from tandem.pipeline.configuration.config import load
from tandem.pipeline.doctor import first_rows
from tandem.pipeline.doctor.logs import logs as checked

TABLE = """
name: shop
data_dir: data
logs:
  table: {files: "*.csv", time: {column: at, unit: s}}
  side_tables: [{name: items, files: "items/*.csv", key: item}]
  split: {train: {before: 2024-03-09}, eval: {from: 2024-03-10}}
features: [{name: item, kind: categorical}, {name: price, kind: numeric}, {name: brand, kind: categorical}]
tasks: [{name: click}]
training: {batch_size: 2, epochs: 30}
evaluation: {group_by: null, thresholds: [{metric: auc, output: click, at_least: 0.5}]}
"""
TRAIN, BETWEEN, EVAL = 1709251200, 1709985600, 1710374400  # 1, 9 (noon) and 14 March 2024


@pytest.fixture
def found(tmp_path, monkeypatch):
    """Writes a configuration and its files, and returns what is found, by status."""
    monkeypatch.delenv("TANDEM_DATA", raising=False)

    def found(files, settings=TABLE, overrides=()):
        (tmp_path / "shop.yaml").write_text(settings)
        for name, lines in files.items():
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{line}\n" for line in lines))
        checks = list(checked(load(tmp_path / "shop.yaml", overrides=overrides)))
        return {status: [each.text for each in checks if each.status == status] for status in ("ok", "warn", "fail")}

    return found


def rows(count, at, price="1.5", click=None, item="a"):
    """Rows of a table, every other one clicked."""
    return [f"{item},{price},{n % 2 if click is None else click},{at + n}" for n in range(count)]


def table(*parts):
    return ["item,price,click,at", *(line for part in parts for line in part)]


ITEMS = {"items/a.csv": ["item,brand", "a,x"]}


def test_sound_logs(found):
    answer = found(
        {"log.csv": table(rows(10, TRAIN), rows(4, EVAL), ["a,1,0,x"]), **ITEMS}, overrides=["logs.max_bad_share=0.1"]
    )
    assert answer["fail"] == answer["warn"] == []
    assert "table: 1 of all 15 rows (6.7%) are bad: bad_time 1" in answer["ok"]
    assert "examples: train 10, eval 4" in answer["ok"]
    assert "training: 10 rows come to 150 steps" in answer["ok"]
    assert "items: all 1 rows can be used" in answer["ok"]


def test_bad_rows_are_told_by_reason_with_examples(found):
    files = {
        "log.csv": table(rows(10, TRAIN), rows(4, EVAL), ["a,1,5,1709251200", "a,1,4,1709251200", "a,1,0,"]),
        **ITEMS,
    }
    text = found(files)["fail"][0]
    head, *reasons = text.splitlines()
    assert head == "table: 3 of all 17 rows (17.6%) are bad, more than 'max_bad_share' allows (5.0%):"
    assert [line.split(" rows.")[0] for line in reasons if not line.startswith("    ")] == [
        "  bad_label: 2",
        "  bad_time: 1",
    ]
    assert '"file":"log.csv","row":15,"reason":"bad_label"' in reasons[1].replace(": ", ":").replace(", ", ",")


def test_a_wrong_unit_of_time_is_told(found):
    (text,) = found({"log.csv": table(rows(10, TRAIN * 1000), rows(4, EVAL * 1000)), **ITEMS})["fail"]
    assert "By unit 'ms' it is 2024-03-01" in text


def test_an_empty_split_is_told_with_the_days_that_there_are(found):
    failed = found({"log.csv": table(rows(10, TRAIN)), **ITEMS})["fail"]
    assert failed == [
        "split 'eval' (from 2024-03-10 00:00:00+00:00) has no examples; the rows are from "
        "2024-03-01 00:00:00+00:00 to 2024-03-01 00:00:09+00:00"
    ]


def test_labels_that_are_the_same_everywhere(found):
    evaluation = rows(4, EVAL)
    (text,) = found({"log.csv": table(rows(6, TRAIN, click=0), evaluation), **ITEMS})["fail"]
    assert text == "label 'click' is 0 in all 6 rows of 'train': nothing to learn"
    answer = found({"log.csv": table(rows(10, TRAIN), rows(4, EVAL, click=1)), **ITEMS})
    assert answer["fail"] == []
    assert answer["warn"] == ["label 'click' is 1 in all 4 rows of 'eval': no AUC can be computed there"]


def test_few_steps(found):
    (text,) = found({"log.csv": table(rows(10, TRAIN), rows(4, EVAL)), **ITEMS}, overrides=["training.epochs=19"])[
        "warn"
    ]
    assert text.startswith("training is 95 steps long (batch_size 2, epochs 19): ")
    (text,) = found({}, overrides=["training.max_steps=1"])["warn"]
    assert text.startswith("training is 1 step long (batch_size 2, epochs 30, max_steps 1): ")


@pytest.mark.parametrize(
    ("train", "evaluation", "status", "text"),
    [
        ("x", "2", "fail", "column 'price': 10 of 14 values (71.4%) are no numbers, more than 'max_unreadable_share'"),
        ("", "", "fail", "column 'price' has no number in any of the 10 training examples"),
        ("", "2", "fail", "column 'price' has no number in any of the 10 training examples; there are some in eval"),
        ("2", "", "warn", "column 'price' has no number in any of the 4 examples of 'eval'"),
    ],
)
def test_columns_that_are_no_numbers(found, train, evaluation, status, text):
    answer = found({"log.csv": table(rows(10, TRAIN, price=train), rows(4, EVAL, price=evaluation)), **ITEMS})
    assert any(each.startswith(text) for each in answer[status])
    assert bool(answer["fail"]) == (status == "fail")


def test_a_few_values_that_are_no_numbers(found):
    files = {"log.csv": table(rows(99, TRAIN), rows(1, TRAIN + 99, price="dear"), rows(4, EVAL)), **ITEMS}
    answer = found(files)
    assert answer["fail"] == []
    (text,) = answer["warn"]
    assert text.startswith("price: 1 of 104 values (1.0%) are no numbers and count as missing, such as 'dear'")


def test_a_side_table_that_matches_nothing(found):
    files = {"log.csv": table(rows(10, TRAIN), rows(4, EVAL)), "items/a.csv": ["item,brand", "a.0,x", "b.0,y"]}
    (text,) = found(files)["fail"]
    assert text.startswith("items: 14 of 14 examples (100.0%) have a 'item' that it lacks")


def test_of_a_large_side_table_it_is_not_said_which_keys_it_lacks(found, monkeypatch):
    monkeypatch.setattr(first_rows, "HEAD_ROWS", 1)
    settings = TABLE.replace("{name: price, kind: numeric}", "{name: weight, kind: numeric}")
    sides = ["item,brand,weight", "z,x,1", *(f"a{n},y,2" for n in range(100)), "a,y,3"]
    files = {"log.csv": table(rows(10, TRAIN), rows(4, EVAL)), "items/a.csv": sides}
    monkeypatch.setattr(first_rows, "WHOLE_BYTES", 400)
    assert found(files, settings)["fail"] == found(files, settings)["warn"] == []
    monkeypatch.setattr(first_rows, "WHOLE_BYTES", 4000)
    assert found(files, settings)["fail"] == []


def test_of_large_logs_the_first_rows_are_looked_at_and_splits_are_not_judged_by_them(found, monkeypatch):
    monkeypatch.setattr(first_rows, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(first_rows, "HEAD_ROWS", 10)
    answer = found({"log.csv": table(rows(60, TRAIN), ["broken"], rows(20, EVAL)), **ITEMS})
    assert answer["fail"] == answer["warn"] == []
    assert "table: the first 10 rows can be used" in answer["ok"]
    assert "examples: train 10, eval 0, of the rows looked at" in answer["ok"]


def test_heads_that_are_mostly_bad_fail(found, monkeypatch):
    monkeypatch.setattr(first_rows, "WHOLE_BYTES", 1000)
    monkeypatch.setattr(first_rows, "HEAD_ROWS", 10)
    answer = found({"log.csv": table(rows(60, TRAIN, click=5), rows(60, EVAL)), **ITEMS})
    assert any(text.startswith("table: 10 of the first 10 rows (100.0%) are bad") for text in answer["fail"])


STREAMS = """
name: shop
data_dir: data
logs:
  impressions: {files: "shown*.csv", time: {column: at, unit: s}}
  clicks: {files: "clicked*.csv", time: {column: at, unit: s}}
  join: {on: id}
  split: {train: {before: 2024-03-09}, eval: {from: 2024-03-10}}
features: [{name: item, kind: categorical}]
tasks: [{name: click}]
training: {batch_size: 2, epochs: 30}
evaluation: {group_by: null, thresholds: [{metric: auc, output: click, at_least: 0.5}]}
"""


def streams(clicked):
    shown = [f"{n},i{n % 3},{(TRAIN if n < 12 else EVAL) + n}" for n in range(20)]
    return {"shown.csv": ["id,item,at", *shown], "clicked.csv": ["id,at", *(f"{n},{EVAL + 60}" for n in clicked)]}


def test_small_streams_are_joined(found):
    answer = found(streams([1, 3, 13]), STREAMS)
    assert answer["fail"] == answer["warn"] == []
    assert "clicks: all 3 rows can be used" in answer["ok"]
    text = found(streams([1, 13, 77, 78]), STREAMS)["fail"][0]
    assert text.startswith(
        "clicks: 2 of all 4 rows (50.0%) are bad, more than 'max_bad_share' allows (5.0%):\n  no_imp"
    )


def test_large_streams_are_not_judged_by_what_their_heads_join_to(found, monkeypatch):
    monkeypatch.setattr(first_rows, "WHOLE_BYTES", 1)
    monkeypatch.setattr(first_rows, "HEAD_ROWS", 2)
    answer = found(streams([5, 13, 7]), STREAMS)
    assert answer["fail"] == answer["warn"] == []
    assert "clicks: the first 2 rows can be used" in answer["ok"]


def test_files_in_two_splits_and_globs_that_match_nothing(found):
    settings = TABLE.replace(
        "split: {train: {before: 2024-03-09}, eval: {from: 2024-03-10}}",
        "split: {train: {files: SPLIT}, eval: {files: b.csv}}",
    )
    files = {"a.csv": table(rows(10, TRAIN)), "b.csv": table(rows(4, EVAL)), **ITEMS}
    assert found(files, settings.replace("SPLIT", '"*.csv"'))["fail"] == [
        "b.csv belongs to two splits: 'train' and 'eval'"
    ]
    (text,) = found(files, settings.replace("SPLIT", "c.csv"))["fail"]
    assert "'c.csv' matches none of the table's files" in text


def test_the_last_row_of_each_user_is_found_among_all_files(found):
    settings = TABLE.replace(
        "split: {train: {before: 2024-03-09}, eval: {from: 2024-03-10}}", "split: {leave_last_out: item}"
    )
    earlier, later = (
        [line for item in "abc" for line in rows(count, at, item=item)] for count, at in ((3, TRAIN), (1, EVAL))
    )
    files = {"a.csv": table(earlier), "b.csv": table(later), "items/a.csv": ["item,brand", "a,x", "b,x", "c,y"]}
    assert "examples: train 9, eval 3" in found(files, settings)["ok"]


def test_without_a_column_of_users_it_is_said_what_to_write(found):
    files = {"log.csv": table(rows(10, TRAIN), rows(4, EVAL)), **ITEMS}
    failed = found(files, TABLE.replace("group_by: null, ", ""))["fail"]
    assert failed[0].startswith("column 'user_id' is in no source of the examples")
    assert failed[1].endswith("where there are no users, write 'group_by: null'")
    assert len(found(files, TABLE.replace("group_by: null", "group_by: user_id"))["fail"]) == 1


@pytest.mark.parametrize(
    ("split", "expected"),
    [
        ("{key: item, train: {share: 0.8}, eval: {share: 0.2}}", None),
        ("{column: price, train: {values: [1]}, eval: {values: [2]}}", "examples: train 12, eval 8"),
        ("{leave_last_out: item}", "examples: train 18, eval 2"),
    ],
)
def test_splits_of_all_kinds_are_made(found, split, expected):
    settings = TABLE.replace("{train: {before: 2024-03-09}, eval: {from: 2024-03-10}}", split)
    settings = settings.replace("{name: price, kind: numeric}, ", "")
    lines = [*rows(12, TRAIN, price="1"), *rows(8, EVAL, price="2", item="b")]
    answer = found({"log.csv": table(lines), "items/a.csv": ["item,brand", "a,x", "b,y"]}, settings)
    told = [text for text in answer["ok"] if text.startswith("examples: ")]
    assert len(told) == 1
    assert expected in (None, *told)
