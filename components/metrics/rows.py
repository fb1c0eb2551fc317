"""What the extractors hand to the metrics: the rows of one slice as a few arrays, and what their columns mean."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tensorflow_model_analysis.proto import config_pb2

ROWS_KEY = "task_rows"
"""The extracts' key of `Rows`."""

NOT_COUNTED = -1
"""In `Rows.labels`: the row is none of the output's (the parent's label is 0)."""


@dataclass(frozen=True)
class OutputColumns:
    """An output of the models and the columns that judge it.

    Attributes:
      name: The output's name.
      label: The column of its label.
      given: The column that must be 1 for a row to count; None: all rows count.
      final: The column that is 1 where the label cannot change any more; other rows do not count. None: all labels are
        final.
    """

    name: str
    label: str
    given: str | None
    final: str | None = None


@dataclass(frozen=True)
class Layout:
    """The columns of `Rows.labels` (outputs) and `Rows.scores` (models, and within a model its outputs)."""

    models: tuple[str, ...]
    outputs: tuple[OutputColumns, ...]

    @staticmethod
    def of(eval_config: config_pb2.EvalConfig) -> Layout:
        """Reads models and outputs from the model specs: `label_keys`, and `example_weight_keys` for conditions.

        The columns that say where a label is final stand in the configuration of the outputs' metrics (`final`).

        Raises:
          ValueError: The models differ in their labels or conditions, or there are no outputs.
        """
        first = eval_config.model_specs[0]
        for spec in eval_config.model_specs:
            if spec.label_keys != first.label_keys or spec.example_weight_keys != first.example_weight_keys:
                raise ValueError(
                    f"model specs '{first.name}' and '{spec.name}' differ in label_keys or example_weight_keys"
                )
        if not first.label_keys:
            raise ValueError(f"model spec '{first.name}' has no label_keys: {{output: label column}}")
        finals = {
            output: json.loads(metric.config or "{}").get("final")
            for spec in eval_config.metrics_specs
            for metric in spec.metrics
            for output in spec.output_names
        }
        return Layout(
            models=tuple(spec.name for spec in eval_config.model_specs),
            outputs=tuple(
                OutputColumns(
                    output, first.label_keys[output], first.example_weight_keys.get(output), finals.get(output) or None
                )
                for output in sorted(first.label_keys)
            ),
        )

    @property
    def label_columns(self) -> tuple[str, ...]:
        """All columns that labels and conditions are read from, sorted."""
        named = {column for output in self.outputs for column in (output.label, output.given, output.final) if column}
        return tuple(sorted(named))


@dataclass(frozen=True)
class Rows:
    """N rows: 8 bytes for the user, 1 for every output's label, 4 for every model's score of it.

    Attributes:
      groups: [N] int64, the user's code, or `groups.NO_GROUP`.
      labels: [N, outputs] int8: 0, 1 or NOT_COUNTED.
      scores: [N, models * outputs] float32; a column of nan for an output that a model does not have.
    """

    groups: np.ndarray
    labels: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.groups)

    def take(self, index: np.ndarray) -> Rows:
        """Returns the rows at `index` ([M] int64)."""
        return Rows(self.groups[index], self.labels[index], self.scores[index])

    @staticmethod
    def concatenate(parts: Sequence[Rows]) -> Rows:
        """Puts rows below one another."""
        return Rows(
            np.concatenate([part.groups for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )
