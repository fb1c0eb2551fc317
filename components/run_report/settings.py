"""What the report is told by the pipeline: all that stands in no artifact.

The component gets it as one JSON text. `models` lays the features out; this room only needs to know where they stand.
"""

from __future__ import annotations

from pydantic import BaseModel


class OutputSettings(BaseModel, extra="forbid", frozen=True):
    """A probability that the model answers, see `tandem.models.tasks.Output`."""

    name: str
    task: str
    label: str
    given: str | None


class LookedUpFeature(BaseModel, extra="forbid", frozen=True):
    """A feature with a vocabulary, and where its ids stand in a transformed example.

    Attributes:
      name: Its name.
      vocabulary: The name of its vocabulary, perhaps shared.
      start: Its first column of `ids`.
      width: How many columns it has.
    """

    name: str
    vocabulary: str
    start: int
    width: int


class VocabularySettings(BaseModel, extra="forbid", frozen=True):
    """A vocabulary: ids in [first_oov_row, first_oov_row + oov_buckets) are values that it does not know."""

    name: str
    limit: int | None
    min_count: int
    first_oov_row: int
    oov_buckets: int


class ReportSettings(BaseModel, extra="forbid", frozen=True):
    """What the pipeline tells the report.

    Attributes:
      name: The configuration's.
      outputs: Of the model, in order.
      group_by: The column of the users of GAUC; None: there are none.
      final_labels_only: Whether examples whose label may still change are left out of the evaluation.
      min_examples: Slices with fewer rows are marked.
      periods: By split, its period in words; in the order of time.
      looked_up: Features with a vocabulary.
      vocabularies: In the order of the vocabulary file.
      ids_width: Columns of `ids` in a transformed example; 0: there are no ids.
      configuration: The settings as YAML, overrides included.
      data: The folder of the logs.
      commit: Of the code; None where it is not known.
      code_versions: By component, the fingerprint of its code.
    """

    name: str
    outputs: tuple[OutputSettings, ...]
    group_by: str | None
    final_labels_only: bool = True
    min_examples: int = 100
    periods: dict[str, str]
    looked_up: tuple[LookedUpFeature, ...]
    vocabularies: tuple[VocabularySettings, ...]
    ids_width: int
    configuration: str
    data: str
    commit: str | None
    code_versions: dict[str, str]
