import subprocess
import sys
import textwrap

import numpy as np
import pytest
import tensorflow as tf
import tf_keras as keras
from hypothesis import given, settings
from hypothesis import strategies as st

from tandem.models.training.optimizers import LazyAdam

ROWS, DIM = 6, 2
RATE, EPSILON = 0.1, 1e-7
# As the variables' type holds them: 1 - 0.999 is 1.3e-5 off in float32.
BETA_1, BETA_2 = float(np.float32(0.9)), float(np.float32(0.999))

# Repeated rows, rows that stay away, a row that comes late, one that never comes (5).
BATCHES = [[0, 1, 1], [2, 2, 2], [0, 3, 1], [1, 1, 0], [4, 2, 4]]


class NumpyAdam:
    """Adam on one array; `rows` says where it is applied."""

    def __init__(self, x):
        self.x = np.array(x, np.float64)
        self.m, self.v = np.zeros_like(self.x), np.zeros_like(self.x)
        self.t = 0

    def step(self, gradient, rows=slice(None), rate=RATE):
        self.t += 1
        g = gradient[rows]
        self.m[rows] = BETA_1 * self.m[rows] + (1 - BETA_1) * g
        self.v[rows] = BETA_2 * self.v[rows] + (1 - BETA_2) * g**2
        corrected = rate * np.sqrt(1 - BETA_2**self.t) / (1 - BETA_1**self.t)
        self.x[rows] -= corrected * self.m[rows] / (np.sqrt(self.v[rows]) + EPSILON)


def start(shape=(ROWS, DIM), seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def gradients(batches, dim=DIM, seed=1):
    random = np.random.default_rng(seed)
    return [random.normal(size=(len(batch), dim)).astype(np.float32) for batch in batches]


def slices(values, rows):
    return tf.IndexedSlices(tf.constant(values), tf.constant(rows, tf.int64), tf.constant([ROWS, DIM]))


def summed(values, rows):
    total = np.zeros((ROWS, values.shape[1]))
    np.add.at(total, rows, values)
    return total


def state(optimizer):
    return [variable.numpy() for variable in optimizer.variables]


def moments(optimizer, index=0):
    return optimizer._momentums[index].numpy(), optimizer._velocities[index].numpy()


def test_one_step_by_hand():
    # Row 1 twice: g = 0.1 + 0.3, m = 0.04, v = 0.00016; the factor is 0.1 * sqrt(0.001) / 0.1, and the move 0.1.
    table, optimizer = tf.Variable([[1.0], [1.0]]), LazyAdam(0.1)
    optimizer.apply_gradients([(tf.IndexedSlices([[0.1], [0.3]], [1, 1], [2, 1]), table)])
    np.testing.assert_allclose(table.numpy(), [[1.0], [0.9]], rtol=1e-6)
    mean, square = moments(optimizer)
    np.testing.assert_allclose(mean, [[0.0], [0.04]], rtol=1e-5)
    np.testing.assert_allclose(square, [[0.0], [0.00016]], rtol=1e-4)


def test_rows_of_the_batch_agree_with_numpy_and_the_others_stay():
    table, optimizer, expected = tf.Variable(start()), LazyAdam(RATE), NumpyAdam(start())
    for rows, values in zip(BATCHES, gradients(BATCHES), strict=True):
        before = [table.numpy(), *(moments(optimizer) if expected.t else np.zeros((2, ROWS, DIM), np.float32))]
        optimizer.apply_gradients([(slices(values, rows), table)])
        expected.step(summed(values, rows), np.unique(rows))
        others = np.setdiff1d(np.arange(ROWS), rows)
        for old, new in zip(before, [table.numpy(), *moments(optimizer)], strict=True):
            np.testing.assert_array_equal(old[others], new[others])
    np.testing.assert_allclose(table.numpy(), expected.x, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(moments(optimizer), [expected.m, expected.v], rtol=1e-5, atol=1e-9)


@settings(max_examples=20, derandomize=True)
@given(st.lists(st.lists(st.integers(0, ROWS - 1), min_size=1, max_size=8), min_size=1, max_size=5))
def test_any_batches_agree_with_numpy(batches):
    table, optimizer, expected = tf.Variable(start()), LazyAdam(RATE), NumpyAdam(start())
    for rows, values in zip(batches, gradients(batches), strict=True):
        optimizer.apply_gradients([(slices(values, rows), table)])
        expected.step(summed(values, rows), np.unique(rows))
    np.testing.assert_allclose(moments(optimizer), [expected.m, expected.v], rtol=1e-4, atol=1e-8)
    # A move is at most the rate times (1 - beta_1) / sqrt(1 - beta_2); 1e-4 of it is float32's share.
    np.testing.assert_allclose(table.numpy(), expected.x, atol=1e-4 * RATE * len(batches))


def test_dense_gradients_get_adam():
    shapes = [(4, 3), (3,), ()]
    ours, theirs = LazyAdam(RATE), keras.optimizers.Adam(RATE)
    x, y = ([tf.Variable(start(shape)) for shape in shapes] for _ in range(2))
    expected = [NumpyAdam(start(shape)) for shape in shapes]
    for step in range(5):
        values = [start(shape, seed=step + 1) for shape in shapes]
        ours.apply_gradients(zip(map(tf.constant, values), x, strict=True))
        theirs.apply_gradients(zip(map(tf.constant, values), y, strict=True))
        for one, value in zip(expected, values, strict=True):
            one.step(value, ...)
    for mine, keras_one, one in zip(x, y, expected, strict=True):
        np.testing.assert_allclose(mine.numpy(), one.x, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(mine.numpy(), keras_one.numpy(), rtol=1e-5, atol=1e-5)


def test_with_all_rows_in_every_batch_sparse_is_dense():
    table, dense, optimizer = tf.Variable(start()), tf.Variable(start()), LazyAdam(RATE)
    rows = [3, 0, 1, 2, 5, 4, 0]
    for seed in range(5):
        values = gradients([rows], seed=seed)[0]
        total = tf.constant(summed(values, rows), tf.float32)
        optimizer.apply_gradients([(slices(values, rows), table), (total, dense)])
    np.testing.assert_allclose(table.numpy(), dense.numpy(), rtol=1e-5, atol=1e-6)


def drift(optimizer, visits, every):
    """How far a row moves per visit, in learning rates, when its gradient is 1 at every so many-th step."""
    table = tf.Variable(tf.zeros([2, 1]))
    optimizer.build([table])

    @tf.function(autograph=False)
    def run(steps):
        def step(done):
            row = tf.cast((done + 1) % every != 0, tf.int64)  # row 1 is seen in between
            optimizer.apply_gradients([(tf.IndexedSlices(tf.ones([1, 1]), row[None], tf.constant([2, 1])), table)])
            return done + 1

        tf.while_loop(lambda done: done < steps, step, [tf.constant(0)])

    run(tf.constant(visits * every))
    half = table.numpy()[0, 0]
    run(tf.constant(visits * every))
    return float(half - table.numpy()[0, 0]) / visits / RATE


def test_a_row_of_every_fourth_step_moves_by_the_rate_and_under_dense_adam_by_twice_as_much():
    assert drift(LazyAdam(RATE, beta_2=0.99), 500, every=4) == pytest.approx(1, abs=0.02)
    assert drift(keras.optimizers.Adam(RATE, beta_2=0.99), 500, every=4) == pytest.approx(2, abs=0.02)


def test_the_schedule_and_the_global_step_count():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([1, 2], [0.1, 0.2, 0.4])
    table, optimizer, expected = tf.Variable(start()), LazyAdam(schedule), NumpyAdam(start())
    for rows, values, rate in zip(BATCHES, gradients(BATCHES), [0.1, 0.1, 0.2, 0.4, 0.4], strict=True):
        optimizer.apply_gradients([(slices(values, rows), table)])
        expected.step(summed(values, rows), np.unique(rows), rate)
    assert int(optimizer.iterations) == len(BATCHES)
    np.testing.assert_allclose(table.numpy(), expected.x, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("clipping", "expected"),
    [
        ({"clipnorm": 0.25}, [0.15, 0.2]),
        ({"global_clipnorm": 0.25}, [0.15, 0.2]),
        ({"clipvalue": 0.35}, [0.3, 0.35]),
        ({"clipnorm": 0.51}, [0.3, 0.4]),
    ],
    ids=str,
)
def test_clipping_sees_a_repeated_row_once(clipping, expected):
    # Row 1 gets 0.6 - 0.2: the gradient is (0.3, 0.4), and its norm 0.5.
    table, optimizer = tf.Variable(tf.zeros([2, 1])), LazyAdam(RATE, **clipping)
    optimizer.apply_gradients([(tf.IndexedSlices([[0.6], [0.3], [-0.2]], [1, 0, 1], [2, 1]), table)])
    np.testing.assert_allclose(moments(optimizer)[0][:, 0] / (1 - BETA_1), expected, rtol=1e-5)


def learner(optimizer):
    """A table and a dense kernel, and a compiled loop that trains them."""
    table, kernel = tf.Variable(start()), tf.Variable(start((DIM,), seed=3))

    def step(rows):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((tf.gather(table, rows) * kernel - 1.0) ** 2)
        optimizer.apply_gradients(zip(tape.gradient(loss, [table, kernel]), [table, kernel], strict=True))

    return table, kernel, step


@pytest.mark.parametrize("way", ["loop", "jit"])
def test_compiled_steps_are_the_eager_ones(way):
    eager, compiled = LazyAdam(RATE), LazyAdam(RATE)
    table, kernel, step = learner(eager)
    for batch in BATCHES:
        step(tf.constant(batch))
    other_table, other_kernel, other_step = learner(compiled)
    compiled.build([other_table, other_kernel])
    if way == "loop":

        @tf.function(autograph=False)
        def run(batches):
            def body(done):
                other_step(batches[done])
                return done + 1

            tf.while_loop(lambda done: done < len(BATCHES), body, [tf.constant(0)])

        run(tf.constant(BATCHES))
    else:
        jitted = tf.function(other_step, autograph=False, jit_compile=True)
        for batch in BATCHES:
            jitted(tf.constant(batch))
    np.testing.assert_allclose(other_table.numpy(), table.numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(other_kernel.numpy(), kernel.numpy(), rtol=1e-5, atol=1e-6)
    assert int(compiled.iterations) == len(BATCHES)


@pytest.mark.parametrize("built_first", [False, True])
def test_a_restored_checkpoint_continues_to_the_same_bits(tmp_path, built_first):
    optimizer = LazyAdam(RATE)
    table, kernel, step = learner(optimizer)
    for batch in BATCHES[:2]:
        step(tf.constant(batch))
    path = tf.train.Checkpoint(table=table, kernel=kernel, optimizer=optimizer).save(str(tmp_path / "checkpoint"))
    for batch in BATCHES[2:]:
        step(tf.constant(batch))

    again = LazyAdam(0.7)  # the learning rate is part of the checkpoint
    other_table, other_kernel, other_step = learner(again)
    if built_first:
        again.build([other_table, other_kernel])
    status = tf.train.Checkpoint(table=other_table, kernel=other_kernel, optimizer=again).restore(path)
    for batch in BATCHES[2:]:
        other_step(tf.constant(batch))
    status.assert_consumed()
    np.testing.assert_array_equal(other_table.numpy(), table.numpy())
    np.testing.assert_array_equal(other_kernel.numpy(), kernel.numpy())
    for old, new in zip(state(optimizer), state(again), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_checkpoint_of_adam_is_continued(tmp_path):
    adam = keras.optimizers.Adam(RATE)
    table, kernel, step = learner(adam)
    step(tf.constant(BATCHES[0]))
    path = tf.train.Checkpoint(optimizer=adam).save(str(tmp_path / "checkpoint"))
    lazy = LazyAdam()
    lazy.build([table, kernel])
    tf.train.Checkpoint(optimizer=lazy).restore(path).assert_consumed()
    for old, new in zip(state(adam), state(lazy), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    "rate", [0.25, keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)], ids=["number", "schedule"]
)
def test_serialization_keeps_the_settings(rate):
    optimizer = LazyAdam(rate, beta_1=0.8, beta_2=0.99, epsilon=1e-5, global_clipnorm=2.0, name="sparse")
    again = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
    assert type(again) is LazyAdam
    assert again.get_config() == optimizer.get_config()
    assert LazyAdam.from_config(optimizer.get_config()).get_config() == optimizer.get_config()


@pytest.mark.parametrize(
    ("option", "value"), [("amsgrad", True), ("adaptive_epsilon", True), ("weight_decay", 0.1), ("use_ema", True)]
)
def test_options_that_touch_every_row_are_refused(option, value):
    with pytest.raises(ValueError, match=rf"LazyAdam has no {option}: received {value}, allowed is (False|None)"):
        LazyAdam(**{option: value})


@pytest.mark.parametrize("make", [keras.optimizers.Adagrad, keras.optimizers.SGD])
def test_adagrad_and_sgd_of_keras_treat_sparse_gradients_as_dense_ones(make):
    table, dense = tf.Variable(start()), tf.Variable(start())
    sparse_optimizer, dense_optimizer = make(RATE), make(RATE)
    for rows, values in zip(BATCHES, gradients(BATCHES), strict=True):
        before = table.numpy()
        sparse_optimizer.apply_gradients([(slices(values, rows), table)])
        dense_optimizer.apply_gradients([(tf.constant(summed(values, rows), tf.float32), dense)])
        others = np.setdiff1d(np.arange(ROWS), rows)
        np.testing.assert_array_equal(before[others], table.numpy()[others])
    np.testing.assert_allclose(table.numpy(), dense.numpy(), rtol=1e-5, atol=1e-6)


# In a process of its own: the devices must be declared before TensorFlow starts.
TWO_REPLICAS = """
import numpy as np
import tensorflow as tf
from tandem.models.training.optimizers import LazyAdam

[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


def train(strategy, batches):
    replicas = strategy.num_replicas_in_sync
    with strategy.scope():
        table, kernel, optimizer = tf.Variable(tf.ones([6, 2])), tf.Variable([0.5, -0.5]), LazyAdam(0.1)
        optimizer.build([table, kernel])

    def step(rows):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum((tf.gather(table, rows) * kernel - 1.0) ** 2)
        optimizer.apply_gradients(zip(tape.gradient(loss, [table, kernel]), [table, kernel]))

    @tf.function(autograph=False)
    def run(rows):
        strategy.run(step, args=(rows,))

    for batch in batches:
        parts = tf.split(tf.constant(batch), replicas)
        run(strategy.experimental_distribute_values_from_function(lambda at: parts[at.replica_id_in_sync_group]))
    variables = [optimizer.iterations, table, kernel, *optimizer._momentums, *optimizer._velocities]
    return [[one.numpy() for one in strategy.experimental_local_results(variable)] for variable in variables]


batches = [[0, 1, 1, 2], [2, 2, 2, 2], [0, 3, 1, 0]]  # a row may be in one replica's part, in both, several times
alone = train(tf.distribute.get_strategy(), batches)
together = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]), batches)
for [one], [first, second] in zip(alone, together):
    np.testing.assert_array_equal(first, second)
    np.testing.assert_allclose(first, one, rtol=1e-5, atol=1e-7)
print("the same")
"""


def test_two_replicas_learn_what_one_does():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TWO_REPLICAS)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.strip().endswith("the same"), done.stderr[-3000:]
