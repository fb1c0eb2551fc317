"""What a configuration says of weights, and what comes of it (and of ages) in the examples that models learn from."""

import dataclasses
import io

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from tandem.components.evaluator.plan import EvaluationPlan
from tandem.components.log_example_gen.settings.columns import ExampleColumn
from tandem.models import recipes
from tandem.models.batch import RowFormat
from tandem.models.layout import FeatureLayout
from tandem.models.training.dataset import read_examples
from tandem.pipeline.configuration.config import ConfigError, load
from tandem.pipeline.local import runner
from tandem.pipeline.pipeline import create_data_pipeline, create_pipeline, trainer_settings, transform_settings
from tandem.pipeline.trials import jobs

SHOP = """
name: shop
data_dir: .
logs:
  impressions: {files: impressions.csv, time: {column: time, unit: ms}, weight: kept}
  clicks: {files: clicks.csv, time: {column: time, unit: ms}}
  conversions: {files: sales.csv, time: {column: time, unit: ms}, label: sale}
  join: {on: id, click_window_hours: 1, conversion_window_hours: 2}
  split: {train: {before: 2024-03-11}, eval: {from: 2024-03-13}}
  observed_until: 2024-03-20
features: [{name: user, kind: categorical}, {name: row, kind: numeric, scaling: none}]
tasks: [{name: click}, {name: sale, given: click, weight: price}]
evaluation: {group_by: user, thresholds: [{metric: auc, output: click, at_least: 0.1}]}
"""
DAY = 24 * 3_600_000
START = 1_709_251_200_000  # 2024-03-01, milliseconds
OF_ROWS = "logs.impressions.weight=kept"
OF_SALES = "tasks[1].weight=price"


def test_without_weights_nothing_is_weighed(config_file):
    config = load(config_file)
    assert config.weights() == {"click": (), "sale": ()}
    assert not any(column.weight for column in config.columns().values())
    assert transform_settings(config)["weights"] == [[], []]
    assert trainer_settings(config)["weighted"] is False


def test_columns_that_weigh_are_read_as_weights(config_file):
    config = load(config_file, overrides=[OF_ROWS, OF_SALES])
    weight = ExampleColumn(kind="float", weight=True)
    assert config.weights() == {"click": ("kept",), "sale": ("kept", "price")}
    assert config.columns()["kept"] == weight
    assert config.columns()["price"] == weight  # a feature, too
    assert transform_settings(config)["weights"] == [["kept"], ["kept", "price"]]
    assert trainer_settings(config)["weighted"] is True


@pytest.mark.parametrize("weighted", [False, True])
def test_outputs_are_weighed_as_their_tasks_are_where_metrics_shall_be(config_file, logs, tmp_path, weighted):
    del logs
    config = load(config_file, overrides=[OF_ROWS, OF_SALES, f"evaluation.weighted={str(weighted).lower()}"])
    pipeline = create_pipeline(config, root=str(tmp_path))
    (evaluator,) = [component for component in pipeline.components if component.id == "ModelEvaluator"]
    plan = EvaluationPlan.model_validate_json(evaluator.exec_properties["plan"])
    expected = {"click": ("kept",), "sale_given_click": ("kept", "price"), "click_and_sale": ("kept", "price")}
    assert {output.name: output.weights for output in plan.outputs} == (
        expected if weighted else dict.fromkeys(expected, ())
    )


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            ["evaluation.weighted=true"],
            "evaluation.weighted: there are no row weights: give logs.impressions or a task a 'weight', the column "
            "that holds them",
        ),
        (
            ["tasks[1].weight=item_id"],
            "tasks[1].weight (of 'sale'): the weight of task 'sale' asks for column 'item_id' as numbers, feature "
            "'item' as categories; a column of the examples has one form",
        ),
        (
            ["logs.impressions.weight=click"],
            "logs.impressions.weight: logs.impressions.weight is made of column 'click', which is a label",
        ),
    ],
)
def test_weights_that_cannot_be(config_file, overrides, expected):
    with pytest.raises(ConfigError) as error:
        load(config_file, overrides=overrides)
    (problem,) = error.value.problems
    assert problem.endswith(expected)


def test_a_weight_may_be_known_late(config_file):
    """No model is asked for it. `play_time` is known only after the impression."""
    assert load(config_file, overrides=["tasks[0].weight=play_time"]).weights()["click"] == ("play_time",)


def test_a_table_that_does_not_say_when_cannot_be_asked_for_ages(edited, monkeypatch):
    monkeypatch.setitem(recipes.RECIPES, "mmoe", dataclasses.replace(recipes.RECIPES["mmoe"], reads_ages=True))

    def change(settings):
        settings["logs"] = {
            "table": {"files": "rows.csv"},
            "split": {"train": {"files": "a.csv"}, "eval": {"files": "b.csv"}},
        }
        settings["model"] = {"recipe": "mmoe"}
        settings["features"] = [settings["features"][0]]
        settings["evaluation"].pop("slices")

    with pytest.raises(ConfigError) as error:
        load(edited(change))
    (problem,) = error.value.problems
    assert "model.recipe: this recipe reads when labels were set; a labelled table does not say so" in problem


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Logs of 400 impressions: times, weights and what followed are known by the number of the row."""
    folder = tmp_path_factory.mktemp("shop")
    rng = np.random.default_rng(1)
    number = np.arange(400)
    shown = START + number * (16 * DAY // 400)
    clicked, bought = number % 2 == 0, number % 6 == 0
    kept, price = rng.integers(1, 5, 400), np.round(rng.uniform(0, 9, 400), 2)
    impressions = pl.DataFrame(
        {
            "id": number,
            "time": shown,
            "user": [f"u{n % 20}" for n in number],
            "kept": kept,
            "price": price,
            "row": number,
        }
    )
    impressions.write_csv(folder / "impressions.csv")
    for name, which, minutes in (("clicks", clicked, 3), ("sales", bought, 90)):
        events = pl.DataFrame({"id": number, "time": shown + minutes * 60_000}).filter(pl.Series(which))
        events.write_csv(folder / f"{name}.csv")
    (folder / "shop.yaml").write_text(SHOP)
    return folder, {"shown": shown, "click": clicked, "sale": bought, "kept": kept, "price": price}


def test_weights_and_ages_of_logs_reach_the_batches(shop, monkeypatch):
    folder, truth = shop
    monkeypatch.setitem(recipes.RECIPES, "mmoe", dataclasses.replace(recipes.RECIPES["mmoe"], reads_ages=True))
    config = load(folder / "shop.yaml", output=str(folder / "out"), overrides=["model.recipe=mmoe"])
    with runner.working(config, "bench", Console(file=io.StringIO())) as (console, _):
        artifacts, _ = runner.run_components(config, console, create_data_pipeline)
    files = jobs.files_of(config, artifacts)
    assert trainer_settings(config)["aged"] is True

    rows = RowFormat(FeatureLayout(config.features), 2, weighted=True, aged=True)
    (batch,) = read_examples(files.train, rows, 1000)
    number = batch.features["numbers"].numpy()[:, 0].astype(int)
    assert len(number) == 250  # the first ten days of sixteen
    weights, ages = batch.weights.numpy(), batch.ages.numpy()
    np.testing.assert_allclose(weights[:, 0], truth["kept"][number])
    np.testing.assert_allclose(weights[:, 1], truth["kept"][number] * truth["price"][number], rtol=1e-6)
    until_the_end = (START + 19 * DAY - truth["shown"][number]) / 3_600_000
    np.testing.assert_allclose(ages[:, 0], np.where(truth["click"][number], 3 / 60, until_the_end), rtol=1e-6)
    np.testing.assert_allclose(ages[:, 1], np.where(truth["sale"][number], 1.5, until_the_end), rtol=1e-6)
