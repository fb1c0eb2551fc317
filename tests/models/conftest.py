"""A small world: four kinds of features, a chain and a sibling of tasks, rows whose labels can be learned."""

import functools
import os
import sys
import types
import warnings

import numpy as np
import pytest

from tandem.models.features import BagFeature, CategoricalFeature, NumericFeature
from tandem.models.layout import FeatureLayout
from tandem.models.tasks import Task, TaskGraph

TOKENS = 40


@pytest.fixture(autouse=True)
def _same_weights_whatever_ran_before():
    """Seeds what draws the first weights, so that no test depends on the order of the tests."""
    if "tf_keras" in sys.modules:
        sys.modules["tf_keras"].utils.set_random_seed(0)


@pytest.fixture(scope="session")
def layout():
    return FeatureLayout(
        [
            CategoricalFeature(name="user", min_count=2),
            NumericFeature(name="price", scaling="log_standard"),
            BagFeature(name="tags", separator=",", max_values=3),
            NumericFeature(name="age", buckets=4),
            CategoricalFeature(name="city", oov_buckets=3, vocabulary_size=2),
        ]
    )


# A click, then a conversion, then a sibling of it, then a grandchild.
TASKS = (
    Task(name="click"),
    Task(name="view", given="click"),
    Task(name="like", given="click", train_on="all"),
    Task(name="buy", given="view", loss_weight=2.0),
)


@pytest.fixture(scope="session")
def graph():
    return TaskGraph(TASKS[:2])


@pytest.fixture(scope="session", params=[2, 3, 4], ids="{} tasks".format)
def any_graph(request):
    return TaskGraph(TASKS[: request.param])


@pytest.fixture(scope="session")
def batch_of(layout):
    """Makes a batch: random features, and nested labels that depend on them."""
    return functools.partial(_batch_of, layout)


def _batch_of(layout: FeatureLayout, graph: TaskGraph, rows: int, seed: int = 0):
    import tensorflow as tf

    from tandem.models.batch import Batch

    random = np.random.default_rng(seed)
    ids = random.integers(1, layout.first_token_row + TOKENS, (rows, layout.width))
    bag = layout.slots["tags"]
    empty = random.random((rows, bag.width)) < 0.4
    ids[:, bag.start : bag.start + bag.width][empty] = 0
    numbers = random.normal(size=(rows, len(layout.numbers))).astype(np.float32)
    taste = random.normal(size=layout.first_token_row + TOKENS)
    by_label = {}
    for index, task in enumerate(graph):
        score = taste[ids].sum(axis=1) * (1 if index % 2 else -1) + numbers[:, 0]
        parent = by_label[graph.label(task.given)] if task.given else 1
        by_label[graph.label(task.name)] = (score > np.median(score)).astype(np.int64) * parent
    labels = np.stack([by_label[label] for label in graph.labels], axis=1)
    return Batch({"ids": tf.constant(ids), "numbers": tf.constant(numbers)}, tf.constant(labels))


@pytest.fixture(scope="session")
def transform_output(layout, tmp_path_factory):
    """A transform graph made of a few raw rows; its vocabularies are easy to count by hand."""
    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_transform as tft
        import tensorflow_transform.beam as tft_beam
        from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

        from tandem.models.preprocessing import preprocessing_fn

        spec = {
            "user": tf.io.VarLenFeature(tf.string),
            "price": tf.io.VarLenFeature(tf.float32),
            "tags": tf.io.VarLenFeature(tf.string),
            "age": tf.io.VarLenFeature(tf.float32),
            "city": tf.io.VarLenFeature(tf.string),
            "click": tf.io.VarLenFeature(tf.int64),
            "buy": tf.io.FixedLenFeature([1], tf.int64),
        }
        rows = [
            {
                "user": [b"u%d" % (row % 3)] if row % 4 else [],
                "price": [float(row)],
                "tags": [b"t%d" % tag for tag in range(row % 5)],
                "age": [float(row)] if row else [],
                "city": [[b"Oslo", b"Oslo", b"Rome", b"Bern\nSud", b"Lima"][row % 5]],
                "click": [row % 2],
                "buy": [0],
            }
            for row in range(20)
        ]
        folder = tmp_path_factory.mktemp("transform")
        metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
        config = {"features": [f.model_dump() for f in layout.features], "labels": ["click", "buy"]}
        with tft_beam.Context(temp_dir=str(folder / "tmp")):
            transform = (rows, metadata) | tft_beam.AnalyzeDataset(lambda inputs: preprocessing_fn(inputs, config))
            transform | tft_beam.WriteTransformFn(os.fspath(folder / "out"))
        metadata_io.write_metadata(metadata, os.fspath(folder / "out" / "metadata"))
        return tft.TFTransformOutput(os.fspath(folder / "out"))


@pytest.fixture(scope="session")
def write_examples():
    """Writes what tf.Transform would have written: a function of a path and a batch."""
    return _write_examples


def _write_examples(path, batch):
    import tensorflow as tf

    def integers(values):
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    def numbers(values):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    further = {"weights": batch.weights, "ages": batch.ages}
    with tf.io.TFRecordWriter(os.fspath(path), tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for row in range(len(batch.labels)):
            feature = {
                "ids": integers(batch.features["ids"][row].numpy()),
                "numbers": numbers(batch.features["numbers"][row].numpy()),
                "labels": integers(batch.labels[row].numpy()),
                **{name: numbers(matrix[row].numpy()) for name, matrix in further.items() if matrix is not None},
            }
            writer.write(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())


@pytest.fixture(scope="session")
def files(batch_of, graph, tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    for part in range(3):
        _write_examples(folder / f"part-{part}.gz", batch_of(graph, 50, seed=part))
    return folder


@pytest.fixture
def run_trainer(files, layout, graph, transform_output, tmp_path):
    """Runs the training function as an attempt of a number; returns the folder in which its outputs lie."""
    from tandem.models.batch import RowFormat
    from tandem.models.training.dataset import read_examples
    from tandem.models.training.trainer import run_fn
    from tandem.models.vocabulary import read_vocabulary

    # The files' ids were drawn for 40 tokens; the transform graph knows fewer.
    tokens = len(read_vocabulary(transform_output))
    for part in range(3):
        dataset = read_examples([os.fspath(files / f"part-{part}.gz")], RowFormat(layout, 2), batch_size=50)
        batch = next(iter(dataset))
        features = {**batch.features, "ids": batch.features["ids"] % (layout.first_token_row + tokens)}
        _write_examples(tmp_path / f"part-{part}.gz", batch._replace(features=features))

    def run(attempt, code_version="abc", recipe="shared_bottom_pico", train_on=None, train_files=None, **training):
        tasks = [task.model_copy(update={"train_on": train_on}) if train_on else task for task in graph]
        settings = {
            "features": [feature.model_dump(mode="json") for feature in layout.features],
            "tasks": [task.model_dump(mode="json") for task in tasks],
            "model": {"recipe": recipe, "tower_layers": [8, 4]},
            "training": {"batch_size": 32, "epochs": 2, **training},
            "code_version": code_version,
            "has_validation": True,
        }
        run_fn(
            types.SimpleNamespace(
                custom_config=settings,
                transform_graph_path=transform_output._transform_output_dir,
                train_files=train_files or [os.fspath(tmp_path / "part-[01].gz")],
                eval_files=[os.fspath(tmp_path / "part-2.gz")],
                model_run_dir=os.fspath(tmp_path / "Trainer" / "model_run" / str(attempt)),
                serving_model_dir=os.fspath(tmp_path / "Trainer" / "model" / str(attempt)),
            )
        )
        return tmp_path / "Trainer"

    return run
