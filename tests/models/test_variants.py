"""What every variant has to hold; to declare one is to have it tested here."""

import pytest

from tandem.models.recipe_check import check
from tandem.models.recipes import RECIPES
from tandem.models.registry import build
from tandem.models.settings import ModelSettings
from tandem.models.tasks import Task, TaskGraph
from tandem.models.variants import VARIANTS, backbone_of, settings_of

GRAPH = TaskGraph([Task(name="click"), Task(name="buy", given="click")])
NAMES = [(recipe, variant) for recipe, variants in VARIANTS.items() for variant in variants]


@pytest.mark.parametrize(("recipe", "variant"), NAMES)
def test_a_variant_can_be_built_and_differs_from_its_recipe(recipe, variant, layout):
    configured = ModelSettings(recipe=recipe, tower_layers=(8, 4, 2))
    settings = settings_of(recipe, variant, configured)
    assert settings != settings_of(recipe, None, configured)
    assert check(settings, GRAPH) == []
    build(settings, GRAPH, layout, 40)


@pytest.mark.parametrize("variants", VARIANTS.values(), ids=list(VARIANTS))
def test_no_two_variants_of_a_recipe_are_the_same(variants):
    settings = [variant.settings for variant in variants.values()]
    assert all(settings.count(each) == 1 for each in settings)


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_every_recipe_takes_the_settings_of_another(recipe):
    configured = ModelSettings(
        recipe="mmoe_pico", embedding_dim=6, backbone={"experts": 5}, objectives={"pico": {"beta": 0.5}}
    )
    settings = settings_of(recipe, None, configured)
    assert check(settings, GRAPH) == []
    assert (settings.recipe, settings.embedding_dim) == (recipe, 6)
    assert settings.backbone == ({"experts": 5} if recipe in ("mmoe", "mmoe_pico", "mmoe_tower_pico") else {})
    assert settings.objectives == (
        {"pico": {"beta": 0.5}} if recipe.endswith("_pico") and "tower" not in recipe else {}
    )


def test_a_variant_changes_nothing_else():
    configured = ModelSettings(recipe="mmoe_pico", objectives={"pico": {"alpha": 0.3, "beta": 0.5}})
    settings = settings_of("ple_pico", "relevance_alone", configured)
    assert settings.objectives == {"pico": {"alpha": 0.3, "beta": 0.0}}


def test_the_backbone_of_a_recipe():
    assert {name: backbone_of(name) for name in ("ple_pico", "ple", "single_dnn_pico")} == {
        "ple_pico": "ple",
        "ple": None,
        "single_dnn_pico": "single_dnn",
    }
