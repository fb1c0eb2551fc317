"""Features as a user declares them. What becomes of them in the model's input: `tandem.models.layout`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from tandem.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_HASH_BUCKETS = 2**30

WEIGHT_NUMBER = r"[-+]?(?:\d{1,15}(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d{1,2})?"
"""What the weight of a value in a bag looks like, as a regular expression that RE2 understands."""

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

    @model_validator(mode="after")
    def _of_many(self) -> NamedFeature:
        if self.left_out:
            raise ValueError(f"'except' goes with the name '{ALL_OTHERS}' only")
        return self


class ColumnFeature(NamedFeature):
    """A feature made of a column."""

    column: str | None = None
    """The column that it is made of, from the impressions, a side table or `logs.derived`. None: the one called like
    the feature.
    """

    @property
    def source(self) -> str:
        """The column of the examples."""
        return self.column or self.name

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of the examples that hold its values."""
        return (self.source,)


class VocabularyFeature(NamedFeature):
    """A feature whose values are looked up."""

    vocabulary: str | None = Field(default=None, pattern=_NAME)
    """Features that name the same vocabulary share its counts and its embeddings; their `vocabulary_size`, `min_count`
    and `oov_buckets` must agree. None: one of its own.
    """

    vocabulary_size: int | None = Field(default=None, ge=1)
    """Only so many of the most frequent values are kept. None: no limit."""

    min_count: int = Field(default=1, ge=1)
    """Values seen less often in the training split are out of vocabulary."""

    oov_buckets: int = Field(default=1, ge=1)
    """Embeddings that values out of vocabulary share, by their hash."""

    hash_buckets: int | None = Field(default=None, ge=1, le=MOST_HASH_BUCKETS)
    """Embeddings that all values share, by their hash, in place of a vocabulary: nothing is counted, and values that
    were never seen are treated like all others. Excludes the four settings above. None: a vocabulary is counted.
    """

    embedding_dim: int | None = Field(default=None, ge=1)
    """Length of its embeddings. None: `model.embedding_dim`. All lie in one table as wide as the longest."""

    @model_validator(mode="after")
    def _hashed_or_counted(self) -> VocabularyFeature:
        counted = {
            "vocabulary": self.vocabulary is not None,
            "vocabulary_size": self.vocabulary_size is not None,
            "min_count": self.min_count != 1,
            "oov_buckets": self.oov_buckets != 1,
        }
        if self.hash_buckets is not None and (given := [f"'{name}'" for name, is_given in counted.items() if is_given]):
            raise ValueError(f"with 'hash_buckets' there is no vocabulary, so leave out {', '.join(given)}")
        return self

    @property
    def vocabulary_name(self) -> str:
        """The vocabulary's name, shared or its own."""
        return self.vocabulary or self.name


class CategoricalFeature(ColumnFeature, VocabularyFeature):
    """One value per row. An empty cell is a value like any other."""

    kind: Literal["categorical"] = "categorical"
    """One value per row, looked up."""


class CrossFeature(VocabularyFeature):
    """The values of several columns together, one per row. An empty cell is a value like any other."""

    kind: Literal["cross"] = "cross"
    """The values of several columns together, looked up as one value."""

    of: tuple[str, ...] = Field(min_length=2)
    """The columns, or categorical features for their columns; each gives the one value of its cell."""

    @model_validator(mode="after")
    def _of_different_columns(self) -> CrossFeature:
        _differ("of", self.of)
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of the examples that hold its values."""
        return self.of


class BagFeature(ColumnFeature, VocabularyFeature):
    """Several values per row, their embeddings pooled. An empty bag is a vector of zeros."""

    kind: Literal["bag"] = "bag"
    """Several values per row, looked up, their embeddings pooled."""

    columns: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Several columns, in place of one: the values of all their cells together are the bag."""

    separator: str | None = None
    """Between the values of a cell. None: the logs have lists (JSON, Parquet), or one value in a cell."""

    max_values: int = Field(default=8, ge=1)
    """Further values are left out."""

    keep: Literal["first", "last"] = "first"
    """Which values stay where there are more than `max_values`: the `first`, or the `last` (the newest of a history
    that is written oldest first).
    """

    pooling: Literal["mean", "sum"] = "mean"
    """The `mean` or the `sum` over the values there are. With weights w and embeddings e: the sum of w e, for the mean
    divided by the sum of |w|.
    """

    weights: str | None = None
    """A column with the weights of the values, as many in a cell, with the same `separator`. A value whose weight is
    missing or no number has weight 1. None: all have.
    """

    weight_separator: str | None = Field(default=None, min_length=1)
    """Between a value and its weight, where a cell has both: `:` in `shoes:0.7`. The last one counts; where no number
    follows it, it belongs to the value, whose weight is 1. Excludes `weights`.
    """

    @model_validator(mode="after")
    def _sound_bag(self) -> BagFeature:
        if self.columns is not None:
            _differ("columns", self.columns)
            if self.column is not None:
                raise ValueError("give 'column' or 'columns', not both")
            if self.weights is not None:
                raise ValueError("'weights' go with one column; with 'columns', give each value its weight in its cell")
            if len(self.columns) > self.max_values:
                raise ValueError(f"'columns' are {len(self.columns)}, but max_values is {self.max_values}")
        if self.weights is not None and self.weight_separator is not None:
            raise ValueError("give 'weights' or 'weight_separator', not both")
        if self.weight_separator is not None and self.weight_separator == self.separator:
            raise ValueError("'weight_separator' and 'separator' must differ")
        return self

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of the examples that hold its values."""
        return self.columns or (self.source,)

    @property
    def weighted(self) -> bool:
        """Whether its values have weights."""
        return self.weights is not None or self.weight_separator is not None


class NumericFeature(ColumnFeature):
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


def _differ(key: str, names: Sequence[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"'{key}' has {', '.join(map(repr, twice))} twice")


SingleFeature = CategoricalFeature | CrossFeature
Feature = Annotated[
    CategoricalFeature | BagFeature | NumericFeature | CrossFeature,
    Field(discriminator="kind"),
]
