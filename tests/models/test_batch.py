import tensorflow as tf

from tandem.models.batch import Batch

BATCH = Batch({"ids": tf.constant([[1], [2], [3]]), "numbers": tf.constant([[0.1], [0.2], [0.3]])}, tf.eye(3, 2))


def test_a_part_has_the_same_rows_of_every_column():
    part = BATCH._replace(weights=10 * tf.eye(3, 2), ages=tf.ones([3, 2])).part(slice(1, None))
    assert part.features["ids"].numpy().tolist() == [[2], [3]]
    assert part.labels.numpy().tolist() == [[0, 1], [0, 0]]
    assert part.weights.numpy().tolist() == [[0, 10], [0, 0]]
    assert part.ages.shape == (2, 2)


def test_what_is_not_there_stays_away():
    part = BATCH.part(slice(2))
    assert part.weights is None
    assert part.ages is None
    rows = tf.data.Dataset.from_tensor_slices(BATCH).batch(2)
    assert [batch.ages for batch in rows] == [None, None]
