import copy
import json
import re
from pathlib import Path

import jsonschema
import pytest

from tandem.models.recipes import RECIPES
from tandem.pipeline import cli
from tandem.pipeline.configuration import yaml_file
from tandem.pipeline.configuration.config import ConfigError, load
from tandem.pipeline.configuration.json_schema import json_schema

SCHEMA = json_schema()
ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def mistakes(settings):
    """The paths that the schema finds fault with."""
    found = jsonschema.Draft202012Validator(SCHEMA).iter_errors(settings)
    return {".".join(map(str, error.absolute_path)) for error in found}


@pytest.fixture
def settings(config_file):
    return yaml_file.read(config_file)[0]


def test_it_is_a_schema_of_its_dialect():
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_configurations_of_the_project_are_valid(path):
    assert mistakes(yaml_file.read(path)[0]) == set()


def test_the_configuration_of_the_readme_is_valid(settings):
    (example,) = re.findall(r"<!-- your own data -->\n+```yaml\n(.*?)```", README, flags=re.DOTALL)
    assert mistakes(yaml_file.parse(example)[0]) == set()
    assert mistakes(settings) == set()


def set_at(settings, key, text):
    """Writes a value as `--set KEY=TEXT` does."""
    changed = copy.deepcopy(settings)
    where = [int(part[1:-1]) if part[0] == "[" else part for part in re.findall(r"\[\d+\]|\w+", key)]
    below = changed
    for part in where[:-1]:
        below = below[part] if isinstance(part, int) else below.setdefault(part, {})
    below[where[-1]] = yaml_file.scalar(text)
    return changed


SOUND = [
    # What may be written shorter.
    "logs.join.on=[impression_id]",
    "logs.impressions.files=[a.csv, b.csv]",
    "logs.post_impression=play_time",
    "evaluation.slices=[device, {column: stock, edges: 5}, [device, {activity: [5, 20]}]]",
    "evaluation.thresholds[0].slice=device",
    "evaluation.thresholds[0].slice={device: phone}",
    "logs.split.train.before=2024-03-10T06:00:00Z",
    # What may be nothing.
    "training.early_stopping=null",
    "model.recipe=man",
]

WRONG = [
    "speed=3",
    "features[0].min_cuont=3",
    "features[0].kind=text",
    "features[3].buckets=1",
    "features=[]",
    "features=[{name: x}]",
    "tasks[0].nmae=x",
    "logs.clicks.files=3",
    "logs.impressions.time.unit=h",
    "logs.split.train.before=tomorrow",
    "logs.split.train.begin=2024-03-10",
    "evaluation.thresholds=[]",
    "evaluation.thresholds[0].metric=acu",
    "evaluation.thresholds[0].at_least=x",
    "evaluation.slices=[{column: price}]",
    "evaluation.slices=[5]",
    "model.recipe=mmoee",
    "model.tower_layers=[]",
    "model.tower_layers=[8, 0]",
    "model.dropout=1",
    "training.batch_size='64'",
    "training.optimizer=lion",
    "statistics.sample_rate=0",
    "beam.args=--x",
    # By recipe; without `recipe` it is the default one.
    "model.backbone={experts: 3}",
    "model.backbone={layers: 3}",
    "model.objectives={pico: {}}",
    "model={recipe: mmoe, backbone: {layers: [8]}}",
    "model={recipe: mmoe, balancer: {learned: true}}",
    "model={recipe: mmoe_pico, objectives: {pcio: {}}}",
    "model={recipe: mmoe_pico, objectives: {pico: {betta: 1}}}",
    "model={recipe: mmoe_pico, objectives: {pico: {beta: -1}}}",
    "model={recipe: mmoe_pico, objectives: {pico: {temperature: cold}}}",
    "model={recipe: man, steps: {meta: {shaer: 0.5}}}",
    "model={recipe: man, steps: {plain: {}}}",
]


@pytest.mark.parametrize("change", SOUND)
def test_what_may_be_written_is_valid(settings, config_file, change):
    key, _, text = change.partition("=")
    assert mistakes(set_at(settings, key, text)) == set()
    assert load(config_file, overrides=[change])


@pytest.mark.parametrize("change", WRONG)
def test_what_may_not_be_written_is_invalid(settings, config_file, change):
    key, _, text = change.partition("=")
    assert mistakes(set_at(settings, key, text))
    with pytest.raises(ConfigError):
        load(config_file, overrides=[change])


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_completes_its_own_parts(settings, name):
    recipe = RECIPES[name]
    model = {"recipe": name}
    for section, part in recipe.single_parts.items():
        model[section] = part.settings().model_dump(mode="json")
    for section, parts in recipe.named_parts.items():
        model[section] = {each: part.settings().model_dump(mode="json") for each, part in parts.items()}
    assert mistakes(settings | {"model": model}) == set()
    for section, parts in recipe.named_parts.items():
        for each in parts:
            wrong = copy.deepcopy(model)
            wrong[section][each]["nobody"] = 1
            assert mistakes(settings | {"model": wrong}) == {f"model.{section}.{each}"}


def properties_of(schema):
    """All properties with their names, wherever they are declared."""
    if isinstance(schema, list):
        for element in schema:
            yield from properties_of(element)
    elif isinstance(schema, dict):
        if "if" in schema:
            schema = schema["then"]["properties"]["objectives"]
        yield from schema.get("properties", {}).items()
        for value in schema.values():
            yield from properties_of(value)


def test_every_setting_is_described_on_one_line():
    found = list(properties_of(SCHEMA))
    assert {"files", "min_count", "beta", "learners", "recipe"} <= {name for name, _ in found}
    for name, schema in found:
        assert re.fullmatch(r"[A-Z`0][^\n]*\.", schema["description"]), name


def test_defaults_bounds_and_choices_are_told():
    definitions = SCHEMA["$defs"]
    training = definitions["TrainingSettings"]["properties"]
    assert training["batch_size"] == {
        "type": "integer",
        "minimum": 2,
        "default": 1024,
        "description": "Rows per step.",
    }
    assert training["optimizer"]["enum"] == ["lazy_adam", "adam", "adagrad", "sgd"]
    assert set(definitions["ModelSettings"]["properties"]["recipe"]["enum"]) == set(RECIPES)
    assert definitions["PicoSettings"]["properties"]["temperature_high"]["exclusiveMinimum"] == 0


def test_the_command_prints_or_writes_it(tmp_path, capsys):
    assert cli.main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == SCHEMA
    path = tmp_path / "below" / "tandem.schema.json"
    assert cli.main(["schema", str(path)]) == 0
    assert json.loads(path.read_text()) == SCHEMA
    assert capsys.readouterr().out == f"{path}\n"
