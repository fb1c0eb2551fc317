"""Features as a user declares them, and where each one stands in the model's input.

All features look into one embedding table. Its rows, in this order: row 0 is padding (no value); then a row per bucket
of every bucketed number; then the out-of-vocabulary rows of every vocabulary; then one row per vocabulary token. All
but the last part is known from the configuration alone: the graph is written before any vocabulary is counted.

>>> city, tags = CategoricalFeature(name="city"), BagFeature(name="tags", max_values=3)
>>> layout = FeatureLayout([city, tags, NumericFeature(name="price")])
>>> layout.slots["tags"]
Slots(start=1, width=3)
>>> layout.width, layout.numbers
(4, ('price',))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from tandem.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

# Names in a transformed example: the model's inputs, and what only training reads.
IDS, NUMBERS = "ids", "numbers"
LABELS, WEIGHTS, AGES = "labels", "weights", "ages"

# The row of the embedding table that stands for no value.
PADDING = 0

ALL_OTHERS = "*"
"""The name of an entry that stands for all columns that no setting names."""

# What a file may have for a name. Names that stand for several features are gone before a feature is made.
_NAME = r"^[A-Za-z0-9_.-]+$"
_ONE = Annotated[str, Field(pattern=_NAME)]
_SEVERAL = Annotated[tuple[_ONE, ...], Field(min_length=1)]
_IN_A_FILE = Annotated[str, Field(pattern=r"^([A-Za-z0-9_.-]+|\*)$")] | _SEVERAL


def _kind_is_required(schema: dict[str, Any]) -> None:
    """A user has to say of which kind a feature is, though its class knows."""
    if "kind" in schema["properties"]:
        del schema["properties"]["kind"]["default"]
        schema["required"] = [*schema.get("required", ()), "kind"]


class NamedFeature(Settings, json_schema_extra=_kind_is_required):
    """What all features have."""

    name: Annotated[str, Field(pattern=_NAME), BeforeValidator(lambda name: name, json_schema_input_type=_IN_A_FILE)]
    """What the feature is called: letters, digits, `_`, `.` and `-`. An entry may stand for several features that
    differ in their names alone: a list of names, a range (`C1..C26`; `C01..C26` keeps the zeros), or `"*"`, the columns
    of the impressions or the table and of side tables that no other setting names.
    """

    left_out: tuple[str, ...] = Field(default=(), alias="except", exclude=True)
    """With the name `"*"`: columns that are to be no features."""

    column: str | None = None
    """The column that it is made of, from the impressions, a side table or `logs.derived`. None: the one called like
    the feature.
    """

    @model_validator(mode="after")
    def _of_many(self) -> NamedFeature:
        if self.left_out:
            raise ValueError(f"'except' goes with the name '{ALL_OTHERS}' only")
        return self

    @property
    def source(self) -> str:
        """The column of the examples."""
        return self.column or self.name


class VocabularyFeature(NamedFeature):
    """A feature whose values are looked up."""

    vocabulary: str | None = Field(default=None, pattern=r"^[A-Za-z0-9_.-]+$")
    """Features that name the same vocabulary share its counts and its embeddings; their `vocabulary_size`, `min_count`
    and `oov_buckets` must agree. None: one of its own.
    """

    vocabulary_size: int | None = Field(default=None, ge=1)
    """Only so many of the most frequent values are kept. None: no limit."""

    min_count: int = Field(default=1, ge=1)
    """Values seen less often in the training split are out of vocabulary."""

    oov_buckets: int = Field(default=1, ge=1)
    """Embeddings that values out of vocabulary share, by their hash."""

    embedding_dim: int | None = Field(default=None, ge=1)
    """Length of its embeddings. None: `model.embedding_dim`. All lie in one table as wide as the longest."""

    @property
    def vocabulary_name(self) -> str:
        """The vocabulary's name, shared or its own."""
        return self.vocabulary or self.name


class CategoricalFeature(VocabularyFeature):
    """One value per row. An empty cell is a value like any other."""

    kind: Literal["categorical"] = "categorical"
    """One value per row, looked up in a vocabulary."""


class BagFeature(VocabularyFeature):
    """Several values per row, their embeddings pooled. An empty bag is a vector of zeros."""

    kind: Literal["bag"] = "bag"
    """Several values per row, looked up in a vocabulary, their embeddings pooled."""

    separator: str | None = None
    """Between the values of a cell. None: the logs have lists (JSON, Parquet)."""

    max_values: int = Field(default=8, ge=1)
    """Further values of a cell are left out."""

    pooling: Literal["mean", "sum"] = "mean"
    """The `mean` or the `sum` over the values there are."""


class NumericFeature(NamedFeature):
    """A number: scaled, or (with `buckets`) cut at its quantiles and looked up like a category."""

    kind: Literal["numeric"] = "numeric"
    """A number, scaled or cut into buckets."""

    scaling: Literal["standard", "log_standard", "min_max", "none"] | None = None
    """`standard`: zero mean, unit variance; `log_standard`: the same of sign(x) log(1 + |x|); `min_max`: to [0, 1];
    `none`: as it is. An empty cell becomes 0 after scaling (the mean, or the least value). None: `standard`, or
    `buckets` where they are given.
    """

    buckets: int | None = Field(default=None, ge=2)
    """Number of quantile buckets, looked up like categories; an empty cell has a bucket of its own. Replaces `scaling`.
    """

    embedding_dim: int | None = Field(default=None, ge=1)
    """Length of the buckets' embeddings. None: `model.embedding_dim`."""

    @model_validator(mode="after")
    def _one_treatment(self) -> NumericFeature:
        if self.scaling is not None and self.buckets is not None:
            raise ValueError("give 'scaling' or 'buckets', not both")
        if self.embedding_dim is not None and self.buckets is None:
            raise ValueError("'embedding_dim' is for numbers with 'buckets'; this one enters as a number")
        return self


Feature = Annotated[CategoricalFeature | BagFeature | NumericFeature, Field(discriminator="kind")]


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
    """Where every feature stands: in the `ids` and `numbers` inputs, and in the embedding table.

    Attributes:
      features: As declared.
      slots: By name of an embedded feature, its columns of `ids`: categories, then bucketed numbers, then bags.
      width: Number of columns of `ids`.
      numbers: Names of the scaled numbers, in the order of the columns of `numbers`.
      vocabularies: By name.
      first_bucket_row: By name of a bucketed number, the row of its empty-cell bucket; its quantile buckets follow.
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
        for feature in [*self.categorical(), *self.bucketed(), *self.bags()]:
            width = feature.max_values if isinstance(feature, BagFeature) else 1
            self.slots[feature.name] = Slots(self.width, width)
            self.width += width

        row = PADDING + 1
        self.first_bucket_row: dict[str, int] = {}
        for number in self.bucketed():
            self.first_bucket_row[number.name] = row
            row += (number.buckets or 0) + 1
        self.vocabularies: dict[str, Vocabulary] = {}
        names = [feature.name for feature in features]
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
        self.first_token_row = row

    def categorical(self) -> tuple[CategoricalFeature, ...]:
        """The features with one looked-up value per row."""
        return tuple(f for f in self.features if isinstance(f, CategoricalFeature))

    def bags(self) -> tuple[BagFeature, ...]:
        """The features with several looked-up values per row."""
        return tuple(f for f in self.features if isinstance(f, BagFeature))

    def looked_up(self) -> tuple[CategoricalFeature | BagFeature, ...]:
        """The features that have a vocabulary, in the order of their slots."""
        return (*self.categorical(), *self.bags())

    def bucketed(self) -> tuple[NumericFeature, ...]:
        """The numbers that are cut at their quantiles."""
        return tuple(f for f in self.features if isinstance(f, NumericFeature) and f.buckets)

    def scaled(self) -> tuple[NumericFeature, ...]:
        """The numbers that enter as numbers."""
        return tuple(f for f in self.features if isinstance(f, NumericFeature) and not f.buckets)

    def embedding_dims(self, default: int) -> dict[str, int]:
        """Returns the length of every embedded feature's vector, in the order of the slots."""
        embedded: tuple[CategoricalFeature | NumericFeature | BagFeature, ...]
        embedded = (*self.categorical(), *self.bucketed(), *self.bags())
        return {feature.name: feature.embedding_dim or default for feature in embedded}

    @property
    def singles(self) -> int:
        """How many slots, the first ones, belong to features with one value per row."""
        return len(self.categorical()) + len(self.bucketed())
