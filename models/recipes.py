"""Every system by name: which backbone, trained with which objectives.

The parts are named, not imported: to list the recipes and to check their settings costs no TensorFlow.
`tandem.models.registry` makes a system of a recipe.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tandem.models.backbones import settings as backbone_settings
from tandem.models.balancing_settings import BalancerSettings, UncertaintyWeightsSettings
from tandem.models.objectives import settings as objective_settings
from tandem.models.steps import settings as step_settings
from tandem.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

S_co = TypeVar("S_co", bound=Settings, covariant=True)


@dataclass(frozen=True)
class Part(Generic[S_co]):
    """A part of a system: a class, by a name that imports nothing, and its settings.

    Attributes:
      reference: `module:Class`. The class has the attribute `Settings`, and is made of the tasks and such settings.
      settings: The class of its settings.
    """

    reference: str
    settings: type[S_co]

    @property
    def name(self) -> str:
        """The name of the class."""
        return self.reference.partition(":")[2]

    def load(self) -> Any:
        """Returns the class; this imports TensorFlow."""
        module, _, name = self.reference.partition(":")
        return getattr(importlib.import_module(module), name)


TASK_LOSS = Part("tandem.models.objectives.task_loss:TaskLoss", objective_settings.ObjectiveSettings)
ENTIRE_SPACE_LOSS = Part("tandem.models.objectives.entire_space:EntireSpaceLoss", objective_settings.ObjectiveSettings)
JOINT_LOSS = Part("tandem.models.objectives.joint_loss:JointLoss", objective_settings.ObjectiveSettings)

FIXED_WEIGHTS = Part("tandem.models.balancing:FixedWeights", BalancerSettings)

PLAIN = {"plain": Part("tandem.models.steps.plain:PlainStep", step_settings.StepSettings)}
PICO = {"pico": Part("tandem.models.objectives.pico:Pico", objective_settings.PicoSettings)}
TOWER_PICO = {"tower_pico": Part("tandem.models.objectives.tower_pico:TowerPico", objective_settings.TowerPicoSettings)}
CALIBRATOR = {
    "calibrator": Part("tandem.models.objectives.calibrator:Calibrator", objective_settings.CalibratorSettings)
}
SELF_DISTILLATION = {
    "self_distillation": Part(
        "tandem.models.objectives.self_distillation:SelfDistillation", objective_settings.SelfDistillationSettings
    )
}


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
      steps: The stages of training, one after the other, by the name under which `model.steps` sets them up.
      reads_ages: Whether a part of it reads how old labels are (`tandem.models.batch.Batch.ages`).
    """

    summary: str
    backbone: Part[backbone_settings.BackboneSettings]
    objectives: Mapping[str, Part[objective_settings.ObjectiveSettings]] = field(default_factory=dict)
    task_loss: Part[objective_settings.ObjectiveSettings] = TASK_LOSS
    shared_embeddings: bool = True
    joint_heads: bool = False
    balancer: Part[BalancerSettings] = FIXED_WEIGHTS
    steps: Mapping[str, Part[step_settings.StepSettings]] = field(default_factory=lambda: PLAIN)
    reads_ages: bool = False

    @property
    def single_parts(self) -> dict[str, Part[Settings]]:
        """The parts of which there is one, by the key of `model:` under which their settings stand."""
        return {"backbone": self.backbone, "balancer": self.balancer}

    @property
    def named_parts(self) -> dict[str, Mapping[str, Part[Settings]]]:
        """The parts of which there may be several, by the key of `model:` and their name below it."""
        return {"objectives": self.objectives, "steps": self.steps}

    @property
    def parts(self) -> tuple[Part[Settings], ...]:
        """All parts that a user may set up."""
        return (*self.single_parts.values(), *self.objectives.values(), *self.steps.values())


SYSTEMS = {
    "single_dnn": Recipe(
        "Single-DNN: a network and embeddings per task",
        Part("tandem.models.backbones.single_dnn:SingleDNN", backbone_settings.SingleDNNSettings),
        shared_embeddings=False,
    ),
    "shared_bottom": Recipe(
        "Shared-Bottom: one network below all towers",
        Part("tandem.models.backbones.shared_bottom:SharedBottom", backbone_settings.SharedBottomSettings),
    ),
    "cross_stitch": Recipe(
        "Cross-Stitch: a network per task, mixed after every layer",
        Part("tandem.models.backbones.cross_stitch:CrossStitch", backbone_settings.CrossStitchSettings),
    ),
    "omoe": Recipe(
        "OMoE: shared experts, weighed by one gate for all tasks",
        Part("tandem.models.backbones.omoe:OMoE", backbone_settings.OMoESettings),
    ),
    "mmoe": Recipe(
        "MMoE: shared experts, weighed by a gate per task",
        Part("tandem.models.backbones.mmoe:MMoE", backbone_settings.MMoESettings),
    ),
    "ple": Recipe(
        "PLE: shared experts and experts of each task, extracted in levels",
        Part("tandem.models.backbones.ple:PLE", backbone_settings.PLESettings),
    ),
    "esmm": Recipe(
        "ESMM: a network per task, joint probabilities learned over all rows",
        Part("tandem.models.backbones.single_dnn:SingleDNN", backbone_settings.SingleDNNSettings),
        task_loss=ENTIRE_SPACE_LOSS,
    ),
    "aitm": Recipe(
        "AITM: a task's state reaches the tasks given it by attention; calibrated",
        Part("tandem.models.backbones.aitm:AITM", backbone_settings.AITMSettings),
        CALIBRATOR,
        task_loss=JOINT_LOSS,
        joint_heads=True,
    ),
    "autoheri": Recipe(
        "AutoHERI: a task's layers read layers of the tasks it is given; which ones is searched for, then fixed",
        Part("tandem.models.backbones.autoheri:AutoHERI", backbone_settings.AutoHERISettings),
        task_loss=ENTIRE_SPACE_LOSS,
        steps={"search": Part("tandem.models.steps.bilevel:BilevelStep", step_settings.BilevelStepSettings), **PLAIN},
    ),
    "taml": Recipe(
        "TAML: experts of three levels, several learners per task that teach each other",
        Part("tandem.models.backbones.taml:TAML", backbone_settings.TAMLSettings),
        SELF_DISTILLATION,
        task_loss=ENTIRE_SPACE_LOSS,
    ),
    "man": Recipe(
        "MAN: shared and task experts, attention between tasks; meta-learned, then fine-tuned above",
        Part("tandem.models.backbones.man:MAN", backbone_settings.MANSettings),
        balancer=Part("tandem.models.balancing:UncertaintyWeights", UncertaintyWeightsSettings),
        steps={
            "meta": Part("tandem.models.steps.meta:MetaStep", step_settings.MetaStepSettings),
            "fine_tune": Part("tandem.models.steps.fine_tune:FineTuneStep", step_settings.FineTuneStepSettings),
        },
    ),
}


def _with(recipe: Recipe, objective: Mapping[str, Part[objective_settings.ObjectiveSettings]], words: str) -> Recipe:
    """Returns the recipe with an objective added."""
    system = recipe.summary.partition(":")[0]
    return replace(recipe, summary=f"{system} trained with {words}", objectives={**recipe.objectives, **objective})


RECIPES = (
    SYSTEMS
    | {f"{name}_pico": _with(recipe, PICO, "PICO's inter-task contrast") for name, recipe in SYSTEMS.items()}
    # On the backbones that it was studied on.
    | {
        f"{name}_tower_pico": _with(SYSTEMS[name], TOWER_PICO, "PICO held above the shared layers: towers only")
        for name in ("shared_bottom", "mmoe", "ple")
    }
)
