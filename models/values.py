"""Raw columns -> the values of a feature, as texts: of one cell, of several together, of lists with or without weights.

The same graph reads them in training and in serving. A column is sparse, [B, values of a cell]; where a schema says
that every row has so many values, it is dense.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import tensorflow as tf

from tandem.models.features import WEIGHT_NUMBER, BagFeature, CrossFeature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tandem.models.features import SingleFeature

Column: TypeAlias = "tf.Tensor | tf.SparseTensor"

CROSS_SEPARATOR = "\x1f"
"""Between the values of a cross. Where a value has one inside, it counts as a space."""

# TensorFlow reads no number of more than 31 characters; further digits behind the point do not matter.
_DIGITS_KEPT = r"(\.\d{10})\d*"


class Values(NamedTuple):
    """The values of a feature.

    Attributes:
      texts: [B, width]; "" where a bag has fewer values.
      weights: Of the values of a weighted bag, float32 [B, width]; what stands where there is no value has no meaning.
    """

    texts: tf.Tensor
    weights: tf.Tensor | None = None


def column(inputs: Mapping[str, Column], name: str) -> tf.SparseTensor:
    """Returns a raw column, [B, n] sparse.

    Raises:
      ValueError: There is none of the name.
    """
    if name not in inputs:
        raise ValueError(f"column '{name}' is missing from the schema; it has {sorted(inputs)}")
    found = inputs[name]
    if isinstance(found, tf.SparseTensor):
        return found
    # Not tf.sparse.from_dense: it takes a 0 for an empty cell.
    matrix = tf.reshape(found, [tf.shape(found)[0], -1])
    cells = tf.where(tf.ones_like(matrix, tf.bool))
    return tf.SparseTensor(cells, tf.gather_nd(matrix, cells), tf.shape(matrix, tf.int64))


def dense(column: Column, width: int, default: str | int | float) -> tf.Tensor:
    """Returns the first `width` values of each row, [B, width]."""
    if isinstance(column, tf.Tensor):
        return tf.reshape(column, [-1, width])
    rows = column.dense_shape[0]
    cut = tf.sparse.slice(column, [0, 0], [rows, width])
    wide = tf.SparseTensor(cut.indices, cut.values, tf.stack([rows, tf.constant(width, tf.int64)]))
    return tf.reshape(tf.sparse.to_dense(wide, default_value=default), [-1, width])


def values_of(inputs: Mapping[str, Column], feature: SingleFeature | BagFeature) -> Values:
    """Reads the values of a feature.

    Args:
      inputs: Raw columns by name.
      feature: What to read.
    """
    if isinstance(feature, CrossFeature):
        return Values(_crossed(inputs, feature))
    if not isinstance(feature, BagFeature):
        return Values(dense(column(inputs, feature.source), 1, ""))
    if len(feature.sources) == 1 and feature.keep == "first" and not feature.weighted:
        return Values(dense(column(inputs, feature.sources[0]), feature.max_values, ""))
    return _bag(inputs, feature)


def _crossed(inputs: Mapping[str, Column], feature: CrossFeature) -> tf.Tensor:
    """Returns the first values of several columns, joined, [B, 1]."""
    cells = [dense(column(inputs, name), 1, "") for name in feature.of]
    cells = [tf.strings.regex_replace(cell, CROSS_SEPARATOR, " ") for cell in cells]
    return tf.strings.join(cells, CROSS_SEPARATOR)


def _bag(inputs: Mapping[str, Column], feature: BagFeature) -> Values:
    """Returns the values of lists, those of several columns one after the other, the first or the last of them."""
    lists = tf.concat([_ragged(column(inputs, name)) for name in feature.sources], axis=1)
    texts, weights = lists.flat_values, None
    if feature.weights is not None:
        weights = _beside(lists, _ragged(column(inputs, feature.weights)))
    elif feature.weight_separator is not None:
        texts, weights = _parted(texts, feature.weight_separator)
    there = lists.with_flat_values(tf.strings.length(texts) > 0)

    def cut(flat: tf.Tensor, default: str | float) -> tf.Tensor:
        found = tf.ragged.boolean_mask(lists.with_flat_values(flat), there)
        found = found[:, : feature.max_values] if feature.keep == "first" else found[:, -feature.max_values :]
        return tf.ensure_shape(found.to_tensor(default, shape=[None, feature.max_values]), [None, feature.max_values])

    return Values(cut(texts, ""), None if weights is None else cut(weights, 0.0))


def _ragged(column: tf.SparseTensor) -> tf.RaggedTensor:
    return tf.RaggedTensor.from_value_rowids(
        column.values, column.indices[:, 0], nrows=column.dense_shape[0], validate=False
    )


def _beside(lists: tf.RaggedTensor, weights: tf.RaggedTensor) -> tf.Tensor:
    """Returns the weights of values by their places in the lists, 1 where there is none, float32 [values]."""
    shape = tf.stack([lists.nrows(), lists.bounding_shape()[1]])
    numbers = weights.with_flat_values(tf.cast(weights.flat_values, tf.float32))
    placed = numbers.to_tensor(float("nan"), shape=shape)
    return _known(tf.RaggedTensor.from_tensor(placed, lengths=lists.row_lengths()).flat_values)


def _parted(texts: tf.Tensor, separator: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Parts values from the weights behind them: texts and float32, [values]."""
    between = re.escape(separator)  # \C is a byte: a text may be no UTF-8
    weighted = tf.strings.regex_full_match(texts, rf"\C*{between}\s*{WEIGHT_NUMBER}\s*")
    values = tf.strings.regex_replace(texts, rf"^(\C*){between}\C*$", r"\1")
    numbers = tf.strings.strip(tf.strings.regex_replace(texts, rf"^\C*{between}", ""))
    numbers = tf.strings.regex_replace(numbers, _DIGITS_KEPT, r"\1")
    weights = tf.strings.to_number(tf.where(weighted, numbers, "1"), tf.float32)
    return tf.where(weighted, values, texts), _known(weights)


def _known(weights: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_finite(weights), weights, 1.0)
