"""PICO held above the shared layers: a variant that cannot take anything from the other tasks."""

from __future__ import annotations

from tandem.models.objectives.pico import Pico
from tandem.models.objectives.settings import TowerPicoSettings


class TowerPico(Pico):
    """PICO's two losses, with what they may train narrowed down to a tower and the relevance networks.

    In the paper both losses reach the shared layers. Labels of a funnel are nested, so "both labels are equal" mostly
    means "no click", and the relevance loss teaches the shared layers clicks once more; the contrast's gradient grows
    as 1 / |h| and can outweigh the sparse task's own. Here the relevance loss teaches its own networks only, and the
    contrast only the tower of the pair's second task, which learns from the first one's tower as it stands. All
    gradients of the shared layers and of every other tower are those of the backbone alone.
    """

    Settings = TowerPicoSettings
