"""Checks the section `model:` against the recipe that it names. Imports no TensorFlow."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tandem.models.objectives.settings import ObjectiveSettings
from tandem.models.recipes import RECIPES, Part, Recipe
from tandem.models.settings import ModelSettings
from tandem.validation.draft import Draft, Unclear
from tandem.validation.places import Problem, key_path
from tandem.validation.words import choices, closest, shown, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tandem.models.tasks import TaskGraph
    from tandem.settings import Settings

# What one of them is called, by the key of `model:`.
_KINDS = {"objectives": "objective", "steps": "stage"}


def check(settings: ModelSettings, graph: TaskGraph) -> list[Problem]:
    """Returns all that is wrong with model settings.

    Args:
      settings: The recipe and its sizes.
      graph: The tasks.

    Returns:
      Per problem the path in a configuration file, ("model", "backbone", "experts"), and a sentence.
    """
    return list(_below(("model",), problems_of(Draft(ModelSettings, settings.model_dump(mode="json")), graph)))


def checked(settings: ModelSettings, graph: TaskGraph) -> Recipe:
    """Returns the recipe of model settings from which a system can be built.

    Args:
      settings: The recipe and its sizes.
      graph: The tasks.

    Raises:
      ValueError: All that is wrong with them, a line each.
    """
    if problems := check(settings, graph):
        raise ValueError("\n".join(f"{key_path(path, None)}: {sentence}" for path, sentence in problems))
    return RECIPES[settings.recipe]


def problems_of(model: Draft[ModelSettings], graph: TaskGraph | None) -> Iterator[Problem]:
    """Yields what is wrong with the section `model:` beyond what its class says, as far as it can be read.

    Args:
      model: The section.
      graph: The tasks; None where they are not known.

    Yields:
      The path below the section, and a sentence.
    """
    with suppress(Unclear):
        name = model.read("recipe")
        if name in RECIPES:
            yield from _of_recipe(model, name, graph)
        else:
            yield ("recipe",), unknown("recipe", name, RECIPES)
            yield from _of_unknown_recipe(model, closest(name, RECIPES), graph)


def _of_recipe(model: Draft[ModelSettings], name: str, graph: TaskGraph | None) -> Iterator[Problem]:
    recipe = RECIPES[name]
    for section, part in recipe.single_parts.items():
        yield from _of_part(model, (section,), part, _written(model, section), graph)
    for section, parts in recipe.named_parts.items():
        written = _written(model, section)
        for each, part in parts.items():
            yield from _of_part(model, (section, each), part, written.get(each, {}), graph)
        for each in written:
            if each not in parts:
                yield (section, each), _not_there(name, section, each)
    written = _written(model, "steps")
    stages = [
        Draft(part.settings, written.get(each, {})).settings
        if each in written or not model.given("steps", each)
        else None  # it is wrong by itself
        for each, part in recipe.steps.items()
    ]
    if all(stage and (not stage.trains_embeddings or stage.share_of_steps == 0) for stage in stages):
        yield (
            ("steps",),
            f"got {shown(written)}, with which no stage trains the embeddings and the layers above them; "
            f"the stages of recipe '{name}' are {list(recipe.steps)}",
        )


def _of_unknown_recipe(model: Draft[ModelSettings], meant: str | None, graph: TaskGraph | None) -> Iterator[Problem]:
    """Yields what is wrong whichever recipe is meant."""
    if meant is not None:
        for section, part in RECIPES[meant].single_parts.items():
            written = _written(model, section)
            others = {recipe.single_parts[section] for recipe in RECIPES.values()}
            wrong_for_all = set.intersection(
                *({path for path, _ in Draft(other.settings, written).problems} for other in others)
            )
            found = _of_part(model, (section,), part, written, graph)
            yield from ((path, sentence) for path, sentence in found if path[1:] in wrong_for_all)
    for section, kind in _KINDS.items():
        known = {name: part for recipe in RECIPES.values() for name, part in recipe.named_parts[section].items()}
        for name, written in _written(model, section).items():
            if name in known:
                yield from _of_part(model, (section, name), known[name], written, graph)
            else:
                yield (section, name), unknown(kind, name, known)


def _of_part(
    model: Draft[ModelSettings], path: tuple[str, ...], part: Part[Settings], written: Any, graph: TaskGraph | None
) -> Iterator[Problem]:
    """Yields what is wrong with the settings of one part, which stand at a path below the section."""
    draft = Draft(part.settings, written)
    yield from _below(path, draft.problems)

    def with_the_rest(settings: Settings) -> Iterator[Problem]:
        if isinstance(settings, ObjectiveSettings):
            towers = None
            with suppress(Unclear):
                towers = len(model.read("tower_layers"))
            yield from settings.contradictions(graph, towers)

    yield from _below(path, draft.run(with_the_rest))


def _not_there(recipe: str, section: str, name: str) -> str:
    """Says that a recipe has no such part, and which one with the same network has."""
    kind, backbone = _KINDS[section], RECIPES[recipe].backbone
    having = [other for other, its in RECIPES.items() if its.backbone == backbone and name in its.named_parts[section]]
    has = f"; there is one in {', '.join(having)}" if having else ""
    return f"recipe '{recipe}' has no {kind} '{name}'{choices(name, RECIPES[recipe].named_parts[section])}{has}"


def _written(model: Draft[ModelSettings], section: str) -> Mapping[str, Any]:
    """What stands in a part of the section, as far as it can be read; nothing where it is no mapping."""
    try:
        return {key: value for key, value in model.elements(section) if isinstance(key, str)}
    except Unclear:
        return {}


def _below(path: tuple[str, ...], problems: Iterable[Problem]) -> Iterator[Problem]:
    return (((*path, *rest), sentence) for rest, sentence in problems)
