"""A batch of rows, as training and everything around it hands it on, and how its columns stand in an example."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import tensorflow as tf

from tandem.models.layout import AGES, BAG_WEIGHTS, IDS, LABELS, NUMBERS, WEIGHTS, FeatureLayout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Batch(NamedTuple):
    """B rows.

    Attributes:
      features: `ids` int [B, W], `numbers` float [B, n] and `bag_weights` float [B, V], those of them that there are.
      labels: [B, T] int, 0 or 1, in the order of the tasks.
      weights: [B, T] float32, 0 or more: how much a row counts for each task; None: all rows count alike.
      ages: [B, T] float32, hours from the impression to the event that set the label, or, where the label is 0, to the
        end of the logs: how long was waited for it in vain. None: nothing asks for it.
    """

    features: Mapping[str, tf.Tensor]
    labels: tf.Tensor
    weights: tf.Tensor | None = None
    ages: tf.Tensor | None = None

    def map(self, function: Callable[[tf.Tensor], tf.Tensor]) -> Batch:
        """Returns the batch with a function applied to each of its columns, [B, ...]."""
        return Batch(
            {name: function(column) for name, column in self.features.items()},
            *(None if column is None else function(column) for column in self[1:]),
        )

    def part(self, rows: slice) -> Batch:
        """Returns some of the rows."""
        return self.map(lambda column: column[rows])


def feature_spec(layout: FeatureLayout) -> dict[str, tf.io.FixedLenFeature]:
    """Returns how the features stand in a transformed example."""
    spec = {}
    if layout.width:
        spec[IDS] = tf.io.FixedLenFeature([layout.width], tf.int64)
    if layout.numbers:
        spec[NUMBERS] = tf.io.FixedLenFeature([len(layout.numbers)], tf.float32)
    if layout.weight_slots:
        spec[BAG_WEIGHTS] = tf.io.FixedLenFeature([layout.weights_width], tf.float32)
    return spec


class RowFormat(NamedTuple):
    """What stands in the transformed examples of one training.

    Attributes:
      layout: Where the features stand.
      tasks: Number of labels, T.
      weighted: Whether rows have weights.
      aged: Whether labels have ages.
    """

    layout: FeatureLayout
    tasks: int
    weighted: bool = False
    aged: bool = False

    def parse(self, serialized: tf.Tensor) -> Batch:
        """Reads serialized examples, [B]."""
        spec = {**feature_spec(self.layout), LABELS: tf.io.FixedLenFeature([self.tasks], tf.int64)}
        for name, there in ((WEIGHTS, self.weighted), (AGES, self.aged)):
            if there:
                spec[name] = tf.io.FixedLenFeature([self.tasks], tf.float32)
        columns = tf.io.parse_example(serialized, spec)
        if IDS in columns:
            columns[IDS] = tf.cast(columns[IDS], tf.int32)  # half the memory to shuffle, gather and compare
        labels = tf.cast(columns.pop(LABELS), tf.int32)
        weights, ages = columns.pop(WEIGHTS, None), columns.pop(AGES, None)
        return Batch(columns, labels, weights, ages)
