"""Raw examples and a model -> exact metrics per output, and how long an answer takes.

The model is asked as a model server asks it: serialized raw examples in, probabilities by output name out. Labels and
users come from the same raw rows, so nothing depends on the order in which files are read.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from tandem.components.metrics.catalog import METRICS
from tandem.components.metrics.estimates import output_estimates
from tandem.components.metrics.slicing import Column
from tandem.components.metrics.users import no_users, user_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tandem.models.tasks import TaskGraph

BATCH_ROWS = 4096
LATENCY_ROWS, WARM_UP_CALLS, TIMED_CALLS = 512, 10, 50

Answer = Callable[[tf.Tensor], Mapping[str, Any]]
"""Serialized raw examples, string [B] -> by output name, probabilities [B]."""


def evaluate(
    answer: Answer,
    files: Sequence[str],
    graph: TaskGraph,
    group_by: str | None,
    weights: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, dict[str, float | None]]:
    """Computes every metric of the catalog.

    Args:
      answer: The model.
      files: Raw examples, TFRecord with gzip.
      graph: The tasks.
      group_by: The column that names the user; None: there are none, and no GAUC.
      weights: By output, the columns whose product weighs its rows; None: all rows weigh the same.

    Returns:
      By output, then by metric; None where it has no value.
    """
    parts: dict[str, list[NDArray[Any]]] = {"": []}
    spec = {label: tf.io.FixedLenFeature([], tf.int64) for label in graph.labels}
    weighing = sorted({column for columns in (weights or {}).values() for column in columns})
    spec |= {column: tf.io.FixedLenFeature([], tf.float32) for column in weighing}
    of_users = {} if group_by is None else {group_by: tf.io.RaggedFeature(tf.string)}
    for batch in _raw_examples(files):
        columns = tf.io.parse_example(batch, {**spec, **of_users})
        parts[""].append(_users(columns, group_by, len(batch)))
        for label in graph.labels:
            parts.setdefault(f"label/{label}", []).append(columns[label].numpy().astype(np.int8))
        for name in weighing:
            parts.setdefault(f"weight/{name}", []).append(columns[name].numpy())
        for name, values in answer(batch).items():
            parts.setdefault(f"score/{name}", []).append(np.asarray(values, np.float32))
    rows = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    codes = rows[""]
    metrics = {}
    for output in graph.outputs():
        counted = np.ones(len(codes), bool) if output.given is None else rows[f"label/{output.given}"] == 1
        of_rows = [rows[f"weight/{column}"].astype(np.float64) for column in (weights or {}).get(output.name, ())]
        estimates = output_estimates(
            codes,
            rows[f"label/{output.label}"],
            rows[f"score/{output.name}"],
            counted,
            math.prod(of_rows) if of_rows else None,
        )
        metrics[output.name] = {
            name: None if math.isnan(each.value) else each.value
            for name, each in estimates.items()
            if group_by is not None or not METRICS[name].of_users
        }
    return metrics


def _users(columns: Mapping[str, Any], group_by: str | None, rows: int) -> NDArray[np.int64]:
    if group_by is None:
        return no_users(rows)
    users = columns[group_by]
    column = Column(users.flat_values.numpy().astype(object), users.row_lengths().numpy())
    return user_codes(column, group_by)


def latency_ms(answer: Answer, files: Sequence[str]) -> float:
    """Returns the median time of an answer to 512 rows, in milliseconds; one call after the other.

    Args:
      answer: The model.
      files: Raw examples; where they are fewer than 512, they are repeated.
    """
    rows = next(iter(_raw_examples(files)))
    batch = tf.tile(rows, [-(-LATENCY_ROWS // len(rows))])[:LATENCY_ROWS]
    seconds = []
    for _ in range(WARM_UP_CALLS + TIMED_CALLS):
        started = time.perf_counter()
        for values in answer(batch).values():
            np.asarray(values)  # waits for the answer
        seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds[WARM_UP_CALLS:]))


def _raw_examples(files: Sequence[str]) -> tf.data.Dataset:
    return tf.data.TFRecordDataset(list(files), compression_type="GZIP").batch(BATCH_ROWS).prefetch(2)
