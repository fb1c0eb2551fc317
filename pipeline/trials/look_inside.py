"""What a trained network does inside, over rows of the evaluation: gates, and PICO's temperature by labels."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tandem.models.batch import RowFormat
from tandem.models.training.dataset import read_examples
from tandem.pipeline.trials.report import Distribution, Inside

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from tandem.models.layout import FeatureLayout
    from tandem.models.learner import Learner
    from tandem.models.tasks import TaskGraph

BATCH_ROWS = 4096
MOST_ROWS = 1_000_000
BINS = 50
NO_LABEL = "none"


def look_inside(learner: Learner, graph: TaskGraph, layout: FeatureLayout, files: Sequence[str]) -> Inside:
    """Asks the learner what it tells of every row.

    Args:
      learner: The trained system.
      graph: The tasks.
      layout: Where the features stand.
      files: Transformed examples; the first million rows are looked at.
    """
    by_row = tf.function(learner.by_row, autograph=False)
    sums: dict[str, NDArray[np.float64]] = {}
    temperatures: dict[str, list[NDArray[np.float32]]] = defaultdict(list)
    label_parts: list[NDArray[np.int32]] = []
    rows = RowFormat(layout, len(graph))
    for batch in read_examples(files, rows, BATCH_ROWS).take(-(-MOST_ROWS // BATCH_ROWS)):
        label_parts.append(batch.labels.numpy())
        for name, values in by_row(batch).items():
            kind, _, about = name.partition("/")
            if kind in ("gate", "gate_groups"):
                total = values.numpy().astype(np.float64).sum(axis=0)
                # Several gates of a task, [learners, experts]: their mean.
                sums[name] = sums.get(name, 0.0) + (total.mean(axis=0) if total.ndim > 1 else total)
            elif kind == "temperature":
                temperatures[about].append(values.numpy())
    matrix = np.concatenate(label_parts)
    labels = dict(zip(graph.labels, matrix.T, strict=True))
    return Inside(
        gates={name: (total / len(matrix)).tolist() for name, total in sums.items()},
        temperatures={pair: by_labels(np.concatenate(parts), labels) for pair, parts in temperatures.items()},
    )


def by_labels(values: NDArray[np.float32], labels: Mapping[str, NDArray[np.int32]]) -> dict[str, Distribution]:
    """Returns how the values are distributed among rows of the same labels.

    Args:
      values: [N], 0 or more.
      labels: By name, [N], 0 or 1.

    Returns:
      By the names of the labels that are 1, joined with ` + `; fewer labels first.
    """
    combinations = sum(column.astype(np.int64) << place for place, column in enumerate(labels.values()))
    highest = max(1.0, float(values.max()))
    found = {}
    for code in sorted(np.unique(combinations).tolist(), key=lambda code: (bin(code).count("1"), code)):
        chosen = values[combinations == code]
        names = [name for place, name in enumerate(labels) if code >> place & 1]
        counts, _ = np.histogram(chosen, bins=BINS, range=(0.0, highest))
        found[" + ".join(names) or NO_LABEL] = Distribution(
            rows=len(chosen), mean=float(chosen.mean()), counts=counts.tolist(), highest=highest
        )
    return found
