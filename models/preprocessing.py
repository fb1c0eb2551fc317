"""Raw columns -> the model's inputs, as one tf.Transform graph that training and serving share.

Outputs, B rows:
  ids      int64 [B, layout.width]   rows of the embedding table, padding where a bag has fewer values
  numbers  float32 [B, n]            scaled numbers (left out when there are none)
  labels   int64 [B, T]              in the order of the tasks (left out when serving, as what follows is)
  weights  float32 [B, T]            how much a row counts for each task (only where rows have weights)
  ages     float32 [B, T]            hours until the label was set, or waited for it in vain (only where asked for)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import tensorflow as tf
import tensorflow_transform as tft
from pydantic import TypeAdapter

from tandem.models.features import AGES, IDS, LABELS, NUMBERS, PADDING, WEIGHTS, Feature, FeatureLayout, NumericFeature
from tandem.models.vocabulary import vocabulary_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Column: TypeAlias = "tf.Tensor | tf.SparseTensor"

_MICROSECONDS_PER_HOUR = 3_600_000_000


def preprocessing_fn(inputs: Mapping[str, Column], custom_config: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """Builds the graph; called by TFX's Transform.

    Args:
      inputs: Raw columns by name.
      custom_config: `features`: the configuration's features as plain data; `labels`: names of the label columns.
        `weights`: per task, the columns whose product a row's weight is; none: 1. Left out or empty: no weights at all.
        `ages`: of which columns ages are made, see `AgeColumns`; left out or None: no ages.

    Returns:
      The outputs of this module's head.
    """
    layout = FeatureLayout(TypeAdapter(tuple[Feature, ...]).validate_python(custom_config["features"]))
    labels = tf.concat([_dense(inputs[label], 1, 0) for label in custom_config["labels"]], axis=1)
    outputs = {LABELS: labels}
    if any(custom_config.get("weights", ())):
        outputs[WEIGHTS] = _weights(inputs, custom_config["weights"], tf.shape(labels)[:1])
    if custom_config.get("ages"):
        outputs[AGES] = _ages(inputs, AgeColumns(**custom_config["ages"]))
    if layout.width:
        outputs[IDS] = _ids(inputs, layout)
    if layout.numbers:
        outputs[NUMBERS] = tf.concat([_scaled(_column(inputs, n.source), n) for n in layout.scaled()], axis=1)
    return outputs


class AgeColumns(NamedTuple):
    """The columns that the ages of labels are made of, int64, in microseconds since 1970.

    Attributes:
      shown: When the impression happened.
      set: Per task, when its label was set; without a value where the label is 0.
      until: The end of the logs.
    """

    shown: str
    set: Sequence[str]
    until: str


def _weights(inputs: Mapping[str, Column], columns: Sequence[Sequence[str]], rows: tf.Tensor) -> tf.Tensor:
    """Returns the products of each task's columns, float32 [B, T]."""
    of_tasks = []
    for names in columns:
        product = tf.ones(tf.concat([rows, [1]], axis=0), tf.float32)
        for name in names:
            product *= tf.cast(_dense(_column(inputs, name), 1, 1.0), tf.float32)
        of_tasks.append(product)
    return tf.concat(of_tasks, axis=1)


def _ages(inputs: Mapping[str, Column], columns: AgeColumns) -> tf.Tensor:
    """Returns hours from the impression to each label's event, or to the end of the logs, float32 [B, T]."""
    shown, until = (_dense(_column(inputs, name), 1, 0) for name in (columns.shown, columns.until))
    of_tasks = []
    for name in columns.set:
        happened = _dense(_column(inputs, name), 1, -1)
        microseconds = tf.where(happened >= 0, happened, until) - shown
        of_tasks.append(tf.cast(tf.cast(microseconds, tf.float64) / _MICROSECONDS_PER_HOUR, tf.float32))
    return tf.concat(of_tasks, axis=1)


def _column(inputs: Mapping[str, Column], name: str) -> tf.SparseTensor:
    if name not in inputs:
        raise ValueError(f"column '{name}' is missing from the schema; it has {sorted(inputs)}")
    column = inputs[name]
    if isinstance(column, tf.SparseTensor):
        return column
    # Not tf.sparse.from_dense: it takes a 0 for an empty cell.
    matrix = tf.reshape(column, [tf.shape(column)[0], -1])
    cells = tf.where(tf.ones_like(matrix, tf.bool))
    return tf.SparseTensor(cells, tf.gather_nd(matrix, cells), tf.shape(matrix, tf.int64))


def _dense(column: Column, width: int, default: str | int | float) -> tf.Tensor:
    """Returns the first `width` values of each row, [B, width]."""
    if isinstance(column, tf.Tensor):
        return tf.reshape(column, [-1, width])
    rows = column.dense_shape[0]
    cut = tf.sparse.slice(column, [0, 0], [rows, width])
    wide = tf.SparseTensor(cut.indices, cut.values, tf.stack([rows, tf.constant(width, tf.int64)]))
    return tf.reshape(tf.sparse.to_dense(wide, default_value=default), [-1, width])


def _ids(inputs: Mapping[str, Column], layout: FeatureLayout) -> tf.Tensor:
    """Returns the embedding rows of all features, [B, layout.width]."""
    looked_up = _lookup(inputs, layout) if layout.looked_up() else None
    buckets = [_bucket(_column(inputs, n.source), n, layout.first_bucket_row[n.name]) for n in layout.bucketed()]
    if looked_up is None:
        return tf.concat(buckets, axis=1)
    categories = len(layout.categorical())
    return tf.concat([looked_up[:, :categories], *buckets, looked_up[:, categories:]], axis=1)


def _lookup(inputs: Mapping[str, Column], layout: FeatureLayout) -> tf.Tensor:
    """Returns the rows of all features that have a vocabulary, by one lookup: [B, categories + widths of the bags]."""
    columns, first_oov_rows, oov_buckets = [], [], []
    for feature in layout.looked_up():
        vocabulary = layout.vocabularies[feature.vocabulary_name]
        width = layout.slots[feature.name].width
        values = _dense(_column(inputs, feature.source), width, "")
        tokens = tf.strings.join([vocabulary.prefix, values])
        is_bag = feature.kind == "bag"
        columns.append(tf.where(tf.strings.length(values) > 0, tokens, "") if is_bag else tokens)
        first_oov_rows += [vocabulary.first_oov_row] * width
        oov_buckets += [vocabulary.oov_buckets] * width
    tokens = tf.concat(columns, axis=1)
    path = vocabulary_file(tf.reshape(tokens, [-1]), list(layout.vocabularies.values()))
    token_rank = tft.apply_vocabulary(tokens, path, default_value=-1)
    # tf.strings.to_hash_bucket_fast is FarmHash64, the same on every machine and in every release.
    oov_row = tf.constant(first_oov_rows, tf.int64) + tf.math.floormod(
        tf.strings.to_hash_bucket_fast(tokens, 2**31 - 1), tf.constant(oov_buckets, tf.int64)
    )
    rows = tf.where(token_rank >= 0, token_rank + layout.first_token_row, oov_row)
    return tf.where(tf.strings.length(tokens) > 0, rows, PADDING)


def _numbers(column: tf.SparseTensor) -> tf.SparseTensor:
    """Returns the first finite value of each row, [B, 1] sparse, float32."""
    first = tf.sparse.slice(column, [0, 0], [column.dense_shape[0], 1])
    values = tf.cast(first.values, tf.float32)
    finite = tf.sparse.retain(tf.SparseTensor(first.indices, values, first.dense_shape), tf.math.is_finite(values))
    return tf.SparseTensor(finite.indices, finite.values, tf.stack([column.dense_shape[0], tf.constant(1, tf.int64)]))


def _bucket(column: tf.SparseTensor, feature: NumericFeature, first_row: int) -> tf.Tensor:
    """Returns the rows of a number's quantile buckets, [B, 1]; `first_row` where there is no number."""
    buckets = tft.bucketize(_numbers(column), feature.buckets, name=f"{feature.name}_buckets")
    shifted = tf.SparseTensor(buckets.indices, tf.cast(buckets.values, tf.int64) + first_row + 1, buckets.dense_shape)
    return _dense(shifted, 1, first_row)


def _scaled(column: tf.SparseTensor, feature: NumericFeature) -> tf.Tensor:
    """Returns a number after scaling, float32 [B, 1]; 0 where there is none."""
    numbers = _numbers(column)
    if feature.scaling == "log_standard":
        values = tf.sign(numbers.values) * tf.math.log1p(tf.abs(numbers.values))
        numbers = tf.SparseTensor(numbers.indices, values, numbers.dense_shape)
    if feature.scaling == "min_max":
        numbers = tft.scale_to_0_1(numbers, name=f"{feature.name}_min_max")
    elif feature.scaling != "none":
        numbers = tft.scale_to_z_score(numbers, name=f"{feature.name}_standard")
    return tf.cast(_dense(numbers, 1, 0.0), tf.float32)
