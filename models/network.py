"""The network: encoder, backbone, towers of the tasks. It is what gets exported, and all that gets exported."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import tensorflow as tf
import tf_keras as keras

from tandem.models.layers.mlp import MLP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tandem.models.backbones.backbone import Backbone, States
    from tandem.models.encoder import Encoder
    from tandem.models.settings import ModelSettings
    from tandem.models.tasks import TaskGraph

# The largest float32 steps below 1 are near 6e-8; this leaves a probability below 1 after rounding.
MOST_GIVEN_PARENT = 1 - 1e-6


@dataclass(frozen=True)
class Forward:
    """One pass through the network: what a training objective may look at.

    Attributes:
      embedded: Concatenated embeddings (of all tasks, where each has its own) and numbers before any layer, [B, D].
      states: The backbone's answer: by task [B, H], and its aux tensors.
      tower_layers: By task, the output of each hidden layer of its tower, [B, size]; the mean of its towers', where a
        task has several learners, as its logit is their mean.
      logits: By task, [B]: log-odds of its label given that the parent's is 1; of a network with joint heads, log-odds
        of its label and its ancestors' together.
      learner_logits: By task, what its learners say, whose mean is the logit, [B, L]; empty where a task has one
        learner.
      tower_inputs: By task, what each of its towers reads, [B, H].
      towers: By task, its towers: one, or one per learner.
      training: Whether dropout is on.
    """

    embedded: tf.Tensor
    states: States
    tower_layers: dict[str, list[tf.Tensor]]
    logits: dict[str, tf.Tensor]
    learner_logits: dict[str, tf.Tensor] = field(default_factory=dict)
    tower_inputs: dict[str, list[tf.Tensor]] = field(default_factory=dict)
    towers: dict[str, list[MLP]] = field(default_factory=dict)
    training: bool = False

    def detached_tower_layers(self, task: str) -> list[tf.Tensor]:
        """Computes a task's `tower_layers` once more, in such a way that gradients end at what the towers read.

        It is for objectives that train the towers alone. With dropout, it is another draw.
        """
        inputs = [tf.stop_gradient(each) for each in self.tower_inputs[task]]
        return mean_layers(self.towers[task], inputs, self.training)


class Network(keras.Model):
    """Maps features to the probability of every output.

    Args:
      graph: The tasks.
      encoder: Features -> [B, D].
      backbone: [B, D] -> a state per task.
      settings: Sizes of the towers.
      joint_heads: Whether a head answers for the whole chain up to its task, instead of given its parent.
    """

    def __init__(
        self,
        graph: TaskGraph,
        encoder: Encoder,
        backbone: Backbone,
        settings: ModelSettings,
        joint_heads: bool = False,
    ):
        super().__init__(name="network")
        self._joint_heads = joint_heads
        self._graph = graph
        self._encoder = encoder
        self._backbone = backbone
        self._learners = {
            name: [f"{name}_{index}" for index in range(backbone.learners)] if backbone.learners > 1 else [name]
            for name in graph.names
        }
        names = [learner for learners in self._learners.values() for learner in learners]
        self._towers = {name: MLP(settings.tower_layers, settings.dropout, name=f"{name}_tower") for name in names}
        self._heads = {name: keras.layers.Dense(1, name=f"{name}_logit") for name in names}

    @property
    def encoder(self) -> Encoder:
        """The encoder."""
        return self._encoder

    @property
    def backbone(self) -> Backbone:
        """The backbone."""
        return self._backbone

    @property
    def upper_variables(self) -> list[tf.Variable]:
        """The trained variables of what stands above the shared layers: of towers, heads, and some backbones' tops."""
        parts = [*self._towers.values(), *self._heads.values()]
        return [*self._backbone.upper_variables, *(v for part in parts for v in part.trainable_variables)]

    def forward(
        self, features: Mapping[str, tf.Tensor], training: bool = False, vectors: tf.Tensor | None = None
    ) -> Forward:
        """Runs the network and keeps what is inside.

        Args:
          features: `ids` int [B, W] and `numbers` float [B, n], as `tandem.models.preprocessing` gives them.
          training: Whether dropout is on.
          vectors: The embeddings of the ids where they have been looked up (see `Encoder.call`).
        """
        embedded, x = self._encoder(features, vectors)
        states = self._backbone(x, training=training)
        inputs = states.by_learner or {task: [state] for task, state in states.by_task.items()}
        by_learner = {
            name: self._towers[name].hidden(state, training)
            for task, learners in self._learners.items()
            for name, state in zip(learners, inputs[task], strict=True)
        }
        tower_layers = {task: _mean([by_learner[name] for name in names]) for task, names in self._learners.items()}
        learner_logits: dict[str, tf.Tensor] = {}
        if states.by_learner is None:
            logits = {name: tf.squeeze(head(by_learner[name][-1]), axis=1) for name, head in self._heads.items()}
        else:
            learner_logits = {
                task: tf.concat([self._heads[name](by_learner[name][-1]) for name in learners], axis=1)
                for task, learners in self._learners.items()
            }
            logits = {task: tf.reduce_mean(each, axis=1) for task, each in learner_logits.items()}
        towers = {task: [self._towers[name] for name in learners] for task, learners in self._learners.items()}
        return Forward(embedded, states, tower_layers, logits, learner_logits, inputs, towers, training)

    def call(self, features: Mapping[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the probability of every output (see `TaskGraph.outputs`), float32 [B]."""
        logits = self.forward(features, training).logits
        own = {name: tf.sigmoid(logit) for name, logit in logits.items()}
        if self._joint_heads:
            own = self._given_parent(own)
        return self._graph.probabilities(own)

    def _given_parent(self, joint: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Divides what joint heads answer, so that the outputs fit together: the product along a chain is the joint.

        Nothing but the calibrator's loss keeps a joint probability below its parent's. Where it is above, it counts as
        (just below) the parent's.
        """
        own: dict[str, tf.Tensor] = {}
        bounded: dict[str, tf.Tensor] = {}
        for task in self._graph:
            own[task.name] = bounded[task.name] = joint[task.name]
            if task.given is not None:
                own[task.name] = tf.minimum(
                    tf.math.divide_no_nan(joint[task.name], bounded[task.given]), MOST_GIVEN_PARENT
                )
                bounded[task.name] = bounded[task.given] * own[task.name]
        return own

    def set_base_rates(self, rates: Mapping[str, float]) -> None:
        """Starts every task at its base rate, so that the first steps do not go into learning a constant.

        Args:
          rates: By task name, the share of positives among the rows that `Task.train_on` names.
        """
        if self._joint_heads:
            rates = self._joint_rates(rates)
        for name, rate in rates.items():
            bounded = min(max(rate, 1e-6), 1 - 1e-6)
            for learner in self._learners[name]:
                self._heads[learner].bias.assign(tf.math.log([bounded / (1 - bounded)]))

    def _joint_rates(self, rates: Mapping[str, float]) -> dict[str, float]:
        """Turns the rates of `set_base_rates` into rates over all rows."""
        joint: dict[str, float] = {}
        for task in self._graph:
            joint[task.name] = rates[task.name]
            if task.given is not None and task.train_on == "parent_positives":
                joint[task.name] *= joint[task.given]
        return joint


def mean_layers(towers: Sequence[MLP], inputs: Sequence[tf.Tensor], training: bool) -> list[tf.Tensor]:
    """Returns the output of each hidden layer, the mean over towers.

    Args:
      towers: Of one task.
      inputs: What each of them reads, [B, H].
      training: Whether dropout is on.
    """
    return _mean([tower.hidden(state, training) for tower, state in zip(towers, inputs, strict=True)])


def _mean(layers: list[list[tf.Tensor]]) -> list[tf.Tensor]:
    """The mean over towers, layer by layer."""
    if len(layers) == 1:
        return layers[0]
    return [tf.add_n(each) / len(each) for each in zip(*layers, strict=True)]
