"""Trains alone and on two replicas, and says how far apart they end. Run by test_distribution.py.

Two logical devices have to be asked for before TensorFlow does anything, so this cannot be done in a process that runs
other tests.
"""

import json
import sys

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tandem.models.batch import Batch
from tandem.models.features import CategoricalFeature, NumericFeature
from tandem.models.layout import FeatureLayout
from tandem.models.registry import build
from tandem.models.settings import ModelSettings, TrainingSettings
from tandem.models.tasks import Task, TaskGraph
from tandem.models.training import loop
from tandem.models.training.distribution import Replicas

ROWS, BATCH = 100, 24
LAYOUT = FeatureLayout([CategoricalFeature(name="user"), CategoricalFeature(name="item"), NumericFeature(name="price")])
# Learned from all rows: the mean over clicked rows is not the mean of the replicas' means.
GRAPH = TaskGraph([Task(name="click"), Task(name="buy", given="click", train_on="all")])


def batches():
    random = np.random.default_rng(0)
    features = {
        "ids": random.integers(1, 20, (ROWS, LAYOUT.width)).astype(np.int32),
        "numbers": random.normal(size=(ROWS, 1)).astype(np.float32),
    }
    click = random.integers(0, 2, ROWS)
    labels = np.stack([click, click * random.integers(0, 2, ROWS)], axis=1).astype(np.int32)
    return tf.data.Dataset.from_tensor_slices(Batch(features, labels)).batch(BATCH)


def trained(replicas, recipe, optimizer, xla):
    keras.utils.set_random_seed(1)
    with replicas.scope():
        learner = build(ModelSettings(recipe=recipe, tower_layers=(8, 4)), GRAPH, LAYOUT, 20)
        loop.initialize(learner, GRAPH, batches().take(2))
    start = learner.network.get_weights()
    settings = TrainingSettings(epochs=2, batch_size=BATCH, learning_rate=0.003, optimizer=optimizer, xla=xla)
    loop.train(learner, GRAPH, settings, lambda epoch, step: batches().skip(step), replicas=replicas)
    return start, learner.network.get_weights()


def parts(replicas, count):
    numbers = tf.data.Dataset.range(count).batch(5)
    local = replicas._strategy.experimental_local_results
    return [
        [part.numpy().tolist() for part in local(batch["labels"])]
        for batch in replicas.iterator(numbers.map(lambda x: Batch({}, x)))
    ]


def main():
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    mirrored = Replicas(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
    said = {"replicas": mirrored.count, "parts": [parts(mirrored, 7), parts(mirrored, 6)], "apart": {}}
    for recipe, optimizer, xla in [("mmoe", "lazy_adam", True), ("shared_bottom", "adam", False)]:
        start, alone = trained(Replicas(None), recipe, optimizer, xla)
        other_start, together = trained(mirrored, recipe, optimizer, xla)
        same = all((one == other).all() for one, other in zip(start, other_start, strict=True))
        apart = max(float(np.abs(one - other).max()) for one, other in zip(alone, together, strict=True))
        moved = max(float(np.abs(one - other).max()) for one, other in zip(alone, start, strict=True))
        said["apart"][recipe] = {"same_start": same, "apart": apart, "moved": moved}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
