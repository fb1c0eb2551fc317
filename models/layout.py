"""Where every feature stands in the model's input, and in the embedding table.

All features look into one embedding table. Its rows, in this order: row 0 is padding (no value); then a row per bucket
of every bucketed number; then the out-of-vocabulary rows of every vocabulary; then the hash buckets of features without
a vocabulary; then one row per vocabulary token. All but the last part is known from the configuration alone: the graph
is written before any vocabulary is counted.

>>> from tandem.models.features import BagFeature, CategoricalFeature, NumericFeature
>>> city, tags = CategoricalFeature(name="city"), BagFeature(name="tags", max_values=3)
>>> layout = FeatureLayout([city, tags, NumericFeature(name="price")])
>>> layout.slots["tags"]
Slots(start=1, width=3)
>>> layout.width, layout.numbers
(4, ('price',))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tandem.models.features import BagFeature, NumericFeature, SingleFeature

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.models.features import Feature

# Names in a transformed example: the model's inputs, and what only training reads.
IDS, NUMBERS, BAG_WEIGHTS = "ids", "numbers", "bag_weights"
LABELS, WEIGHTS, AGES = "labels", "weights", "ages"

# The row of the embedding table that stands for no value.
PADDING = 0


@dataclass(frozen=True)
class Slots:
    """Columns [start, start + width) of the model's `ids` input."""

    start: int
    width: int


@dataclass(frozen=True)
class Vocabulary:
    """What one vocabulary keeps; the settings of the features that share it agree.

    Attributes:
      first_oov_row: Row of its first out-of-vocabulary bucket in the embedding table.
    """

    name: str
    size: int | None
    min_count: int
    oov_buckets: int
    first_oov_row: int

    @property
    def prefix(self) -> str:
        """What stands before its values in the vocabulary file of all features."""
        return f"{self.name}="


class FeatureLayout:
    """Where every feature stands: in the inputs `ids`, `numbers` and `bag_weights`, and in the embedding table.

    Attributes:
      features: As declared.
      slots: By name of an embedded feature, its columns of `ids`: categories and crosses, then bucketed numbers, then
        bags.
      width: Number of columns of `ids`.
      weight_slots: By name of a weighted bag, its columns of `bag_weights`.
      weights_width: Number of columns of `bag_weights`.
      numbers: Names of the scaled numbers, in the order of the columns of `numbers`.
      vocabularies: By name.
      first_bucket_row: By name of a bucketed number, the row of its empty-cell bucket; its quantile buckets follow.
      first_hash_row: By name of a feature without a vocabulary, the row of its first hash bucket.
      first_token_row: Row of the first vocabulary token.
    """

    def __init__(self, features: Sequence[Feature]):
        """Lays the features out.

        Raises:
          ValueError: No feature, names that come twice, or features that share a vocabulary and disagree about it;
            all that is wrong, a line each.
        """
        if not features:
            raise ValueError("at least one feature is needed")
        self.features = tuple(features)
        self.numbers = tuple(number.name for number in self.scaled())

        self.slots: dict[str, Slots] = {}
        self.width = 0
        for feature in [*self.single_valued(), *self.bucketed(), *self.bags()]:
            width = feature.max_values if isinstance(feature, BagFeature) else 1
            self.slots[feature.name] = Slots(self.width, width)
            self.width += width
        self.weight_slots: dict[str, Slots] = {}
        self.weights_width = 0
        for bag in (bag for bag in self.bags() if bag.weighted):
            self.weight_slots[bag.name] = Slots(self.weights_width, bag.max_values)
            self.weights_width += bag.max_values

        row = PADDING + 1
        self.first_bucket_row: dict[str, int] = {}
        for number in self.bucketed():
            self.first_bucket_row[number.name] = row
            row += (number.buckets or 0) + 1
        self.vocabularies: dict[str, Vocabulary] = {}
        row = self._lay_vocabularies(row)
        self.first_hash_row: dict[str, int] = {}
        for hashed in self.hashed():
            self.first_hash_row[hashed.name] = row
            row += hashed.hash_buckets or 0
        self.first_token_row = row

    def _lay_vocabularies(self, row: int) -> int:
        """Gives every vocabulary its out-of-vocabulary rows, from a row on; returns the row after them."""
        names = [feature.name for feature in self.features]
        twice = sorted({name for name in names if names.count(name) > 1})
        problems = [f"feature names must differ; twice: {twice}"] if twice else []
        for looked_up in self.looked_up():
            known = self.vocabularies.get(looked_up.vocabulary_name)
            wanted = (looked_up.vocabulary_size, looked_up.min_count, looked_up.oov_buckets)
            if known is None:
                self.vocabularies[looked_up.vocabulary_name] = Vocabulary(looked_up.vocabulary_name, *wanted, row)
                row += looked_up.oov_buckets
            elif looked_up.name not in twice and wanted != (agreed := (known.size, known.min_count, known.oov_buckets)):
                problems.append(
                    f"feature '{looked_up.name}' shares vocabulary '{known.name}' but asks for (vocabulary_size, "
                    f"min_count, oov_buckets) = {wanted}, another feature for {agreed}"
                )
        if problems:
            raise ValueError("\n".join(problems))
        return row

    @property
    def columns(self) -> tuple[str, ...]:
        """The raw columns that the features are made of, each once."""
        weights = (bag.weights for bag in self.bags() if bag.weights is not None)
        return tuple(dict.fromkeys([*(column for f in self.features for column in f.sources), *weights]))

    def single_valued(self) -> tuple[SingleFeature, ...]:
        """The categories and crosses: one value per row."""
        return tuple(f for f in self.features if isinstance(f, SingleFeature))

    def bags(self) -> tuple[BagFeature, ...]:
        """The features with several values per row."""
        return tuple(f for f in self.features if isinstance(f, BagFeature))

    def valued(self) -> tuple[SingleFeature | BagFeature, ...]:
        """The features whose values are looked up or hashed, in the order of their slots."""
        return (*self.single_valued(), *self.bags())

    def looked_up(self) -> tuple[SingleFeature | BagFeature, ...]:
        """Those of them that have a vocabulary."""
        return tuple(f for f in self.valued() if f.hash_buckets is None)

    def hashed(self) -> tuple[SingleFeature | BagFeature, ...]:
        """Those of them that have hash buckets."""
        return tuple(f for f in self.valued() if f.hash_buckets is not None)

    def bucketed(self) -> tuple[NumericFeature, ...]:
        """The numbers that are cut at their quantiles."""
        return tuple(f for f in self.features if isinstance(f, NumericFeature) and f.buckets)

    def scaled(self) -> tuple[NumericFeature, ...]:
        """The numbers that enter as numbers."""
        return tuple(f for f in self.features if isinstance(f, NumericFeature) and not f.buckets)

    def embedding_dims(self, default: int) -> dict[str, int]:
        """Returns the length of every embedded feature's vector, in the order of the slots."""
        embedded: tuple[SingleFeature | NumericFeature | BagFeature, ...]
        embedded = (*self.single_valued(), *self.bucketed(), *self.bags())
        return {feature.name: feature.embedding_dim or default for feature in embedded}

    @property
    def singles(self) -> int:
        """How many slots, the first ones, belong to features with one value per row."""
        return len(self.single_valued()) + len(self.bucketed())
