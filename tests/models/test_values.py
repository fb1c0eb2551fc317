"""What the graph reads in raw columns, worked out by hand. Without analyzers it is plain TensorFlow."""

import numpy as np
import pytest
import tensorflow as tf

from tandem.models.features import BagFeature, CategoricalFeature, CrossFeature
from tandem.models.preprocessing import preprocessing_fn
from tandem.models.values import values_of


def sparse(rows, dtype=tf.string):
    return tf.ragged.constant(rows, dtype=dtype, ragged_rank=1).to_sparse()


def read(feature, **columns):
    values = values_of(columns, feature)
    weights = None if values.weights is None else values.weights.numpy().round(6).tolist()
    return values.texts.numpy().tolist(), weights


def test_a_cross_is_the_values_of_its_columns_together():
    cross = CrossFeature(name="x", of=("city", "page"))
    texts, _ = read(cross, city=sparse([["Oslo"], [], ["Oslo"]]), page=sparse([["news"], ["news"], []]))
    assert texts == [[b"Oslo\x1fnews"], [b"\x1fnews"], [b"Oslo\x1f"]]


def test_no_value_can_move_the_border_between_the_values_of_a_cross():
    cross = CrossFeature(name="x", of=("a", "b"))
    texts, _ = read(cross, a=sparse([["p\x1f"], ["p"]]), b=sparse([["q"], ["\x1fq"]]))
    assert texts[0] != texts[1]


def test_a_bag_of_several_columns_has_the_values_of_all():
    bag = BagFeature(name="tags", columns=("a", "b", "c"), max_values=3)
    texts, _ = read(
        bag,
        a=sparse([["x"], [], ["1", "2"], []]),
        b=sparse([["y"], ["y"], ["3", "4"], []]),
        c=sparse([["x"], [""], [], []]),
    )
    assert texts == [[b"x", b"y", b"x"], [b"y", b"", b""], [b"1", b"2", b"3"], [b"", b"", b""]]


@pytest.mark.parametrize(("keep", "kept"), [("first", [b"1", b"2"]), ("last", [b"3", b"4"])])
def test_the_first_or_the_last_values_of_a_list_stay(keep, kept):
    bag = BagFeature(name="seen", max_values=2, keep=keep)
    assert read(bag, seen=sparse([["1", "2", "3", "4"], ["5"], []]))[0] == [kept, [b"5", b""], [b"", b""]]


def test_weights_stand_beside_their_values_in_another_column():
    bag = BagFeature(name="tags", weights="w", max_values=3)
    nan = float("nan")
    texts, weights = read(
        bag,
        tags=sparse([["a", "", "b"], ["a", "b"], ["a"], [], ["a", "b", "c", "d"]]),
        w=sparse([[0.5, 9.0, -2.0], [nan, 3.0], [], [7.0], [1.0, 2.0, 3.0, 4.0, 5.0]], tf.float32),
    )
    assert texts == [[b"a", b"b", b""], [b"a", b"b", b""], [b"a", b"", b""], [b""] * 3, [b"a", b"b", b"c"]]
    assert weights == [[0.5, -2.0, 0.0], [1.0, 3.0, 0.0], [1.0, 0.0, 0.0], [0.0] * 3, [1.0, 2.0, 3.0]]


def test_the_last_values_keep_their_own_weights():
    bag = BagFeature(name="tags", weights="w", max_values=2, keep="last")
    texts, weights = read(bag, tags=sparse([["a", "b", "c"]]), w=sparse([[1, 2, 3]], tf.int64))
    assert (texts, weights) == ([[b"b", b"c"]], [[2.0, 3.0]])


@pytest.mark.parametrize(
    ("separator", "text", "value", "weight"),
    [
        (":", "shoes:0.5", b"shoes", 0.5),
        (":", "shoes", b"shoes", 1.0),
        (":", "a:b:2", b"a:b", 2.0),
        (":", "http://x", b"http://x", 1.0),
        (":", "shoes:", b"shoes:", 1.0),
        (":", "shoes:nan", b"shoes:nan", 1.0),
        (":", "shoes: -1e-1 ", b"shoes", -0.1),
        (":", "shoes:1e99", b"shoes", 1.0),
        (":", "shoes:0.30000000000000004000000000000000000000001", b"shoes", 0.3),
        (":", "shoes:.25", b"shoes", 0.25),
        (":", "shoes:-123456789012345.01234567890123456789e-14", b"shoes", -1.234568),
        (":", b"\xff\xfe:3", b"\xff\xfe", 3.0),
        ("::", "a:b::3.", b"a:b", 3.0),
        ("\x03", "101\x021000\x032.5", b"101\x021000", 2.5),
        ("|", "a|4", b"a", 4.0),
        (".", "a.4", b"a", 4.0),
        ("\\", "a\\4", b"a", 4.0),
        ("é", "aé4", b"a", 4.0),
    ],
)
def test_a_weight_behind_its_value(separator, text, value, weight):
    bag = BagFeature(name="tags", weight_separator=separator, max_values=1)
    assert read(bag, tags=sparse([[text]])) == ([[value]], [[pytest.approx(weight, abs=1e-6)]])


def test_a_weight_without_a_value_is_nothing():
    bag = BagFeature(name="tags", weight_separator=":", max_values=2)
    assert read(bag, tags=sparse([[":5", "a:2"]])) == ([[b"a", b""]], [[2.0, 0.0]])


def test_a_column_of_fixed_length_is_read_alike():
    bag = BagFeature(name="tags", weight_separator=":", max_values=3, keep="last")
    texts, weights = read(bag, tags=tf.constant([["a:1", "b:2"], ["c:3", "d"]]))
    assert texts == [[b"a", b"b", b""], [b"c", b"d", b""]]
    assert weights == [[1.0, 2.0, 0.0], [3.0, 1.0, 0.0]]


def transformed(features, **columns):
    rows = next(iter(columns.values())).dense_shape[0]
    inputs = {**columns, "click": sparse([[0]] * int(rows), tf.int64)}
    outputs = preprocessing_fn(inputs, {"features": [f.model_dump() for f in features], "labels": ["click"]})
    return {name: values.numpy() for name, values in outputs.items()}


def test_hash_buckets_are_farmhash_of_the_value_and_need_no_vocabulary():
    # Fingerprints of FarmHash64 modulo the number of buckets, after row 0 and the buckets of features before.
    city, tags = (
        CategoricalFeature(name="city", hash_buckets=1000),
        BagFeature(name="tags", hash_buckets=7, max_values=2),
    )
    cross = CrossFeature(name="x", of=("city", "page"), hash_buckets=50)
    outputs = transformed(
        [tags, city, cross],
        city=sparse([["Oslo"], []]),
        page=sparse([["news"], ["news"]]),
        tags=sparse([["a"], ["b", "a"]]),
    )
    assert set(outputs) == {"labels", "ids"}

    def bucket(text, count):
        return int(np.uint64(tf.fingerprint([text], method="farmhash64").numpy().view("<u8")[0, 0]) % np.uint64(count))

    expected = [  # city, x, tags
        [1 + bucket(b"Oslo", 1000), 1001 + bucket(b"Oslo\x1fnews", 50), 1051 + bucket(b"a", 7), 0],
        [1 + bucket(b"", 1000), 1001 + bucket(b"\x1fnews", 50), 1051 + bucket(b"b", 7), 1051 + bucket(b"a", 7)],
    ]
    assert outputs["ids"].tolist() == expected


def test_weights_of_several_bags_stand_side_by_side():
    features = [
        BagFeature(name="a", weight_separator=":", hash_buckets=5, max_values=2),
        BagFeature(name="plain", hash_buckets=5, max_values=1),
        BagFeature(name="b", weights="w", hash_buckets=5, max_values=1),
    ]
    outputs = transformed(
        features, a=sparse([["x:3", "y:4"]]), plain=sparse([["z"]]), b=sparse([["v"]]), w=sparse([[5.0]], tf.float32)
    )
    assert outputs["bag_weights"].tolist() == [[3.0, 4.0, 5.0]]
    assert outputs["ids"].shape == (1, 4)
