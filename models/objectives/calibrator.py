"""AITM's behavioral expectation calibrator: a later step is not more probable than the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from tandem.models.objectives.objective import Loss, Objective, Outcomes, weighted_mean
from tandem.models.objectives.settings import CalibratorSettings

if TYPE_CHECKING:
    from tandem.models.network import Forward


class Calibrator(Objective):
    """Penalizes a joint probability above its parent's (AITM; Xi et al., KDD 2021): max(p_child - p_parent, 0).

    The paper has a chain; here every task with a parent has a term, so siblings have one each. It is for networks with
    joint heads only: products along the chain cannot exceed each other.
    """

    Settings = CalibratorSettings

    def losses_of(self, forward: Forward, outcomes: Outcomes) -> dict[str, Loss]:
        """Returns `calibrator/<task>` for every task with a parent, averaged over the batch by the task's weights."""
        joint = {name: tf.sigmoid(logit) for name, logit in forward.logits.items()}
        return {
            f"calibrator/{task.name}": Loss(
                weighted_mean(
                    tf.nn.relu(joint[task.name] - joint[task.given]), outcomes.weight(self.graph.label(task.name))
                ),
                self.settings.weight,
            )
            for task in self.graph
            if task.given is not None
        }
