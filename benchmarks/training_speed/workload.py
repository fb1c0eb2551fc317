"""The workload: examples as a shop's ads have them, with clicks and conversions that can be learned.

1,024,000 training rows and 200,704 test rows; 23 categorical features with 1,006,480 values together, their frequencies
skewed by a power law; 4% clicks, 5% conversions of clicks. Ids, labels and their probabilities follow from the seed.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sklearn.metrics import roc_auc_score

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

CARDINALITIES = {
    "user_id": 200_000,
    "user_cluster": 98,
    "user_group": 14,
    "user_gender": 3,
    "user_age": 8,
    "user_spend_1": 4,
    "user_spend_2": 4,
    "user_shopping": 4,
    "user_city": 300,
    "user_occupation": 5,
    "item_id": 400_000,
    "shop_id": 100_000,
    "brand_id": 50_000,
    "category_id": 5_000,
    "item_intent": 30_000,
    "user_x_category": 100_000,
    "user_x_shop": 60_000,
    "user_x_brand": 40_000,
    "user_x_intent": 20_000,
    "position": 4,
    "hour": 24,
    "scene": 12,
    "price_bin": 1_000,
}
FEATURES = tuple(CARDINALITIES)
TASKS = ("click", "conversion")
TRAIN_ROWS, TEST_ROWS = 1_024_000, 200_704
FILES = 4


class Workload(NamedTuple):
    """Ids and labels on disk, and what is known of them.

    Attributes:
      folder: Where `examples/` with TFRecord files of the training rows is, too.
      ids: int32 [rows, 23], of every feature from 0.
      labels: int8 [rows, 2]: click, click and conversion.
      best_auc: What the true probabilities reach on the test rows, by output.
    """

    folder: Path
    ids: np.ndarray
    labels: np.ndarray
    best_auc: Mapping[str, float]

    @property
    def train(self) -> tuple[np.ndarray, np.ndarray]:
        """Ids and labels of the training rows."""
        return self.ids[:TRAIN_ROWS], self.labels[:TRAIN_ROWS]

    @property
    def test(self) -> tuple[np.ndarray, np.ndarray]:
        """Ids and labels of the test rows."""
        return self.ids[TRAIN_ROWS:], self.labels[TRAIN_ROWS:]


def load(folder: Path, seed: int = 7) -> Workload:
    """Reads the workload, and makes it first where it is not there."""
    info = folder / "info.json"
    if not info.exists():
        folder.mkdir(parents=True, exist_ok=True)
        ids, labels, best = _make(TRAIN_ROWS + TEST_ROWS, seed)
        np.save(folder / "ids.npy", ids)
        np.save(folder / "labels.npy", labels)
        write_examples(folder / "examples", ids[:TRAIN_ROWS], labels[:TRAIN_ROWS])
        info.write_text(json.dumps({"seed": seed, "best_auc": best}), encoding="utf-8")
    best = json.loads(info.read_text(encoding="utf-8"))["best_auc"]
    ids, labels = (np.load(folder / name, mmap_mode="r") for name in ("ids.npy", "labels.npy"))
    return Workload(folder, ids, labels, best)


def _make(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray, dict[str, float]]:
    random = np.random.default_rng(seed)
    ids = _ids(rows, random)
    click_score = _score(ids, random)
    conversion_score = 0.5 * click_score + 0.9 * _score(ids, random)
    click_rate = _shifted(click_score, click_score, 0.04)
    clicks = random.random(rows) < click_rate
    conversion_rate = _shifted(conversion_score, conversion_score[clicks], 0.05)
    conversions = clicks & (random.random(rows) < conversion_rate)
    test = slice(TRAIN_ROWS, None)
    best = {
        "click": float(roc_auc_score(clicks[test], click_rate[test])),
        "click_and_conversion": float(roc_auc_score(conversions[test], (click_rate * conversion_rate)[test])),
    }
    matrix = np.stack([ids[name] for name in FEATURES], axis=1).astype(np.int32)
    return matrix, np.stack([clicks, conversions], axis=1).astype(np.int8), best


def _ids(rows: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Users and items by a power law; what is known of each of them; crossings of the two, hashed."""

    def skewed(name: str, size: int, power: float) -> np.ndarray:
        values = (CARDINALITIES[name] * random.random(size) ** power).astype(np.int64)
        return np.minimum(values, CARDINALITIES[name] - 1)

    user, item = skewed("user_id", rows, 3.0), skewed("item_id", rows, 4.0)
    ids = {"user_id": user, "item_id": item}
    for name in FEATURES[1:10]:
        ids[name] = skewed(name, CARDINALITIES["user_id"], 1.5)[user]
    for name in ("shop_id", "brand_id", "category_id", "item_intent", "price_bin"):
        ids[name] = skewed(name, CARDINALITIES["item_id"], 2.5)[item]

    def crossed(name: str, of_user: str, of_item: str) -> np.ndarray:
        mixed = ids[of_user] * 1_000_003 + ids[of_item] * 7_919 + 12345
        return mixed % 2_147_483_647 % CARDINALITIES[name]

    ids["user_x_category"] = crossed("user_x_category", "user_cluster", "category_id")
    ids["user_x_shop"] = crossed("user_x_shop", "user_cluster", "shop_id")
    ids["user_x_brand"] = crossed("user_x_brand", "user_group", "brand_id")
    ids["user_x_intent"] = crossed("user_x_intent", "user_age", "item_intent")
    ids["position"], ids["hour"] = random.integers(0, 4, rows), random.integers(0, 24, rows)
    ids["scene"] = skewed("scene", rows, 2.0)
    return ids


def _score(ids: Mapping[str, np.ndarray], random: np.random.Generator) -> np.ndarray:
    """An effect of every value, and an interaction of low rank, which only a non-linear model finds."""
    score = np.zeros(len(ids["user_id"]))
    for name, size in CARDINALITIES.items():
        scale = 0.15 if size > 100_000 else 0.30 if size <= 2000 else 0.18
        score += random.normal(0, scale, size)[ids[name]]
    cluster = random.normal(0, 1, (CARDINALITIES["user_cluster"], 6))
    category = random.normal(0, 1, (CARDINALITIES["category_id"], 6))
    return score + 0.22 * (cluster[ids["user_cluster"]] * category[ids["category_id"]]).sum(axis=1)


def _shifted(scores: np.ndarray, of: np.ndarray, rate: float) -> np.ndarray:
    """Turns scores into probabilities whose mean over the scores `of` is the rate."""
    low, high = -15.0, 15.0
    for _ in range(60):
        shift = (low + high) / 2
        low, high = (low, shift) if (1 / (1 + np.exp(-(of + shift)))).mean() > rate else (shift, high)
    return 1 / (1 + np.exp(-(scores + shift)))


def write_examples(folder: Path, ids: np.ndarray, labels: np.ndarray, files: int = FILES) -> None:
    """Writes rows as tf.Transform leaves them for the trainer: ids of one table, after its padding row."""
    import tensorflow as tf

    from tandem.models.layout import IDS, LABELS

    def integers(values: np.ndarray) -> tf.train.Feature:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    def serialized(rows: slice) -> Iterator[bytes]:
        for row_ids, row_labels in zip(ids[rows] + first_rows(), labels[rows], strict=True):
            feature = {IDS: integers(row_ids), LABELS: integers(row_labels)}
            yield tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()

    folder.mkdir(parents=True, exist_ok=True)
    bounds = np.linspace(0, len(ids), files + 1).astype(int)
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    for number, (start, end) in enumerate(itertools.pairwise(bounds)):
        path = folder / f"transformed_examples-{number:05d}-of-{files:05d}.gz"
        with tf.io.TFRecordWriter(str(path), options) as writer:
            for example in serialized(slice(start, end)):
                writer.write(example)


def layout():
    """Returns our layout of the features; no value of the workload is out of vocabulary."""
    from tandem.models.features import CategoricalFeature
    from tandem.models.layout import FeatureLayout

    return FeatureLayout([CategoricalFeature(name=name) for name in FEATURES])


def first_rows() -> np.ndarray:
    """Returns, of every feature, the row of its first value in our table, int64 [23]."""
    sizes = np.array(list(CARDINALITIES.values()))
    return layout().first_token_row + np.cumsum(sizes) - sizes
