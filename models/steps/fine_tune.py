"""Fine-tuning: the usual step, for the upper part of the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tandem.models.steps.plain import PlainStep
from tandem.models.steps.settings import FineTuneStepSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    import tensorflow as tf

    from tandem.models.steps.step import Losses


class FineTuneStep(PlainStep):
    """The gradient of the sum of all losses, by what stands above the shared layers.

    MAN's second stage goes on with the "high-level information" of the model that the first stage has found. That is
    taken to be what `Network.upper_variables` names: towers, heads, and the attention that fuses the tasks. Embeddings
    and experts stay what they are. What only training has goes on to learn as well: the losses' weights, since the
    losses go on to change, and networks of objectives, which read what the attention gives.

    MAN without meta-training, an ablation of the paper (table 2), is this stage alone, for all parts:
    `model.steps: {meta: {share: 0}, fine_tune: {part: all}}`.
    """

    Settings = FineTuneStepSettings

    def trained(self, learner: Losses) -> Sequence[tf.Variable]:
        """Returns all variables but those of the network's lower part; or all, as the settings say."""
        if self.settings.part == "all":
            return learner.dense_variables
        upper = {variable.ref() for variable in learner.network.upper_variables}
        fixed = {variable.ref() for variable in learner.network.trainable_variables} - upper
        return [variable for variable in learner.dense_variables if variable.ref() not in fixed]
