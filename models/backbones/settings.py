"""What a user says about a backbone: `model.backbone`. Reading it imports no TensorFlow."""

from __future__ import annotations

from pydantic import Field, model_validator

from tandem.models.settings import LayerSizes
from tandem.settings import Settings


class BackboneSettings(Settings):
    """What the settings of all backbones have in common: nothing."""


class SharedBottomSettings(BackboneSettings):
    """Sizes of the network below all towers."""

    layers: LayerSizes = (64,)
    """Units of the layers that all tasks share; PICO's paper shares the first one only."""


class SingleDNNSettings(BackboneSettings):
    """Sizes of every task's network."""

    layers: LayerSizes = (64,)
    """Units of the layers of each task's network, below its tower."""


class CrossStitchSettings(BackboneSettings):
    """Sizes of the networks, and where the mixing starts."""

    layers: LayerSizes = (64, 64)
    """Units of the layers of each task's network; after each, the tasks are mixed."""

    alpha_same: float = 0.9
    """What a task takes from its own layer at the start."""

    alpha_different: float = 0.1
    """What it takes from all other tasks' layers together at the start."""


class OMoESettings(BackboneSettings):
    """Number and sizes of the experts; the defaults are those of the PICO paper."""

    experts: int = Field(default=3, ge=1)
    """Number of experts, all of which are shared."""

    expert_layers: LayerSizes = (64,)
    """Units of the layers of an expert."""


class MMoESettings(BackboneSettings):
    """Number and sizes of the experts; the defaults are those of the PICO paper."""

    experts: int = Field(default=3, ge=1)
    """Number of experts, all of which are shared."""

    expert_layers: LayerSizes = (64,)
    """Units of the layers of an expert."""


class PLESettings(BackboneSettings):
    """Number and sizes of the experts."""

    levels: int = Field(default=2, ge=1)
    """Extraction levels, one above the other."""

    shared_experts: int = Field(default=1, ge=0)
    """Experts of a level that all tasks read."""

    task_experts: int = Field(default=1, ge=0)
    """Experts of each task in a level."""

    expert_layers: LayerSizes = (64,)
    """Units of the layers of an expert."""

    @model_validator(mode="after")
    def _some_expert(self) -> PLESettings:
        if not self.shared_experts + self.task_experts:
            raise ValueError("shared_experts and task_experts are both 0; a task needs an expert")
        return self


class AITMSettings(BackboneSettings):
    """Sizes of every task's own network."""

    layers: LayerSizes = (64,)
    """Units of the layers of each task's network; what is transferred has the size of the last."""


class AutoHERISettings(BackboneSettings):
    """Sizes of every task's network."""

    layers: LayerSizes = (64, 64)
    """Units of the layers of each task's network, all of which take part in the search: each may read every layer of
    the networks of the tasks that its task is given.
    """


class TAMLSettings(BackboneSettings):
    """Number and sizes of the experts, number of learners.

    The defaults are the paper's as read here: every learner sees three experts of one layer of 64, one of each group.
    `learners: 1` and `learner_experts: 0` are its ablations (section 3.5). Its learners are towers of 64 and 32 units
    (`model.tower_layers`).
    """

    general_experts: int = Field(default=1, ge=0)
    """Experts that all learners read."""

    task_experts: int = Field(default=1, ge=0)
    """Experts of each task, read by its learners."""

    learner_experts: int = Field(default=1, ge=0)
    """Experts of each learner, read by no other."""

    expert_layers: LayerSizes = (64,)
    """Units of the layers of an expert."""

    learners: int = Field(default=2, ge=1)
    """Learners (towers) of each task, whose logit is their mean."""

    @model_validator(mode="after")
    def _some_expert(self) -> TAMLSettings:
        if not self.general_experts + self.task_experts + self.learner_experts:
            raise ValueError("general_experts, task_experts and learner_experts are all 0; a learner needs an expert")
        return self


class MANSettings(BackboneSettings):
    """Number and sizes of the experts; the defaults are the paper's.

    Its towers, 128-16-32, are `model.tower_layers`.
    """

    shared_experts: int = Field(default=4, ge=0)
    """Experts that all tasks read."""

    task_experts: int = Field(default=4, ge=1)
    """Experts of each task."""

    expert_layers: LayerSizes = (256, 128)
    """Units of the layers of an expert."""

    attention: bool = True
    """Whether a task attends to the one it is given and to those given it. Without, an ablation of the paper (table 2),
    it is PLE with one level.
    """
