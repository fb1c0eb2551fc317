"""The rows of an evaluation as a few arrays, and what their columns mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tandem.components.metrics.slicing import Sliced

NOT_COUNTED = -1
"""As a label: the row is none of the output's (the parent's label is 0)."""


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
    """The columns of `labels` (outputs) and of `scores` (models, and within a model its outputs)."""

    models: tuple[str, ...]
    outputs: tuple[OutputColumns, ...]

    @staticmethod
    def of(eval_config: Any) -> Layout:
        """Reads models and outputs from the model specs: `label_keys`, and `example_weight_keys` for conditions.

        The columns that say where a label is final stand in the configuration of the outputs' metrics (`final`).

        Args:
          eval_config: TFMA's.

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
            output: final
            for spec in eval_config.metrics_specs
            for metric in spec.metrics
            if (final := json.loads(metric.config or "{}").get("final"))
            for output in spec.output_names
        }
        return Layout(
            models=tuple(spec.name for spec in eval_config.model_specs),
            outputs=tuple(
                OutputColumns(
                    output, first.label_keys[output], first.example_weight_keys.get(output), finals.get(output)
                )
                for output in sorted(first.label_keys)
            ),
        )

    @property
    def columns(self) -> list[tuple[int, int]]:
        """For each column of the scores: the number of its model, and of its output."""
        return [(model, output) for model in range(len(self.models)) for output in range(len(self.outputs))]

    @property
    def label_columns(self) -> tuple[str, ...]:
        """All columns that labels and conditions are read from, sorted."""
        named = {column for output in self.outputs for column in (output.label, output.given, output.final) if column}
        return tuple(sorted(named))


@dataclass(frozen=True)
class Rows:
    """N rows, as arrays, and the slices they belong to.

    Attributes:
      arrays: By name, [N, ...]. Those of whole rows are `users` [N] int64 (the user's code, or `groups.NO_GROUP`),
        `clusters` [N] uint8 (see `groups.clusters`), `labels` [N, outputs] int8 (0, 1 or NOT_COUNTED) and `scores`
        [N, models * outputs] float32 (a column of nan for an output that a model does not have). Those of one column
        of scores have `clusters`, and `labels` and `scores` [N], and only rows that count.
      slicings: One for each way of slicing.
    """

    arrays: Mapping[str, np.ndarray]
    slicings: tuple[Sliced, ...]

    def __len__(self) -> int:
        return len(self.arrays["clusters"])

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in self.arrays.values()) + sum(each.nbytes for each in self.slicings)

    def take(self, index: np.ndarray) -> Rows:
        """Returns the rows at `index` ([M] int64)."""
        return Rows(
            {name: array[index] for name, array in self.arrays.items()},
            tuple(sliced.take(index) for sliced in self.slicings),
        )

    def compact(self) -> Rows:
        """Forgets slices without rows."""
        return Rows(self.arrays, tuple(sliced.compact() for sliced in self.slicings))

    def column(self, output: int, column: int) -> Rows:
        """Returns the rows that count for an output, with a model's scores of it."""
        counted = np.flatnonzero(self["labels"][:, output] != NOT_COUNTED)
        return Rows(
            {
                "clusters": self["clusters"][counted],
                "labels": self["labels"][counted, output],
                "scores": self["scores"][counted, column],
            },
            tuple(sliced.take(counted) for sliced in self.slicings),
        )

    @staticmethod
    def concatenate(parts: Sequence[Rows]) -> Rows:
        """Puts rows below one another."""
        if len(parts) == 1:
            return parts[0]
        first = parts[0]
        return Rows(
            {name: np.concatenate([part[name] for part in parts]) for name in first.arrays},
            tuple(Sliced.concatenate(of_parts) for of_parts in zip(*(part.slicings for part in parts), strict=True)),
        )
