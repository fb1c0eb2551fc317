"""The documents say what the code does: all settings with their defaults, examples that work, links that lead on."""

import ast
import re
import typing
from pathlib import Path

import polars as pl
import pytest

from tandem.components.log_example_gen.planning.making import make_plan
from tandem.components.log_example_gen.records import REASONS
from tandem.components.metrics.catalog import METRICS
from tandem.models.recipes import RECIPES
from tandem.pipeline.configuration import built_in, config, reference
from tandem.pipeline.doctor import logs
from tandem.validation.places import NoSuchKey, annotation_at

ROOT = Path(__file__).resolve().parents[1]
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def section(heading):
    """What stands below a heading, up to the next one."""
    parts = re.split(rf"^#+ {re.escape(heading)}$", CONFIGURATION, flags=re.MULTILINE)
    assert len(parts) == 2, f"docs/configuration.md must have one heading '{heading}'"
    return re.split(r"^#+ ", parts[1], flags=re.MULTILINE)[0]


def first_table(heading):
    """The rows of the first table below a heading, by the first cell without its backticks."""
    lines = section(heading).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("| ---"))
    rows = {}
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        rows[cells[0].strip("`")] = cells
    return rows


def test_the_tables_of_the_settings_are_current():
    assert reference.rewritten(CONFIGURATION) == CONFIGURATION, "make docs"


def test_every_settings_class_has_a_table_and_only_one():
    tables = re.findall(r"<!-- settings: (\w+) -->", CONFIGURATION)
    assert sorted(tables) == sorted(cls.__name__ for cls in reference.settings_classes())


def test_every_setting_is_described_in_a_sentence():
    for cls in reference.settings_classes():
        for key, field in reference.own_fields(cls).items():
            text = " ".join((field.description or "").split())
            assert re.fullmatch(r"[A-Z`0].*\.", text), (cls.__name__, key, text)


def test_settings_that_a_meaning_names_exist():
    """`training.early_stopping`, say: names with a point are keys of a configuration."""
    for cls in reference.settings_classes():
        for key, field in reference.own_fields(cls).items():
            for name in re.findall(r"`((?:\w+\.)+\w+)`", field.description or ""):
                annotation = annotation_at(config.Config, tuple(name.split(".")), None)
                assert not isinstance(annotation, NoSuchKey), (cls.__name__, key, name)


def test_choices_are_all_explained():
    for cls in reference.settings_classes():
        for key, field in reference.own_fields(cls).items():
            values = literals(field.annotation)
            unexplained = [value for value in values if f"`{value}`" not in field.description]
            assert len(values) == 1 or not unexplained, (cls.__name__, key, unexplained)


def literals(annotation):
    if typing.get_origin(annotation) is typing.Literal:
        return list(typing.get_args(annotation))
    return [value for argument in typing.get_args(annotation) for value in literals(argument)]


@pytest.mark.parametrize("name", RECIPES)
def test_the_section_of_a_part_names_its_recipes(name):
    """What stands below "Backbone PLE" says for which recipes it is: by name, or all whose names end alike."""
    recipe = RECIPES[name]
    kinds = [("Backbone", recipe.backbone), ("Balancer", recipe.balancer)]
    kinds += [("Objective", part) for part in recipe.objectives.values()]
    kinds += [("Stage", part) for part in recipe.steps.values()]
    for kind, part in kinds:
        if not part.settings.model_fields:
            continue
        prose = section(f"{kind} {part.name}").partition("<!--")[0]
        ends = re.findall(r"ends in `(_\w+)`", prose)
        with_pico = "with or without PICO" in prose and f"`{name.removesuffix('_pico')}`" in prose
        assert f"`{name}`" in prose or with_pico or any(name.endswith(end) for end in ends), (name, part.name)


def test_the_page_of_a_wrong_marker_is_refused():
    with pytest.raises(ValueError, match="no settings classes: Nobody"):
        reference.rewritten("# A\n<!-- settings: Nobody -->\n<!-- /settings -->\n")


def test_a_table_says_what_may_be_written():
    table = reference.rewritten("## Joins\n\n<!-- settings: Join -->\nold\n<!-- /settings -->\nprose\n")
    assert "| `on` | text or list of texts | required | The key columns, present in all streams. |" in table
    assert "| `click_window_hours` | number > 0 | none | " in table
    assert "| `attribution` | `impression_id`, `last_touch` | `impression_id` | " in table
    assert "old" not in table
    assert table.endswith("<!-- /settings -->\nprose\n")


def test_a_table_leads_to_the_tables_of_other_settings():
    page = "".join(f"# {cls}s\n<!-- settings: {cls} -->\n<!-- /settings -->\n" for cls in ("Split", "Period"))
    assert "| `train` | [periods](#periods) | required | " in reference.rewritten(page)


def test_the_readme_lists_the_recipes():
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


# One row on each side of the split, in the words of each of the README's snippets.
EVENTS = ["view,1768300000", "click,1768300060", "buy,1768303600", "subscribe,1768303600", "view,1768700000"]
TINY_SHAPES = {
    **{name: text.replace("impression_id,", "user_id,item_id,", 1) for name, text in TINY_LOGS.items()},
    "impressions.csv": "user_id,item_id,time,price\nu1,i1,1768300000,9.5\nu2,i1,1768700000,9.5\n",
    "events.csv": "event,time,user_id,item_id,price\n" + "".join(f"{event},u1,i1,9.5\n" for event in EVENTS),
    "ratings.csv": "user_id,item_id,price,rating,orders\nu1,i1,9.5,5,2\nu2,i1,9.5,3,0\n",
    "train.txt": "1\t0\tu1\ti1\t9.5\n0\t0\tu2\ti1\t9.5\n",
}


def snippets():
    """What one has -> the lines that say it."""
    (part,) = re.findall(r"<!-- what one has -->(.*?)<!-- /what one has -->", README, flags=re.DOTALL)
    found = re.findall(r"^\*\*(.*?)\*\*.*?```yaml\n(.*?)```", part, flags=re.DOTALL | re.MULTILINE)
    return dict(found)


@pytest.mark.parametrize("title", snippets())
def test_every_snippet_of_the_readme_is_valid_and_finds_its_columns(title, tmp_path):
    (example,) = re.findall(r"<!-- your own data -->\n+```yaml\n(.*?)```", README, flags=re.DOTALL)
    snippet = snippets()[title]
    assert len(snippet.splitlines()) <= 6
    rest = [line for line in example.splitlines() if not line.startswith(("logs:", "  "))]
    (tmp_path / "shop.yaml").write_text("\n".join([*rest, snippet]))
    for name, text in TINY_SHAPES.items():
        (tmp_path / name).write_text(text)
    table = {"click": [1, 0], "order": [0, 0], "user_id": ["u1", "u2"], "item_id": ["i1"] * 2, "price": [9.5] * 2}
    times = ["2026-01-14 09:30", "2026-01-16 09:30"]
    pl.DataFrame({**table, "time": times}).write_parquet(tmp_path / "rows.parquet")
    loaded = config.load(tmp_path / "shop.yaml", data=str(tmp_path))
    plan = make_plan(loaded.logs, loaded.columns(), loaded.labels(), loaded.data_folder)
    assert {"user_id", "item_id", "price"} <= set(plan.columns)
    failed = [check.text for check in logs.data_files(loaded) if check.status == "fail"]
    assert failed == []


def test_the_snippets_of_the_readme_are_all_looked_at():
    kinds = ("three streams", "one event log", "a table", "ratings", "no header")
    assert [title.lower().startswith(kind) for title, kind in zip(snippets(), kinds, strict=True)] == [True] * 5


def test_the_readme_lists_the_configurations_that_come_along():
    (part,) = re.findall(r"<!-- public data sets -->(.*?)<!-- /public data sets -->", README, flags=re.DOTALL)
    listed = re.findall(r"^\| \[`(\w+)`\]\(configs/(\w+)\.yaml\) \|", part, flags=re.MULTILINE)
    assert [name for name, _ in listed] == sorted(set(built_in.names()) - {"sample"})
    assert all(name == file for name, file in listed)


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
