"""One vocabulary file for all features, counted in one pass over the training split.

A line of the file is `vocabulary=value`. The lines of one vocabulary stand together, the most frequent value first, so
a token's line number is its row in the embedding table but for a constant (see
`tandem.models.layout.FeatureLayout`). One analyzer over all features costs a fraction of one `tft.vocabulary` per
feature: graph building dominates tf.Transform.
"""

from __future__ import annotations

import collections
import posixpath
from typing import TYPE_CHECKING

import apache_beam as beam
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam

from tandem import files

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tandem.models.layout import Vocabulary

FILE_NAME = "vocabulary"
SEPARATOR = b"="


def rank(counts: Mapping[bytes, int], vocabularies: Sequence[Vocabulary]) -> list[bytes]:
    """Orders and cuts the counted tokens.

    Args:
      counts: By token (`vocabulary=value`), how often it was seen.
      vocabularies: In the order in which they stand in the file, each with its size and minimum count.

    Returns:
      The tokens kept. Tokens of equal count are in the order of their bytes, so that a file can be reproduced.
    """
    by_vocabulary: dict[bytes, list[tuple[int, bytes]]] = {v.name.encode(): [] for v in vocabularies}
    for token, count in counts.items():
        by_vocabulary[token.partition(SEPARATOR)[0]].append((-count, token))
    kept: list[bytes] = []
    for vocabulary in vocabularies:
        frequent = sorted(
            entry for entry in by_vocabulary[vocabulary.name.encode()] if -entry[0] >= vocabulary.min_count
        )
        kept += [token for _, token in frequent[: vocabulary.size]]
    return kept


class _CountTokens(beam.CombineFn):
    """Adds up (tokens, counts) batches."""

    def create_accumulator(self) -> collections.Counter[bytes]:
        return collections.Counter()

    def add_input(
        self, accumulator: collections.Counter[bytes], batch: tuple[NDArray[np.object_], NDArray[np.int64]]
    ) -> collections.Counter[bytes]:
        tokens, counts = batch
        accumulator.update(dict(zip(tokens.tolist(), counts.tolist(), strict=True)))
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[collections.Counter[bytes]]) -> collections.Counter[bytes]:
        merged, *others = sorted(accumulators, key=len, reverse=True) or [collections.Counter()]
        for other in others:
            merged.update(other)
        return merged

    def extract_output(self, accumulator: collections.Counter[bytes]) -> collections.Counter[bytes]:
        return accumulator


def _write(counts: collections.Counter[bytes], folder: str, vocabularies: Sequence[Vocabulary]) -> bytes:
    """Writes the file, whole or not at all: a retried bundle must not leave half a vocabulary."""
    # A table cannot be made from an empty file; this token has no vocabulary, so it is never looked up.
    tokens = rank(counts, vocabularies) or [SEPARATOR]
    path = posixpath.join(folder, "all_features", FILE_NAME)
    files.write(path, b"\n".join(tokens) + b"\n")
    return path.encode()


class _VocabularyFile(tft_beam.experimental.PTransformAnalyzer):
    """The analyzer: batches of (tokens, counts) -> the path of the file."""

    def __init__(self, vocabularies: Sequence[Vocabulary]):
        super().__init__()
        self._vocabularies = tuple(vocabularies)

    def expand(
        self, batches: beam.PCollection[tuple[NDArray[np.object_], NDArray[np.int64]]]
    ) -> beam.PCollection[bytes]:
        path: beam.PCollection[bytes] = (
            batches
            | "CountTokens" >> beam.CombineGlobally(_CountTokens())
            | "WriteVocabulary" >> beam.Map(_write, self.base_temp_dir, self._vocabularies)
        )
        return path


def vocabulary_file(tokens: tf.Tensor, vocabularies: Sequence[Vocabulary]) -> tf.Tensor:
    """Counts tokens over the whole analysis split.

    Args:
      tokens: [n] strings `vocabulary=value`; an empty string is no token.
      vocabularies: In the order of the file.

    Returns:
      A scalar string, the path of the vocabulary file (an asset of the transform graph).
    """
    # A line break would tear a token in two; such a value is out of vocabulary.
    countable = (tf.strings.length(tokens) > 0) & ~tf.strings.regex_full_match(tokens, r"(?s).*[\r\n].*")
    unique, _, counts = tf.unique_with_counts(tf.boolean_mask(tokens, countable), out_idx=tf.int64)
    (path,) = tft.experimental.ptransform_analyzer(
        [unique, counts],
        _VocabularyFile(vocabularies),
        output_dtypes=[tf.string],
        output_shapes=[[]],
        output_asset_default_values=[b"asset"],
        name="vocabulary_file",
    )
    return path


def read_vocabulary(transform_output: tft.TFTransformOutput) -> list[bytes]:
    """Returns the tokens of a finished transform graph, in the order of their rows."""
    path = posixpath.join(transform_output.transform_savedmodel_dir, "assets", FILE_NAME)
    with tf.io.gfile.GFile(path, "rb") as file:
        tokens: list[bytes] = file.read().splitlines()
    return tokens
