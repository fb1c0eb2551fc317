"""What `tandem predict` writes, by a model whose answers are worked out by hand."""

import gzip
import io
import json

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from rich.console import Console

from tandem.components.log_example_gen.readers import block
from tandem.components.log_example_gen.sources import LogsError
from tandem.pipeline import cli
from tandem.pipeline.configuration.config import load
from tandem.pipeline.prediction import inputs, predict, scorer

SCORES = {
    "p_click": pl.Series([0.2, 0.0, 0.3], dtype=pl.Float32),
    "p_sale_given_click": pl.Series([0.2, 0.5, 0.125], dtype=pl.Float32),
    "p_click_and_sale": pl.Series([0.07, 1.0, 0.23], dtype=pl.Float32),
}
QUIET = Console(file=io.StringIO())


def write(*arguments, **further):
    return predict.write(*arguments, **further, console=QUIET)


def test_all_columns_and_a_column_per_output(model, rows, tmp_path):
    out = tmp_path / "out" / "scores.parquet"
    told = write(str(model), [str(rows)], str(out))
    kept = {
        "user_id": ["u1", "u2", "u4"],
        "tags": ["a,b", "", "a,b,c"],
        "price": ["20", "", "12.5"],
        "hour": ["7", "", "23"],
        "note": ["x", 'y "z"', ""],
    }
    assert_frame_equal(pl.read_parquet(out), pl.DataFrame({**kept, **SCORES}), abs_tol=1e-7)
    assert (told.rows, told.malformed, told.model) == (3, 1, str(model / "17"))
    assert told.places == [f"{rows} row 3 (2 cells instead of 5)"]
    assert [path.name for path in out.parent.iterdir()] == ["scores.parquet"]


def test_the_columns_asked_for_only(model, rows, tmp_path):
    out = tmp_path / "scores.csv"
    write(str(model / "17"), [str(rows)], str(out), keep=["note", "user_id"])
    expected = pl.DataFrame({"note": ["x", 'y "z"', ""], "user_id": ["u1", "u2", "u4"], **SCORES})
    found = pl.read_csv(out, schema_overrides=dict.fromkeys(SCORES, pl.Float32))
    assert_frame_equal(found, expected, abs_tol=1e-7)


def test_nothing_but_scores(model, rows, tmp_path):
    out = tmp_path / "scores.jsonl"
    write(str(model), [str(rows)], str(out), keep=[])
    found = [json.loads(line) for line in out.read_text().splitlines()]
    assert [list(row) for row in found] == [list(SCORES)] * 3
    assert [row["p_click_and_sale"] for row in found] == pytest.approx([0.07, 1, 0.23])


def _as_csv_gz(frame, path):
    path.write_bytes(gzip.compress(frame.with_columns(pl.col("tags").list.join(",")).write_csv().encode()))


@pytest.mark.parametrize(
    ("ending", "make"),
    [("csv.gz", _as_csv_gz), ("jsonl", pl.DataFrame.write_ndjson), ("parquet", pl.DataFrame.write_parquet)],
)
def test_formats_say_the_same(model, tmp_path, ending, make):
    frame = pl.DataFrame(
        {
            "user_id": ["u1", "u2", "u4"],
            "tags": [["a", "b"], [], ["a", "b", "c"]],
            "price": [20.0, None, 12.5],
            "hour": [7, None, 23],
        }
    )
    path, out = tmp_path / f"rows.{ending}", tmp_path / "scores.parquet"
    make(frame, path)
    write(str(model), [str(path)], str(out))
    assert_frame_equal(pl.read_parquet(out, columns=list(SCORES)), pl.DataFrame(SCORES), abs_tol=1e-7)


def test_lists_are_json_in_csv(model, tmp_path):
    path, out = tmp_path / "rows.jsonl", tmp_path / "scores.csv"
    path.write_text('{"user_id": "u", "tags": ["a", "say \\"b\\""], "price": 1, "hour": "2"}\n')
    write(str(model), [str(path)], str(out), keep=["tags"])
    assert json.loads(pl.read_csv(out)["tags"][0]) == ["a", 'say "b"']


def test_a_column_that_holds_lists_in_some_blocks_only(model, tmp_path, monkeypatch):
    """JSON lines tell block by block; Parquet cannot follow."""
    path = tmp_path / "rows.jsonl"
    row = '{"user_id": "u", "tags": %s, "price": 1, "hour": "2"}\n'
    path.write_text(row % '"a"' * 50 + row % '["a", "b"]' * 50)
    monkeypatch.setattr(inputs.read_file, "__defaults__", (100,))
    write(str(model), [str(path)], str(tmp_path / "scores.csv"))
    assert pl.read_csv(tmp_path / "scores.csv")["tags"].to_list() == ["a"] * 50 + ['["a","b"]'] * 50
    with pytest.raises(ValueError, match="column 'tags' holds lists in some rows only"):
        write(str(model), [str(path)], str(tmp_path / "scores.parquet"))
    assert not (tmp_path / "scores.parquet").exists()


def test_several_files_one_after_the_other(model, rows, tmp_path):
    more, out = tmp_path / "more.csv", tmp_path / "scores.csv"
    more.write_text("hour,user_id,tags,price\n1,u9,,1\n")  # another order, a column less
    write(str(model), [str(rows), str(more)], str(out), keep=["user_id"])
    assert pl.read_csv(out)["user_id"].to_list() == ["u1", "u2", "u4", "u9"]
    with pytest.raises(ValueError, match=r"more\.csv: column \['note'\] is to be kept and is missing"):
        write(str(model), [str(rows), str(more)], str(out))


def test_blocks_do_not_show(model, tmp_path, monkeypatch):
    """Rows are read, scored and written in pieces; what is written does not depend on where they are cut."""
    path = tmp_path / "rows.csv"
    lines = [f'u{n},"{",".join("t" * (n % 5))}",{n % 90},{n % 24}' for n in range(500)]
    path.write_text("user_id,tags,price,hour\n" + "\n".join(lines) + "\n")
    whole, cut = tmp_path / "whole.csv", tmp_path / "cut.csv"
    write(str(model), [str(path)], str(whole))
    monkeypatch.setattr(inputs.read_file, "__defaults__", (700,))
    monkeypatch.setattr(scorer, "_ROWS_AT_ONCE", 7)
    write(str(model), [str(path)], str(cut))
    assert block.BLOCK_BYTES > 700
    assert cut.read_text() == whole.read_text()
    assert pl.read_csv(cut)["p_sale_given_click"].to_list() == pytest.approx([n % 90 / 100 for n in range(500)])


def test_a_configuration_derives_and_joins(shop, model, tmp_path):
    """Row by row: an item with tags, an item without, an item nobody knows."""
    path, out = tmp_path / "new.txt", tmp_path / "scores.csv"
    path.write_text("user|item_id|at\nu1|i1|1709276400\nu2|i2|1709251200\nu3|i9|1709251200\n")  # 07:00, 00:00
    told = write(str(shop), [str(path)], str(out))
    found = pl.read_csv(out)
    assert found.columns == ["user_id", "item_id", "at", "p_click", "p_sale_given_click", "p_click_and_sale"]
    assert found["p_click"].to_list() == pytest.approx([0.2, 0, 0])
    assert found["p_sale_given_click"].to_list() == pytest.approx([0.2, 0.075, 0.5])
    assert found["p_click_and_sale"].to_list() == pytest.approx([0.07, 0, 0])
    assert told.unmatched == {"items": 1}
    assert "1 rows have a key that the side table 'items' lacks" in "\n".join(told.lines())


def test_only_rows_that_a_side_table_is_asked_for_are_joined(shop, tmp_path):
    path, out = tmp_path / "new.txt", tmp_path / "scores.csv"
    path.write_text("user|item_id|at\nu1|i1|1709276400\nu2|i2|1709251200\n")
    where = "logs.side_tables[0].where={price: {above: 50}}"
    told = write(str(shop), [str(path)], str(out), keep=[], overrides=[where])
    assert pl.read_csv(out)["p_sale_given_click"].to_list() == pytest.approx([0.99, 0.5])
    assert told.unmatched == {"items": 1}


def test_conditions_of_side_tables_read_numbers_as_their_files_write_them(shop, tmp_path):
    path, out = tmp_path / "new.txt", tmp_path / "scores.csv"
    path.write_text("user|item_id|at\nu1|i1|1709276400\nu2|i2|1709251200\n")
    (tmp_path / "logs" / "items-0.csv").write_text('id,tags,price\ni1,,"60,5"\n')
    (tmp_path / "logs" / "items-1.csv").write_text('id,tags,price\ni2,,"7,5"\n')
    asked = ["logs.side_tables[0].decimal=','", "logs.side_tables[0].where={price: {above: 50}}"]
    told = write(str(shop), [str(path)], str(out), keep=[], overrides=asked)
    assert pl.read_csv(out)["p_sale_given_click"].to_list() == pytest.approx([0.605, 0.5])
    assert told.unmatched == {"items": 1}


def test_empty_files_of_side_tables_are_left_out_as_in_a_run(shop, tmp_path):
    path, out = tmp_path / "new.txt", tmp_path / "scores.csv"
    path.write_text("user|item_id|at\nu1|i1|1709276400\n")
    (tmp_path / "logs" / "items-.csv").write_text("")
    write(str(shop), [str(path)], str(out), keep=[])
    assert pl.read_csv(out).row(0) == pytest.approx((0.2, 0.2, 0.07))


def test_what_the_file_says_itself_is_not_joined(shop, tmp_path):
    path, out = tmp_path / "new.txt", tmp_path / "scores.csv"
    path.write_text("user|item_id|at|price|hour\nu1|i1|1709276400|60|5\n")
    write(str(shop), [str(path)], str(out), keep=[])
    assert pl.read_csv(out).row(0) == pytest.approx((0.2, 0.6, 0.05))


def test_a_file_of_a_known_ending_is_what_it_ends_in(shop, tmp_path):
    """The configuration's files have a delimiter of their own; Parquet has none."""
    path, out = tmp_path / "new.parquet", tmp_path / "scores.csv"
    pl.DataFrame({"user": ["u1"], "item_id": ["i1"], "at": [1709276400]}).write_parquet(path)
    write(str(shop), [str(path)], str(out), keep=[])
    assert pl.read_csv(out).row(0) == pytest.approx((0.2, 0.2, 0.07))


TABLE = """
name: shop
data_dir: logs
logs:
  table:
    files: "*.txt"
    format: csv
    delimiter: tab
    columns: [answer, old, tags, price, hour]
    rename: {old: user_id}
    labels: {click: {column: answer}}
  split: {train: {files: a.txt}, eval: {files: b.txt}}
features:
  - {name: user, column: user_id, kind: categorical}
  - {name: tags, kind: bag, separator: ","}
  - {name: price, kind: numeric}
  - {name: hour, kind: categorical}
tasks: [{name: click}]
evaluation: {group_by: user_id, thresholds: [{metric: auc, output: click, at_least: 0.6}]}
"""


@pytest.mark.parametrize("labelled", [True, False])
def test_a_file_without_a_header_may_lack_the_labels(shop, model, tmp_path, labelled):
    """That is how test files are given away. The columns have names in the configuration only."""
    shop.write_text(f"{TABLE}\npush: {{directory: {model.parent}}}\n")
    rows = [["u1", "a,b", "20", "7"], ["u2", "", "\\N", "0"]]
    path, out = tmp_path / "test.txt", tmp_path / "scores.csv"
    path.write_text("".join("\t".join(["1", *row] if labelled else row) + "\n" for row in rows))
    told = write(str(shop), [str(path)], str(out), keep=["user_id"])
    found = pl.read_csv(out)
    assert found.columns == ["user_id", "p_click", "p_sale_given_click", "p_click_and_sale"]
    assert found.row(0)[1:] == pytest.approx((0.2, 0.2, 0.07))
    assert found.row(1)[1:] == pytest.approx((0, 0.5, 0))
    assert told.malformed == 0


def test_rows_without_a_time_have_no_scores(shop, tmp_path):
    path, out = tmp_path / "new.txt", tmp_path / "scores.csv"
    path.write_text("user|item_id|at\n" + "".join(f"u{n}|i1|{'soon' if n == 3 else 1709276400}\n" for n in range(30)))
    told = write(str(shop), [str(path)], str(out))
    found = pl.read_csv(out)
    assert found["user_id"].to_list() == [f"u{n}" for n in range(30)]
    assert [n for n, score in enumerate(found["p_click"]) if score is None] == [3]
    assert told.unscored == {"bad_time": 1}


def test_rows_with_a_list_where_one_value_belongs_have_no_scores(model, tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "MAX_BAD_SHARE", 0.4)
    path, out = tmp_path / "rows.jsonl", tmp_path / "scores.csv"
    path.write_text(
        '{"user_id": "u1", "tags": ["a"], "price": 20, "hour": "7"}\n'
        '{"user_id": ["u2", "u3"], "tags": "a", "price": 20, "hour": "7"}\n'
        '{"user_id": ["u4"], "tags": ["a", "b"], "price": 20, "hour": ["7"]}\n'
    )
    told = write(str(model), [str(path)], str(out), keep=[])
    assert pl.read_csv(out)["p_click"].to_list() == pytest.approx([0.1, None, 0.2])
    assert told.unscored == {"not_one_value": 1}


def test_too_many_bad_lines_write_nothing(model, tmp_path):
    path, out = tmp_path / "rows.csv", tmp_path / "scores.csv"
    path.write_text("user_id,tags,price,hour\n" + "u,a,1,1\n" * 17 + "u,a\n" * 3)
    out.write_text("of yesterday")
    with pytest.raises(ValueError, match=r"3 of 20 rows are bad \(3 could not be read: .* row 18 .*share of 0\.05"):
        write(str(model), [str(path)], str(out))
    assert out.read_text() == "of yesterday"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["rows.csv", "scores.csv"]


def test_the_configuration_says_how_many_may_be_bad(shop, tmp_path):
    path = tmp_path / "new.txt"
    path.write_text("user|item_id|at\nu|i1|1709276400\nu|i1|\n")
    told = write(str(shop), [str(path)], str(tmp_path / "scores.csv"), overrides=["logs.max_bad_share=0.5"])
    assert (told.rows, told.unscored.total()) == (2, 1)
    with pytest.raises(ValueError, match="1 of 2 rows are bad"):
        write(str(shop), [str(path)], str(tmp_path / "scores.csv"))


def test_numbers_that_are_none_are_told(model, tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("user_id,tags,price,hour\nu,a,cheap,1\nu,a,,1\n")
    told = write(str(model), [str(path)], str(tmp_path / "scores.csv"), keep=[])
    assert told.unreadable == {"price": 1}
    assert pl.read_csv(tmp_path / "scores.csv")["p_sale_given_click"].to_list() == [0.5, 0.5]


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_file_without_rows(model, tmp_path, ending):
    path, out = tmp_path / "rows.csv", tmp_path / f"scores.{ending}"
    path.write_text("user_id,tags,price,hour\n")
    told = write(str(model), [str(path)], str(out), keep=["hour"])
    assert told.rows == 0
    if ending == "csv":
        assert out.read_text() == "hour,p_click,p_sale_given_click,p_click_and_sale\n"
    elif ending == "parquet":
        assert pl.read_parquet(out).columns == ["hour", *SCORES]
    else:
        assert out.read_text() == ""


def test_interrupted_it_leaves_nothing(model, rows, tmp_path, monkeypatch, capsys):
    out = tmp_path / "scores.csv"

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(scorer.Scorer, "__call__", interrupt)
    assert cli.main(["predict", str(model), str(rows), "--output", str(out)]) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["rows.csv"]
    assert capsys.readouterr().err.startswith("interrupted; nothing was written")


def test_the_command_writes_to_standard_output(model, rows, capfdbinary):
    assert cli.main(["predict", str(model), str(rows), "--keep", "user_id"]) == 0
    captured = capfdbinary.readouterr()
    lines = captured.out.decode().splitlines()
    assert lines[0] == "user_id,p_click,p_sale_given_click,p_click_and_sale"
    assert [line.split(",")[0] for line in lines[1:]] == ["u1", "u2", "u4"]
    told = captured.err.decode()
    assert "3 rows by" in told
    assert "1 lines could not be read and are left out" in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "user_id,tags\nu,a\n",
            "column 'hour', 'price' is missing, which the model takes; if they are derived from the time or joined "
            "from a side table, name the configuration instead of the model; it has 'user_id', 'tags'",
        ),
        ("", "is empty"),
        (
            "user_id,tags,price,hour,p_click\nu,a,1,1,1\n",
            "['p_click'] are to be kept, and are what the scores are called: leave them out with --keep",
        ),
    ],
)
def test_files_that_cannot_be_scored(model, tmp_path, text, message):
    path, out = tmp_path / "rows.csv", tmp_path / "scores.csv"
    path.write_text(text)
    with pytest.raises(LogsError) as error:
        write(str(model), [str(path)], str(out))
    assert message in str(error.value)
    assert not out.exists()


def test_a_configuration_that_does_not_lead_to_a_column(shop, tmp_path):
    path = tmp_path / "new.txt"
    path.write_text("item_id|at\ni1|1709276400\n")
    with pytest.raises(
        ValueError, match=r"'user_id' is missing, .* the configuration neither derives it nor has a side"
    ):
        write(str(shop), [str(path)], str(tmp_path / "scores.csv"))
    path.write_text("user|at\nu|1709276400\n")
    with pytest.raises(ValueError, match=r"new\.txt: column 'item_id' is missing; it has 'user_id', 'at'"):
        write(str(shop), [str(path)], str(tmp_path / "scores.csv"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["MODEL", "nowhere.csv"], "nowhere.csv: there is no such file"),
        (["EMPTY", "ROWS"], "holds no model: neither a SavedModel nor versions of one"),
        (["MODEL", "ROWS", "--output", "scores.xlsx"], "must end in .csv, .jsonl or .parquet"),
        (["MODEL", "ROWS", "--format", "parquet"], "Parquet does not go to standard output"),
        (["MODEL", "ROWS", "--set", "name=x"], "--data and --set go with a configuration"),
        (["no.yaml", "ROWS"], "no.yaml: cannot be read"),
    ],
)
def test_what_cannot_be_done_is_said(model, rows, tmp_path, capsys, arguments, message):
    (tmp_path / "empty").mkdir()
    names = {"MODEL": str(model), "ROWS": str(rows), "EMPTY": str(tmp_path / "empty")}
    assert cli.main(["predict", *(names.get(each, each) for each in arguments)]) == 1
    assert message in capsys.readouterr().err


def test_a_configuration_that_has_pushed_nothing(shop, rows):
    config = load(shop, overrides=["push.model_name=other"])
    with pytest.raises(ValueError, match=f"{config.push_dir}/other holds no model"):
        write(str(shop), [str(rows)], overrides=["push.model_name=other"])
