"""PLE: shared experts and experts of each task, extracted in levels."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tf_keras as keras
from pydantic import BaseModel, Field, model_validator

from models.backbones.backbone import Backbone, States
from models.layers.experts import Experts, mix
from models.settings import LayerSizes
from models.tasks import TaskGraph


def all_experts_gates(gates: tf.Tensor, shared_experts: int) -> tf.Tensor:
    """Spreads the tasks' gates over the experts of all tasks, so that one product mixes for every task.

    Args:
      gates: [B, T, S + K]: weights of the S shared experts, then of the task's own K.
      shared_experts: S.

    Returns:
      [B, T, S + T * K]: weights of the shared experts, then of every task's own; 0 for the experts of other tasks.
    """
    tasks, own_experts = gates.shape[1], gates.shape[2] - shared_experts
    if not own_experts:
        return gates
    own = gates[:, :, None, shared_experts:] * tf.eye(tasks, dtype=gates.dtype)[None, :, :, None]  # [B, T, T, K]
    return tf.concat([gates[:, :, :shared_experts], tf.reshape(own, [-1, tasks, tasks * own_experts])], axis=2)


class Extraction(keras.layers.Layer):
    """One level: customized gate control (section 4.1) and, below another level, the gate of the shared part (4.2).

    The experts stand in the order: shared, then those of the first task, of the second, and so on.

    Args:
      tasks: Number of tasks, T.
      settings: Number and sizes of the experts.
      first: Whether it is the lowest level, where every part reads the same, so that one product serves all.
      last: Whether it is the highest one, above which no shared part is needed.
    """

    def __init__(self, tasks: int, settings: PLE.Settings, first: bool, last: bool, name: str | None = None):
        super().__init__(name=name)
        self._tasks = tasks
        self._shared, own = settings.shared_experts, settings.task_experts
        self._seen_by_task = self._shared + own
        every = self._shared + tasks * own
        counts = [self._shared, *([own] * tasks)]
        # One layer per part (shared, first task, ...), or a single one that reads for all.
        self._experts = [
            Experts(count, settings.expert_layers, name=f"experts_{part}") if count else None
            for part, count in enumerate([every] if first else counts)
        ]
        self._gates = [
            keras.layers.Dense(size, name=f"gates_{part}")
            for part, size in enumerate([tasks * self._seen_by_task] if first else [self._seen_by_task] * tasks)
        ]
        self._shared_gate = None
        if self._shared and not last:
            self._shared_gate = keras.layers.Dense(every, activation="softmax", name="shared_gate")

    def call(self, shared: tf.Tensor, of_tasks: Sequence[tf.Tensor]) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Extracts one level.

        Args:
          shared: What the shared part reads, [B, H].
          of_tasks: What each task's part reads, [B, H]; none in the first level, where all read `shared`.

        Returns:
          The mixed experts of each task, [B, H], and of the shared part if another level follows; the tasks' gates,
          [B, T, S + K].
        """
        parts = zip(self._experts, (shared, *of_tasks), strict=True)
        experts = tf.concat([layer(x) for layer, x in parts if layer is not None], axis=1)  # [B, S + T * K, H]
        scores = [layer(x) for layer, x in zip(self._gates, of_tasks or (shared,), strict=True)]
        gates = tf.nn.softmax(tf.reshape(tf.concat(scores, axis=1), [-1, self._tasks, self._seen_by_task]))
        spread = all_experts_gates(gates, self._shared)
        if self._shared_gate is not None:
            spread = tf.concat([spread, self._shared_gate(shared)[:, None]], axis=1)
        return tf.unstack(mix(experts, spread), axis=1), gates


class PLE(Backbone):
    """Progressive layered extraction (Tang et al., RecSys 2020); with one level, customized gate control (CGC).

    In every level a task's gate weighs the shared experts and the task's own; the shared part, which the next level's
    shared experts read, weighs the experts of all. Each gate reads what its part has extracted in the level below.

    `aux["gate/<task>"]` holds the last level's gates, [B, shared_experts + task_experts], shared experts first;
    `aux["gate_groups/<task>"]` their sums over the shared experts and over the task's own, [B, 2].
    """

    class Settings(BaseModel, extra="forbid", frozen=True):
        """Number and sizes of the experts.

        Attributes:
          levels: Extraction levels.
          shared_experts: Shared experts of a level.
          task_experts: Experts of each task in a level.
          expert_layers: Units of each layer of an expert.
        """

        levels: int = Field(default=2, ge=1)
        shared_experts: int = Field(default=1, ge=0)
        task_experts: int = Field(default=1, ge=0)
        expert_layers: LayerSizes = (64,)

        @model_validator(mode="after")
        def _some_expert(self) -> PLE.Settings:
            if not self.shared_experts + self.task_experts:
                raise ValueError("shared_experts and task_experts are both 0; a task needs an expert")
            return self

    def __init__(self, graph: TaskGraph, settings: PLE.Settings):
        super().__init__(graph, settings)
        self._levels = [
            Extraction(len(graph), settings, first=level == 0, last=level == settings.levels - 1, name=f"level_{level}")
            for level in range(settings.levels)
        ]

    def call(self, x: tf.Tensor, training: bool = False) -> States:
        """Maps [B, D] to [B, expert_layers[-1]] per task."""
        parts, gates = self._levels[0](x, ())
        for level in self._levels[1:]:
            parts, gates = level(parts[-1], parts[: len(self.tasks)])
        shared, own = gates[:, :, : self.settings.shared_experts], gates[:, :, self.settings.shared_experts :]
        groups = tf.stack([tf.reduce_sum(shared, axis=2), tf.reduce_sum(own, axis=2)], axis=2)  # [B, T, 2]
        return States(
            dict(zip(self.tasks, parts, strict=True)),
            {f"gate/{task}": gates[:, index] for index, task in enumerate(self.tasks)}
            | {f"gate_groups/{task}": groups[:, index] for index, task in enumerate(self.tasks)},
        )
