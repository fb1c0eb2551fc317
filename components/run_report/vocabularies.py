"""How many values the vocabularies know, and how many values of the examples they do not know.

Out-of-vocabulary values are counted in the transformed examples: an id tells whether its value was known. Where a split
has more rows than `SAMPLE_ROWS`, every n-th row is looked at, so that about as many are.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import tensorflow as tf

from tandem.components.run_report.facts import UnknownValues, VocabularySize

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from tandem.components.run_report.settings import LookedUpFeature, VocabularySettings

SAMPLE_ROWS = 200_000

# As `models` names them: the vocabulary file of a transform graph, the matrix of ids, the id that stands for no value.
VOCABULARY_FILE = "transform_fn/assets/vocabulary"
IDS = "ids"
PADDING = 0

_BATCH_ROWS = 1024


def sizes(
    tokens: Iterable[bytes], vocabularies: Sequence[VocabularySettings], features: Sequence[LookedUpFeature]
) -> list[VocabularySize]:
    """Counts the values of each vocabulary.

    Args:
      tokens: The lines of the vocabulary file, `vocabulary=value`.
      vocabularies: Those that there are.
      features: Those that look their values up in them.
    """
    known = Counter(token.partition(b"=")[0].decode() for token in tokens)
    return [
        VocabularySize(
            name=each.name,
            features=tuple(feature.name for feature in features if feature.vocabulary == each.name),
            values=known[each.name],
            min_count=each.min_count,
            limit=each.limit,
        )
        for each in vocabularies
    ]


def unknown_values(
    batches: Iterable[NDArray[np.int64]],
    split: str,
    vocabularies: Sequence[VocabularySettings],
    features: Sequence[LookedUpFeature],
) -> list[UnknownValues]:
    """Counts each feature's values, and those of them that its vocabulary does not know.

    Args:
      batches: [n, width], ids of the rows.
      split: Its name.
      vocabularies: Of the features.
      features: Where each stands in the ids.
    """
    by_name = {each.name: each for each in vocabularies}
    rows = 0
    values, unknown = Counter[str](), Counter[str]()
    for ids in batches:
        rows += len(ids)
        for feature in features:
            vocabulary = by_name[feature.vocabulary]
            own = ids[:, feature.start : feature.start + feature.width]
            values[feature.name] += int((own != PADDING).sum())
            outside = (own >= vocabulary.first_oov_row) & (own < vocabulary.first_oov_row + vocabulary.oov_buckets)
            unknown[feature.name] += int(outside.sum())
    return [UnknownValues(f.name, split, rows, values[f.name], unknown[f.name]) for f in features]


def read_ids(
    files: Sequence[str], width: int, rows: int, sample_rows: int = SAMPLE_ROWS
) -> Iterator[NDArray[np.int64]]:
    """Yields ids from transformed examples.

    Args:
      files: TFRecord files, gzip-compressed, of tf.Examples.
      width: Columns of `ids`.
      rows: How many there are in all.
      sample_rows: About the most rows to parse: every n-th row is, n the least number that keeps to it.

    Yields:
      [n, width].
    """
    spec = {IDS: tf.io.FixedLenFeature([width], tf.int64)}
    step = max(-(-rows // sample_rows), 1)
    sample = tf.data.TFRecordDataset(list(files), compression_type="GZIP").shard(step, 0).batch(_BATCH_ROWS)
    for batch in sample.map(lambda serialized: tf.io.parse_example(serialized, spec)[IDS]):
        yield batch.numpy()
