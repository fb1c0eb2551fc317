"""What a network is worth on rows that it does not learn from, and what the labels alone say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf
from sklearn.metrics import log_loss, roc_auc_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tandem.models.tasks import TaskGraph

Predict = Callable[[Mapping[str, tf.Tensor]], Mapping[str, tf.Tensor]]


def base_rates(
    labels: NDArray[np.float32], graph: TaskGraph, weights: NDArray[np.float32] | None = None
) -> dict[str, float]:
    """Returns, by task, the share of positives among the rows it is trained on.

    Args:
      labels: [n, T], 0 or 1, in the order of the tasks.
      graph: The tasks.
      weights: [n, T], the rows'; None: all alike.
    """
    by_label = {label: labels[:, index].astype(np.float64) for index, label in enumerate(graph.labels)}
    masks = graph.masks(by_label)
    rates = {}
    for index, task in enumerate(graph):
        values, mask = by_label[graph.label(task.name)], masks[task.name]
        counted = slice(None) if mask is None else mask > 0
        of_rows = np.ones(len(labels)) if weights is None else weights[:, index].astype(np.float64)
        of_rows = of_rows[counted]
        if of_rows.any():
            of_rows = of_rows / of_rows[of_rows > 0].mean()
        # One pseudo-row of each class: a rate of 0 or 1 in a sample is no certainty.
        rates[task.name] = float((of_rows @ values[counted] + 1) / (of_rows.sum() + 2))
    return rates


def validate(predict: Predict, batches: tf.data.Dataset, graph: TaskGraph) -> dict[str, float]:
    """Judges a network on validation batches.

    Args:
      predict: Features -> probabilities by output name, [B].
      batches: A `Batch` per element.
      graph: The tasks.

    Returns:
      `auc/<output>` and `log_loss/<output>` over the rows that count for the output, by their weights where they have
      any; an AUC over one class is nan.
    """
    answers: dict[str, list[NDArray[np.float32]]] = {output.name: [] for output in graph.outputs()}
    label_batches, weight_batches = [], []
    for batch in batches:
        for name, values in predict(batch.features).items():
            answers[name].append(values.numpy())
        label_batches.append(batch.labels.numpy())
        if batch.weights is not None:
            weight_batches.append(batch.weights.numpy())
    labels = np.concatenate(label_batches)
    weights = np.concatenate(weight_batches) if weight_batches else None
    columns = {label: labels[:, index] for index, label in enumerate(graph.labels)}
    figures: dict[str, float] = {}
    for output in graph.outputs():
        counted = np.ones(len(labels), bool) if output.given is None else columns[output.given] > 0
        of_rows = None
        if weights is not None:
            of_rows = weights[:, graph.labels.index(output.label)]
            counted &= of_rows > 0
            of_rows = of_rows[counted]
        truth, scores = columns[output.label][counted], np.concatenate(answers[output.name])[counted]
        auc = loss = float("nan")
        if len(np.unique(truth)) == 2:
            auc = float(roc_auc_score(truth, scores, sample_weight=of_rows))
        if len(truth):
            loss = float(log_loss(truth, scores, labels=[0, 1], sample_weight=of_rows))
        figures |= {f"auc/{output.name}": auc, f"log_loss/{output.name}": loss}
    return figures
