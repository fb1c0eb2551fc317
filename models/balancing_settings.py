"""What a user says about how the losses are added up: `model.balancer`. Reading it imports no TensorFlow."""

from __future__ import annotations

from tandem.settings import Settings


class BalancerSettings(Settings):
    """What the settings of all balancers have in common: nothing."""


class UncertaintyWeightsSettings(BalancerSettings):
    """The paper's setting by default."""

    learned: bool = True
    """Whether each task's loss is weighed by its learned uncertainty, times `loss_weight`; if not, by `loss_weight`
    alone, as in other recipes.
    """
