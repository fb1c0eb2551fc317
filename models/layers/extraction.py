"""Extraction: shared experts and experts of each task, weighed by a gate per task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf
import tf_keras as keras

from tandem.models.layers.experts import Experts, mix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.models.settings import LayerSizes


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


def gates_aux(gates: tf.Tensor, shared_experts: int, tasks: Sequence[str]) -> dict[str, tf.Tensor]:
    """Names the gates for reports.

    Args:
      gates: [B, T, S + K]: weights of the S shared experts, then of the task's own K.
      shared_experts: S.
      tasks: Their names.

    Returns:
      `gate/<task>`, [B, S + K], and `gate_groups/<task>`, its sums over the shared experts and the task's own, [B, 2].
    """
    parts = (gates[:, :, :shared_experts], gates[:, :, shared_experts:])
    groups = tf.stack([tf.reduce_sum(part, axis=2) for part in parts], axis=2)  # [B, T, 2]
    return {f"gate/{task}": gates[:, index] for index, task in enumerate(tasks)} | {
        f"gate_groups/{task}": groups[:, index] for index, task in enumerate(tasks)
    }


class Extraction(keras.layers.Layer):
    """One level of PLE (Tang et al., RecSys 2020): a task's gate weighs the shared experts and the task's own.

    That is customized gate control (section 4.1); below another level the shared part has a gate, too (4.2). The
    experts stand in the order: shared, then those of the first task, of the second, and so on.

    Args:
      tasks: Number of tasks, T.
      shared_experts: Number of shared experts, S.
      task_experts: Number of experts of each task, K.
      expert_layers: Units of each layer of an expert.
      first: Whether it is the lowest level, where every part reads the same, so that one product serves all.
      last: Whether it is the highest one, above which no shared part is needed.
    """

    def __init__(
        self,
        tasks: int,
        shared_experts: int,
        task_experts: int,
        expert_layers: LayerSizes,
        first: bool = True,
        last: bool = True,
        name: str | None = None,
    ):
        super().__init__(name=name)
        self._tasks = tasks
        self._shared = shared_experts
        self._seen_by_task = shared_experts + task_experts
        every = shared_experts + tasks * task_experts
        counts = [shared_experts, *([task_experts] * tasks)]
        # One layer per part (shared, first task, ...), or a single one that reads for all.
        self._experts = [
            Experts(count, expert_layers, name=f"experts_{part}") if count else None
            for part, count in enumerate([every] if first else counts)
        ]
        self._gates = [
            keras.layers.Dense(size, name=f"gates_{part}")
            for part, size in enumerate([tasks * self._seen_by_task] if first else [self._seen_by_task] * tasks)
        ]
        self._shared_gate = None
        if shared_experts and not last:
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
