"""Features -> one vector per row: the embedding table, pooling, numbers, cross layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf_keras as keras

from tandem.models.layout import BAG_WEIGHTS, IDS, NUMBERS, PADDING, FeatureLayout

if TYPE_CHECKING:
    from collections.abc import Mapping


class TableRows(NamedTuple):
    """The rows of the table that a batch names.

    Attributes:
      ids: The U different rows, [U].
      index: Where each of the batch's ids stands in `ids`, int32 [B, W].
      values: The rows' embeddings, [U, tables * dim].
    """

    ids: tf.Tensor
    index: tf.Tensor
    values: tf.Tensor

    @property
    def vectors(self) -> tf.Tensor:
        """An embedding for every id of the batch, [B, W, tables * dim]."""
        return tf.gather(self.values, self.index)

    def summed(self, of_vectors: tf.Tensor) -> tf.Tensor:
        """Adds up, row by row, what belongs to the vectors (their gradient): [B, W, tables * dim] to [U, ...]."""
        return tf.math.unsorted_segment_sum(of_vectors, self.index, tf.shape(self.ids)[0])


class Encoder(keras.layers.Layer):
    """Embeds ids with one gather from one table, pools the bags, appends the numbers.

    Args:
      layout: Where the features stand.
      rows: TableRows of the table: `layout.first_token_row` and one per vocabulary token.
      dim: Length of an embedding, for features that ask for no other. The table is as wide as the longest one; of a
        shorter one the last columns are never read.
      cross_layers: DCN-v2 cross layers (Wang et al., WWW 2021) over the result.
      tables: How many embeddings, each for a reader of its own, every row of the table has. They lie side by side: one
        gather fetches all of them, and one sparse update writes them.
    """

    def __init__(self, layout: FeatureLayout, rows: int, dim: int, cross_layers: int = 0, tables: int = 1):
        super().__init__(name="encoder")
        self._layout = layout
        self._rows = rows
        self._dims = layout.embedding_dims(dim)
        self._dim = max(self._dims.values(), default=dim)
        self._all_as_long = set(self._dims.values()) <= {self._dim}
        self._tables = tables
        self._cross = [
            [tfrs.layers.dcn.Cross(name=f"cross_{table}_{index}") for index in range(cross_layers)]
            for table in range(tables)
        ]
        self._table: tf.Variable | None = None

    def build(self, input_shape: object) -> None:
        """Makes the table (not made where every feature is a scaled number)."""
        if self._layout.width:
            self._table = self.add_weight(
                name="embeddings",
                shape=(self._rows, self._dim * self._tables),
                initializer=keras.initializers.RandomNormal(stddev=0.01),
            )
        super().build(input_shape)

    @property
    def embedded_width(self) -> int:
        """How many of the result's first columns come from the table, cross layers aside."""
        return sum(self._dims.values()) * self._tables

    @property
    def table(self) -> tf.Variable | None:
        """The embeddings, [rows, tables * dim]; None where every feature is a scaled number."""
        return self._table

    def look_up(self, ids: tf.Tensor) -> TableRows:
        """Fetches the rows of the table that a batch names, each one once."""
        unique, index = tf.unique(tf.reshape(ids, [-1]))
        return TableRows(unique, tf.reshape(index, tf.shape(ids)), tf.gather(self._table, unique))

    def embed(self, features: Mapping[str, tf.Tensor], vectors: tf.Tensor | None = None) -> tf.Tensor:
        """Maps a batch to [B, embedded_width + n], without cross layers. Arguments as in `call`."""
        parts = []
        if self._table is not None:
            if vectors is None:
                vectors = tf.gather(self._table, features[IDS])
            singles = self._layout.singles
            if not self._all_as_long:
                parts += [self._shortened(vectors[:, slot], name) for slot, name in enumerate([*self._dims][:singles])]
            elif singles:
                alone = vectors if singles == self._layout.width else vectors[:, :singles]  # slicing costs a copy
                parts.append(tf.reshape(alone, [-1, singles * self._dim * self._tables]))
            for bag in self._layout.bags():
                pooled = self._pool(bag.name, bag.pooling, features, vectors)
                parts.append(pooled if self._all_as_long else self._shortened(pooled, bag.name))
        if self._layout.numbers:
            parts.append(features[NUMBERS])
        return tf.concat(parts, axis=1)

    def _shortened(self, vectors: tf.Tensor, name: str) -> tf.Tensor:
        """Cuts a feature's vectors to its own length: [B, tables * dim] to [B, tables * the feature's dim]."""
        length = self._dims[name]
        by_table = tf.reshape(vectors, [-1, self._tables, self._dim])
        return tf.reshape(by_table[:, :, :length], [-1, self._tables * length])

    def _pool(self, name: str, pooling: str, features: Mapping[str, tf.Tensor], vectors: tf.Tensor) -> tf.Tensor:
        slots = self._layout.slots[name]
        inside = slice(slots.start, slots.start + slots.width)
        present = tf.cast(tf.not_equal(features[IDS][:, inside], PADDING), vectors.dtype)  # [B, width]
        if (weighed := self._layout.weight_slots.get(name)) is not None:
            return _weighed(
                present * features[BAG_WEIGHTS][:, weighed.start : weighed.start + weighed.width],
                vectors[:, inside],
                pooling,
            )
        pooled = tf.einsum("bw,bwd->bd", present, vectors[:, inside])
        if pooling == "mean":
            pooled /= tf.maximum(tf.reduce_sum(present, axis=1, keepdims=True), 1.0)
        return pooled

    def _by_table(self, embedded: tf.Tensor) -> tf.Tensor:
        """Maps [B, embedded_width + n] to [tables, B, embedded_width / tables + n]: the numbers are for all."""
        width = self.embedded_width
        numbers = tf.tile(embedded[None, :, width:], [self._tables, 1, 1])
        if not width:
            return numbers
        if self._all_as_long:
            parts = tf.reshape(embedded[:, :width], [-1, len(self._layout.slots), self._tables, self._dim])
            parts = tf.reshape(tf.transpose(parts, [2, 0, 1, 3]), [self._tables, -1, width // self._tables])
        else:
            lengths = list(self._dims.values())
            by_feature = tf.split(embedded[:, :width], [length * self._tables for length in lengths], axis=1)
            by_table = [
                tf.reshape(x, [-1, self._tables, length]) for x, length in zip(by_feature, lengths, strict=True)
            ]
            parts = tf.transpose(tf.concat(by_table, axis=2), [1, 0, 2])
        return tf.concat([parts, numbers], axis=2)

    def _crossed(self, embedded: tf.Tensor, layers: list[keras.layers.Layer]) -> tf.Tensor:
        crossed = embedded
        for cross in layers:
            crossed = cross(embedded, crossed)
        return crossed

    def call(self, features: Mapping[str, tf.Tensor], vectors: tf.Tensor | None = None) -> tuple[tf.Tensor, tf.Tensor]:
        """Encodes a batch.

        Args:
          features: ids int [B, W], numbers float [B, n], bag_weights float [B, V], those of them that there are.
          vectors: What the table has for the ids, [B, W, tables * dim], where it has been looked up; None: looked up
            here.

        Returns:
          All embeddings and numbers before the cross layers, [B, embedded_width + n]; what the backbone reads: [B, D]
          after the cross layers, or with several tables [tables, B, D].
        """
        embedded = self.embed(features, vectors)
        if self._tables == 1:
            return embedded, self._crossed(embedded, self._cross[0])
        parts = self._by_table(embedded)
        if self._cross[0]:
            crossed = zip(tf.unstack(parts, num=self._tables), self._cross, strict=True)
            parts = tf.stack([self._crossed(part, layers) for part, layers in crossed])
        return embedded, parts


def _weighed(weights: tf.Tensor, vectors: tf.Tensor, pooling: str) -> tf.Tensor:
    """Pools vectors by their weights, 0 where there is no value: [B, width] and [B, width, d] to [B, d]."""
    pooled = tf.einsum("bw,bwd->bd", weights, vectors)
    if pooling == "mean":
        pooled = tf.math.divide_no_nan(pooled, tf.reduce_sum(tf.abs(weights), axis=1, keepdims=True))
    return pooled
