import subprocess
import sys

import pytest

from tandem.models.features import CategoricalFeature, NumericFeature
from tandem.pipeline.configuration.config import ConfigError, load
from tandem.pipeline.configuration.feature_lists import expand
from tandem.pipeline.configuration.json_schema import json_schema


def names_of(*entries):
    expanded = expand([{"kind": "categorical", **entry} for entry in entries])
    assert not expanded.problems
    return [entry["name"] for entry in expanded.features]


def test_a_list_of_names_is_an_entry_for_each():
    expanded = expand([{"name": ["a", "b"], "kind": "bag", "max_values": 3}, {"name": "c", "kind": "numeric"}])
    assert expanded.features == [
        {"name": "a", "kind": "bag", "max_values": 3},
        {"name": "b", "kind": "bag", "max_values": 3},
        {"name": "c", "kind": "numeric"},
    ]
    assert expanded.origins == [0, 0, 1]


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ("C1..C3", ["C1", "C2", "C3"]),
        ("C9..C11", ["C9", "C10", "C11"]),
        ("C09..C11", ["C09", "C10", "C11"]),
        ("C007..C009", ["C007", "C008", "C009"]),
        ("0..2", ["0", "1", "2"]),
        ("a1_b2..a1_b3", ["a1_b2", "a1_b3"]),
        ("C5..C5", ["C5"]),
        (["x", "C1..C2", "y"], ["x", "C1", "C2", "y"]),
        ("a..b", ["a..b"]),
    ],
)
def test_a_range_of_whole_numbers_keeps_leading_zeros(written, names):
    assert names_of({"name": written}) == names


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Writes a table and a side table; returns a function that loads a configuration with some features."""
    monkeypatch.delenv("TANDEM_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "rows.csv").write_text("t,user_id,click,sale,w,C1,C2,utm source,played,value,page\n")
    (tmp_path / "logs" / "users.csv").write_text("user_id,age\n")

    def configured(features, **arguments):
        (tmp_path / "shop.yaml").write_text(
            "name: shop\n"
            "data_dir: logs\n"
            "features:\n" + "".join(f"  - {feature}\n" for feature in features) + "logs:\n"
            "  table: {files: rows.csv, time: {column: t, unit: s}, weight: w, where: {page: home}}\n"
            "  side_tables: [{name: users, files: users.csv, key: user_id}]\n"
            "  post_impression: [played]\n"
            "  split: {train: {before: 2024-03-11}, eval: {from: 2024-03-13}}\n"
            "tasks: [{name: click}, {name: buy, label: sale, given: click, weight: value}]\n"
            "evaluation: {thresholds: [{metric: auc, output: click, at_least: 0.6}]}\n"
        )
        return load(tmp_path / "shop.yaml", **arguments)

    return configured


def test_all_others_are_the_columns_that_no_setting_names(table):
    config = table(["{name: C1, kind: numeric}", '{name: "*", kind: categorical, min_count: 3}'])
    assert config.features == (
        NumericFeature(name="C1"),
        CategoricalFeature(name="user_id", min_count=3),
        CategoricalFeature(name="C2", min_count=3),
        CategoricalFeature(name="utm_source", column="utm source", min_count=3),
        CategoricalFeature(name="age", min_count=3),
    )


def test_a_column_that_a_feature_of_another_name_is_made_of_is_no_other(table):
    config = table(
        ['{name: "*", kind: categorical, except: ["utm source", user_id]}', "{name: x, column: C2, kind: bag}"]
    )
    assert [feature.name for feature in config.features] == ["C1", "age", "x"]


def test_a_cross_leaves_its_columns_to_others_and_a_bag_takes_all_of_its_own(table):
    others = '{name: "*", kind: categorical}'
    crossed = table([others, "{name: x, kind: cross, of: [C1, C2]}"])
    assert [feature.name for feature in crossed.features] == ["user_id", "C1", "C2", "utm_source", "age", "x"]
    together = table([others, "{name: C1, kind: bag, columns: [C1, user_id]}", "{name: C2, kind: bag, weights: age}"])
    assert [feature.name for feature in together.features] == ["utm_source", "C1", "C2"]


def test_a_cross_names_columns_or_categorical_features(table):
    named = ["{name: city, column: C1, kind: categorical}", "{name: C2, kind: bag}"]
    config = table([*named, "{name: x, kind: cross, of: [city, user_id]}"])
    assert config.features[-1].of == ("C1", "user_id")


def test_the_names_of_columns_are_not_needed_to_find_a_report(table, tmp_path):
    (tmp_path / "logs" / "rows.csv").unlink()
    config = table(['{name: "*", kind: categorical}'], look_into_logs=False)
    assert config.output_dir == tmp_path / "runs" / "shop"


def test_predictions_do_not_need_the_logs_that_a_model_was_trained_on(table, tmp_path):
    from tandem.pipeline.prediction import predict

    table(['{name: "*", kind: categorical}'])
    (tmp_path / "logs" / "rows.csv").unlink()
    (tmp_path / "new.csv").write_text("C1\n")
    with pytest.raises(ValueError, match=r"shop/models/shop"):  # there is no model yet
        predict.write(str(tmp_path / "shop.yaml"), [str(tmp_path / "new.csv")])


@pytest.mark.parametrize(
    ("features", "problem"),
    [
        (["{name: [C1, C2], kind: bag, min_cuont: 2}"], ":4: features[0].min_cuont: unknown key 'min_cuont'"),
        (["{name: C1, kind: bag}", '{name: [C2, "C 3"], kind: bag}'], ":5: features[1].name: got 'C 3'"),
        (['{name: "C1..D3", kind: bag}'], "features[0] (of 'C1..D3'): got 'C1..D3': both ends of a range begin"),
        (['{name: "C3..C1", kind: bag}'], "a range goes upwards"),
        (['{name: "C1..C003", kind: bag}'], "have leading zeros to the same length"),
        (['{name: "C1..C99999", kind: bag}'], "99999 names; a range has at most 10000"),
        (["{name: [], kind: bag}"], "features[0]: got [], expected at least one name"),
        (["{name: [5], kind: bag}"], "quote it: '5'"),
        (['{name: [C1, "*"], kind: bag}'], "'*' stands for all other columns, so it stands alone"),
        (["{name: [C1, C2], column: C3, kind: bag}"], "several features cannot have the same 'column'"),
        (['{name: "*", column: C3, kind: bag}'], "'column' does not go with the name '*'"),
        (
            ['{name: "*", kind: bag}', '{name: "*", kind: bag}'],
            ":5: features[1] (of '*'): only one entry can be called",
        ),
        (
            ['{name: "*", kind: bag, except: [C7]}'],
            "except: ['C7'] is not among the columns that no other setting names",
        ),
        (["{name: C1, kind: bag, except: [C7]}"], "'except' goes with the name '*' only"),
        (['{name: "*", kind: bag, except: 5}'], "features[0].except (of '*'): got 5, expected a list of texts"),
        (["{name: [C1, C1], kind: bag}"], "feature names must differ; twice: ['C1']"),
    ],
)
def test_a_mistake_is_told_once_at_the_line_of_its_entry(table, features, problem):
    with pytest.raises(ConfigError) as error:
        table(features)
    (found,) = error.value.problems
    assert problem in found


def test_logs_that_cannot_be_read_are_told_at_the_entry(table, tmp_path):
    (tmp_path / "logs" / "users.csv").unlink()
    with pytest.raises(ConfigError, match=r"shop.yaml:4: features\[0\] \(of '\*'\): .*users.csv"):
        table(['{name: "*", kind: categorical}'])


def test_what_else_is_wrong_is_told_as_well(table):
    with pytest.raises(ConfigError) as error:
        table(['{name: "*", kind: categorical, min_count: 0}'], overrides=["logs.split.train=3", "tasks[1].weight=9"])
    assert len(error.value.problems) == 3


def test_the_schema_for_editors_knows_lists_ranges_and_all_others():
    jsonschema = pytest.importorskip("jsonschema")
    schema = json_schema()
    of_features = {**schema["properties"]["features"], "$defs": schema["$defs"]}
    for name, sound in [(["a", "b"], True), ("C1..C26", True), ("*", True), ([], False), (["a b"], False), (5, False)]:
        assert jsonschema.Draft202012Validator(of_features).is_valid([{"name": name, "kind": "bag"}]) is sound, name


def test_without_all_others_no_reader_is_loaded(table, tmp_path):
    table(["{name: [C1, C2], kind: categorical}"])
    code = (
        "import sys; from tandem.pipeline.configuration.config import load; load('shop.yaml'); "
        "print([name for name in ('polars', 'pyarrow', 'tensorflow') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert result.stdout.strip() == "[]"
