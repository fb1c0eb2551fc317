"""All that the report of a run is made of, as plain data: facts in, a page out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime
    from collections.abc import Mapping

    from tandem.components.evaluator.results import Curves, MetricValue, Verdict
    from tandem.models.tasks import Output


@dataclass(frozen=True)
class SourceAccount:
    """What became of the rows of one stream or table.

    Attributes:
      name: `impressions`, `clicks`, a side table's name ...
      rows: All rows read.
      outcomes: By outcome, how many of them; they add up to `rows`.
    """

    name: str
    rows: int
    outcomes: Mapping[str, int]


@dataclass(frozen=True)
class SplitFacts:
    """The examples of one period.

    Attributes:
      name: `train`, `validation` or `eval`.
      period: As the settings say it, in words.
      examples: How many; None where it is not known.
      positives: By label, the examples whose label is 1.
      first: The earliest impression (UTC); None where the rows have no time.
      last: The latest one.
    """

    name: str
    period: str
    examples: int | None
    positives: Mapping[str, int]
    first: datetime.datetime | None
    last: datetime.datetime | None


@dataclass(frozen=True)
class FeatureStatistics:
    """One column of the examples in one split.

    Attributes:
      split: Which.
      name: The column's.
      kind: `number` or `category`.
      rows: Rows looked at.
      missing: Rows without a value.
      distinct: Different values; None for numbers.
      mean: Of numbers; None for categories.
      deviation: Standard deviation of numbers.
      low: The smallest number.
      high: The largest number.
      top: The most frequent values, and in how many places each stands.
    """

    split: str
    name: str
    kind: str
    rows: int
    missing: int
    distinct: int | None = None
    mean: float | None = None
    deviation: float | None = None
    low: float | None = None
    high: float | None = None
    top: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Shift:
    """How far a feature's values lie from those that it is compared with.

    Attributes:
      feature: Its column.
      kind: `skew`: evaluation against training days; `drift`: training days against those accepted before.
      distance: How far; None where it could not be measured.
      measure: What distance it is: `infinity_norm` or `jensen_shannon_divergence`.
      threshold: The largest distance allowed; None where there is no threshold.
      exceeded: Whether the distance is larger.
      note: The values that moved most, or why nothing was measured.
    """

    feature: str
    kind: str
    distance: float | None
    measure: str
    threshold: float | None
    exceeded: bool
    note: str = ""


@dataclass(frozen=True)
class VocabularySize:
    """One vocabulary.

    Attributes:
      name: Its own.
      features: Those that look their values up in it.
      values: How many values it knows.
      min_count: Values seen less often in training are not in it.
      limit: The most values that it may have; None: no limit.
    """

    name: str
    features: tuple[str, ...]
    values: int
    min_count: int
    limit: int | None


@dataclass(frozen=True)
class UnknownValues:
    """How many of a feature's values are out of vocabulary in one split.

    Attributes:
      feature: Its name.
      split: Which.
      rows: Rows looked at, perhaps a sample.
      values: Values in them; a bag has several in a row, or none.
      unknown: Those of them that the vocabulary does not know.
    """

    feature: str
    split: str
    rows: int
    values: int
    unknown: int


@dataclass(frozen=True)
class PushFacts:
    """What became of the candidate.

    Attributes:
      pushed: Whether it lies in the push folder.
      version: Its number there.
      destination: Its folder there.
    """

    pushed: bool
    version: str = ""
    destination: str = ""


@dataclass(frozen=True)
class ArtifactRecord:
    """What a component left behind."""

    role: str
    kind: str
    id: int
    uri: str


@dataclass(frozen=True)
class Lineage:
    """Where the model comes from.

    Attributes:
      configuration: The settings as YAML, overrides included.
      data: The folder of the logs.
      commit: Of the code; None where it is not under version control.
      code_versions: By component, the fingerprint of the code that it ran.
      packages: By name, the version installed where the report was written.
      artifacts: In the order of the data.
      model: The folder of the SavedModel.
    """

    configuration: str
    data: str
    commit: str | None
    code_versions: Mapping[str, str]
    packages: Mapping[str, str]
    artifacts: tuple[ArtifactRecord, ...]
    model: str


@dataclass(frozen=True)
class Facts:
    """A run.

    Attributes:
      name: The configuration's.
      written: When the report was (UTC).
      outputs: The probabilities that the model answers.
      group_by: The column of the users of GAUC; None: there are none.
      metrics: All of the evaluation.
      verdict: Of the gate.
      curves: What is drawn of each output; None where the evaluation left none.
      baseline: The version of the last blessed model; "" where there is none, or it is not known.
      no_baseline: Why there was none to compare with; "" where there was one.
      push: What became of the candidate.
      history: Figures of every epoch, `epoch` among them.
      sources: What became of the rows of each stream; None where it is not known.
      splits: In the order of time.
      not_final: By label, the evaluation examples whose label may still change after the end of the logs; None where
        that is not known.
      final_labels_only: Whether these are left out of the evaluation.
      min_examples: Slices with fewer rows are marked.
      statistics: Of the columns of the examples, per split.
      shifts: Skew and drift; None where they were not measured.
      vocabularies: In the order of the vocabulary file.
      unknown: Out-of-vocabulary values, per feature and split.
      lineage: Where the model comes from.
    """

    name: str
    written: datetime.datetime
    outputs: tuple[Output, ...]
    group_by: str | None
    metrics: tuple[MetricValue, ...]
    verdict: Verdict
    curves: tuple[Curves, ...] | None
    baseline: str
    no_baseline: str
    push: PushFacts
    history: tuple[Mapping[str, float], ...]
    sources: tuple[SourceAccount, ...] | None
    splits: tuple[SplitFacts, ...]
    not_final: Mapping[str, int] | None
    final_labels_only: bool
    min_examples: int
    statistics: tuple[FeatureStatistics, ...]
    shifts: tuple[Shift, ...] | None
    vocabularies: tuple[VocabularySize, ...]
    unknown: tuple[UnknownValues, ...]
    lineage: Lineage
