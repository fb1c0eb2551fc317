"""Crosses, hashes and weighted bags, from raw rows through tf.Transform into an exported model."""

import json
import os
import warnings
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras

from tandem.models.batch import Batch, RowFormat
from tandem.models.export import export
from tandem.models.features import BagFeature, CategoricalFeature, CrossFeature, NumericFeature
from tandem.models.layout import FeatureLayout
from tandem.models.registry import build
from tandem.models.settings import ModelSettings
from tandem.models.vectors import feature_vectors
from tandem.models.vocabulary import read_vocabulary

FEATURES = (
    CategoricalFeature(name="city"),
    CrossFeature(name="city_page", of=("city", "page"), min_count=2),
    CategoricalFeature(name="page", hash_buckets=20),
    NumericFeature(name="price", scaling="log_standard"),
    BagFeature(name="fields", weight_separator="\x03", max_values=3, keep="last", vocabulary="field"),
    BagFeature(name="tags", weights="scores", max_values=4, pooling="sum", min_count=2),
    BagFeature(name="both", columns=("city", "page"), vocabulary="place"),
)
STRINGS, NUMBERS = ("city", "page", "fields", "tags"), ("price", "scores")
# Cities and pages: (Oslo, news) 4 times, (Oslo, -) 2, (Rome, home) 1.
ROWS = [
    {"city": ["Oslo"], "page": ["news"], "fields": ["1\x0310", "2\x032.5"], "tags": ["a", "b"], "scores": [0.5, 2.0]},
    {"city": ["Oslo"], "page": ["news"], "fields": ["1", "2", "3\x034", "1\x031"], "tags": ["a"], "scores": []},
    {"city": ["Oslo"], "page": ["news"], "fields": [], "tags": ["b", "", "a"], "scores": [1.0, float("nan"), 3.0]},
    {"city": ["Oslo"], "page": ["news"], "fields": ["3\x03x"], "tags": [], "scores": [1.0]},
    {"city": ["Oslo"], "page": [], "fields": ["2\x03-1"], "tags": ["c"], "scores": [4.0]},
    {"city": ["Oslo"], "page": [], "fields": ["1\x031"], "tags": ["b"], "scores": [4.0]},
    {"city": ["Rome"], "page": ["home"], "fields": ["1\x030"], "tags": ["a"], "scores": [4.0]},
]


def serialized(row):
    feature = {
        **{
            name: tf.train.Feature(bytes_list=tf.train.BytesList(value=[v.encode() for v in row[name]]))
            for name in STRINGS
        },
        **{name: tf.train.Feature(float_list=tf.train.FloatList(value=row[name])) for name in NUMBERS},
    }
    filled = {name: values for name, values in feature.items() if row[name]}
    return tf.train.Example(features=tf.train.Features(feature=filled)).SerializeToString()


@pytest.fixture(scope="module")
def layout():
    return FeatureLayout(FEATURES)


@pytest.fixture(scope="module")
def rows():
    return [{**row, "price": [float(index)], "click": [index % 2], "buy": [0]} for index, row in enumerate(ROWS)]


@pytest.fixture(scope="module")
def transformed(layout, rows, tmp_path_factory):
    """A transform graph, and the examples that it makes for training, as a batch."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow_transform as tft
        import tensorflow_transform.beam as tft_beam
        from tensorflow_transform.tf_metadata import dataset_metadata, metadata_io, schema_utils

        from tandem.models.preprocessing import preprocessing_fn

        spec = {
            **{name: tf.io.VarLenFeature(tf.string) for name in STRINGS},
            **{name: tf.io.VarLenFeature(tf.float32) for name in NUMBERS},
            **{name: tf.io.VarLenFeature(tf.int64) for name in ("click", "buy")},
        }
        folder = tmp_path_factory.mktemp("kinds")
        metadata = dataset_metadata.DatasetMetadata(schema_utils.schema_from_feature_spec(spec))
        config = {"features": [f.model_dump(mode="json") for f in layout.features], "labels": ["click", "buy"]}
        raw = [{k: [v.encode() for v in row[k]] if k in STRINGS else row[k] for k in spec} for row in rows]
        with tft_beam.Context(temp_dir=str(folder / "tmp")):
            graph = (raw, metadata) | tft_beam.AnalyzeDataset(lambda inputs: preprocessing_fn(inputs, config))
            (made, _) = ((raw, metadata), graph) | tft_beam.TransformDataset()
            graph | tft_beam.WriteTransformFn(os.fspath(folder / "out"))
        metadata_io.write_metadata(metadata, os.fspath(folder / "out" / "metadata"))
    examples = []
    for row in made:
        feature = {
            name: tf.train.Feature(int64_list=tf.train.Int64List(value=values))
            if values.dtype.kind == "i"
            else tf.train.Feature(float_list=tf.train.FloatList(value=values))
            for name, values in row.items()
        }
        examples.append(tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString())
    return tft.TFTransformOutput(os.fspath(folder / "out")), RowFormat(layout, 2).parse(tf.constant(examples))


def test_vocabularies_count_crosses_and_values_without_their_weights(transformed):
    tokens = read_vocabulary(transformed[0])
    assert tokens == [
        *[b"city=Oslo", b"city=Rome"],
        *[b"city_page=Oslo\x1fnews", b"city_page=Oslo\x1f"],
        # The last three of a cell. Among the values that come once, `3` is beside what is no weight.
        *[b"field=1", b"field=2", b"field=3", b"field=3\x03x"],
        *[b"tags=a", b"tags=b"],
        *[b"place=Oslo", b"place=news", b"place=Rome", b"place=home"],
    ]


def test_ids_and_weights_by_hand(transformed, layout):
    transform, batch = transformed
    tokens = read_vocabulary(transform)

    def row(token):
        return layout.first_token_row + tokens.index(token)

    ids, weights = batch.features["ids"].numpy(), batch.features["bag_weights"].numpy()

    def of(name):
        slots = layout.slots[name]
        return ids[:, slots.start : slots.start + slots.width].tolist()

    assert of("city_page")[0] == [row(b"city_page=Oslo\x1fnews")]
    assert of("city_page")[6] == [layout.vocabularies["city_page"].first_oov_row]  # seen once
    assert of("fields")[1] == [row(b"field=2"), row(b"field=3"), row(b"field=1")]
    assert of("tags")[2] == [row(b"tags=b"), row(b"tags=a"), 0, 0]
    assert of("tags")[4] == [layout.vocabularies["tags"].first_oov_row, 0, 0, 0]
    assert of("both")[4] == [row(b"place=Oslo"), *[0] * 7]
    pages = tf.strings.to_hash_bucket_fast(["news", ""], 20).numpy() + layout.first_hash_row["page"]
    assert [of("page")[index] for index in (0, 4)] == [[pages[0]], [pages[1]]]
    assert weights[0].tolist() == [10.0, 2.5, 0.0, 0.5, 2.0, 0.0, 0.0]
    assert weights[1].tolist() == [1.0, 4.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert weights[2].tolist() == [0.0, 0.0, 0.0, 1.0, 3.0, 0.0, 0.0]


@pytest.fixture(scope="module", params=["shared_bottom", "single_dnn"])
def exported(request, layout, graph, transformed, tmp_path_factory):
    transform, batch = transformed
    keras.utils.set_random_seed(3)
    tokens = read_vocabulary(transform)
    settings = ModelSettings(recipe=request.param, embedding_dim=3, tower_layers=(4,), cross_layers=1)
    learner = build(settings, graph, layout, len(tokens))
    learner.compute_loss(batch)
    learner.network.encoder.table.assign(np.random.default_rng(1).normal(size=learner.network.encoder.table.shape))
    path = os.fspath(tmp_path_factory.mktemp("kinds") / "model")
    features = [feature.model_dump(mode="json") for feature in layout.features]
    config = {"features": features, "model": settings.model_dump(mode="json")}
    export(learner.network, graph, layout, transform, path, {"config": config})
    return learner, path, tokens


def test_serving_raw_columns_gives_what_training_sees(exported, transformed, rows):
    learner, path, _ = exported
    served = tf.saved_model.load(path).signatures["serving_default"](
        examples=tf.constant([serialized(row) for row in rows])
    )
    expected = learner.network(transformed[1].features)
    assert set(served) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(served[name], values, rtol=1e-5)
    described = json.loads(Path(path, "assets.extra", "tandem.json").read_text())
    assert described["inputs"] == ["city", "fields", "page", "price", "scores", "tags"]


def test_weights_and_crosses_change_the_answer(exported, rows):
    _, path, _ = exported
    ask = tf.saved_model.load(path).signatures["serving_default"]
    changed = [
        rows[0],
        {**rows[0], "scores": [0.5, 2.5]},
        {**rows[0], "fields": ["1\x0310", "2\x032.6"]},
        {**rows[0], "page": []},
    ]
    answers = ask(examples=tf.constant([serialized(row) for row in changed]))["click"].numpy()
    assert len(set(answers.tolist())) == 4


def test_vectors_of_crosses_and_hash_buckets(exported, layout):
    learner, path, tokens = exported
    table = learner.network.encoder.table.numpy()
    crossed = feature_vectors(path, "city_page")
    assert crossed.values == ["Oslo x news", "Oslo x ", None]
    np.testing.assert_array_equal(
        crossed.vectors[0], table[layout.first_token_row + tokens.index(b"city_page=Oslo\x1fnews")]
    )
    hashed = feature_vectors(path, "page")
    assert hashed.rows == ["hash bucket"] * 20
    assert hashed.values == [None] * 20
    first = layout.first_hash_row["page"]
    np.testing.assert_array_equal(hashed.vectors, table[first : first + 20])


def test_one_step_learns_through_weights(exported, transformed):
    learner, _, _ = exported
    batch: Batch = transformed[1]
    with tf.GradientTape() as tape:
        loss = learner.compute_loss(batch)
    gradient = tf.convert_to_tensor(tape.gradient(loss, learner.network.encoder.table))
    assert np.abs(gradient.numpy()).sum() > 0
    assert not gradient.numpy()[0].any()
