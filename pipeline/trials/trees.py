"""LightGBM on the transformed examples: the baseline that is no network (Ke et al., NeurIPS 2017).

A model per task. A task that is given another learns from its parent's positives, as the networks do by default
(`Task.train_on`). All ids are categories, slot by slot; scaled numbers and the weights of bags are numbers.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from tandem.models.batch import RowFormat, feature_spec
from tandem.models.layout import BAG_WEIGHTS, IDS, NUMBERS, FeatureLayout
from tandem.models.training.dataset import read_examples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tandem.models.tasks import TaskGraph
    from tandem.models.training.trainer import Inputs
    from tandem.pipeline.trials.scoring import Answer

_Numbers: TypeAlias = "NDArray[np.floating[Any]]"
_Labels: TypeAlias = "NDArray[np.int32]"

SETTINGS = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 50,
    # Chance, so that a seed makes a difference.
    "feature_fraction": 0.8,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "verbosity": -1,
}
MOST_TREES = 300
PATIENCE = 20
"""Trees without improvement of the validation loss that are tolerated, where there is a validation part."""

BATCH_ROWS = 8192
LARGEST_FLOAT32_ID = 2**24

logger = logging.getLogger("tandem.train")


def fit(graph: TaskGraph, layout: FeatureLayout, inputs: Inputs, seed: int, weighted: bool = False) -> dict[str, Any]:
    """Trains a model per task. The examples are held in memory.

    Args:
      graph: The tasks.
      layout: Where the features stand.
      inputs: What to train on, and to stop by.
      seed: Of what rows and features a tree is shown.
      weighted: Whether the examples have weights.

    Returns:
      By task name, a `lightgbm.Booster`.
    """
    import lightgbm

    rows = RowFormat(layout, len(graph), weighted)
    learned = _read(inputs.train, rows)
    held_out = _read(inputs.validation, rows) if inputs.validation else None
    boosters = {}
    for task in graph:
        logger.info("growing trees for %s", task.name)
        data = lightgbm.Dataset(**learned.of_task(graph, task.name), categorical_feature=list(range(layout.width)))
        validation: list[Any] = []
        callbacks: list[Any] = []
        if held_out:
            validation = [data.create_valid(**held_out.of_task(graph, task.name))]
            callbacks = [lightgbm.early_stopping(PATIENCE, verbose=False)]
        boosters[task.name] = lightgbm.train(
            {**SETTINGS, "seed": seed}, data, MOST_TREES, valid_sets=validation, callbacks=callbacks
        )
    return boosters


def answer_of(boosters: Mapping[str, Any], graph: TaskGraph, layout: FeatureLayout, transform: str) -> Answer:
    """Returns a function that answers raw examples as an exported network does.

    Args:
      boosters: By task name.
      graph: The tasks.
      layout: Where the features stand.
      transform: The folder of the transform graph.
    """
    output = tft.TFTransformOutput(transform)
    layer = output.transform_features_layer()
    spec = {name: each for name, each in output.raw_feature_spec().items() if name in layout.columns}
    inputs = tuple(feature_spec(layout))

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def transformed(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        columns = tf.autograph.experimental.do_not_convert(layer)(tf.io.parse_example(examples, spec))
        return {name: columns[name] for name in inputs}

    def answer(examples: tf.Tensor) -> dict[str, _Numbers]:
        matrix = _matrix({name: values.numpy() for name, values in transformed(examples).items()})
        return graph.probabilities({task: booster.predict(matrix) for task, booster in boosters.items()})

    return answer


class _Rows(NamedTuple):
    """All rows of some files: features [N, W + n + V], labels [N, T], weights [N, T] where there are any."""

    features: _Numbers
    labels: _Labels
    weights: _Numbers | None

    def of_task(self, graph: TaskGraph, task: str) -> dict[str, Any]:
        """Returns the rows that a task learns from, as a `lightgbm.Dataset` is given them."""
        place = graph.names.index(task)
        mask = graph.masks(dict(zip(graph.labels, self.labels.T, strict=True)))[task]
        chosen = slice(None) if mask is None else mask > 0
        return {
            "data": self.features[chosen],
            "label": self.labels[chosen, place],
            "weight": None if self.weights is None else self.weights[chosen, place],
        }


def _read(files: list[str], rows: RowFormat) -> _Rows:
    features, labels, weights = [], [], []
    for batch in read_examples(files, rows, BATCH_ROWS):
        features.append(_matrix({name: values.numpy() for name, values in batch.features.items()}))
        labels.append(batch.labels.numpy())
        if batch.weights is not None:
            weights.append(batch.weights.numpy())
    return _Rows(np.concatenate(features), np.concatenate(labels), np.concatenate(weights) if weights else None)


def _matrix(features: Mapping[str, NDArray[Any]]) -> _Numbers:
    """Puts ids and numbers side by side; float64 only where float32 would round an id."""
    parts = [features[name] for name in (IDS, NUMBERS, BAG_WEIGHTS) if name in features]
    wide = IDS in features and features[IDS].size and features[IDS].max() >= LARGEST_FLOAT32_ID
    return np.concatenate([part.astype(np.float64 if wide else np.float32) for part in parts], axis=1)
