"""Ablations: recipes with a part of them changed or left out, by name.

A variant is a recipe and changes of the settings in `model:`. To add one is to add a line here; what is declared here
is listed by `tandem models`, run by `tandem bench` and tested with all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tandem.models.recipes import RECIPES
from tandem.models.settings import ModelSettings


@dataclass(frozen=True)
class Variant:
    """One ablation.

    Attributes:
      summary: What is changed, for `tandem models`.
      settings: What replaces settings in `model:`, nested as there.
    """

    summary: str
    settings: Mapping[str, Any]


def _pico(summary: str, **settings: Any) -> Variant:
    return Variant(summary, {"objectives": {"pico": settings}})


# Table 3 and figure 3 of the paper, and what each of the two losses does for itself.
PICO = {
    "relevance_alone": _pico("the relevance loss without the contrast: table 3, w/o contrastive", beta=0.0),
    "contrast_alone": _pico("the contrast without the relevance loss: nothing teaches the temperature", alpha=0.0),
    "no_contrast": _pico("neither loss: the backbone, as a control", alpha=0.0, beta=0.0),
    "fixed_temperature": _pico("one temperature for all rows: table 3, w/o personalized tau", temperature="fixed"),
    "statistical_temperature": _pico(
        "the temperature of the labels' agreement in the batch: table 3, w/o learnable tau", temperature="statistical"
    ),
    "no_negatives": _pico("pairs are pulled together, nothing pushed away: table 3, w/o negative", negatives=False),
    "second_layer": _pico("h is the towers' second layer: figure 3", tower_layer=1),
    "relevance_stopped": _pico("the relevance loss teaches its own network only", relevance_trains_backbone=False),
    "one_way": _pico(
        "the same, and the contrast trains the second task only, which may change the shared layers",
        relevance_trains_backbone=False,
        trains="second",
    ),
    "one_way_mild": _pico(
        "the same, with one temperature of 0.5 for all rows: a contrast that no pair dominates",
        relevance_trains_backbone=False,
        trains="second",
        temperature="fixed",
        fixed_temperature=0.5,
    ),
    "mild": _pico(
        "relevance_stopped, with one temperature of 0.5 for all rows",
        relevance_trains_backbone=False,
        temperature="fixed",
        fixed_temperature=0.5,
    ),
    "last_layer": _pico("h is the towers' last layer: figure 3", tower_layer=-1),
}

# Figure 3 of the paper.
TAML = {
    "no_distillation": Variant(
        "the learners do not teach each other", {"objectives": {"self_distillation": {"weight": 0.0}}}
    ),
    "one_learner": Variant("one learner per task", {"backbone": {"learners": 1}}),
    "no_learner_experts": Variant("experts of all tasks and of each task only", {"backbone": {"learner_experts": 0}}),
}

# Table 2 of the paper.
_NO_META = {"steps": {"meta": {"share": 0.0}, "fine_tune": {"part": "all"}}}
_NO_ATTENTION = {"backbone": {"attention": False}}
MAN = {
    "no_meta": Variant("usual training instead of meta-learning: table 2, without meta", _NO_META),
    "no_attention": Variant("tasks do not attend to each other: table 2, without att", _NO_ATTENTION),
    "no_meta_no_attention": Variant("neither", {**_NO_META, **_NO_ATTENTION}),
}

VARIANTS: dict[str, dict[str, Variant]] = {
    "shared_bottom_pico": PICO,
    "mmoe_pico": PICO,
    "ple_pico": PICO,
    "taml": TAML,
    "man": MAN,
}


def backbone_of(recipe: str) -> str | None:
    """Returns the recipe that a recipe adds an objective to; None where it stands for itself."""
    without = recipe.removesuffix("_pico").removesuffix("_tower")
    return without if without != recipe and without in RECIPES else None


def settings_of(recipe: str, variant: str | None, configured: ModelSettings) -> ModelSettings:
    """Returns the settings of a recipe, or of a variant of it, as near to the configured ones as can be.

    Sizes that every system has are taken over. Settings of parts (backbone, objectives, balancer, steps) are for the
    configured recipe; they are taken over where the other recipe has the same part, and are the defaults elsewhere.

    Args:
      recipe: A name among `RECIPES`.
      variant: A name in `VARIANTS[recipe]`; None: the recipe itself.
      configured: The section `model:`.
    """
    settings = configured.model_dump() | {"recipe": recipe}
    ours, theirs = RECIPES[recipe], RECIPES[configured.recipe]
    for section, part in ours.single_parts.items():
        if part != theirs.single_parts[section]:
            settings[section] = {}
    for section, parts in ours.named_parts.items():
        shared = {name for name, part in parts.items() if part == theirs.named_parts[section].get(name)}
        settings[section] = {name: given for name, given in settings[section].items() if name in shared}
    if variant is not None:
        settings = _merged(settings, VARIANTS[recipe][variant].settings)
    return ModelSettings.model_validate(settings)


def _merged(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Writes changes into nested settings."""
    merged = dict(settings)
    for key, value in changes.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(value, Mapping) and isinstance(below, Mapping) else value
    return merged
