"""Every system by name: which backbone, trained with which objectives."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from tandem.models.backbones.aitm import AITM
from tandem.models.backbones.autoheri import AutoHERI
from tandem.models.backbones.backbone import Backbone
from tandem.models.backbones.cross_stitch import CrossStitch
from tandem.models.backbones.man import MAN
from tandem.models.backbones.mmoe import MMoE
from tandem.models.backbones.omoe import OMoE
from tandem.models.backbones.ple import PLE
from tandem.models.backbones.shared_bottom import SharedBottom
from tandem.models.backbones.single_dnn import SingleDNN
from tandem.models.backbones.taml import TAML
from tandem.models.balancing import Balancer, FixedWeights, UncertaintyWeights
from tandem.models.encoder import Encoder
from tandem.models.features import FeatureLayout
from tandem.models.learner import Learner
from tandem.models.network import Network
from tandem.models.objectives.calibrator import Calibrator
from tandem.models.objectives.entire_space import EntireSpaceLoss
from tandem.models.objectives.joint_loss import JointLoss
from tandem.models.objectives.objective import Objective
from tandem.models.objectives.pico import Pico
from tandem.models.objectives.self_distillation import SelfDistillation
from tandem.models.objectives.task_loss import TaskLoss
from tandem.models.objectives.tower_pico import TowerPico
from tandem.models.settings import ModelSettings
from tandem.models.steps.bilevel import BilevelStep
from tandem.models.steps.fine_tune import FineTuneStep
from tandem.models.steps.meta import MetaStep
from tandem.models.steps.plain import PlainStep
from tandem.models.steps.step import Step
from tandem.models.tasks import TaskGraph


@dataclass(frozen=True)
class Recipe:
    """A system: its network's backbone, the tasks' own losses, and the objectives that are added to them.

    Attributes:
      summary: "Name: what it is", for `tandem models`.
      backbone: The architecture.
      objectives: By the name under which `model.objectives` sets them up.
      task_loss: The supervised loss of the tasks; takes no settings.
      shared_embeddings: Whether all tasks read the same embeddings; if not, each has its own, and the backbone is
        called with an input per task.
      joint_heads: Whether the network's heads answer for the whole chain up to their task.
      balancer: How the losses are added up.
      steps: The stages of training, by the name under which `model.steps` sets them up.
    """

    summary: str
    backbone: type[Backbone]
    objectives: tuple[tuple[str, type[Objective]], ...] = ()
    task_loss: type[Objective] = TaskLoss
    shared_embeddings: bool = True
    joint_heads: bool = False
    balancer: type[Balancer] = FixedWeights
    steps: tuple[tuple[str, type[Step]], ...] = (("plain", PlainStep),)


PICO = ("pico", Pico)
TOWER_PICO = ("tower_pico", TowerPico)
CALIBRATOR = ("calibrator", Calibrator)
SELF_DISTILLATION = ("self_distillation", SelfDistillation)

SYSTEMS = {
    "single_dnn": Recipe("Single-DNN: a network and embeddings per task", SingleDNN, shared_embeddings=False),
    "shared_bottom": Recipe("Shared-Bottom: one network below all towers", SharedBottom),
    "cross_stitch": Recipe("Cross-Stitch: a network per task, mixed after every layer", CrossStitch),
    "omoe": Recipe("OMoE: shared experts, weighed by one gate for all tasks", OMoE),
    "mmoe": Recipe("MMoE: shared experts, weighed by a gate per task", MMoE),
    "ple": Recipe("PLE: shared experts and experts of each task, extracted in levels", PLE),
    "esmm": Recipe(
        "ESMM: a network per task, joint probabilities learned over all rows", SingleDNN, task_loss=EntireSpaceLoss
    ),
    "aitm": Recipe(
        "AITM: a task's state reaches the tasks given it by attention; calibrated",
        AITM,
        (CALIBRATOR,),
        task_loss=JointLoss,
        joint_heads=True,
    ),
    "autoheri": Recipe(
        "AutoHERI: a task's layers read layers of the tasks it is given; which ones is searched for, then fixed",
        AutoHERI,
        task_loss=EntireSpaceLoss,
        steps=(("search", BilevelStep), ("plain", PlainStep)),
    ),
    "taml": Recipe(
        "TAML: experts of three levels, several learners per task that teach each other",
        TAML,
        (SELF_DISTILLATION,),
        task_loss=EntireSpaceLoss,
    ),
    "man": Recipe(
        "MAN: shared and task experts, attention between tasks; meta-learned, then fine-tuned above",
        MAN,
        balancer=UncertaintyWeights,
        steps=(("meta", MetaStep), ("fine_tune", FineTuneStep)),
    ),
}


def _with(recipe: Recipe, objective: tuple[str, type[Objective]], words: str) -> Recipe:
    """Returns the recipe with an objective added."""
    system = recipe.summary.partition(":")[0]
    return replace(recipe, summary=f"{system} trained with {words}", objectives=(*recipe.objectives, objective))


RECIPES = (
    SYSTEMS
    | {f"{name}_pico": _with(recipe, PICO, "PICO's inter-task contrast") for name, recipe in SYSTEMS.items()}
    # On the backbones that it was studied on.
    | {
        f"{name}_tower_pico": _with(SYSTEMS[name], TOWER_PICO, "PICO held above the shared layers: towers only")
        for name in ("shared_bottom", "mmoe", "ple")
    }
)


def check(settings: ModelSettings, graph: TaskGraph) -> None:
    """Refuses model settings that cannot be built.

    Raises:
      ValueError: Naming the key, what was received and what is allowed.
    """
    recipe = _recipe(settings.recipe)
    _settings(recipe.backbone, settings.backbone, "model.backbone")
    for name, objective in recipe.objectives:
        given = _settings(objective, settings.objectives.get(name, {}), f"model.objectives.{name}")
        objective.check(graph, given, len(settings.tower_layers))
    _settings(recipe.balancer, settings.balancer, "model.balancer")
    _refuse_unknown("objectives", settings.objectives, settings.recipe, recipe.objectives)
    _refuse_unknown("steps", settings.steps, settings.recipe, recipe.steps)
    if not any(
        step.trains_embeddings and getattr(step.settings, "share", None) != 0 for step in _steps(settings, graph)
    ):
        raise ValueError(
            f"model.steps: got {settings.steps}, with which no stage trains the embeddings and the layers above them; "
            f"the stages of recipe '{settings.recipe}' are {[name for name, _ in recipe.steps]}"
        )


def build(settings: ModelSettings, graph: TaskGraph, layout: FeatureLayout, tokens: int) -> Learner:
    """Builds a system, ready to be compiled and trained; `learner.network` is what gets exported.

    Args:
      settings: The recipe and its sizes.
      graph: The tasks.
      layout: Where the features stand.
      tokens: Number of tokens in the vocabulary file.

    Raises:
      ValueError: As `check`.
    """
    check(settings, graph)
    recipe = _recipe(settings.recipe)
    rows, tables = layout.first_token_row + tokens, 1 if recipe.shared_embeddings else len(graph)
    encoder = Encoder(layout, rows, settings.embedding_dim, settings.cross_layers, tables)
    backbone = recipe.backbone(graph, _settings(recipe.backbone, settings.backbone, "model.backbone"))
    objectives = [recipe.task_loss(graph, recipe.task_loss.Settings())]
    for name, objective in recipe.objectives:
        given = _settings(objective, settings.objectives.get(name, {}), f"model.objectives.{name}")
        objectives.append(objective(graph, given))
    network = Network(graph, encoder, backbone, settings, recipe.joint_heads)
    balancer = recipe.balancer(graph, _settings(recipe.balancer, settings.balancer, "model.balancer"))
    return Learner(network, graph, objectives, balancer, _steps(settings, graph), settings.embedding_l2)


def _recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise ValueError(f"model.recipe: got '{name}', there are {sorted(RECIPES)}")
    return RECIPES[name]


def _steps(settings: ModelSettings, graph: TaskGraph) -> list[Step]:
    """Makes the stages of training."""
    return [
        step(graph, _settings(step, settings.steps.get(name, {}), f"model.steps.{name}"))
        for name, step in _recipe(settings.recipe).steps
    ]


def _refuse_unknown(kind: str, given: Collection[str], recipe: str, known: Sequence[tuple[str, Any]]) -> None:
    """Refuses settings for what the recipe does not have."""
    names = [name for name, _ in known]
    if unknown := sorted(set(given) - set(names)):
        raise ValueError(f"model.{kind}: recipe '{recipe}' has {names}, got settings for {unknown}")


def _settings(owner: Any, given: dict[str, Any], place: str) -> BaseModel:
    """Validates settings against the class that uses them, and says where they stand."""
    try:
        return owner.Settings.model_validate(given)
    except ValidationError as error:
        problems = []
        for problem in error.errors():
            key = ".".join([place, *(str(part) for part in problem["loc"])])
            problems.append(f"{key}: got {problem['input']!r}: {problem['msg']}")
        raise ValueError(f"{'; '.join(problems)}; allowed keys: {sorted(owner.Settings.model_fields)}") from None
