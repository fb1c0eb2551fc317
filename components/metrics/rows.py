"""The rows of an evaluation as a few arrays: whole rows, and those of one column of scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tandem.components.metrics.slicing import Sliced

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NOT_COUNTED = -1
"""As a label: the row is none of the output's (the parent's label is 0, or its own may still change)."""


@dataclass(frozen=True)
class Rows:
    """N rows with the labels of all outputs and the scores of all models.

    Attributes:
      users: [N] int64, the user's code, or `users.NO_USER`.
      clusters: [N] uint8, see `users.cluster_of`.
      labels: [N, outputs] int8; 0, 1 or NOT_COUNTED.
      scores: [N, models * outputs] float32, by model and then by output; a column of nan for an output that a model
        does not have.
      slicings: One for each way of slicing.
      weights: One for each output: [N] float64, not negative, or None where rows weigh 1. Empty: None for all.
    """

    users: NDArray[np.int64]
    clusters: NDArray[np.uint8]
    labels: NDArray[np.int8]
    scores: NDArray[np.float32]
    slicings: tuple[Sliced, ...]
    weights: tuple[NDArray[np.float64] | None, ...] = ()

    def __len__(self) -> int:
        return len(self.clusters)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.users, self.clusters, self.labels, self.scores, *self.weights, *self.slicings)
        return sum(array.nbytes for array in arrays if array is not None)

    @property
    def columns(self) -> list[tuple[int, int]]:
        """For each column of the scores its number and that of its output."""
        return [(column, column % self.labels.shape[1]) for column in range(self.scores.shape[1])]

    def weights_of(self, output: int) -> NDArray[np.float64] | None:
        """Returns the weights for an output, [N]; None where rows weigh 1."""
        return self.weights[output] if self.weights else None

    def counted(self, output: int) -> NDArray[np.bool_]:
        """Returns which rows count for an output, [N]: a row that weighs nothing does not."""
        counted: NDArray[np.bool_] = self.labels[:, output] != NOT_COUNTED
        weights = self.weights_of(output)
        return counted if weights is None else counted & (weights > 0)

    def answered(self, column: int) -> bool:
        """Returns whether a model has the output of a column of scores."""
        return not np.isnan(self.scores[:, column]).any()

    def take(self, index: NDArray[np.int64]) -> Rows:
        """Returns the rows at `index` ([M] int64)."""
        return Rows(
            users=self.users[index],
            clusters=self.clusters[index],
            labels=self.labels[index],
            scores=self.scores[index],
            slicings=tuple(sliced.take(index) for sliced in self.slicings),
            weights=tuple(_taken(weights, index) for weights in self.weights),
        )

    def scored(self, column: int, output: int) -> ScoredRows:
        """Returns the rows that count for an output, with a model's scores of it."""
        counted = np.flatnonzero(self.counted(output))
        return ScoredRows(
            clusters=self.clusters[counted],
            positive=self.labels[counted, output] == 1,
            scores=self.scores[counted, column],
            slicings=tuple(sliced.take(counted) for sliced in self.slicings),
            weights=_taken(self.weights_of(output), counted),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Rows]) -> Rows:
        """Puts rows below one another."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            users=np.concatenate([part.users for part in parts]),
            clusters=np.concatenate([part.clusters for part in parts]),
            labels=np.concatenate([part.labels for part in parts]),
            scores=np.concatenate([part.scores for part in parts]),
            slicings=_below_one_another([part.slicings for part in parts]),
            weights=tuple(_joined(of_output) for of_output in zip(*(part.weights for part in parts), strict=True)),
        )


@dataclass(frozen=True)
class ScoredRows:
    """N rows that count for an output, with one model's scores of it.

    Attributes:
      clusters: [N] uint8, see `users.cluster_of`.
      positive: [N] bool, whether the label is 1.
      scores: [N] float32.
      slicings: One for each way of slicing.
      weights: [N] float64, above 0; None where rows weigh 1.
    """

    clusters: NDArray[np.uint8]
    positive: NDArray[np.bool_]
    scores: NDArray[np.float32]
    slicings: tuple[Sliced, ...]
    weights: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(self.clusters)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.clusters, self.positive, self.scores, self.weights, *self.slicings)
        return sum(array.nbytes for array in arrays if array is not None)

    def take(self, index: NDArray[np.int64]) -> ScoredRows:
        """Returns the rows at `index` ([M] int64)."""
        return ScoredRows(
            clusters=self.clusters[index],
            positive=self.positive[index],
            scores=self.scores[index],
            slicings=tuple(sliced.take(index) for sliced in self.slicings),
            weights=_taken(self.weights, index),
        )

    @classmethod
    def concatenate(cls, parts: Sequence[ScoredRows]) -> ScoredRows:
        """Puts rows below one another."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            clusters=np.concatenate([part.clusters for part in parts]),
            positive=np.concatenate([part.positive for part in parts]),
            scores=np.concatenate([part.scores for part in parts]),
            slicings=_below_one_another([part.slicings for part in parts]),
            weights=_joined([part.weights for part in parts]),
        )


def _taken(weights: NDArray[np.float64] | None, index: NDArray[np.int64]) -> NDArray[np.float64] | None:
    return None if weights is None else weights[index]


def _joined(parts: Sequence[NDArray[np.float64] | None]) -> NDArray[np.float64] | None:
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if present else None


def _below_one_another(parts: Sequence[tuple[Sliced, ...]]) -> tuple[Sliced, ...]:
    return tuple(Sliced.concatenate(of_slicing) for of_slicing in zip(*parts, strict=True))
