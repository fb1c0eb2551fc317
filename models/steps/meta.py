"""MAML's step: the gradient of what the losses are after a step of adaptation."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import tensorflow as tf

from tandem.models.layout import IDS
from tandem.models.steps.settings import MetaStepSettings
from tandem.models.steps.step import Gradients, Losses, Step

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tandem.models.batch import Batch

Values = dict[str, tf.Tensor]
"""Losses before their weights, by name."""


def of_this_replica(variable: tf.Variable) -> tf.Variable:
    """Returns the copy of a variable that the present replica computes with; without replicas, the variable."""
    context = tf.distribute.get_replica_context()
    copies = context.strategy.experimental_local_results(variable)
    return copies[int(tf.get_static_value(context.replica_id_in_sync_group)) % len(copies)]


@contextlib.contextmanager
def moved(variables: Sequence[tf.Variable], values: Sequence[tf.Tensor]) -> Iterator[None]:
    """Gives variables other values for a while, on this replica, and then exactly their own again."""
    copies = [of_this_replica(variable) for variable in variables]
    before = [copy.read_value() for copy in copies]
    try:
        for copy, value in zip(copies, values, strict=True):
            copy.assign(value)
        yield
    finally:
        for copy, value in zip(copies, before, strict=True):
            copy.assign(value)


def summed_over_equal(values: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
    """Gives every position the sum over all positions of the same id.

    Args:
      values: [..., E], of n positions.
      numbers: By position the number of its id, [n].

    Returns:
      The shape of `values`.
    """
    count = tf.size(numbers)
    sums = tf.math.unsorted_segment_sum(tf.reshape(values, [count, values.shape[-1]]), numbers, count)
    return tf.reshape(tf.gather(sums, numbers), tf.shape(values))


class _Parameters:
    """All that is trained, at a batch whose losses are taken over some of its rows at some values of the parameters.

    Attributes:
      theta: The parameters: variables, and after them the embeddings of the batch, if it has any.
    """

    def __init__(
        self,
        learner: Losses,
        variables: Sequence[tf.Variable],
        batch: Batch,
        vectors: tf.Tensor | None,
    ):
        self._learner = learner
        self._variables = list(variables)
        self._batch = batch
        self._numbers = None if vectors is None else tf.unique(tf.reshape(batch.features[IDS], [-1])).idx
        self.theta = [*variables, *([] if vectors is None else [vectors])]

    def gradient(self, rows: slice) -> tuple[Values, list[tf.Tensor]]:
        """Returns the losses over some rows, and the gradient of their sum by `theta`."""
        return self._gradient(rows, self.theta[len(self._variables) :])

    def gradient_at(self, values: Sequence[tf.Tensor], rows: slice) -> tuple[Values, list[tf.Tensor]]:
        """Returns the same where `theta` has other values."""
        count = len(self._variables)
        with moved(self._variables, values[:count]):
            return self._gradient(rows, values[count:])

    def _gradient(self, rows: slice, embeddings: Sequence[tf.Tensor]) -> tuple[Values, list[tf.Tensor]]:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            parameters = [*self._variables, *embeddings]
            tape.watch(parameters)
            vectors = embeddings[0][rows] if embeddings else None
            losses = self._learner.losses_of(self._batch.part(rows), training=True, vectors=vectors)
            total = self._learner.total(losses)
        gradient = tape.gradient(total, parameters, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        return {name: loss.value for name, loss in losses.items()}, gradient

    def tied(self, of_theta: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Takes positions of the same id for the one parameter that they are: each gets the sum over all of them."""
        if self._numbers is None:
            return list(of_theta)
        return [*of_theta[:-1], summed_over_equal(of_theta[-1], self._numbers)]


class MetaStep(Step):
    """Model-agnostic meta-learning (Finn et al., ICML 2017), as in MAN's algorithm 1.

    For a task with a support set S and a query set Q, and g_S the gradient of the loss over S:

      theta' = theta - a g_S(theta)                                                  line 6
      g      = (I - a J)^T v  with  v = g_Q(theta')  and  J = d g_S / d theta        line 8

    g is the exact gradient of L_Q(theta') by theta: v comes from a pass at theta', and J^T v from the tape that has
    recorded g_S, so no Hessian is ever formed. First-order MAML takes g = v.

    What a task is. The paper samples training and test tasks from the space of its samples, and the loss is eq. 3's sum
    over click and conversion; neither of these two can be meant, since no other one would be left to test on. So a task
    of the algorithm is a set of rows with all our tasks' losses. A batch of shuffled rows makes two (line 3): each half
    is the support set once and the query set once, so every row is learned from. They are averaged where the paper
    sums, so that a learning rate means the same as in other steps.

    theta is everything that is trained: the network, the embeddings, and what only training has (the losses' weights,
    say). A row of the table is one parameter, although `vectors` holds it at several positions: its adaptation adds up
    what its positions contribute, and reaches all of them.

    The losses reported are those of the query sets, after adaptation.

    XLA does not compile it: how many ids are different has no static shape, and ways around that gain nothing. With a
    numbering of static shape a step took as long as without XLA (334 and 389 ms with the paper's sizes on two shared
    cores, 62 and 49 ms with small ones), and compiling took three times as long.
    """

    compilable = False

    Settings = MetaStepSettings

    def gradients(self, learner: Losses, batch: Batch, vectors: tf.Tensor | None) -> Gradients:
        """Computes the gradients of one batch."""
        parameters = _Parameters(learner, self.trained(learner), batch, vectors)
        half = tf.shape(batch.labels)[0] // 2
        first, second = slice(0, tf.maximum(half, 1)), slice(half, None)  # A row that is alone is in both.
        tasks = self._after_adapting(parameters, first, second), self._after_adapting(parameters, second, first)
        losses, of_theta = tf.nest.map_structure(lambda one, other: (one + other) / 2, *tasks)
        if vectors is None:
            return Gradients(losses, None, of_theta)
        return Gradients(losses, of_theta[-1], of_theta[:-1])

    def _after_adapting(self, parameters: _Parameters, support: slice, query: slice) -> tuple[Values, list[tf.Tensor]]:
        """Returns the query set's losses at theta', and the gradient of their sum by theta."""
        rate = self.settings.inner_learning_rate
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(parameters.theta)
            _, of_support = parameters.gradient(support)
        adapted = [
            value - rate * slope for value, slope in zip(parameters.theta, parameters.tied(of_support), strict=True)
        ]
        losses, of_query = parameters.gradient_at(adapted, query)
        if not self.settings.second_order:
            return losses, of_query
        through = tape.gradient(
            of_support,
            parameters.theta,
            output_gradients=parameters.tied(of_query),
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return losses, [direct - rate * bent for direct, bent in zip(of_query, through, strict=True)]
