"""Transformed examples on disk -> batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tandem.models.batch import Batch, RowFormat

# Rows that are read and parsed together, and how many bytes of a file are read at a time.
BLOCK_ROWS = 1024
READ_BYTES = 1 << 20
PREFETCHED_BATCHES = 16


def matching_files(patterns: Sequence[str]) -> list[str]:
    """Returns the files of some globs, sorted by name.

    Raises:
      ValueError: Nothing matches.
    """
    files = sorted(file for pattern in patterns for file in tf.io.gfile.glob(pattern))
    if not files:
        raise ValueError(f"no file of examples matches {list(patterns)}")
    return files


def count_examples(files: Sequence[str]) -> int:
    """Returns the number of rows, by one quick pass that parses nothing."""
    blocks = _blocks(tf.data.Dataset.from_tensor_slices(list(files)))
    return int(blocks.map(lambda rows: tf.size(rows, tf.int64)).reduce(tf.constant(0, tf.int64), tf.add))


def read_examples(files: Sequence[str], rows: RowFormat, batch_size: int) -> tf.data.Dataset:
    """Reads one pass over transformed examples, in a fixed order.

    Args:
      files: TFRecord files, gzip-compressed, of tf.Examples.
      rows: What stands in them.
      batch_size: Rows of a batch; the last one may have fewer.

    Returns:
      A `Batch` per element, ids and labels int32.
    """
    parsed = _parsed(_blocks(tf.data.Dataset.from_tensor_slices(list(files))), rows)
    return parsed.rebatch(batch_size).prefetch(PREFETCHED_BATCHES)


def shuffled_passes(
    files: Sequence[str],
    rows: RowFormat,
    batch_size: int,
    shuffle_rows: int,
    seed: int,
) -> Callable[[int, int], tf.data.Dataset]:
    """Reads passes over transformed examples, each in another order that the seed and the pass's number alone decide.

    Files are taken in random order, four at a time, a block of rows from each in turn. `shuffle_rows` rows at a time
    become a window, whose rows come in an order drawn from all their orders. So two rows that are neighbours on disk
    are in the same batch with probability batch_size / shuffle_rows; rows of different windows do not mix, and which
    ones share a window changes with the order of the files. tf.data's shuffle buffer mixes about as far, but it moves
    rows one by one, which costs more than parsing them does: a window is moved as whole columns.

    A pass can be entered at any step, as if its first batches had been taken. What is left out is still read and
    parsed, which costs much less than training on it, and no large state of a shuffle buffer has to be kept for it.

    Args:
      files: TFRecord files, gzip-compressed, of tf.Examples.
      rows: What stands in them.
      batch_size: Rows of a batch; the last one of a pass may have fewer.
      shuffle_rows: Rows of a window, rounded up to full batches. Two windows are held in memory.
      seed: Of all passes, not negative.

    Returns:
      A function of the pass's number, from 0, and the number of batches to leave out. It returns batches as
      `read_examples` does, whose number is known.
    """
    count = -(-count_examples(files) // batch_size)
    window = -(-shuffle_rows // batch_size) * batch_size

    def read(epoch: int, step: int) -> tf.data.Dataset:
        order = [int(word) for word in np.random.SeedSequence((seed, epoch)).generate_state(2)]
        names = tf.data.Dataset.from_tensor_slices(list(files))
        names = names.shuffle(len(files), seed=order[0], reshuffle_each_iteration=False)
        windows = _parsed(_blocks(names), rows).rebatch(window).enumerate()
        shuffled = windows.map(lambda number, batch: _permuted(batch, order[1], number)).prefetch(1)
        batches = shuffled.rebatch(batch_size).skip(step).prefetch(PREFETCHED_BATCHES)
        return batches.apply(tf.data.experimental.assert_cardinality(max(count - step, 0)))

    return read


def _permuted(window: Batch, seed: int, number: tf.Tensor) -> Batch:
    """Puts the rows of a window in an order that the seed and its number decide."""
    count = tf.shape(window.labels)[0]
    state = tf.stack([tf.constant(seed, tf.int64), number])
    order = tf.random.experimental.stateless_shuffle(tf.range(count), seed=state)
    return window.map(lambda column: tf.gather(column, order))


def _blocks(names: tf.data.Dataset) -> tf.data.Dataset:
    """Reads serialized examples from files, in blocks, always in the same order."""
    return names.interleave(
        lambda name: tf.data.TFRecordDataset(name, compression_type="GZIP", buffer_size=READ_BYTES).batch(BLOCK_ROWS),
        cycle_length=4,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )


def _parsed(blocks: tf.data.Dataset, rows: RowFormat) -> tf.data.Dataset:
    """Parses blocks of serialized examples."""
    return blocks.map(rows.parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
