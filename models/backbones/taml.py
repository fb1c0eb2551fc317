"""TAML: experts for all tasks, of each task and of each learner; several learners per task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tandem.models.backbones.backbone import Backbone, States
from tandem.models.backbones.settings import TAMLSettings
from tandem.models.layers.experts import Experts, mix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tandem.models.tasks import TaskGraph


def gates_of_all(gates: list[tf.Tensor], owners: list[NDArray[np.float64]]) -> tf.Tensor:
    """Spreads the learners' gates over the experts of all groups, so that one product mixes for every learner.

    Args:
      gates: By group of experts, the weights of the K experts of it that a learner reads, [B, N, K] for N learners.
      owners: By group, which of its O owners a learner's experts belong to, [N, O], a 1 in every row.

    Returns:
      [B, N, sum of O * K]: every group's experts, owner by owner; 0 for those of other owners.
    """
    spread = []
    for gate, owner in zip(gates, owners, strict=True):
        if not gate.shape[2]:  # TensorFlow cannot infer a size beside a 0.
            continue
        own = gate[:, :, None, :] * tf.constant(owner, gate.dtype)[None, :, :, None]  # [B, N, O, K]
        spread.append(tf.reshape(own, [-1, owner.shape[0], owner.shape[1] * gate.shape[2]]))
    return tf.concat(spread, axis=2)


class TAML(Backbone):
    """Task adaptive multi-learner network (Liu et al., WWW 2023), the part below the towers.

    Learner l of task t reads (eq. 1)

      f(x) = sum_i g(x)_i e(x)_i,  g(x) = softmax(W x),

    where e are the general experts, then those of task t, then those of learner l. All of them read the same x: one
    product computes all experts, one all gates, one all mixtures. The gates have a bias, as everywhere here; the paper
    writes none.

    The network gives each learner a tower of its own, and a task the mean of its learners' logits (section 2.3).

    `aux["gate/<task>"]` holds the gates, [B, L, general + task + learner experts]; `aux["gate_groups/<task>"]` what the
    general, the task's and the learner's experts weigh together, [B, 3], averaged over the learners (figure 4).
    """

    Settings = TAMLSettings

    def __init__(self, graph: TaskGraph, settings: TAMLSettings):
        super().__init__(graph, settings)
        self.learners = settings.learners
        tasks, every = len(graph), len(graph) * settings.learners
        self._counts = [settings.general_experts, settings.task_experts, settings.learner_experts]
        self._owners = [np.ones((every, 1)), np.repeat(np.eye(tasks), settings.learners, axis=0), np.eye(every)]
        experts = sum(count * owner.shape[1] for count, owner in zip(self._counts, self._owners, strict=True))
        self._experts = Experts(experts, settings.expert_layers, name="experts")
        self._gates = keras.layers.Dense(every * sum(self._counts), name="gates")

    def call(self, x: tf.Tensor, training: bool = False) -> States:
        """Maps [B, D] to [B, expert_layers[-1]] per learner."""
        tasks, learners = len(self.tasks), self.learners
        gates = tf.nn.softmax(tf.reshape(self._gates(x), [-1, tasks * learners, sum(self._counts)]))
        of_groups = tf.split(gates, self._counts, axis=2)
        mixed = mix(self._experts(x), gates_of_all(of_groups, self._owners))  # [B, T * L, H]
        groups = tf.stack([tf.reduce_sum(gate, axis=2) for gate in of_groups], axis=2)  # [B, T * L, 3]
        groups = tf.reduce_mean(tf.reshape(groups, [-1, tasks, learners, 3]), axis=2)
        aux = {f"gate_groups/{task}": groups[:, index] for index, task in enumerate(self.tasks)}
        states = tf.unstack(mixed, num=tasks * learners, axis=1)
        by_learner = {}
        for index, task in enumerate(self.tasks):
            own = slice(index * learners, (index + 1) * learners)
            aux[f"gate/{task}"] = gates[:, own]
            by_learner[task] = states[own]
        if learners == 1:
            return States({task: state for task, (state,) in by_learner.items()}, aux)
        return States({task: tf.add_n(each) / learners for task, each in by_learner.items()}, aux, by_learner)
