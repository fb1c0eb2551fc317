import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import tf_keras as keras

from tandem.models.batch import Batch
from tandem.models.export import export
from tandem.models.registry import build
from tandem.models.settings import ModelSettings
from tandem.models.vectors import feature_vectors
from tandem.models.vocabulary import read_vocabulary
from tandem.pipeline import vector_file


@pytest.fixture(scope="module", params=["shared_bottom", "single_dnn"])
def exported(request, layout, graph, transform_output, batch_of, tmp_path_factory):
    keras.utils.set_random_seed(3)
    tokens = read_vocabulary(transform_output)
    settings = ModelSettings(recipe=request.param, embedding_dim=2, tower_layers=(4,))
    learner = build(settings, graph, layout, len(tokens))
    features, labels, *_ = batch_of(graph, 4)
    rows = layout.first_token_row + len(tokens)
    learner.compute_loss(Batch({**features, "ids": features["ids"] % rows}, labels))
    path = os.fspath(tmp_path_factory.mktemp("vectors") / "model")
    described = [feature.model_dump(mode="json") for feature in layout.features]
    config = {"features": described, "model": settings.model_dump(mode="json")}
    export(learner.network, graph, layout, transform_output, path, {"config": config})
    return path, learner.network.encoder.table.numpy(), tokens


def test_every_value_has_its_row(exported, layout):
    path, table, tokens = exported
    found = feature_vectors(path, "city")
    unknown = layout.vocabularies["city"].oov_buckets
    assert found.rows == ["value"] * 2 + ["out of vocabulary"] * unknown
    assert found.values == ["Oslo", "Lima", None, None, None]  # the most frequent, and of equals the first
    for value, vector in zip(found.values[:2], found.vectors, strict=False):
        row = layout.first_token_row + tokens.index(f"city={value}".encode())
        np.testing.assert_array_equal(vector, table[row])


def test_buckets_have_theirs_and_the_empty_cell_too(exported, layout):
    path, table, _ = exported
    found = feature_vectors(path, "age")
    assert found.values == [None, "0", "1", "2", "3"]
    assert found.rows == ["empty", *["bucket"] * 4]
    first = layout.first_bucket_row["age"]
    np.testing.assert_array_equal(found.vectors, table[first : first + 5])


def test_a_file_for_other_tools(exported, tmp_path):
    path, _, _ = exported
    found = feature_vectors(path, "user")
    said = vector_file.write(path, "user", tmp_path / "new" / "user.parquet")
    assert said.endswith(f"user.parquet: {len(found.values)} vectors of length {found.vectors.shape[1]}")
    parquet = pl.read_parquet(tmp_path / "new" / "user.parquet")
    assert parquet["value"].to_list() == found.values
    np.testing.assert_array_equal(np.array(parquet["vector"].to_list(), np.float32), found.vectors)
    vector_file.write(path, "user", tmp_path / "user.csv")
    csv = pl.read_csv(tmp_path / "user.csv")
    np.testing.assert_allclose(csv["v1"].to_numpy(), found.vectors[:, 1], rtol=1e-6)


def test_mistakes_are_told_with_what_there_is(exported, tmp_path):
    path, _, _ = exported
    with pytest.raises(ValueError, match=r"embeds no feature 'price'; it embeds \['user', 'city', 'age', 'tags'\]"):
        feature_vectors(path, "price")
    with pytest.raises(ValueError, match="it is no exported model"):
        feature_vectors(os.fspath(tmp_path), "user")
    with pytest.raises(ValueError, match=r"must end in \.parquet or \.csv, got 'user\.txt'"):
        vector_file.write(path, "user", Path("user.txt"))
