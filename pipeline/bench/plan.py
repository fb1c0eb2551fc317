"""Which runs a benchmark consists of: systems, their ablations, seeds.

A name is a recipe (`mmoe_pico`), an ablation of one (`mmoe_pico/fixed_temperature`), or a system that is no
recipe, for comparison. It may be a pattern with `*`: `*_pico`, `mmoe_pico/*`.
"""

from __future__ import annotations

import fnmatch
import importlib.util
from typing import TYPE_CHECKING

from tandem.models import recipe_check
from tandem.models.recipes import RECIPES
from tandem.models.variants import VARIANTS, backbone_of, settings_of
from tandem.pipeline.trials.trial import COMPARISONS, LIGHTGBM, Trial
from tandem.validation.words import unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.models.settings import ModelSettings
    from tandem.models.tasks import TaskGraph


def recipes() -> list[str]:
    """Returns all recipes, each behind the one that it adds an objective to: they stand so in the table."""
    order = list(RECIPES)
    return sorted(order, key=lambda recipe: order.index(backbone_of(recipe) or recipe))


def names() -> list[str]:
    """Returns all names there are, a recipe's ablations behind it."""
    found: list[str] = []
    for recipe in recipes():
        found += [recipe, *(f"{recipe}/{variant}" for variant in VARIANTS.get(recipe, {}))]
    return [*found, *COMPARISONS]


def make_plan(
    chosen: Sequence[str] | None, seeds: int, first_seed: int, model: ModelSettings, graph: TaskGraph
) -> list[Trial]:
    """Says which runs to do, in their order: seed by seed, so that a benchmark cut short compares all systems.

    Args:
      chosen: Names and patterns; None: all recipes.
      seeds: How many runs of each.
      first_seed: The others follow it.
      model: The section `model:`, to check that each system can be built with it.
      graph: The tasks.

    Raises:
      ValueError: A name that there is not, no seed, a system that the settings do not fit or that is not installed.
    """
    if seeds < 1:
        raise ValueError(f"--seeds: got {seeds}, at least 1 is needed")
    if chosen is not None and not chosen:
        raise ValueError("--systems: no name was given")
    wanted = recipes() if chosen is None else _matching(chosen)
    systems = [(system, variant or None) for system, _, variant in (name.partition("/") for name in wanted)]
    for system, variant in systems:
        if system in RECIPES:
            try:
                recipe_check.checked(settings_of(system, variant, model), graph)
            except ValueError as error:
                name = system if variant is None else f"{system}/{variant}"
                raise ValueError("\n".join(f"{name}: {line}" for line in str(error).splitlines())) from None
        elif system == LIGHTGBM and importlib.util.find_spec("lightgbm") is None:
            raise ValueError(f"system '{LIGHTGBM}' needs a package that is not installed: pip install .[bench]")
    return [
        Trial(system, variant, seed) for seed in range(first_seed, first_seed + seeds) for system, variant in systems
    ]


def _matching(chosen: Sequence[str]) -> list[str]:
    """Returns the names that were meant, in the order of `names`."""
    allowed = names()
    meant = set()
    for name in chosen:
        # `*` stops at the slash: `mmoe*` means recipes, `mmoe*/*` their ablations.
        matches = [each for each in allowed if fnmatch.fnmatchcase(each, name) and each.count("/") == name.count("/")]
        if not matches:
            raise ValueError(unknown("system", name, allowed))
        meant |= set(matches)
    return [name for name in allowed if name in meant]
