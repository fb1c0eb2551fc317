"""A batch -> updated variables: embeddings looked up, a step computed, the optimizer applied."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import tensorflow as tf

from tandem.models.batch import Batch
from tandem.models.layout import IDS
from tandem.models.training.optimizers import DistinctRows

if TYPE_CHECKING:
    import tf_keras as keras

    from tandem.models.learner import Learner
    from tandem.models.steps.step import Gradients, Step
    from tandem.models.training.distribution import Replicas

RunSteps = Callable[[Iterator[Batch], tf.Tensor], tf.Tensor]


def compiled_steps(
    learner: Learner,
    step: Step,
    optimizer: keras.optimizers.Optimizer,
    batch_size: int,
    xla: bool,
    replicas: Replicas,
) -> RunSteps:
    """Returns a function that takes so many batches from an iterator and learns from each.

    All of it is one TensorFlow graph, so the calls cost nothing per step. With XLA, what the step computes is compiled
    further, to one program of the network, the losses and their gradients. The embedding table stays outside of it: how
    many different rows a batch has changes from batch to batch, and XLA compiles anew for every shape. For the same
    reason a batch that is smaller than the others, the last of a pass, is computed without XLA.

    AutoGraph is off: nothing here is Python control flow over tensors, and converting the code of Keras and TFRS takes
    longer than training on small logs does.

    Args:
      learner: The system; all its variables exist.
      step: What to compute.
      optimizer: Built for the learner's trainable variables.
      batch_size: Rows of all batches but perhaps a last one.
      xla: Whether XLA is used, where the step allows it.
      replicas: Who computes a step.

    Returns:
      A function of an iterator over batches and their number; it returns the sum over the steps of every loss of
      `learner.loss_names`, float32 [L].
    """

    def compute(batch: Batch, vectors: tf.Tensor | None) -> Gradients:
        return step.gradients(learner, batch, vectors)

    compiled = tf.function(compute, autograph=False, jit_compile=True)

    def gradients(batch: Batch, vectors: tf.Tensor | None) -> Gradients:
        if not (xla and step.compilable and replicas.rows_of(batch_size)):
            return compute(batch, vectors)
        full = tf.equal(tf.shape(batch.labels)[0], replicas.rows_of(batch_size))
        chosen: Gradients = tf.cond(full, lambda: compiled(batch, vectors), lambda: compute(batch, vectors))
        return chosen

    def learn(batch: Batch) -> tf.Tensor:
        encoder = learner.network.encoder
        rows = None if encoder.table is None else encoder.look_up(batch.features[IDS])
        result = gradients(batch, None if rows is None else rows.vectors)
        updates = [
            (_divided(gradient, replicas.count), variable)
            for gradient, variable in zip(result.variables, step.trained(learner), strict=True)
            if gradient is not None
        ]
        if rows is not None and step.trains_embeddings:
            of_rows = _divided(rows.summed(result.vectors), replicas.count)
            updates.append((DistinctRows(of_rows, rows.ids), encoder.table))
        optimizer.apply_gradients(updates)
        return tf.stack([result.losses[name] for name in learner.loss_names])

    @tf.function(autograph=False)
    def run(iterator: Iterator[Batch], count: tf.Tensor) -> tf.Tensor:
        def body(done: tf.Tensor, sums: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return done + 1, sums + learn(next(iterator))

        start = (tf.constant(0), tf.zeros(len(learner.loss_names)))
        return tf.while_loop(lambda done, _: done < count, body, start)[1]

    @tf.function(autograph=False)
    def run_one(iterator: Iterator[Batch]) -> tf.Tensor:
        return replicas.run(learn, next(iterator))

    def run_together(iterator: Iterator[Batch], count: tf.Tensor) -> tf.Tensor:
        return tf.add_n([run_one(iterator) for _ in range(int(count))])

    # TensorFlow's collectives take what they exchange to have the same shape in every iteration of a loop. The rows of
    # the table have not, so replicas come back to Python after every step.
    return run if replicas.alone else run_together


def _divided(gradient: tf.Tensor, replicas: int) -> tf.Tensor:
    """Makes a sum over replicas, which is what Keras' optimizers apply, a mean."""
    return gradient / replicas if replicas > 1 else gradient
