import numpy as np
import pytest
import tensorflow as tf

from tandem.models.objectives.contrastive import alignment, info_nce


def test_two_rows_worked_by_hand():
    # a = p = the unit vectors, tau = 1 and 1/2: -log(e^1 / (e^1 + e^0)) and -log(e^2 / (e^2 + e^0)).
    unit = tf.eye(2)
    losses = info_nce(unit, unit, tf.constant([1.0, 0.5]))
    np.testing.assert_allclose(losses, [np.log(1 + np.exp(-1)), np.log(1 + np.exp(-2))], rtol=1e-6)


def test_equals_the_formula_written_in_numpy():
    random = np.random.default_rng(3)
    anchors, positives = random.normal(size=(2, 7, 4))
    temperature = random.uniform(0.05, 1, 7)
    expected = []
    for x in range(7):
        similarities = [np.exp(anchors[x] @ positives[z] / temperature[x]) for z in range(7)]
        expected.append(-np.log(similarities[x] / np.sum(similarities)))
    np.testing.assert_allclose(info_nce(*map(tf.constant, (anchors, positives, temperature))), expected, rtol=1e-9)


def test_equal_similarities_leave_the_choice_to_chance():
    same = tf.ones([8, 3])
    np.testing.assert_allclose(info_nce(same, same, tf.fill([8], 0.3)), np.full(8, np.log(8)), rtol=1e-5)


def test_the_order_of_the_rows_does_not_matter():
    random = np.random.default_rng(5)
    anchors, positives = random.normal(size=(2, 6, 3))
    temperature = random.uniform(0.1, 1, 6)
    order = random.permutation(6)
    straight = info_nce(tf.constant(anchors), tf.constant(positives), tf.constant(temperature)).numpy()
    shuffled = info_nce(*(tf.constant(x[order]) for x in (anchors, positives, temperature))).numpy()
    np.testing.assert_allclose(shuffled, straight[order], rtol=1e-9)


def test_large_similarities_do_not_overflow():
    anchors = tf.constant([[1000.0, 0.0], [0.0, 1000.0]])
    assert np.isfinite(info_nce(anchors, anchors, tf.fill([2], 0.05))).all()


def test_alignment_looks_at_the_own_pair_only():
    assert alignment(tf.constant([[1.0, 2.0]]), tf.constant([[3.0, 4.0]]), tf.constant([0.5])).numpy() == pytest.approx(
        -22
    )


def pieces(rows=9, size=5, dtype=tf.float64):
    """Vectors of length 1, and temperatures as PICO has them."""
    random = np.random.default_rng(11)
    vectors = random.normal(size=(2, rows, size))
    vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
    return [tf.constant(x, dtype) for x in (*vectors, random.uniform(0.05, 1, rows))], random.normal(size=rows)


def plain(anchors, positives, temperature):
    """The formula, left to automatic differentiation."""
    logits = tf.matmul(anchors, positives, transpose_b=True) / temperature[:, None]
    return tf.reduce_logsumexp(logits, axis=1) - tf.linalg.diag_part(logits)


bounds = pytest.mark.parametrize("largest_logit", [None, 20.0])


@bounds
@pytest.mark.parametrize("xla", [False, True])
def test_the_gradient_is_that_of_the_plain_formula(largest_logit, xla):
    (anchors, positives, temperature), weights = pieces()

    def gradients(loss):
        with tf.GradientTape() as tape:
            tape.watch([anchors, positives, temperature])
            total = tf.reduce_sum(loss(anchors, positives, temperature) * weights)
        return tape.gradient(total, [anchors, positives, temperature])

    ours = tf.function(lambda: gradients(lambda *x: info_nce(*x, largest_logit)), jit_compile=xla)()
    for found, expected in zip(ours, gradients(plain), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


@bounds
def test_the_gradient_is_that_of_finite_differences(largest_logit):
    inputs, weights = pieces(rows=4, size=3)
    theory, numeric = tf.test.compute_gradient(
        lambda *x: tf.reduce_sum(info_nce(*x, largest_logit) * weights), inputs, delta=1e-6
    )
    for found, expected in zip(theory, numeric, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@bounds
def test_the_value_is_that_of_the_plain_formula(largest_logit):
    inputs, _ = pieces(dtype=tf.float32)
    np.testing.assert_allclose(info_nce(*inputs, largest_logit), plain(*inputs), rtol=2e-6)


def test_a_bound_that_is_none_is_refused():
    inputs, _ = pieces()
    with pytest.raises(ValueError, match=r"largest_logit: got 41, allowed are 40\.0 at most"):
        info_nce(*inputs, 41)
