"""The documents say what the code does: all settings with their defaults, examples that work, links that lead on."""

import ast
import inspect
import re
import typing
from pathlib import Path

import pytest
from pydantic import BaseModel

from tandem.components.evaluator.settings import Activity, Buckets, EvaluationSettings, Threshold
from tandem.components.log_example_gen import settings as logs
from tandem.components.log_example_gen.plan import make_plan
from tandem.components.log_example_gen.records import REASONS
from tandem.components.metrics.catalog import METRICS
from tandem.models import features
from tandem.models.settings import EarlyStopping, ModelSettings, TrainingSettings
from tandem.models.tasks import Task
from tandem.pipeline.configuration import config, yaml_file

ROOT = Path(__file__).resolve().parents[1]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

HEADINGS = {
    config.Config: "Top level",
    config.StatisticsSettings: "Statistics",
    config.PushSettings: "Push",
    config.BeamSettings: "Beam",
    logs.LogSettings: "Logs",
    logs.Files: "Files",
    logs.EventStream: "Event streams",
    logs.ImpressionStream: "Impression stream",
    logs.TimeColumn: "Time",
    logs.ClickStream: "Click stream",
    logs.ConversionStream: "Conversion stream",
    logs.LabelledTable: "Labelled table",
    logs.SideTable: "Side tables",
    logs.Join: "Join",
    logs.Split: "Split",
    logs.Period: "Period",
    features._Feature: "Features",
    features._Vocabulary: "Vocabularies",
    features.CategoricalFeature: "Categorical",
    features.BagFeature: "Bag",
    features.NumericFeature: "Numeric",
    Task: "Tasks",
    ModelSettings: "Model",
    TrainingSettings: "Training",
    EarlyStopping: "Early stopping",
    EvaluationSettings: "Evaluation",
    Buckets: "Slices by number",
    Activity: "Slices by activity",
    Threshold: "Thresholds",
}


def settings_classes(annotation, found=None):
    """All settings classes that an annotation leads to, base classes with fields included."""
    found = [] if found is None else found
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for cls in annotation.__mro__:
            if cls in found or not getattr(cls, "model_fields", None):
                continue
            found.append(cls)
            for field in cls.model_fields.values():
                settings_classes(field.annotation, found)
    for argument in typing.get_args(annotation):
        settings_classes(argument, found)
    return found


def own_fields(cls):
    """The fields that a class declares itself, by the name that a user writes."""
    declared = inspect.get_annotations(cls)
    return {field.alias or name: field for name, field in cls.model_fields.items() if name in declared}


def first_table(heading):
    """The rows of the first table below a heading, by the first cell without its backticks."""
    section = re.split(rf"^#+ {re.escape(heading)}$", CONFIGURATION, flags=re.MULTILINE)
    assert len(section) == 2, f"docs/configuration.md must have one heading '{heading}'"
    lines = re.split(r"^#+ ", section[1], flags=re.MULTILINE)[0].splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("| ---"))
    rows = {}
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        rows[cells[0].strip("`")] = cells
    return rows


def literals(annotation):
    if typing.get_origin(annotation) is typing.Literal:
        return list(typing.get_args(annotation))
    return [value for argument in typing.get_args(annotation) for value in literals(argument)]


def documented_default(cell):
    """The value that a cell of the column Default stands for."""
    if cell == "none":
        return None
    assert re.fullmatch(r"`.+`", cell), f"a default stands in backticks, is 'none', 'required' or 'see below': {cell}"
    value = yaml_file.scalar(cell.strip("`"))
    return tuple(value) if isinstance(value, list) else value


def check_table(cls, heading):
    rows, fields = first_table(heading), own_fields(cls)
    assert list(rows) == list(fields), heading
    for name, field in fields.items():
        _, allowed, default, meaning = rows[name]
        if field.is_required():
            assert default == "required", (heading, name)
        elif isinstance(field.default, BaseModel):
            assert default == "see below", (heading, name)
        else:
            assert documented_default(default) == field.default, (heading, name)
        for value in literals(field.annotation):
            assert f"`{value}`" in allowed + meaning, (heading, name, value)


def test_every_settings_class_has_a_heading():
    assert set(settings_classes(config.Config)) == set(HEADINGS)


@pytest.mark.parametrize("cls", HEADINGS, ids=lambda cls: cls.__name__)
def test_every_setting_is_described_with_its_default(cls):
    check_table(cls, HEADINGS[cls])


def test_every_setting_of_a_recipe_is_described_with_its_default():
    from tandem.models.registry import RECIPES

    owners = {(f"Backbone {recipe.backbone.__name__}", recipe.backbone) for recipe in RECIPES.values()}
    for recipe in RECIPES.values():
        owners |= {(f"Objective {objective.__name__}", objective) for _, objective in recipe.objectives}
        owners |= {(f"Stage {step.__name__}", step) for _, step in recipe.steps if step.Settings.model_fields}
        if recipe.balancer.Settings.model_fields:
            owners.add((f"Balancer {recipe.balancer.__name__}", recipe.balancer))
    for heading, owner in sorted(owners, key=lambda each: each[0]):
        check_table(owner.Settings, heading)


def test_the_readme_lists_the_recipes():
    from tandem.models.registry import RECIPES

    listed = set(re.findall(r"^\| `(\w+)` \|", README.split("## Recipes")[1].split("\n## ")[0], flags=re.MULTILINE))
    assert listed == set(RECIPES)


def test_every_metric_is_described_with_what_is_better():
    assert {name: cells[1] for name, cells in first_table("Metrics").items()} == {
        name: info.better or "neither" for name, info in METRICS.items()
    }


def test_every_reason_to_set_a_row_aside_is_described():
    rows = {name: cells[1] == "yes" for name, cells in first_table("What becomes of a row").items()}
    assert rows.pop("no_<label>")
    assert rows == {name: reason.bad for name, reason in REASONS.items()}


# What the README's example is about: an impression on each side of the split, a click and an order.
TINY_LOGS = {
    "impressions.csv": "impression_id,time,user_id,item_id,price\na,1768300000,u1,i1,9.5\nb,1768700000,u2,i1,9.5\n",
    "clicks.csv": "impression_id,time\na,1768300060\n",
    "orders.csv": "impression_id,time\na,1768303600\n",
}


def test_the_readme_example_is_valid_and_finds_its_columns(tmp_path):
    (example,) = re.findall(r"<!-- your own data -->\n+```yaml\n(.*?)```", README, flags=re.DOTALL)
    assert len(example.splitlines()) == 10
    (tmp_path / "shop.yaml").write_text(example)
    for name, text in TINY_LOGS.items():
        (tmp_path / name).write_text(text)
    loaded = config.load(tmp_path / "shop.yaml", data=str(tmp_path))
    plan = make_plan(loaded.logs, loaded.columns(), loaded.labels(), loaded.data_folder)
    assert [len(source.files) for source in plan.streams] == [1, 1, 1]
    assert [label.name for label in loaded.labels()] == ["click", "order"]


def anchors(text):
    """The anchors that GitHub gives the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document):
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text)
    dead = []
    for target in (first or second for first, second in targets):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            dead.append(target)
    assert not dead


def test_the_request_of_the_serving_page_is_what_the_model_parses():
    import tensorflow as tf

    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "serving.md").read_text(), flags=re.DOTALL)
    (function,) = [node for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]
    names = {"tf": tf}
    exec(ast.unparse(function), names)  # the page is ours
    request = names["example"](user_id="u17", price=24.5, tags=["a", "b"])
    columns = tf.train.Example.FromString(request).features.feature
    assert list(columns["user_id"].bytes_list.value) == [b"u17"]
    assert list(columns["price"].float_list.value) == [24.5]
    assert list(columns["tags"].bytes_list.value) == [b"a", b"b"]


def imported(file):
    """Dotted names that a file may import: `from a import b` may mean the module `a.b`."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {str(node.module)} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def modules_below(room, others):
    """The modules of some rooms that a room's files import, by their dotted names."""
    return {
        name
        for file in (ROOT / room).rglob("*.py")
        for name in imported(file)
        if name.startswith("tandem.")
        and name.split(".")[1] in others
        and (ROOT / f"{name.replace('.', '/')}.py").is_file()
    }


def test_rooms_import_each_other_as_the_architecture_page_says():
    assert modules_below("components", {"models"}) == {"tandem.models.tasks"}
    assert modules_below("components", {"pipeline"}) == set()
    assert modules_below("models", {"components", "pipeline"}) == set()
    assert "tandem.models.network" in modules_below("models", {"models"})


def test_the_network_imports_no_objective():
    seen, pending = set(), ["tandem.models.network"]
    while pending:
        name = pending.pop()
        file = ROOT / f"{name.replace('.', '/')}.py"
        if name not in seen and file.is_file():
            seen.add(name)
            pending += imported(file)
    assert {"tandem.models.encoder", "tandem.models.tasks"} <= seen
    assert not [name for name in seen if name.startswith("tandem.models.objectives") or name == "tandem.models.learner"]


def test_there_are_documents_to_look_at():
    names = {str(path.relative_to(ROOT)) for path in DOCUMENTS}
    assert {
        "README.md",
        "CHANGELOG.md",
        "docs/architecture.md",
        "docs/bench.md",
        "docs/configuration.md",
        "docs/serving.md",
    } <= names
