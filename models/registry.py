"""A recipe and settings -> the system, ready to be compiled and trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tandem.models.encoder import Encoder
from tandem.models.learner import Learner
from tandem.models.network import Network
from tandem.models.recipe_check import checked
from tandem.validation.words import validated

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tandem.models.layout import FeatureLayout
    from tandem.models.recipes import Part
    from tandem.models.settings import ModelSettings
    from tandem.models.tasks import TaskGraph
    from tandem.settings import Settings


def build(settings: ModelSettings, graph: TaskGraph, layout: FeatureLayout, tokens: int) -> Learner:
    """Builds a system; `learner.network` is what gets exported.

    Args:
      settings: The recipe and its sizes.
      graph: The tasks.
      layout: Where the features stand.
      tokens: Number of tokens in the vocabulary file.

    Raises:
      ValueError: All that is wrong with the settings, a line each.
    """
    recipe = checked(settings, graph)

    def made(part: Part[Settings], given: Mapping[str, Any]) -> Any:
        return part.load()(graph, validated(part.settings, given))

    rows, tables = layout.first_token_row + tokens, 1 if recipe.shared_embeddings else len(graph)
    encoder = Encoder(layout, rows, settings.embedding_dim, settings.cross_layers, tables)
    backbone = made(recipe.backbone, settings.backbone)
    objectives = [made(recipe.task_loss, {})]
    objectives += [made(part, settings.objectives.get(name, {})) for name, part in recipe.objectives.items()]
    network = Network(graph, encoder, backbone, settings, recipe.joint_heads)
    balancer = made(recipe.balancer, settings.balancer)
    steps = [made(part, settings.steps.get(name, {})) for name, part in recipe.steps.items()]
    return Learner(network, graph, objectives, balancer, steps, settings.embedding_l2)
