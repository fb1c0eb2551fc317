"""From record batches of raw examples and the models' answers to rows of the evaluation.

The columns that the evaluation names are read as they are, without a schema, and stay arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tandem.components.metrics.pairs import checked_weights
from tandem.components.metrics.rows import NOT_COUNTED, Rows
from tandem.components.metrics.slicing import Column, crossed
from tandem.components.metrics.users import cluster_of, hash_codes, no_users, user_codes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from tandem.components.evaluator.plan import EvaluationPlan, OutputColumns


@dataclass(frozen=True)
class ExampleColumns:
    """What the evaluation needs of N rows besides the models' answers.

    Attributes:
      users: [N] int64 (see `Rows`).
      clusters: [N] uint8 (see `Rows`).
      labels: Column -> [N] int8, 0 or 1.
      weights: Column -> [N] float64, finite and not negative.
      slices: Column -> its values.
    """

    users: NDArray[np.int64]
    clusters: NDArray[np.uint8]
    labels: Mapping[str, NDArray[np.int8]]
    weights: Mapping[str, NDArray[np.float64]]
    slices: Mapping[str, Column]

    def __len__(self) -> int:
        return len(self.users)

    @staticmethod
    def read(batch: pa.RecordBatch, examples: NDArray[Any], plan: EvaluationPlan) -> ExampleColumns:
        """Reads the columns that a plan names.

        Args:
          batch: As TFXIO makes it: lists of values.
          examples: [N] bytes (dtype object), the serialized examples.
          plan: The evaluation's.

        Raises:
          ValueError: A column is not what it is to be.
        """
        group_by, buckets = plan.settings.group_by, plan.settings.buckets
        users = no_users(len(examples)) if group_by is None else user_codes(read_column(batch, group_by), group_by)
        return ExampleColumns(
            users=users,
            clusters=cluster_of(users, lambda: hash_codes(examples)),
            labels={name: _read_label(batch, name) for name in plan.label_columns},
            weights={name: _read_weight(batch, name) for name in plan.weight_columns},
            slices={name: read_column(batch, name, numbers=name in buckets) for name in plan.slice_columns},
        )

    @staticmethod
    def concatenate(parts: Sequence[ExampleColumns]) -> ExampleColumns:
        """Puts rows below one another."""
        first = parts[0]
        return ExampleColumns(
            users=np.concatenate([part.users for part in parts]),
            clusters=np.concatenate([part.clusters for part in parts]),
            labels={name: np.concatenate([part.labels[name] for part in parts]) for name in first.labels},
            weights={name: np.concatenate([part.weights[name] for part in parts]) for name in first.weights},
            slices={name: Column.concatenate([part.slices[name] for part in parts]) for name in first.slices},
        )

    def labels_of(self, output: OutputColumns) -> NDArray[np.int8]:
        """Returns the labels of an output, [N]; NOT_COUNTED where it cannot be judged."""
        labels = self.labels[output.label]
        for condition in (output.given, output.final):
            if condition is not None:
                labels = np.where(self.labels[condition] == 1, labels, np.int8(NOT_COUNTED))
        return labels

    def weights_of(self, output: OutputColumns) -> NDArray[np.float64] | None:
        """Returns the product of an output's weight columns, [N]; None where it has none."""
        if not output.weights:
            return None
        weights: NDArray[np.float64] = np.prod([self.weights[name] for name in output.weights], axis=0)
        if not np.isfinite(weights).all():
            raise ValueError(f"the product of the weights {', '.join(output.weights)} is infinite in an example")
        return weights

    def rows(self, scores: Sequence[NDArray[np.float32]], plan: EvaluationPlan) -> Rows:
        """Puts labels, weights, scores and slices side by side.

        Args:
          scores: By model, and within a model by output of the plan, [N] each.
          plan: The evaluation's.
        """
        buckets = plan.settings.buckets
        by_name = {name: column.sliced(name, buckets.get(name, ())) for name, column in self.slices.items()}
        return Rows(
            users=self.users,
            clusters=self.clusters,
            labels=np.stack([self.labels_of(output) for output in plan.outputs], axis=1),
            scores=np.stack(scores, axis=1),
            slicings=tuple(crossed(by_name, plan.read_columns(names), len(self)) for names in plan.slicings),
            weights=tuple(self.weights_of(output) for output in plan.outputs) if plan.weight_columns else (),
        )


def read_column(batch: pa.RecordBatch, name: str, numbers: bool = False) -> Column:
    """Reads a column of categories or integers; a column that the batch does not have is missing in every row.

    Args:
      batch: As TFXIO makes it: lists of values.
      name: The column.
      numbers: Whether to read one of numbers: integers or floats.

    Raises:
      ValueError: The column is of another type.
    """
    index = batch.schema.get_field_index(name)
    if index < 0 or pa.types.is_null(batch.schema.field(index).type):
        return Column(np.empty(0, object), np.zeros(batch.num_rows, np.int64))
    array = batch.column(index)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        of = array.type.value_type
        categories = pa.types.is_large_binary(of) or pa.types.is_binary(of)
        if pa.types.is_integer(of) or (pa.types.is_floating(of) if numbers else categories):
            counts = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
            return Column(array.flatten().to_numpy(zero_copy_only=False), counts)
    wanted = "buckets and weights need numbers" if numbers else "users and slices need categories (bytes) or integers"
    raise ValueError(f"column '{name}' is {array.type}: {wanted}")


def probabilities(
    answers: Mapping[str, Any], model: str, output: str, rows: int, lacking: Callable[[], None] | None = None
) -> NDArray[np.float32]:
    """Reads a model's answer.

    Args:
      answers: By output, [N] or [N, 1].
      model: What the model is called in messages.
      output: Which answer.
      rows: N.
      lacking: Called where the model does not have the output; None: it must.

    Returns:
      [N]; nan where the model does not have the output.

    Raises:
      ValueError: The answer lacks, has another shape, or is none of probabilities.
    """
    if output not in answers:
        if lacking is None:
            raise ValueError(f"{model} does not answer '{output}'; it answers {sorted(answers)}")
        lacking()
        return np.full(rows, np.nan, np.float32)
    scores = np.asarray(answers[output], np.float32)
    if scores.size != rows:
        raise ValueError(f"{model} must answer '{output}' with shape [{rows}] or [{rows}, 1], not {list(scores.shape)}")
    scores = scores.reshape(rows)
    inside = (scores >= 0) & (scores <= 1)
    if not inside.all():
        raise ValueError(
            f"{model} must answer '{output}' with probabilities; {int((~inside).sum())} of {rows} answers "
            f"lie outside [0, 1], one is {scores[~inside][0]}"
        )
    return scores


def _read_label(batch: pa.RecordBatch, name: str) -> NDArray[np.int8]:
    """Reads a label of every row, 0 or 1."""
    labels = _one_each(read_column(batch, name), name, "label")
    if labels.dtype == object or ((labels != 0) & (labels != 1)).any():
        other = labels[0] if labels.dtype == object else labels[(labels != 0) & (labels != 1)][0]
        raise ValueError(f"label '{name}' must be 0 or 1, an example has {other!r}")
    return labels.astype(np.int8)


def _read_weight(batch: pa.RecordBatch, name: str) -> NDArray[np.float64]:
    """Reads a weight of every row."""
    weights = _one_each(read_column(batch, name, numbers=True), name, "weight")
    try:
        return checked_weights(weights, batch.num_rows)
    except ValueError as error:
        raise ValueError(f"column '{name}': {error}") from None


def _one_each(column: Column, name: str, what: str) -> NDArray[Any]:
    """Returns the values of a column that has one in every row."""
    wrong = int((column.counts != 1).sum())
    if wrong:
        rows = len(column.counts)
        raise ValueError(f"{what} '{name}' must have one value in every example; {wrong} of {rows} have not")
    return column.values
