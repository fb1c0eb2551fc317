"""The systems as a user would write them: plain tf_keras, its own layers, `compile` and `fit`.

An embedding per feature, a dense layer per expert, gate and tower, ordinary Adam. Where a paper's way of training is
none of `fit`'s own, `train_step` is overridden. What is computed, and the sizes, are those of our systems of the same
name; their docstrings say where a paper is read in one way of several. Every model predicts two probabilities, of click
and of click and conversion, [B, 1] each.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import tensorflow as tf
import tf_keras as keras
from tf_keras import layers

from benchmarks.training_speed.setting import DIM, EXPERT_LAYERS, EXPERTS, TOWER_LAYERS
from benchmarks.training_speed.workload import CARDINALITIES, FEATURES, TASKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

CONNECTED_LAYERS = (64, 64)  # of cross-stitch networks and of AutoHERI
CALIBRATION = 0.6
LEARNERS, DISTILLATION = 2, 0.1
MAN_EXPERTS, MAN_EXPERT_LAYERS = 4, (256, 128)
INNER_LEARNING_RATE = 0.01


def _inputs() -> dict[str, Any]:
    return {name: layers.Input((), name=name, dtype="int32") for name in FEATURES}


def _embedded(inputs: dict[str, Any]) -> Any:
    return layers.Concatenate()([layers.Embedding(size, DIM)(inputs[name]) for name, size in CARDINALITIES.items()])


def _mlp(x: Any, sizes: Sequence[int]) -> Any:
    for size in sizes:
        x = layers.Dense(size, activation="relu")(x)
    return x


def _mixed(experts: list[Any], of: Any) -> Any:
    gate = layers.Dense(len(experts), activation="softmax")(of)
    weigh = layers.Lambda(lambda parts: tf.reduce_sum(tf.stack(parts[1:], 1) * parts[0][..., None], 1))
    return weigh([gate, *experts])


def _probability(state: Any) -> Any:
    return layers.Dense(1, activation="sigmoid")(_mlp(state, TOWER_LAYERS))


def single_dnn() -> keras.Model:
    """A network and embeddings per task."""
    inputs = _inputs()
    return keras.Model(inputs, [_probability(_mlp(_embedded(inputs), EXPERT_LAYERS)) for _ in TASKS])


def shared_bottom() -> keras.Model:
    """One network below all towers."""
    inputs = _inputs()
    state = _mlp(_embedded(inputs), EXPERT_LAYERS)
    return keras.Model(inputs, [_probability(state) for _ in TASKS])


class CrossStitchUnit(layers.Layer):
    """Mixes the tasks' hidden layers by a learned matrix."""

    def build(self, input_shape: Any) -> None:
        """Makes the matrix, near the identity."""
        start = keras.initializers.Constant([[0.9, 0.1], [0.1, 0.9]])
        self.alpha = self.add_weight("alpha", (2, 2), initializer=start)

    def call(self, inputs: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Maps two [B, H] to two [B, H]."""
        return tf.unstack(tf.matmul(self.alpha, tf.stack(inputs, 1)), axis=1)


def cross_stitch() -> keras.Model:
    """A network per task, mixed after every layer."""
    inputs = _inputs()
    states = [_embedded(inputs)] * 2
    for size in CONNECTED_LAYERS:
        states = CrossStitchUnit()([layers.Dense(size, activation="relu")(state) for state in states])
    return keras.Model(inputs, [_probability(state) for state in states])


def omoe() -> keras.Model:
    """Shared experts, one gate."""
    inputs = _inputs()
    x = _embedded(inputs)
    state = _mixed([_mlp(x, EXPERT_LAYERS) for _ in range(EXPERTS)], x)
    return keras.Model(inputs, [_probability(state) for _ in TASKS])


def mmoe() -> keras.Model:
    """Shared experts, a gate per task."""
    inputs = _inputs()
    x = _embedded(inputs)
    experts = [_mlp(x, EXPERT_LAYERS) for _ in range(EXPERTS)]
    return keras.Model(inputs, [_probability(_mixed(experts, x)) for _ in TASKS])


def ple() -> keras.Model:
    """A shared expert and one of each task, in two levels."""
    inputs = _inputs()
    parts = [_embedded(inputs)] * 3  # of each task, and the shared one
    for level in range(2):
        experts = [_mlp(part, EXPERT_LAYERS) for part in parts]
        after = [_mixed([experts[task], experts[2]], parts[task]) for task in range(2)]
        parts = [*after, _mixed(experts, parts[2])] if level == 0 else after
    return keras.Model(inputs, [_probability(state) for state in parts])


def esmm() -> keras.Model:
    """A network per task on shared embeddings; the product is learned."""
    inputs = _inputs()
    x = _embedded(inputs)
    click, conversion = (_probability(_mlp(x, EXPERT_LAYERS)) for _ in TASKS)
    return keras.Model(inputs, [click, layers.Multiply()([click, conversion])])


class Transfer(layers.Layer):
    """AITM's attention over what the task before has found out and what the task itself has."""

    def build(self, input_shape: Any) -> None:
        """Makes the maps."""
        self.size = input_shape[0][-1]
        self.value, self.query, self.key = (layers.Dense(self.size, use_bias=False) for _ in range(3))

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Maps two [B, H] to [B, H]."""
        x = tf.stack(inputs, axis=1)
        scores = tf.reduce_sum(self.query(x) * self.key(x), axis=2, keepdims=True) / self.size**0.5
        return tf.reduce_sum(tf.nn.softmax(scores, axis=1) * self.value(x), axis=1)


def aitm() -> keras.Model:
    """Conversion's state is transferred from click's; heads for the whole chain, with the calibrator's loss."""
    inputs = _inputs()
    x = _embedded(inputs)
    clicks, conversions = (_mlp(x, EXPERT_LAYERS) for _ in TASKS)
    info = layers.Dense(EXPERT_LAYERS[-1], activation="relu")(clicks)
    click, joint = _probability(clicks), _probability(Transfer()([info, conversions]))
    model = keras.Model(inputs, [click, joint])
    model.add_loss(CALIBRATION * tf.reduce_mean(tf.nn.relu(joint - click)))
    return model


def taml() -> keras.Model:
    """Experts for all, of each task, of each learner; a task's learners are taught by their mean."""
    inputs = _inputs()
    x = _embedded(inputs)
    general = _mlp(x, EXPERT_LAYERS)
    found, distillation = [], []
    for _ in TASKS:
        of_task = _mlp(x, EXPERT_LAYERS)
        states = [_mixed([general, of_task, _mlp(x, EXPERT_LAYERS)], x) for _ in range(LEARNERS)]
        logits = [layers.Dense(1)(_mlp(state, TOWER_LAYERS)) for state in states]
        fused = tf.sigmoid(layers.Average()(logits))
        teacher = tf.stop_gradient(fused)
        distillation += [keras.losses.binary_crossentropy(teacher, each, from_logits=True) for each in logits]
        found.append(fused)
    model = keras.Model(inputs, [found[0], layers.Multiply()(found)])
    model.add_loss(DISTILLATION * tf.reduce_mean(tf.add_n(distillation)))
    return model


class Connected(layers.Layer):
    """A layer of AutoHERI that reads layers of another network, by connections that are searched for or fixed."""

    def __init__(self, size: int, searched: bool):
        super().__init__()
        self._size = size
        self._searched = searched

    def build(self, input_shape: Any) -> None:
        """Makes the kernels, and a number for every connection."""
        self._own = layers.Dense(self._size)
        self._taken = [layers.Dense(self._size, use_bias=False) for _ in input_shape[1:]]
        self.alpha = self.add_weight("alpha", (len(input_shape) - 1,), initializer="zeros", trainable=self._searched)

    def call(self, inputs: Sequence[tf.Tensor]) -> tf.Tensor:
        """Maps the layer below and the other network's layers to [B, size]."""
        weights = tf.sigmoid(self.alpha)
        taken = [
            weights[index] * layer(x) for index, (layer, x) in enumerate(zip(self._taken, inputs[1:], strict=True))
        ]
        return tf.nn.relu(self._own(inputs[0]) + tf.add_n(taken))


class Searched(keras.Model):
    """First-order DARTS: the weights learn from one half of a batch, the connections from the other."""

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Learns from one batch."""
        half = tf.shape(data[1][0])[0] // 2
        ours = [variable for variable in self.trainable_variables if "alpha" not in variable.name]
        alphas = [variable for variable in self.trainable_variables if "alpha" in variable.name]
        gradients = []
        for variables, rows in ((ours, slice(None, half)), (alphas, slice(half, None))):
            x, y = tf.nest.map_structure(lambda values, rows=rows: values[rows], data)
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(variables)
                loss = self.compute_loss(x, y, self(x, training=True))
            gradients += tape.gradient(loss, variables)
        self.optimizer.apply_gradients(zip(gradients, [*ours, *alphas], strict=True))
        return {"loss": loss}


def autoheri(last_stage: bool = False) -> keras.Model:
    """Conversion's layers read click's; in the last stage the connections are fixed, and training is the usual one."""
    inputs = _inputs()
    x = _embedded(inputs)
    clicks, conversions = [x], x
    for size in CONNECTED_LAYERS:
        clicks.append(layers.Dense(size, activation="relu")(clicks[-1]))
    for size in CONNECTED_LAYERS:
        conversions = Connected(size, searched=not last_stage)([conversions, *clicks[1:]])
    click, conversion = _probability(clicks[-1]), _probability(conversions)
    outputs = [click, layers.Multiply()([click, conversion])]
    return keras.Model(inputs, outputs) if last_stage else Searched(inputs, outputs)


class TaskAttention(layers.Layer):
    """MAN's attention of every task over all tasks' states."""

    def __init__(self, size: int):
        super().__init__()
        self.maps = [[layers.Dense(size) for _ in TASKS] for _ in range(3)]  # query, key, value
        self._size = size

    def call(self, states: Sequence[tf.Tensor]) -> list[tf.Tensor]:
        """Maps two [B, H] to two [B, H]."""
        query, key, value = (
            tf.stack([of_task(x) for of_task, x in zip(kind, states, strict=True)], axis=1) for kind in self.maps
        )
        weights = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) / self._size**0.5)
        return tf.unstack(tf.matmul(weights, value), axis=1)


class Uncertain(keras.Model):
    """Two probabilities, of click and of conversion given click, with losses weighed by their uncertainty."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.log_variances = self.add_weight("log_variances", (2,), initializer="zeros")

    def total(self, x: Any, y: Any) -> tf.Tensor:
        """Returns the sum to minimize; conversion's loss is over clicked rows."""
        click, conversion = self(x, training=True)
        clicks, conversions = (label[:, None] for label in y)
        of_rows = keras.losses.binary_crossentropy(conversions, conversion)
        of_clicked = tf.math.divide_no_nan(tf.reduce_sum(of_rows * y[0]), tf.reduce_sum(y[0]))
        losses = tf.stack([tf.reduce_mean(keras.losses.binary_crossentropy(clicks, click)), of_clicked])
        return tf.reduce_sum(tf.exp(-self.log_variances) * losses + self.log_variances) / 2

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Learns from one batch."""
        with tf.GradientTape() as tape:
            loss = self.total(*data)
        self.optimizer.minimize(loss, self.trainable_variables, tape=tape)
        return {"loss": loss}

    def predict_step(self, data: Any) -> tuple[tf.Tensor, tf.Tensor]:
        """Answers what the other models answer."""
        click, conversion = super().predict_step(data)
        return click, click * conversion


class MetaLearned(Uncertain):
    """MAML of the second order: each half of a batch adapts all weights once, and judges the adapted ones once."""

    def train_step(self, data: Any) -> dict[str, tf.Tensor]:
        """Learns from one batch."""
        half = tf.shape(data[1][0])[0] // 2
        parts = [
            tf.nest.map_structure(lambda values, rows=rows: values[rows], data)
            for rows in (slice(None, half), slice(half, None))
        ]
        variables = self.trainable_variables
        with tf.GradientTape() as outer:
            loss = 0.0
            for support, query in (parts, parts[::-1]):
                with tf.GradientTape() as inner:
                    of_support = self.total(*support)
                slopes = inner.gradient(of_support, variables)
                adapted = [_adapted(value, slope) for value, slope in zip(variables, slopes, strict=True)]
                with self._replaced(variables, adapted):
                    loss += self.total(*query) / 2
        gradients = outer.gradient(loss, variables)
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return {"loss": loss}

    @contextlib.contextmanager
    def _replaced(self, variables: Sequence[tf.Variable], values: Sequence[tf.Tensor]) -> Iterator[None]:
        """Lets all layers compute with other values than their variables."""
        by_variable = dict(zip((variable.ref() for variable in variables), values, strict=True))
        places = [
            (vars(part), name, variable)
            for part in [self, *self._flatten_layers(include_self=False)]
            for name, variable in vars(part).items()
            if isinstance(variable, tf.Variable) and variable.ref() in by_variable
        ]
        for attributes, name, variable in places:
            attributes[name] = by_variable[variable.ref()]
        try:
            yield
        finally:
            for attributes, name, variable in places:
                attributes[name] = variable


def _adapted(value: tf.Variable, slope: tf.Tensor | tf.IndexedSlices) -> tf.Tensor:
    if isinstance(slope, tf.IndexedSlices):  # an embedding's: only the rows of the batch move
        return tf.tensor_scatter_nd_sub(value, slope.indices[:, None], INNER_LEARNING_RATE * slope.values)
    return value - INNER_LEARNING_RATE * slope


def man(last_stage: bool = False) -> keras.Model:
    """Shared and task experts, attention between the tasks; in the last stage only what is above the experts learns."""
    inputs = _inputs()
    x = _embedded(inputs)
    shared = [_mlp(x, MAN_EXPERT_LAYERS) for _ in range(MAN_EXPERTS)]
    states = [_mixed([*shared, *(_mlp(x, MAN_EXPERT_LAYERS) for _ in range(MAN_EXPERTS))], x) for _ in TASKS]
    if last_stage:
        for layer in keras.Model(inputs, states).layers:
            layer.trainable = False
    attended = TaskAttention(MAN_EXPERT_LAYERS[-1])(states)
    return (Uncertain if last_stage else MetaLearned)(inputs, [_probability(state) for state in attended])


BUILDERS: dict[str, Callable[[], keras.Model]] = {
    "single_dnn": single_dnn,
    "shared_bottom": shared_bottom,
    "cross_stitch": cross_stitch,
    "omoe": omoe,
    "mmoe": mmoe,
    "ple": ple,
    "esmm": esmm,
    "aitm": aitm,
    "autoheri": autoheri,
    "autoheri+last_stage": lambda: autoheri(last_stage=True),
    "taml": taml,
    "man": man,
    "man+last_stage": lambda: man(last_stage=True),
}
