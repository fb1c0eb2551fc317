"""PLE: shared experts and experts of each task, extracted in levels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tandem.models.backbones.backbone import Backbone, States
from tandem.models.backbones.settings import PLESettings
from tandem.models.layers.extraction import Extraction, gates_aux

if TYPE_CHECKING:
    import tensorflow as tf

    from tandem.models.tasks import TaskGraph


class PLE(Backbone):
    """Progressive layered extraction (Tang et al., RecSys 2020); with one level, customized gate control (CGC).

    In every level a task's gate weighs the shared experts and the task's own; the shared part, which the next level's
    shared experts read, weighs the experts of all. Each gate reads what its part has extracted in the level below.

    `aux["gate/<task>"]` holds the last level's gates, [B, shared_experts + task_experts], shared experts first;
    `aux["gate_groups/<task>"]` their sums over the shared experts and over the task's own, [B, 2].
    """

    Settings = PLESettings

    def __init__(self, graph: TaskGraph, settings: PLESettings):
        super().__init__(graph, settings)
        self._levels = [
            Extraction(
                len(graph),
                settings.shared_experts,
                settings.task_experts,
                settings.expert_layers,
                first=level == 0,
                last=level == settings.levels - 1,
                name=f"level_{level}",
            )
            for level in range(settings.levels)
        ]

    def call(self, x: tf.Tensor, training: bool = False) -> States:
        """Maps [B, D] to [B, expert_layers[-1]] per task."""
        parts, gates = self._levels[0](x, ())
        for level in self._levels[1:]:
            parts, gates = level(parts[-1], parts[: len(self.tasks)])
        aux = gates_aux(gates, self.settings.shared_experts, self.tasks)
        return States(dict(zip(self.tasks, parts, strict=True)), aux)
