"""Who computes a step: this process alone, its GPUs, or several processes on one machine or many.

Every replica computes a part of the batch, and all apply the sum of the gradients, so that all hold the same weights.
The batch is the same one that a single process would take: every worker reads the files, in the same order, and takes
its share of the rows of each batch. Reading costs about a fifth of a small network's step, so it is not what limits a
handful of workers; in return the result depends on the number of replicas by little more than rounding:

- A loss that is a mean over the rows that count for its task (`TaskLoss`) is a mean of the replicas' means.
- The negatives of an in-batch contrast (PICO) are the rows of the own replica: they would have to travel otherwise, at
  every step. With R replicas a row has batch_size / R - 1 negatives; a batch R times as large has as many as before.
- Dropout draws other numbers.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tandem.models.batch import Batch

if TYPE_CHECKING:
    from collections.abc import Iterator


class Replicas:
    """The replicas that train together.

    Args:
      strategy: TensorFlow's; None: this process alone, without any.
    """

    def __init__(self, strategy: tf.distribute.Strategy | None):
        self._strategy = strategy

    @property
    def count(self) -> int:
        """How many there are, in all processes."""
        return self._strategy.num_replicas_in_sync if self._strategy else 1

    @property
    def alone(self) -> bool:
        """Whether there is no strategy at all; one of a single replica is still a strategy, with rules of its own."""
        return self._strategy is None

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        resolver = self._strategy.cluster_resolver if self._strategy else None
        return resolver is None or not resolver.task_id

    def scope(self) -> contextlib.AbstractContextManager[object]:
        """Returns the context in which variables are made."""
        return self._strategy.scope() if self._strategy else contextlib.nullcontext()

    def iterator(self, batches: tf.data.Dataset) -> Iterator[Batch]:
        """Iterates over batches, each divided among all replicas.

        Args:
          batches: The whole ones, [B, ...]; the same in every process.
        """
        if not self._strategy:
            return iter(batches)
        # A list of the replicas' parts per batch, in the order in which tf.distribute deals them out.
        context_of = self._strategy.distribute_datasets_from_function
        return iter(context_of(lambda context: batches.flat_map(lambda batch: self._parts(batch, context))))

    def _parts(self, batch: Batch, context: tf.distribute.InputContext) -> tf.data.Dataset:
        """Returns the parts of a batch that this process's replicas compute."""
        local = self.count // context.num_input_pipelines
        first = context.input_pipeline_id * local
        rows = tf.shape(batch.labels)[0]
        parts = tf.data.Dataset.range(first, first + local, output_type=tf.int32)

        def part(replica: tf.Tensor) -> dict[str, Any]:
            # Every replica has a row at least: of fewer rows than replicas some are taken twice.
            chosen = tf.range(replica % rows, rows, self.count)
            of_replica = batch.map(lambda column: tf.gather(column, chosen))
            # tf.distribute cannot hand on what is not there.
            return {name: column for name, column in of_replica._asdict().items() if column is not None}

        return parts.map(part)

    def rows_of(self, batch_size: int) -> int | None:
        """Returns the rows that each replica has of a whole batch; None where not all have the same number."""
        return batch_size // self.count if batch_size % self.count == 0 else None

    def run(self, function: Any, batch: Batch) -> tf.Tensor:
        """Runs a function of a batch's parts on all replicas, if there are any, and returns the mean of its results."""
        if not self._strategy:
            return function(batch)
        results = self._strategy.run(lambda parts: function(Batch(**parts)), args=(batch,))
        return self._strategy.reduce(tf.distribute.ReduceOp.MEAN, results, axis=None)
