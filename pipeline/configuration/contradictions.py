"""Settings of a configuration that contradict each other, across its sections.

Every check looks at a draft, so that it runs wherever the settings it compares are sound, whatever else is wrong.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tandem.components.evaluator.settings import EvaluationSettings, Threshold
from tandem.models import recipe_check
from tandem.models.layout import FeatureLayout
from tandem.models.recipes import RECIPES
from tandem.models.settings import ModelSettings
from tandem.models.tasks import TaskGraph
from tandem.pipeline.configuration.columns import Use, columns, uses, uses_of_weights
from tandem.validation.draft import Draft, Unclear
from tandem.validation.words import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path as FilePath

    from tandem.components.log_example_gen.settings.sources import ClickStream, ConversionStream
    from tandem.validation.places import Path, Problem


def contradictions(config: Draft[Any], folder: FilePath) -> list[Problem]:
    """Returns all contradictions, each once, with their places.

    Args:
      config: The configuration.
      folder: What its paths are relative to.
    """
    checks = (
        _about_tasks(config),
        _about_features(config),
        _about_columns(config),
        _known_too_late(config),
        _about_labels(config),
        _about_weights(config),
        _about_stopping(config),
        _about_outputs(config),
        _about_sound_thresholds(config),
        _about_the_recipe(config),
        _about_ages(config),
        _about_files(config, folder),
    )
    found: dict[Problem, None] = {}
    for check in checks:
        with suppress(Unclear):
            for problem in check:
                found[problem] = None
    return list(found)


def _graph(config: Draft[Any]) -> TaskGraph:
    try:
        return TaskGraph(config.read("tasks"))
    except ValueError:
        raise Unclear("tasks") from None


def _about_tasks(config: Draft[Any]) -> Iterator[Problem]:
    try:
        TaskGraph(config.read("tasks"))
    except ValueError as error:
        yield from ((("tasks",), sentence) for sentence in str(error).splitlines())


def _about_features(config: Draft[Any]) -> Iterator[Problem]:
    if not (sound := [feature for _, feature in config.elements("features")]):
        return
    try:
        FeatureLayout(sound)
    except ValueError as error:
        yield from ((("features",), sentence) for sentence in str(error).splitlines())


def _about_columns(config: Draft[Any]) -> Iterator[Problem]:
    yield from columns(_uses(config))[1]


def _uses(config: Draft[Any]) -> Iterator[Use]:
    """The columns that are clearly asked for."""
    for feature in _clear(config, "features"):
        with suppress(AttributeError):
            yield from uses([feature], [], None)
    yield from uses([], _sound(config, "evaluation", "slices"), _known(config, "evaluation", "group_by"))
    yield from _weights(config)


def _weights(config: Draft[Any]) -> Iterator[Use]:
    """The columns that clearly weigh rows."""
    for section in ("impressions", "table"):
        place = ("logs", section, "weight")
        if (column := _known(config, *place)) is not None:
            yield from uses_of_weights((place, column), [])
    for task in _clear(config, "tasks"):
        with suppress(AttributeError):
            yield from uses_of_weights(None, [task])


def _clear(config: Draft[Any], *path: str) -> Iterator[tuple[int, Any]]:
    """The elements of a list, with what is clear of them: asking for anything else is an AttributeError."""
    with suppress(Unclear):
        for index in config.keys(*path):
            with suppress(Unclear):
                yield index, config.partial(*path, index)


def _sound(config: Draft[Any], *path: str) -> list[tuple[int, Any]]:
    """The sound elements of a list; none where it is no list."""
    try:
        return list(config.elements(*path))
    except Unclear:
        return []


def _known(config: Draft[Any], *path: str) -> Any:
    """A setting; None where it is not clear."""
    try:
        return config.read(*path)
    except Unclear:
        return None


def _known_too_late(config: Draft[Any]) -> Iterator[Problem]:
    """Columns that are not known when the model has to answer, or that say what it has to answer.

    A weight may be known late: no model is asked for it.
    """
    labels = {label for _, _, label in _labels(config)}
    clicks, conversions = _known(config, "logs", "clicks"), _known(config, "logs", "conversions")
    if clicks is not None:
        labels.add(clicks.label)
    reasons = dict.fromkeys(labels, "is a label")
    table = _known(config, "logs", "table")
    if table is not None:
        made = {said.column: label for label, said in table.labels.items() if said.column is not None}
        reasons |= {column: f"is what the label '{label}' is read from" for column, label in made.items()}
    if conversions is not None and conversions.event is not None:
        reasons[conversions.event] = "is the kind of a conversion"
    join = _known(config, "logs", "join")
    if join is not None and join.attribution == "impression_id":
        reasons |= dict.fromkeys(join.on, "names one impression (logs.join.on)")
    split = _known(config, "logs", "split")
    if split is not None and split.column is not None:
        reasons[split.column] = "says which part a row belongs to (logs.split.column)"
    late = _known(config, "logs", "post_impression") or ()
    reasons |= dict.fromkeys(late, "is known only after the impression (logs.post_impression)")
    for use in _uses(config):
        if use.column in (labels if use.wanted.weight else reasons):
            yield use.place, f"{use.user} is made of column '{use.column}', which {reasons[use.column]}"


def _about_labels(config: Draft[Any]) -> Iterator[Problem]:
    """Labels that two tasks share, or that the streams do not bring."""
    first: dict[str, str] = {}
    for place, task, label in _labels(config):
        if label in first:
            yield place, f"label '{label}' is already the label of task '{first[label]}'"
        first.setdefault(label, task)
    if config.read("logs", "table") is not None:
        yield from _labels_of_the_table(config, list(first))
        return
    brought = _labels_of_streams(config.read("logs", "clicks"), config.read("logs", "conversions"))
    for place, _, label in _labels(config):
        if brought is not None and label not in brought:
            yield place, f"no stream of the logs sets a label '{label}'; there are {', '.join(brought)}"


def _labels_of_the_table(config: Draft[Any], names: list[str]) -> Iterator[Problem]:
    """Settings of a label that no task has."""
    table = _known(config, "logs", "table")
    for label in table.labels if table is not None else ():
        if label not in names:
            yield ("logs", "table", "labels", label), unknown("label", label, names)


def _labels(config: Draft[Any]) -> Iterator[tuple[Path, str, str]]:
    """The labels of the tasks, as far as they are clear: place, task, label."""
    for index, task in _clear(config, "tasks"):
        with suppress(AttributeError):
            label = task.label or task.name
            yield ("tasks", index, "name" if label == task.name else "label"), task.name, label


def _labels_of_streams(clicks: ClickStream | None, conversions: ConversionStream | None) -> list[str] | None:
    """All labels that the streams can bring; None where the rows themselves say which."""
    of_clicks = [] if clicks is None else [clicks.label]
    if conversions is None:
        return of_clicks or None
    return None if conversions.labels is None else [*of_clicks, *conversions.labels]


def _about_weights(config: Draft[Any]) -> Iterator[Problem]:
    """Metrics that are to be weighted by nothing."""
    place = ("evaluation", "weighted")
    weighted, logs, tasks = config.read(*place), config.read("logs"), config.read("tasks")
    if weighted and logs.weight is None and all(task.weight is None for task in tasks):
        sections = "logs.impressions" if logs.table is None else "logs.table"
        yield place, f"there are no row weights: give {sections} or a task a 'weight', the column that holds them"


def _about_stopping(config: Draft[Any]) -> Iterator[Problem]:
    stopping = ("training", "early_stopping")
    if not config.given(*stopping):
        return
    with suppress(Unclear):
        task, names = config.read(*stopping, "task"), [config.read(*path, "name") for path in _paths(config, "tasks")]
        if task is not None and task not in names:
            yield (*stopping, "task"), unknown("task", task, names)
    if config.read("logs", "split", "validation") is None:
        yield stopping, "needs a 'validation' part in logs.split: the evaluation must not choose the model"


def _paths(config: Draft[Any], *path: str) -> list[tuple[str | int, ...]]:
    """The paths of a list's elements, the sound and the others."""
    return [(*path, index) for index in config.keys(*path)]


def _about_outputs(config: Draft[Any]) -> Iterator[Problem]:
    outputs = [output.name for output in _graph(config).outputs()]
    for path in _paths(config, "evaluation", "thresholds"):
        with suppress(Unclear):
            name = config.read(*path, "output")
            if name not in outputs:
                yield (*path, "output"), unknown("output", name, outputs)


def _about_sound_thresholds(config: Draft[Any]) -> Iterator[Problem]:
    """What is wrong of slices, users and thresholds, threshold by threshold: their class tells the first mistake."""
    if config.settings is not None:
        return
    slices, group_by = config.read("evaluation", "slices"), config.read("evaluation", "group_by")
    kept: tuple[Threshold, ...] = ()
    for _, threshold in config.elements("evaluation", "thresholds"):
        found = _between(slices, group_by, (*kept, threshold))
        yield from ((("evaluation",), sentence) for sentence in found)
        kept = kept if found else (*kept, threshold)


def _between(slices: Any, group_by: str | None, thresholds: tuple[Threshold, ...]) -> list[str]:
    """What is wrong between slices, users and thresholds."""
    try:
        EvaluationSettings(slices=slices, group_by=group_by, thresholds=thresholds)
    except ValidationError as error:
        return [str(found["ctx"]["error"]) for found in error.errors()]
    return []


def _about_the_recipe(config: Draft[Any]) -> Iterator[Problem]:
    graph = None
    with suppress(Unclear):
        graph = _graph(config)
    model = config.section("model", ModelSettings)
    yield from ((("model", *path), sentence) for path, sentence in recipe_check.problems_of(model, graph))


def _about_ages(config: Draft[Any]) -> Iterator[Problem]:
    """Recipes that read what a labelled table does not say."""
    recipe = RECIPES.get(config.read("model", "recipe"))
    if recipe is not None and recipe.reads_ages and config.read("logs", "table") is not None:
        yield ("model", "recipe"), "this recipe reads when labels were set; a labelled table does not say so"


def _about_files(config: Draft[Any], folder: FilePath) -> Iterator[Problem]:
    name = config.read("schema_file")
    if name is not None and not (folder / name).is_file():
        yield ("schema_file",), f"there is no file {os.path.normpath((folder / name).absolute())}"
