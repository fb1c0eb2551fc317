"""What is compared: Tandem's trainer, plain tf_keras as a user would write it, DeepCTR.

Each system trains a chunk of steps when asked. All have the setting of the PICO paper: embeddings of 8, three experts
of 64, towers of 64-32-16, Adam with 5e-4, batches of 1024, no L2. Ours reads tf.Examples from disk and shuffles them;
the others get arrays in memory, in a fixed order, through `fit`: that is cheaper than what users have to do.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from benchmarks.training_speed.workload import CARDINALITIES, FEATURES, TASKS, Workload, first_rows, layout

DIM, EXPERTS, EXPERT_LAYERS, TOWER_LAYERS = 8, 3, (64,), (64, 32, 16)
BATCH, LEARNING_RATE = 1024, 5e-4
ROWS_OF_A_PREDICTION = 8192


class Ours:
    """Tandem's own `train`, which reads files; it is held between chunks."""

    def __init__(self, recipe: str, workload: Workload, seed: int, **settings: Any):
        from models.settings import ModelSettings, TrainingSettings
        from models.tasks import Task, TaskGraph

        # Both over all rows, as the peers have them.
        self._graph = TaskGraph([Task(name=name) for name in TASKS])
        self._model = ModelSettings(recipe=recipe, embedding_dim=DIM, tower_layers=TOWER_LAYERS)
        self._settings = TrainingSettings(
            batch_size=BATCH, learning_rate=LEARNING_RATE, epochs=1000, checkpoint_minutes=0, seed=seed, **settings
        )
        self._files = sorted(str(path) for path in (workload.folder / "examples").iterdir())
        self._asked: queue.Queue[int] = queue.Queue()
        self._done: queue.Queue[Exception | None] = queue.Queue()
        threading.Thread(target=self._work, daemon=True).start()

    def train(self, steps: int, chunk: int) -> None:
        """Trains so many steps, whichever come next."""
        self._asked.put(steps)
        error = self._done.get()
        if error is not None:
            raise error

    def predict(self, ids: np.ndarray) -> np.ndarray:
        """Returns the probabilities of click and of click and conversion, [rows, 2]."""
        network = self._learner.network
        answer = tf.function(lambda x: network({"ids": x}, training=False), autograph=False)
        found = []
        for start in range(0, len(ids), ROWS_OF_A_PREDICTION):
            answers = answer(tf.constant(ids[start : start + ROWS_OF_A_PREDICTION] + first_rows(), tf.int32))
            found.append(np.stack([answers[name] for name in TASKS], axis=1))
        return np.concatenate(found)

    def _work(self) -> None:
        from models.checkpoints import Position
        from models.dataset import read_examples, shuffled_passes
        from models.registry import build
        from models.training import BATCHES_FOR_BASE_RATES, initialize, train

        until = self._asked.get()

        def pause(position: Position) -> None:
            """Holds the training where as many steps are done as were asked for, until more are."""
            nonlocal until
            if position.stage_step >= until:
                self._done.put(None)
                until = position.stage_step + self._asked.get()

        try:
            settings, features = self._settings, layout()
            keras.utils.set_random_seed(settings.seed)
            self._learner = build(self._model, self._graph, features, sum(CARDINALITIES.values()))
            passes = shuffled_passes(
                self._files, features, len(self._graph), BATCH, settings.shuffle_rows, settings.seed
            )
            sample = read_examples(self._files, features, len(self._graph), BATCH).take(BATCHES_FOR_BASE_RATES)
            initialize(self._learner, self._graph, sample)
            train(self._learner, self._graph, settings, passes, watch=pause)
        except Exception as error:
            self._done.put(error)


class Fitted:
    """A Keras model of two outputs, trained by `fit` on arrays."""

    def __init__(self, build: Callable[[], keras.Model], workload: Workload, seed: int):
        keras.utils.set_random_seed(seed)
        self._model = build()
        self._model.compile(keras.optimizers.Adam(LEARNING_RATE), loss=["binary_crossentropy"] * 2)
        self._ids, labels = workload.train
        self._labels = labels.astype(np.float32)

    def train(self, steps: int, chunk: int) -> None:
        """Trains the steps of a chunk, which follow those of the chunk before."""
        size = steps * BATCH
        start = chunk * size % (len(self._ids) - size + 1)
        rows = slice(start, start + size)
        labels = [self._labels[rows, 0], self._labels[rows, 1]]
        self._model.fit(_columns(self._ids[rows]), labels, batch_size=BATCH, shuffle=False, verbose=0)

    def predict(self, ids: np.ndarray) -> np.ndarray:
        """Returns the probabilities of click and of click and conversion, [rows, 2]."""
        return np.concatenate(self._model.predict(_columns(ids), batch_size=ROWS_OF_A_PREDICTION, verbose=0), axis=1)


def _columns(ids: np.ndarray) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(ids[:, index]) for index, name in enumerate(FEATURES)}


def plain_keras(kind: str) -> keras.Model:
    """A multi-task model of Keras' own layers: an embedding per feature, dense layers, a softmax per gate."""
    layers = keras.layers
    inputs = {name: layers.Input((), name=name, dtype="int32") for name in FEATURES}
    x = layers.Concatenate()([layers.Embedding(size, DIM)(inputs[name]) for name, size in CARDINALITIES.items()])

    def mlp(x: Any, sizes: tuple[int, ...]) -> Any:
        for size in sizes:
            x = layers.Dense(size, activation="relu")(x)
        return x

    def mixed(experts: list[Any], of: Any) -> Any:
        gate = layers.Dense(len(experts), activation="softmax")(of)
        weigh = layers.Lambda(lambda parts: tf.reduce_sum(tf.stack(parts[1:], 1) * parts[0][..., None], 1))
        return weigh([gate, *experts])

    if kind == "shared_bottom":
        states = [mlp(x, EXPERT_LAYERS)] * 2
    elif kind == "mmoe":
        experts = [mlp(x, EXPERT_LAYERS) for _ in range(EXPERTS)]
        states = [mixed(experts, x) for _ in TASKS]
    else:
        parts = [x, x, x]  # of each task, and the shared one
        for level in range(2):
            experts = [mlp(part, EXPERT_LAYERS) for part in parts]
            after = [mixed([experts[task], experts[2]], parts[task]) for task in range(2)]
            parts = [*after, mixed(experts, parts[2])] if level == 0 else after
        states = parts
    outputs = [layers.Dense(1, activation="sigmoid")(mlp(state, TOWER_LAYERS)) for state in states]
    return keras.Model(inputs, outputs)


def deepctr(kind: str) -> keras.Model:
    """DeepCTR's model, its L2 on embeddings off (it would touch every row at every step)."""
    from deepctr.feature_column import SparseFeat
    from deepctr.models.multitask import MMOE, PLE, SharedBottom

    columns = [SparseFeat(name, size, DIM, dtype="int32") for name, size in CARDINALITIES.items()]
    common = {"tower_dnn_hidden_units": TOWER_LAYERS, "l2_reg_embedding": 0.0}
    if kind == "shared_bottom":
        return SharedBottom(columns, bottom_dnn_hidden_units=EXPERT_LAYERS, **common)
    common["expert_dnn_hidden_units"] = EXPERT_LAYERS
    if kind == "mmoe":
        return MMOE(columns, num_experts=EXPERTS, **common)
    return PLE(columns, shared_expert_num=1, specific_expert_num=1, num_levels=2, **common)


KINDS = ("shared_bottom", "mmoe", "ple")
OPTIONS: dict[str, dict[str, Any]] = {
    "": {},
    "+xla": {"xla": True},
    "+bfloat16": {"precision": "bfloat16"},
    "+adam": {"optimizer": "adam"},
    "+adagrad": {"optimizer": "adagrad", "learning_rate": 0.02},
}


def create(name: str, workload: Workload, seed: int) -> Ours | Fitted:
    """Makes a system by its name.

    Args:
      name: `tandem/RECIPE`, perhaps with an option at its end (`tandem/mmoe+xla`); `keras/KIND`; `deepctr/KIND`.
      workload: What it is trained on.
      seed: Of its weights, and of the order of the rows where it reads them itself.

    Raises:
      ValueError: There is no such system.
    """
    library, _, kind = name.partition("/")
    if library == "tandem":
        recipe, plus, option = kind.partition("+")
        if plus + option in OPTIONS:
            return Ours(recipe, workload, seed, **OPTIONS[plus + option])
    if kind in KINDS and library == "keras":
        return Fitted(lambda: plain_keras(kind), workload, seed)
    if kind in KINDS and library == "deepctr":
        return Fitted(lambda: deepctr(kind), workload, seed)
    raise ValueError(
        f"there is no system {name!r}; there are tandem/RECIPE, with {sorted(OPTIONS)[1:]} at its end or nothing, "
        f"keras/KIND and deepctr/KIND, with {KINDS} for KIND"
    )
