"""Raw columns -> the model's inputs, as one tf.Transform graph that training and serving share.

Outputs, B rows:
  ids      int64 [B, layout.width]   rows of the embedding table, padding where a bag has fewer values
  numbers  float32 [B, n]            scaled numbers (left out when there are none)
  bag_weights  float32 [B, layout.weights_width]  weights of the values in bags (left out where no bag has any)
  labels   int64 [B, T]              in the order of the tasks (left out when serving, as what follows is)
  weights  float32 [B, T]            how much a row counts for each task (only where rows have weights)
  ages     float32 [B, T]            hours until the label was set, or waited for it in vain (only where asked for)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf
import tensorflow_transform as tft
from pydantic import TypeAdapter

from tandem.models.features import Feature, NumericFeature
from tandem.models.layout import AGES, BAG_WEIGHTS, IDS, LABELS, NUMBERS, PADDING, WEIGHTS, FeatureLayout
from tandem.models.values import column, dense, values_of
from tandem.models.vocabulary import vocabulary_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tandem.models.features import BagFeature, SingleFeature
    from tandem.models.values import Column, Values

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
    labels = tf.concat([dense(inputs[label], 1, 0) for label in custom_config["labels"]], axis=1)
    outputs = {LABELS: labels}
    if any(custom_config.get("weights", ())):
        outputs[WEIGHTS] = _weights(inputs, custom_config["weights"], tf.shape(labels)[:1])
    if custom_config.get("ages"):
        outputs[AGES] = _ages(inputs, AgeColumns(**custom_config["ages"]))
    values = {feature.name: values_of(inputs, feature) for feature in layout.valued()}
    if layout.width:
        outputs[IDS] = _ids(inputs, layout, values)
    if layout.weight_slots:
        outputs[BAG_WEIGHTS] = tf.concat([values[name].weights for name in layout.weight_slots], axis=1)
    if layout.numbers:
        outputs[NUMBERS] = tf.concat([_scaled(column(inputs, n.source), n) for n in layout.scaled()], axis=1)
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
            product *= tf.cast(dense(column(inputs, name), 1, 1.0), tf.float32)
        of_tasks.append(product)
    return tf.concat(of_tasks, axis=1)


def _ages(inputs: Mapping[str, Column], columns: AgeColumns) -> tf.Tensor:
    """Returns hours from the impression to each label's event, or to the end of the logs, float32 [B, T]."""
    shown, until = (dense(column(inputs, name), 1, 0) for name in (columns.shown, columns.until))
    of_tasks = []
    for name in columns.set:
        happened = dense(column(inputs, name), 1, -1)
        microseconds = tf.where(happened >= 0, happened, until) - shown
        of_tasks.append(tf.cast(tf.cast(microseconds, tf.float64) / _MICROSECONDS_PER_HOUR, tf.float32))
    return tf.concat(of_tasks, axis=1)


def _ids(inputs: Mapping[str, Column], layout: FeatureLayout, values: Mapping[str, Values]) -> tf.Tensor:
    """Returns the embedding rows of all features, [B, layout.width]."""
    return tf.concat(list(_rows(inputs, layout, values)), axis=1)


def _rows(inputs: Mapping[str, Column], layout: FeatureLayout, values: Mapping[str, Values]) -> Iterator[tf.Tensor]:
    """Yields the rows of features in the order of their slots: those that stand side by side in the lookup together."""
    looked_up: tf.Tensor = _lookup(layout, values) if layout.looked_up() else None
    numbers, hashed = {n.name: n for n in layout.bucketed()}, {f.name: f for f in layout.hashed()}
    start = end = 0
    for name, slots in layout.slots.items():
        if name not in numbers and name not in hashed:
            end += slots.width
            continue
        if end > start:
            yield looked_up[:, start:end]
            start = end
        if name in hashed:
            yield _hashed(values[name].texts, hashed[name], layout.first_hash_row[name])
        else:
            yield _bucket(column(inputs, numbers[name].source), numbers[name], layout.first_bucket_row[name])
    if end > start:
        yield looked_up[:, start:end]


def _lookup(layout: FeatureLayout, values: Mapping[str, Values]) -> tf.Tensor:
    """Returns the rows of all features that have a vocabulary, by one lookup: [B, sum of their widths]."""
    columns, first_oov_rows, oov_buckets = [], [], []
    for feature in layout.looked_up():
        vocabulary = layout.vocabularies[feature.vocabulary_name]
        width = layout.slots[feature.name].width
        texts = values[feature.name].texts
        tokens = tf.strings.join([vocabulary.prefix, texts])
        is_bag = feature.kind == "bag"
        columns.append(tf.where(tf.strings.length(texts) > 0, tokens, "") if is_bag else tokens)
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


def _hashed(texts: tf.Tensor, feature: SingleFeature | BagFeature, first_row: int) -> tf.Tensor:
    """Returns the rows of a feature's hash buckets, [B, width]: FarmHash64 of the value, modulo their number."""
    rows = first_row + tf.strings.to_hash_bucket_fast(texts, feature.hash_buckets)
    return tf.where(tf.strings.length(texts) > 0, rows, PADDING) if feature.kind == "bag" else rows


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
    return dense(shifted, 1, first_row)


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
    return tf.cast(dense(numbers, 1, 0.0), tf.float32)
