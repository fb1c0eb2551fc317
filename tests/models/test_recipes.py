"""What every recipe's declaration has to hold; to declare a part is to have it tested here."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tandem.models.backbones.settings import BackboneSettings
from tandem.models.balancing_settings import BalancerSettings
from tandem.models.objectives.settings import ObjectiveSettings
from tandem.models.recipes import RECIPES
from tandem.models.steps.settings import StepSettings
from tandem.pipeline.fingerprints import COMPONENTS, TRIAL, modules_of

ROOT = Path(__file__).resolve().parents[2]
PARTS = {part for recipe in RECIPES.values() for part in (*recipe.parts, recipe.task_loss)}
parts = pytest.mark.parametrize("part", sorted(PARTS, key=lambda part: part.reference), ids=lambda part: part.name)


@parts
def test_reference_class_and_settings_agree(part):
    from tandem.models.backbones.backbone import Backbone
    from tandem.models.balancing import Balancer
    from tandem.models.objectives.objective import Objective
    from tandem.models.steps.step import Step

    cls = part.load()
    assert part.reference == f"{cls.__module__}:{cls.__qualname__}"
    assert cls.Settings is part.settings
    bases = {Backbone: BackboneSettings, Balancer: BalancerSettings, Objective: ObjectiveSettings, Step: StepSettings}
    (base,) = [base for base in bases if issubclass(cls, base)]
    assert issubclass(part.settings, bases[base])


@parts
def test_all_settings_of_a_part_have_defaults(part):
    assert part.settings() == part.settings.model_validate({})


def test_a_name_means_the_same_part_in_every_recipe():
    by_name = {}
    for recipe in RECIPES.values():
        for section, named in recipe.named_parts.items():
            for name, part in named.items():
                assert by_name.setdefault((section, name), part) == part


def test_recipes_and_their_checks_import_nothing_heavy():
    code = """
import json, sys
from tandem.models import recipe_check, variants
heavy = ("tensorflow", "tf_keras", "tfx", "apache_beam", "pandas", "numpy")
print(json.dumps([name for name in heavy if name in sys.modules]))
"""
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == []


@parts
def test_the_fingerprints_cover_every_part(part):
    """A part is named, not imported; when its code changes, models have to be trained again all the same."""
    module = part.reference.partition(":")[0]
    assert module in modules_of(COMPONENTS["Trainer"])
    assert module in modules_of(TRIAL)
