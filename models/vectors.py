"""The embeddings of one feature, value by value, out of an exported model."""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf
from pydantic import TypeAdapter

from tandem.models.export import DESCRIPTION_FILE
from tandem.models.features import Feature, NumericFeature
from tandem.models.layout import FeatureLayout
from tandem.models.values import CROSS_SEPARATOR
from tandem.models.vocabulary import FILE_NAME

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_TABLE = "embeddings"


class FeatureVectors(NamedTuple):
    """What a model has learned about the values of a feature.

    Attributes:
      values: The values, [n], those of a cross with ` x ` between them; None for rows that stand for no single one.
      rows: What each row stands for: `value`, `out of vocabulary`, `hash bucket`, `empty`, or `bucket`, [n].
      vectors: float32 [n, d]; where every task has embeddings of its own, side by side in the order of the tasks.
    """

    values: list[str | None]
    rows: list[str]
    vectors: NDArray[np.float32]


def feature_vectors(model: str, feature: str) -> FeatureVectors:
    """Reads the embeddings of a feature.

    Args:
      model: The folder of an exported or pushed model.
      feature: Its name.

    Raises:
      ValueError: The folder has no model of ours, or the model embeds no such feature.
    """
    config = _config(model)
    layout = FeatureLayout(TypeAdapter(tuple[Feature, ...]).validate_python(config["features"]))
    dims = layout.embedding_dims(config["model"]["embedding_dim"])
    if feature not in dims:
        raise ValueError(f"the model embeds no feature '{feature}'; it embeds {list(dims)}")
    first, rows, values = _rows(model, layout, next(each for each in layout.features if each.name == feature))
    table = _table(model)
    longest = max(dims.values())
    by_table = table[first].reshape(len(first), -1, longest)[:, :, : dims[feature]]
    return FeatureVectors(values, rows, by_table.reshape(len(first), -1))


def _config(model: str) -> dict[str, Any]:
    try:
        with tf.io.gfile.GFile(posixpath.join(model, DESCRIPTION_FILE)) as file:
            config: dict[str, Any] = json.loads(file.read())["config"]
    except (tf.errors.NotFoundError, KeyError, json.JSONDecodeError):
        raise ValueError(f"{model} has no {DESCRIPTION_FILE} with a configuration: it is no exported model") from None
    return config


def _rows(model: str, layout: FeatureLayout, feature: Feature) -> tuple[list[int], list[str], list[str | None]]:
    """Returns the rows of the table that a feature looks up, what each stands for, and its value."""
    if isinstance(feature, NumericFeature):
        start, buckets = layout.first_bucket_row[feature.name], feature.buckets or 0
        names: list[str | None] = [None, *(str(bucket) for bucket in range(buckets))]
        return list(range(start, start + buckets + 1)), ["empty", *["bucket"] * buckets], names
    if feature.hash_buckets is not None:
        start, buckets = layout.first_hash_row[feature.name], feature.hash_buckets
        return list(range(start, start + buckets)), ["hash bucket"] * buckets, [None] * buckets
    vocabulary = layout.vocabularies[feature.vocabulary_name]
    with tf.io.gfile.GFile(posixpath.join(model, "assets", FILE_NAME), "rb") as file:
        tokens = file.read().splitlines()
    prefix = vocabulary.prefix.encode()
    kept = [(rank, token) for rank, token in enumerate(tokens) if token.startswith(prefix)]
    unknown = list(range(vocabulary.first_oov_row, vocabulary.first_oov_row + vocabulary.oov_buckets))
    return (
        [*(layout.first_token_row + rank for rank, _ in kept), *unknown],
        [*["value"] * len(kept), *["out of vocabulary"] * len(unknown)],
        [*(_readable(token.removeprefix(prefix)) for _, token in kept), *[None] * len(unknown)],
    )


def _readable(value: bytes) -> str:
    return value.decode(errors="replace").replace(CROSS_SEPARATOR, " x ")


def _table(model: str) -> NDArray[np.float32]:
    checkpoint = tf.train.load_checkpoint(posixpath.join(model, "variables", "variables"))
    (name,) = (key for key in checkpoint.get_variable_to_shape_map() if _TABLE in key and "VARIABLE_VALUE" in key)
    table: NDArray[np.float32] = checkpoint.get_tensor(name)
    return table
