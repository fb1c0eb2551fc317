import numpy as np
import pytest
import tensorflow as tf

from tandem.models.encoder import Encoder
from tandem.models.features import BagFeature, CategoricalFeature, NumericFeature
from tandem.models.layout import FeatureLayout


def encode(pooling="mean", cross_layers=0):
    layout = FeatureLayout(
        [BagFeature(name="tags", max_values=3, pooling=pooling), NumericFeature(name="n"), CategoricalFeature(name="c")]
    )
    encoder = Encoder(layout, rows=10, dim=2, cross_layers=cross_layers)
    features = {"ids": tf.constant([[4, 5, 6, 0], [7, 0, 0, 0]]), "numbers": tf.constant([[0.5], [-1.0]])}
    embedded, crossed = encoder(features)
    return encoder, encoder.trainable_variables[0].numpy(), embedded.numpy(), crossed.numpy()


@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_one_gather_pools_bags_and_appends_numbers(pooling):
    _, table, embedded, crossed = encode(pooling)
    pooled = table[5] + table[6]
    if pooling == "mean":
        pooled = pooled / 2
    np.testing.assert_allclose(embedded[0], [*table[4], *pooled, 0.5], rtol=1e-6)
    np.testing.assert_allclose(embedded[1], [*table[7], 0, 0, -1.0], rtol=1e-6)
    np.testing.assert_array_equal(embedded, crossed)


def test_a_cross_layer_is_dcn_v2():
    encoder, _, embedded, crossed = encode(cross_layers=1)
    kernel, bias = (w.numpy() for w in encoder.trainable_variables[1:])
    np.testing.assert_allclose(crossed, embedded * (embedded @ kernel + bias) + embedded, rtol=1e-5)


def test_padding_sends_no_gradient():
    layout = FeatureLayout([BagFeature(name="tags", max_values=2)])
    encoder = Encoder(layout, rows=5, dim=2)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(encoder({"ids": tf.constant([[3, 0]])})[0])
    gradient = tf.convert_to_tensor(tape.gradient(total, encoder.trainable_variables[0])).numpy()
    assert gradient[3].tolist() == [1, 1]
    assert gradient[0].tolist() == [0, 0]


@pytest.mark.parametrize("cross_layers", [0, 1])
def test_tables_side_by_side_are_encoders_of_their_own(cross_layers):
    layout = FeatureLayout(
        [BagFeature(name="tags", max_values=3), NumericFeature(name="n"), CategoricalFeature(name="c")]
    )
    features = {"ids": tf.constant([[4, 5, 6, 0], [7, 0, 0, 0]]), "numbers": tf.constant([[0.5], [-1.0]])}
    wide = Encoder(layout, rows=10, dim=2, cross_layers=cross_layers, tables=3)
    embedded, parts = wide(features)
    assert embedded.shape == (2, wide.embedded_width + 1)
    assert parts.shape == (3, 2, 5)
    table = wide._table.numpy()
    for index in range(3):
        alone = Encoder(layout, rows=10, dim=2, cross_layers=cross_layers)
        alone(features)
        crosses = [weight for cross in wide._cross[index] for weight in cross.get_weights()]
        alone._table.assign(table[:, 2 * index : 2 * index + 2])
        for cross in alone._cross[0]:
            cross.set_weights(crosses)
        np.testing.assert_allclose(parts[index], alone(features)[1], rtol=1e-5)


def test_tables_of_numbers_alone_are_copies():
    features = {"numbers": tf.constant([[0.5], [-1.0]])}
    embedded, parts = Encoder(FeatureLayout([NumericFeature(name="n")]), rows=1, dim=2, tables=2)(features)
    np.testing.assert_array_equal(embedded, [[0.5], [-1.0]])
    np.testing.assert_array_equal(parts, [[[0.5], [-1.0]]] * 2)


LENGTHS = FeatureLayout(
    [
        BagFeature(name="tags", max_values=2, embedding_dim=3),
        CategoricalFeature(name="a", embedding_dim=1),
        NumericFeature(name="n"),
        CategoricalFeature(name="b"),
    ]
)


def test_a_feature_may_have_embeddings_of_a_length_of_its_own():
    encoder = Encoder(LENGTHS, rows=10, dim=2)
    features = {"ids": tf.constant([[4, 5, 6, 7]]), "numbers": tf.constant([[0.5]])}  # a, b, tags
    with tf.GradientTape() as tape:
        embedded, _ = encoder(features)
    table = encoder.table.numpy()
    assert table.shape == (10, 3)
    expected = [*table[4, :1], *table[5, :2], *((table[6] + table[7]) / 2), 0.5]
    np.testing.assert_allclose(embedded[0], expected, rtol=1e-6)
    assert encoder.embedded_width == 6
    gradient = tf.convert_to_tensor(tape.gradient(embedded, encoder.table)).numpy()
    assert gradient[4].tolist() == [1, 0, 0]
    assert gradient[5].tolist() == [1, 1, 0]


def test_lengths_of_their_own_go_with_several_tables():
    encoder = Encoder(LENGTHS, rows=10, dim=2, tables=2)
    _, parts = encoder({"ids": tf.constant([[4, 5, 6, 0]]), "numbers": tf.constant([[0.5]])})
    table = encoder.table.numpy().reshape(10, 2, 3)
    assert parts.shape == (2, 1, 7)
    for index in range(2):
        expected = [*table[4, index, :1], *table[5, index, :2], *table[6, index], 0.5]
        np.testing.assert_allclose(parts[index, 0], expected, rtol=1e-6)


WEIGHTED = {
    "ids": tf.constant([[4, 5, 6, 0], [7, 8, 0, 0], [7, 0, 0, 0]]),  # c, then tags
    "bag_weights": tf.constant([[0.5, 2.0, 9.0], [-3.0, 1.0, 1.0], [1.0, 1.0, 1.0]]),
}


@pytest.mark.parametrize("tables", [1, 3])
@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_a_weighted_bag_is_the_weighted_sum_or_mean_of_its_embeddings(pooling, tables):
    layout = FeatureLayout(
        [BagFeature(name="tags", max_values=3, weights="w", pooling=pooling), CategoricalFeature(name="c")]
    )
    encoder = Encoder(layout, rows=10, dim=2, tables=tables)
    embedded = encoder(WEIGHTED)[0].numpy()
    table = encoder.table.numpy()
    pooled = np.stack([0.5 * table[5] + 2.0 * table[6], -3.0 * table[8], 0 * table[0]])
    if pooling == "mean":
        pooled /= np.array([[2.5], [3.0], [1.0]])
    np.testing.assert_allclose(embedded, np.concatenate([table[[4, 7, 7]], pooled], axis=1), rtol=1e-5, atol=1e-8)


def test_weights_of_nothing_but_zeros_give_zeros():
    layout = FeatureLayout([BagFeature(name="tags", max_values=2, weights="w")])
    embedded, _ = Encoder(layout, rows=5, dim=2)({"ids": tf.constant([[1, 2]]), "bag_weights": tf.zeros([1, 2])})
    assert embedded.numpy().tolist() == [[0, 0]]


def test_weights_of_one_are_no_weights():
    plain, weighted = (
        Encoder(FeatureLayout([BagFeature(name="tags", max_values=3, weights=weights)]), rows=9, dim=2)
        for weights in (None, "w")
    )
    features = {"ids": tf.constant([[4, 5, 0], [0, 0, 0]]), "bag_weights": tf.ones([2, 3])}
    expected = plain(features)[0]
    weighted(features)
    weighted.table.assign(plain.table)
    np.testing.assert_allclose(weighted(features)[0], expected, rtol=1e-6)
