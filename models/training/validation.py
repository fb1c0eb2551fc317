"""What a network is worth on rows that it does not learn from, and what the labels alone say."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf
from sklearn.metrics import log_loss, roc_auc_score

from tandem.models.tasks import TaskGraph

Predict = Callable[[Mapping[str, tf.Tensor]], Mapping[str, tf.Tensor]]


def base_rates(labels: np.ndarray, graph: TaskGraph) -> dict[str, float]:
    """Returns, by task, the share of positives among the rows it is trained on.

    Args:
      labels: [n, T], 0 or 1, in the order of the tasks.
      graph: The tasks.
    """
    by_label = {label: labels[:, index].astype(np.float64) for index, label in enumerate(graph.labels)}
    masks = graph.masks(by_label)
    rates = {}
    for task in graph:
        values, mask = by_label[graph.label(task.name)], masks[task.name]
        # One pseudo-row of each class: a rate of 0 or 1 in a sample is no certainty.
        counted = values if mask is None else values[mask > 0]
        rates[task.name] = float((counted.sum() + 1) / (len(counted) + 2))
    return rates


def validate(predict: Predict, batches: tf.data.Dataset, graph: TaskGraph) -> dict[str, float]:
    """Judges a network on validation batches.

    Args:
      predict: Features -> probabilities by output name, [B].
      batches: Features and labels.
      graph: The tasks.

    Returns:
      `auc/<output>` and `log_loss/<output>` over the rows that count for the output; an AUC over one class is nan.
    """
    answers: dict[str, list[np.ndarray]] = {output.name: [] for output in graph.outputs()}
    label_batches = []
    for features, labels in batches:
        for name, values in predict(features).items():
            answers[name].append(values.numpy())
        label_batches.append(labels.numpy())
    labels = np.concatenate(label_batches)
    columns = {label: labels[:, index] for index, label in enumerate(graph.labels)}
    figures = {}
    for output in graph.outputs():
        rows = slice(None) if output.given is None else columns[output.given] > 0
        truth, scores = columns[output.label][rows], np.concatenate(answers[output.name])[rows]
        both_classes = len(np.unique(truth)) == 2
        figures[f"auc/{output.name}"] = float(roc_auc_score(truth, scores)) if both_classes else float("nan")
        figures[f"log_loss/{output.name}"] = (
            float(log_loss(truth, scores, labels=[0, 1])) if len(truth) else float("nan")
        )
    return figures
