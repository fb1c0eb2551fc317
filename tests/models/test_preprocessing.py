import numpy as np
import pytest
import tensorflow as tf

from tandem.models.features import NumericFeature
from tandem.models.layout import Vocabulary
from tandem.models.preprocessing import preprocessing_fn
from tandem.models.vocabulary import rank, read_vocabulary


def example(**columns):
    def feature(values):
        if isinstance(values[0], bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))

    features = {name: feature(values) for name, values in columns.items() if values}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture(scope="module")
def transform(transform_output, layout):
    spec = {k: v for k, v in transform_output.raw_feature_spec().items() if k not in ("click", "buy")}
    layer = transform_output.transform_features_layer()

    def run(*rows):
        outputs = layer(tf.io.parse_example([example(**row) for row in rows], spec))
        return {name: values.numpy() for name, values in outputs.items()}

    return run


def test_tokens_of_a_vocabulary_stand_together_most_frequent_first(transform_output):
    # Cities: Oslo 8, Rome 4, Lima 4; two are kept, ties by name; a value with a line break is out of vocabulary.
    # Users: every 4th cell is empty (5), then u1 and u2 (5 each) ...; tags t0..t3 in 16, 12, 8, 4 rows,
    # cut at 3 a cell.
    tokens = read_vocabulary(transform_output)
    assert [t for t in tokens if t.startswith(b"city=")] == [b"city=Oslo", b"city=Lima"]
    assert [t for t in tokens if t.startswith(b"tags=")] == [b"tags=t0", b"tags=t1", b"tags=t2"]
    names = [token.partition(b"=")[0] for token in tokens]
    assert names == sorted(names, key=[b"user", b"city", b"tags"].index)


def test_a_known_value_gets_the_row_of_its_line(transform, transform_output, layout):
    rows = transform({"city": [b"Oslo"], "user": [b"u1"], "tags": [b"t1", b"t0"]})
    tokens = read_vocabulary(transform_output)

    def row_of(token):
        return layout.first_token_row + tokens.index(token)

    ids = rows["ids"][0]
    assert ids[layout.slots["city"].start] == row_of(b"city=Oslo")
    assert ids[layout.slots["user"].start] == row_of(b"user=u1")
    bag = layout.slots["tags"]
    assert ids[bag.start : bag.start + bag.width].tolist() == [row_of(b"tags=t1"), row_of(b"tags=t0"), 0]


def test_unknown_values_share_the_out_of_vocabulary_rows_of_their_own_vocabulary(transform, layout):
    rows = transform(*[{"city": [b"city %d" % i], "user": [b"stranger"], "tags": [b"?"]} for i in range(200)])
    first = {name: v.first_oov_row for name, v in layout.vocabularies.items()}
    cities = rows["ids"][:, layout.slots["city"].start]
    assert set(cities) == {first["city"], first["city"] + 1, first["city"] + 2}
    assert set(rows["ids"][:, layout.slots["user"].start]) == {first["user"]}
    assert rows["ids"][0, layout.slots["tags"].start] == first["tags"]


def test_an_empty_cell_is_a_value_of_a_category_and_nothing_in_a_bag(transform, transform_output, layout):
    ids = transform({"city": [b"Oslo"]})["ids"][0]
    assert ids[layout.slots["user"].start] == layout.first_token_row + read_vocabulary(transform_output).index(b"user=")
    bag = layout.slots["tags"]
    assert ids[bag.start : bag.start + bag.width].tolist() == [0, 0, 0]
    assert ids[layout.slots["age"].start] == layout.first_bucket_row["age"]


def test_a_bag_is_cut_at_its_width(transform, layout):
    bag = layout.slots["tags"]
    many = transform({"tags": [b"t0", b"t1", b"t2", b"t0", b"t1"]})["ids"][0, bag.start : bag.start + bag.width]
    three = transform({"tags": [b"t0", b"t1", b"t2"]})["ids"][0, bag.start : bag.start + bag.width]
    assert many.tolist() == three.tolist()


def test_quantile_buckets_rise_with_the_number(transform, layout):
    ages = [-100.0, 3.0, 8.0, 13.0, 18.0, 1000.0]
    rows = transform(*[{"age": [age]} for age in ages])["ids"][:, layout.slots["age"].start]
    first = layout.first_bucket_row["age"] + 1
    assert (np.diff(rows) >= 0).all()
    assert rows[0] == first
    assert rows[-1] == first + 3


def test_numbers_are_scaled_as_numpy_does(transform):
    logs = np.log1p(np.arange(20.0))
    expected = (np.log1p(7.0) - logs.mean()) / logs.std()
    rows = transform({"price": [7.0]}, {}, {"price": [float("nan")]})["numbers"]
    np.testing.assert_allclose(rows[:, 0], [expected, 0.0, 0.0], rtol=1e-5, atol=1e-6)


def test_rank_keeps_the_most_frequent_and_orders_ties_by_name():
    counts = {b"a=x": 3, b"a=y": 5, b"a=z": 3, b"b=x": 1, b"b=y": 2, b"a=": 2}
    vocabularies = [Vocabulary("b", None, 2, 1, 1), Vocabulary("a", 3, 1, 1, 2)]
    assert rank(counts, vocabularies) == [b"b=y", b"a=y", b"a=x", b"a=z"]


def sparse(rows, dtype):
    ragged = tf.ragged.constant(rows, dtype=dtype, ragged_rank=1)
    return ragged.to_sparse()


def only_what_training_reads(**settings):
    """Runs the function as it stands: without analyzers it is plain TensorFlow."""
    hour = 3_600_000_000
    inputs = {
        "price": sparse([[1.0], [], [3.0]], tf.float32),
        "click": sparse([[1], [0], [1]], tf.int64),
        "buy": sparse([[1], [0], [0]], tf.int64),
        "weight": sparse([[2.0], [0.5], [0.0]], tf.float32),
        "value": sparse([[3.0], [4.0], [5.0]], tf.float32),
        "impression_time_us": sparse([[10 * hour], [11 * hour], [12 * hour]], tf.int64),
        "click_time_us": sparse([[11 * hour], [], [12 * hour]], tf.int64),
        "buy_time_us": sparse([[34 * hour + hour // 2], [], []], tf.int64),
        "observed_until_us": sparse([[48 * hour]] * 3, tf.int64),
    }
    features = [NumericFeature(name="price", scaling="none").model_dump()]
    outputs = preprocessing_fn(inputs, {"features": features, "labels": ["click", "buy"], **settings})
    return {name: values.numpy().tolist() for name, values in outputs.items()}


def test_weights_are_the_products_of_each_task_s_columns():
    outputs = only_what_training_reads(weights=[["weight"], ["weight", "value"]])
    assert outputs["weights"] == [[2, 6], [0.5, 2], [0, 0]]
    assert outputs["labels"] == [[1, 1], [0, 0], [1, 0]]
    assert only_what_training_reads(weights=[[], ["value"]])["weights"] == [[1, 3], [1, 4], [1, 5]]


@pytest.mark.parametrize("settings", [{}, {"weights": [[], []], "ages": None}])
def test_without_weights_and_ages_there_are_none(settings):
    assert set(only_what_training_reads(**settings)) == {"labels", "numbers"}


def test_ages_are_hours_until_the_event_or_of_waiting_for_it():
    ages = {"shown": "impression_time_us", "set": ["click_time_us", "buy_time_us"], "until": "observed_until_us"}
    assert only_what_training_reads(ages=ages)["ages"] == [[1, 24.5], [37, 37], [0, 36]]
