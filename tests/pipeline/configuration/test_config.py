import datetime
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
from tandem.pipeline.configuration import built_in
from tandem.pipeline.configuration.config import ConfigError, load

ROOT = Path(__file__).resolve().parents[3]


def problems(path, **arguments) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load(path, **arguments)
    return list(error.value.problems)


def test_a_sound_file(config_file, tmp_path):
    config = load(config_file)
    assert config.name == "shop"
    assert config.file == config_file
    assert config.logs.split.train.end == datetime.datetime(2024, 3, 11, tzinfo=datetime.timezone.utc)
    assert config.logs.join.on == ("impression_id",)
    assert config.task_graph.names == ("click", "sale")
    assert config.data_folder == str(tmp_path / "logs")


def test_columns_are_those_of_features_slices_and_users(config_file):
    assert load(config_file).columns() == {
        "user_id": ExampleColumn(kind="bytes", single=True),
        "item_id": ExampleColumn(kind="bytes", single=True),
        "tags": ExampleColumn(kind="bytes", separator=","),
        "price": ExampleColumn(kind="float", single=True),
        "hour": ExampleColumn(kind="bytes", single=True),
        "device": ExampleColumn(kind="bytes"),
    }


def test_a_slice_by_a_bag_takes_its_values(config_file):
    config = load(config_file, overrides=["evaluation.slices=[tags]"])
    assert config.columns()["tags"] == ExampleColumn(kind="bytes", separator=",")


@pytest.mark.parametrize(
    ("feature", "columns"),
    [
        (
            "{name: x, kind: cross, of: [item, city]}",  # `item` is a feature; its column is item_id
            {"item_id": ExampleColumn(single=True), "city": ExampleColumn(single=True)},
        ),
        (
            '{name: x, kind: bag, columns: [t1, t2], separator: "|"}',
            {"t1": ExampleColumn(separator="|"), "t2": ExampleColumn(separator="|")},
        ),
        (
            '{name: x, kind: bag, separator: "|", weights: w}',
            {
                "x": ExampleColumn(separator="|", keeps_places=True),
                "w": ExampleColumn(kind="float", separator="|", keeps_places=True),
            },
        ),
        (
            '{name: x, column: tags, kind: bag, separator: ",", weight_separator: ":"}',
            {"tags": ExampleColumn(separator=",", weight_separator=":")},
        ),
    ],
)
def test_features_of_several_columns_ask_for_all_of_them(config_file, feature, columns):
    config = load(config_file)
    more = load(config_file, overrides=[f"features[4]={feature}"]).columns()
    without = {name: column for name, column in config.columns().items() if name not in columns}
    without["hour"] = ExampleColumn()  # of a slice alone: the feature made way
    assert more == without | columns


@pytest.mark.parametrize(
    ("feature", "problem"),
    [
        (
            "{name: x, kind: cross, of: [device, play_time]}",
            "features[4].of (of 'x'): feature 'x' is made of column 'pla",
        ),
        (
            "{name: x, kind: bag, columns: [device, event]}",
            "features[4].columns (of 'x'): feature 'x' is made of column",
        ),
        ("{name: x, kind: bag, weights: click}", "features[4].weights (of 'x'): feature 'x' is made of column 'click'"),
        (
            "{name: x, kind: cross, of: [device, price]}",
            "feature 'x' asks for column 'price' as categories, feature 'price'",
        ),
        (
            "{name: x, kind: bag, separator: '|', weights: price}",
            "feature 'x' asks for column 'price' as numbers separated by '|', feature 'price' as numbers; a column",
        ),
        ("{name: x, kind: cross, column: a, of: [a, b]}", "unknown key 'column'"),
        ("{name: x, kind: cross}", "features[4].of (of 'x'): is missing; expected a list of texts"),
        (
            "{name: x, kind: categorical, hash_buckets: 9, min_count: 2}",
            "there is no vocabulary, so leave out 'min_count'",
        ),
        (
            "{name: x, kind: bag, keep: newest}",
            "features[4].keep (of 'x'): got 'newest', expected one of 'first', 'last'",
        ),
    ],
)
def test_columns_of_a_feature_are_checked_one_by_one(config_file, feature, problem):
    found = problems(config_file, overrides=[f"features[4]={feature}"])
    assert len(found) == 1, found
    assert problem in found[0]


def test_a_slice_by_number_reads_numbers_and_activity_no_column(config_file):
    slices = "evaluation.slices=[[device, {activity: [5]}], {column: stock, edges: [1, 10]}]"
    columns = load(config_file, overrides=[slices]).columns()
    assert columns["stock"] == ExampleColumn(kind="float")
    assert "activity" not in columns


def test_labels_are_parents_first_with_the_parents_label(edited):
    path = edited(lambda settings: settings["tasks"].reverse())
    assert load(path).labels() == [Label(name="click", parent=None), Label(name="conversion", parent="click")]


def test_folders(config_file, tmp_path):
    config = load(config_file)
    assert config.output_dir == tmp_path / "runs" / "shop"
    assert config.push_dir == tmp_path / "runs" / "shop" / "models"
    assert config.model_name == "shop"
    config = load(config_file, output="out", overrides=["push.directory=served", "push.model_name=m-1"])
    assert config.output_dir == tmp_path / "out"
    assert config.push_dir == tmp_path / "served"
    assert config.model_name == "m-1"


def test_the_data_folder_given_comes_before_the_environment_before_the_file(config_file, tmp_path, monkeypatch):
    assert load(config_file).data_folder == str(tmp_path / "logs")
    monkeypatch.setenv("TANDEM_DATA", "elsewhere")
    assert load(config_file).data_folder == str(tmp_path / "elsewhere")
    assert load(config_file, data="here").data_folder == str(tmp_path / "here")
    assert load(config_file, data="gs://bucket/logs").data_folder == "gs://bucket/logs"


def test_data_dir_is_relative_to_the_file(config_file, tmp_path, monkeypatch):
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert load(config_file).data_folder == str(tmp_path / "logs")


def test_no_data_folder(edited):
    (problem,) = problems(edited(lambda settings: settings.pop("data_dir")))
    assert problem.endswith(
        "shop.yaml: no data folder: give --data PATH or set TANDEM_DATA or write 'data_dir' into the file"
    )


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        # unknown keys
        (
            "features[0].min_cuont=3",
            "features[0].min_cuont (of 'user_id'): unknown key 'min_cuont'; did you mean 'min_count'?",
        ),
        (
            "features[0].min_cuont=3",
            "Allowed: column, embedding_dim, except, hash_buckets, kind, min_count, name, oov_buckets, vocabulary, "
            "vocabulary_size",
        ),
        ("training.steps=3", "training.steps: unknown key 'steps'"),
        ("speed=3", "speed: unknown key 'speed'; allowed: beam, data_dir, evaluation, features,"),
        (
            "logs.impressions.time.zone=UTC",
            "logs.impressions.time.zone: unknown key 'zone'; did you mean 'timezone'? Allowed: ambiguous, column,",
        ),
        # bad values
        ("training.batch_size=abc", "training.batch_size: got 'abc', expected a whole number >= 2"),
        ("training.batch_size=1", "training.batch_size: got 1, expected a whole number >= 2"),
        ("training.batch_size='64'", "training.batch_size: got '64', expected a whole number >= 2"),
        ("training.epochs=true", "training.epochs: got true, expected a whole number >= 1"),
        ("training.epochs=1.5", "training.epochs: got 1.5, expected a whole number >= 1"),
        ("training.epochs=", "training.epochs: got nothing, expected a whole number >= 1"),
        ("training.max_steps=x", "training.max_steps: got 'x', expected a whole number >= 1"),
        ("training.learning_rate=0", "training.learning_rate: got 0, expected a number > 0"),
        ("training.optimizer=lion", "training.optimizer: got 'lion', expected one of 'lazy_adam', 'adam',"),
        ("model.dropout=1", "model.dropout: got 1, expected a number >= 0 and < 1"),
        ("model.tower_layers=[8, a]", "model.tower_layers[1]: got 'a', expected a whole number >= 1"),
        ("model.tower_layers=[8, 0]", "model.tower_layers[1]: got 0, expected a whole number >= 1"),
        ("model.tower_layers=[]", "model.tower_layers: got [], expected a list of whole numbers"),
        ("model.backbone=3", "model.backbone: got 3, expected a mapping (key: value)"),
        (
            "features[0].kind=text",
            "features[0] (of 'user_id'): kind: got 'text', expected one of 'categorical', 'bag', 'numeric'",
        ),
        ("features[3].buckets=1", "features[3].buckets (of 'price'): got 1, expected a whole number >= 2"),
        ("features[3].scaling=none", "features[3] (of 'price'): give 'scaling' or 'buckets', not both"),
        (
            "features=[{name: x}]",
            "features[0] (of 'x'): 'kind' is missing; expected one of 'categorical', 'bag', 'numeric'",
        ),
        ("tasks=[]", "tasks: got [], expected a list of mappings with the keys name, label, given,"),
        ("tasks[0].name=Click", "tasks[0].name (of 'Click'): a task's name is made of lower-case letters, digits"),
        ("name=My shop", "name: got 'My shop': expected lower-case letters, digits and underscores"),
        ("push.model_name=a/b", "push.model_name: got 'a/b': a model's name is made of letters, digits, '_' and '-'"),
        (
            "logs.impressions.time.unit=h",
            "logs.impressions.time.unit: got 'h', expected one of 's', 'ms', 'us', 'ns', 'iso8601'",
        ),
        ("logs.impressions.time={column: time}", "logs.impressions.time: give either 'unit' (s, ms, us, ns since 1970"),
        (
            "logs.impressions={files: a.csv}",
            "logs.impressions.time: is missing; expected a mapping with the keys column, unit",
        ),
        ("logs.join.click_window_hours=-1", "logs.join.click_window_hours: got -1, expected a number > 0"),
        ("logs.split.train.before=2024-13-01", "logs.split.train.before: got '2024-13-01': month must be in 1..12"),
        ("logs.split.eval.from=2024-03-12", "logs: split: 'eval' must begin at least 2 days, 0:00:00"),
        ("statistics.sample_rate=2", "statistics.sample_rate: got 2, expected a number > 0 and <= 1"),
        ("beam.args=--x", "beam.args: got '--x', expected a list of texts"),
        (
            "evaluation.thresholds=[]",
            "evaluation.thresholds: there is no threshold, so every model would be pushed, however bad; say what a "
            "model has to keep, such as thresholds: [{metric: auc, output: click, at_least: 0.6}]",
        ),
        (
            "evaluation=null",
            "evaluation: there is no threshold, so every model would be pushed, however bad; say what a model has to "
            "keep, such as evaluation: {thresholds: [{metric: auc, output: click, at_least: 0.6}]}",
        ),
        ("evaluation.thresholds[0].metric=acu", "evaluation.thresholds[0]: there is no metric 'acu'"),
        ("evaluation.slices=[{column: price}]", "evaluation.slices[0].edges: is missing; expected a list of numbers"),
        ("evaluation.slices=[{column: price, edges: [5, 1]}]", "evaluation.slices[0].edges: edges must ascend"),
        ("evaluation.slices=[{activity: 1}]", "evaluation.slices[0].activity: got 1, expected a list of whole numbers"),
        ("evaluation.slices=[{colum: price}]", "unknown key 'colum'; did you mean 'column'? Allowed: activity, column"),
        (
            "evaluation.slices=[5]",
            "evaluation.slices[0]: got 5, expected a list of texts or mappings with the keys col",
        ),
        ("logs=3", "logs: got 3, expected a mapping with the keys impressions, clicks,"),
    ],
)
def test_bad_keys_and_values(config_file, override, expected):
    found = problems(config_file, overrides=[override])
    assert any("--set: " in problem and expected in problem for problem in found), found


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        (
            "features[1].column=play_time",
            "feature 'item' is made of column 'play_time', which is known only after the impression",
        ),
        ("features[1].column=click", "feature 'item' is made of column 'click', which is a label"),
        ("features[1].column=conversion", "feature 'item' is made of column 'conversion', which is a label"),
        ("features[1].column=event", "feature 'item' is made of column 'event', which is the kind of a conversion"),
        (
            "features[1].column=impression_id",
            "feature 'item' is made of column 'impression_id', which names one impression",
        ),
        ("evaluation.slices=[click]", "evaluation.slices[0] is made of column 'click', which is a label"),
        ("evaluation.group_by=impression_id", "evaluation.group_by is made of column 'impression_id'"),
        (
            "features[1].column=tags",
            "feature 'tags' asks for column 'tags' as categories separated by ',', feature 'item' as categories",
        ),
        (
            "evaluation.slices=[price]",
            "evaluation.slices[0] asks for column 'price' as categories, feature 'price' as numbers",
        ),
        (
            "evaluation.slices=[{column: tags, edges: 2}]",
            "evaluation.slices[0] asks for column 'tags' as numbers, feature 'tags' as categories",
        ),
        ("features[1].name=user_id", "features: feature names must differ; twice: ['user_id']"),
        ("tasks[1].label=click", "tasks[1].label (of 'sale'): label 'click' is already the label of task 'click'"),
        ("tasks[1].given=view", "tasks: task 'sale' is given 'view', which is no task; there are ['click', 'sale']"),
        ("tasks[0].given=sale", "tasks: the parents of ['click', 'sale'] form a circle"),
        (
            "evaluation.thresholds[0].output=clicks",
            "evaluation.thresholds[0].output: unknown output 'clicks'; did you mean 'click'?",
        ),
        ("evaluation.thresholds[0].output=clicks", "Allowed: click, click_and_sale, sale_given_click"),
        ("training.early_stopping.patience=2", "training.early_stopping: needs a 'validation' part in logs.split"),
        (
            "training.early_stopping.task=sail",
            "training.early_stopping.task: unknown task 'sail'; did you mean 'sale'?",
        ),
        ("schema_file=none.pbtxt", "schema_file: there is no file "),
        (
            "logs.conversions={files: c.csv, time: {column: t, unit: s}, label: order}",
            "tasks[1].label (of 'sale'): no stream of the logs sets a label 'conversion'; there are click, order",
        ),
    ],
)
def test_settings_that_contradict_each_other(config_file, override, expected):
    found = problems(config_file, overrides=[override])
    assert any(expected in problem for problem in found), found


def test_all_problems_at_once_each_with_its_line(edited, tmp_path):
    def spoil(settings):
        settings["features"][0]["min_cuont"] = 3
        settings["training"] = {"batch_size": "abc"}
        settings["model"] = {"dropout": 2}

    path = edited(spoil)
    lines = path.read_text().splitlines()
    places = {
        "features[0].min_cuont (of 'user_id')": lines.index("  min_cuont: 3") + 1,
        "training.batch_size": lines.index("  batch_size: abc") + 1,
        "model.dropout": lines.index("  dropout: 2") + 1,
    }
    found = problems(path)
    assert len(found) == 3
    for key, line in places.items():
        assert any(problem.startswith(f"{path}:{line}: {key}: ") for problem in found), found
    with pytest.raises(ConfigError, match=re.escape(found[0])):
        load(path)


def test_a_missing_key_is_placed_at_its_section(edited):
    path = edited(lambda settings: settings["logs"]["impressions"]["time"].pop("column"))
    line = path.read_text().splitlines().index("    time:") + 1
    (problem,) = problems(path)
    assert problem.startswith(f"{path}:{line}: logs.impressions.time.column: is missing; expected a list of texts")


def test_labels_of_a_table_are_those_of_tasks_and_no_features(edited):
    def table(settings):
        labels = {"click": {"column": "device", "positive": ">0"}, "clik": {"empty": "negative"}}
        settings["logs"] = {
            "table": {"files": "*.csv", "labels": labels},
            "split": {"train": {"files": "a.csv"}, "eval": {"files": "b.csv"}},
        }

    found = problems(edited(table))
    assert any("unknown label 'clik'; did you mean 'click'?" in problem for problem in found), found
    assert any(
        "is made of column 'device', which is what the label 'click' is read from" in problem for problem in found
    ), found


def test_several_contradictions_at_once(config_file):
    found = problems(config_file, overrides=["evaluation.thresholds[0].output=x", "features[1].column=click"])
    assert len(found) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\na: 2", ":2: the key 'a' comes twice, first on line 1"),
        ("a: [1", ":1: no valid YAML, column 6: expected ',' or ']'"),
        ("- a", ": got ['a'], expected a mapping (key: value)"),
        ("", ": got nothing, expected a mapping (key: value)"),
    ],
)
def test_files_that_are_no_configuration(tmp_path, text, expected):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    (problem,) = problems(path)
    assert problem.startswith(f"{path}{expected}")


def test_no_file(tmp_path):
    assert problems(tmp_path / "none.yaml") == [f"{tmp_path / 'none.yaml'}: cannot be read: No such file or directory"]


def test_a_configuration_that_comes_with_tandem_is_called_by_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load("sample", data="logs").data_folder == str(tmp_path / "logs")
    (problem,) = problems("sample")
    assert problem.endswith("sample.yaml: no data folder: give --data PATH or set TANDEM_DATA")
    (tmp_path / "sample").mkdir()  # a folder is no configuration
    assert load("sample", data="logs").name == "sample"
    (problem,) = problems("smaple")
    beginning = "smaple: cannot be read: No such file or directory. Those that come with Tandem: "
    assert problem.removeprefix(beginning).split(", ") == built_in.names()
    assert {"kuairand", "sample"} <= set(built_in.names())
    (tmp_path / "kuairand").write_text("one's own: file")
    assert any("one's own" in problem for problem in problems("kuairand"))


def test_values_of_a_slice_are_read_as_they_are_written(config_file):
    bound = "metric: auc, output: click, at_least: 0.6, slice: {device: true}"
    text = config_file.read_text().replace("metric: auc, output: click, at_least: 0.6", bound)
    assert bound in text
    config_file.write_text(text)
    assert load(config_file).evaluation.thresholds[0].slice == {"device": "true"}
    changed = load(config_file, overrides=["evaluation.thresholds[0].slice.device=007"])
    assert changed.evaluation.thresholds[0].slice == {"device": "007"}
    changed = load(config_file, overrides=[f"evaluation.thresholds=[{{{bound.replace('true', 'False')}}}]"])
    assert changed.evaluation.thresholds[0].slice == {"device": "False"}


def test_overrides_are_yaml(config_file):
    config = load(
        config_file,
        overrides=[
            "training.max_steps=1",
            "training.learning_rate=1e-3",
            "features[0].min_count=5",
            "model.recipe=shared_bottom_pico",
            "model.objectives.pico.beta=0.1",
            "evaluation.slices=[[device, hour]]",
        ],
    )
    assert config.training.max_steps == 1
    assert config.training.learning_rate == 0.001
    assert config.features[0].min_count == 5
    assert config.model.objectives == {"pico": {"beta": 0.1}}
    assert config.evaluation.slices == (("device", "hour"),)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training", "--set training: expected key=value"),
        ("a-b=1", "--set a-b=1: expected key=value"),
        ("features[9].min_count=1", "--set features[9].min_count=1: the list before '9' has elements [0] to [4]"),
        ("features.x=1", "--set features.x=1: the list before 'x' has elements [0] to [4]"),
        ("name.x=1", "--set name.x=1: there are no keys below 'shop', so no 'x'"),
        ("training[0]=1", "--set training[0]=1: [0] is an element of a list, but there is a mapping"),
        ("training.seed=[", "--set training.seed=[: no valid YAML"),
    ],
)
def test_overrides_that_do_not_fit(config_file, override, expected):
    if override == "training[0]=1":
        config_file.write_text(config_file.read_text() + "training: {seed: 1}\n")
    (problem,) = problems(config_file, overrides=[override])
    assert problem.startswith(expected)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configurations_of_the_project_are_sound(path):
    config = load(path, data="anywhere")
    assert config.columns()
    assert config.labels()


def test_reading_a_configuration_imports_nothing_heavy():
    heavy = ("tensorflow", "tfx", "apache_beam", "numpy")
    code = f"import sys, tandem.pipeline.configuration.config; print([name for name in {heavy} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
