"""What is compared: Tandem's trainer, plain tf_keras as a user would write it, DeepCTR.

Each system trains a chunk of steps when asked. All have the setting of the PICO paper: embeddings of 8, three experts
of 64, towers of 64-32-16, Adam with 5e-4, batches of 1024, no L2. Ours reads tf.Examples from disk and shuffles them;
the others get arrays in memory, in a fixed order, through `fit`: that is cheaper than what users have to do.

A system that is trained in two stages is in its first one, and with `+last_stage` in its second one from the start:
that shows what a step costs, and nothing of what the system learns.
"""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from benchmarks.training_speed import plain_keras
from benchmarks.training_speed.setting import BATCH, DIM, EXPERT_LAYERS, EXPERTS, LEARNING_RATE, TOWER_LAYERS
from benchmarks.training_speed.workload import CARDINALITIES, FEATURES, TASKS, Workload, first_rows, layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from tandem.models.learner import Learner
    from tandem.models.training.checkpoints import Position

ROWS_OF_A_PREDICTION = 8192
# Systems that are about conversion given click, or that hand on from click to conversion; they are judged by the same
# two probabilities.
FUNNELS = ("esmm", "aitm", "autoheri", "taml", "man")
# Settings that make the first stage no step long (0 is refused: nothing would train the embeddings).
LAST_STAGES: dict[str, dict[str, dict[str, Any]]] = {
    "autoheri": {"search": {"share": 1e-9, "threshold": None}},
    "man": {"meta": {"share": 1e-9}},
}


class Ours:
    """Tandem's own `train`, which reads files; it is held between chunks."""

    def __init__(self, recipe: str, workload: Workload, seed: int, last_stage: bool = False, **settings: Any):
        from tandem.models.settings import ModelSettings, TrainingSettings
        from tandem.models.tasks import Task, TaskGraph

        click, conversion = TASKS
        kind = recipe.removesuffix("_pico")
        # Both over all rows, as the peers have them, where the system knows no funnel.
        given = click if kind in FUNNELS else None
        self._graph = TaskGraph([Task(name=click), Task(name=conversion, given=given)])
        self._outputs = (click, f"{click}_and_{conversion}" if given else conversion)
        self._model = ModelSettings(
            recipe=recipe,
            embedding_dim=DIM,
            tower_layers=TOWER_LAYERS,
            steps=LAST_STAGES[kind] if last_stage else {},
        )
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
            found.append(np.stack([answers[name] for name in self._outputs], axis=1))
        return np.concatenate(found)

    def build(self) -> Learner:
        """Makes the system, its variables included."""
        from tandem.models.batch import RowFormat
        from tandem.models.registry import build
        from tandem.models.training.dataset import read_examples
        from tandem.models.training.loop import BATCHES_FOR_BASE_RATES, initialize

        keras.utils.set_random_seed(self._settings.seed)
        learner = build(self._model, self._graph, layout(), sum(CARDINALITIES.values()))
        rows = RowFormat(layout(), len(self._graph))
        sample = read_examples(self._files, rows, BATCH).take(BATCHES_FOR_BASE_RATES)
        initialize(learner, self._graph, sample)
        return learner

    def _work(self) -> None:
        from tandem.models.batch import RowFormat
        from tandem.models.training.dataset import shuffled_passes
        from tandem.models.training.loop import train

        until = self._asked.get()

        def pause(position: Position) -> None:
            """Holds the training where as many steps are done as were asked for, until more are."""
            nonlocal until
            if position.stage_step >= until:
                self._done.put(None)
                until = position.stage_step + self._asked.get()

        try:
            settings = self._settings
            self._learner = self.build()
            rows = RowFormat(layout(), len(self._graph))
            passes = shuffled_passes(self._files, rows, BATCH, settings.shuffle_rows, settings.seed)
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


def deepctr(kind: str) -> keras.Model:
    """DeepCTR's model, its L2 on embeddings off (it would touch every row at every step)."""
    from deepctr.feature_column import SparseFeat
    from deepctr.models.multitask import ESMM, MMOE, PLE, SharedBottom

    columns = [SparseFeat(name, size, DIM, dtype="int32") for name, size in CARDINALITIES.items()]
    common = {"tower_dnn_hidden_units": TOWER_LAYERS, "l2_reg_embedding": 0.0}
    if kind == "shared_bottom":
        return SharedBottom(columns, bottom_dnn_hidden_units=EXPERT_LAYERS, **common)
    if kind == "esmm":
        return ESMM(columns, tower_dnn_hidden_units=EXPERT_LAYERS + TOWER_LAYERS, l2_reg_embedding=0.0)
    common["expert_dnn_hidden_units"] = EXPERT_LAYERS
    if kind == "mmoe":
        return MMOE(columns, num_experts=EXPERTS, **common)
    return PLE(columns, shared_expert_num=1, specific_expert_num=1, num_levels=2, **common)


OF_DEEPCTR = ("shared_bottom", "mmoe", "ple", "esmm")
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
        `tandem/autoheri`, `tandem/man` and their peers have `+last_stage`, too.
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
        if option == "last_stage" and recipe.removesuffix("_pico") in LAST_STAGES:
            return Ours(recipe, workload, seed, last_stage=True)
    if kind in plain_keras.BUILDERS and library == "keras":
        return Fitted(plain_keras.BUILDERS[kind], workload, seed)
    if kind in OF_DEEPCTR and library == "deepctr":
        return Fitted(lambda: deepctr(kind), workload, seed)
    raise ValueError(
        f"there is no system {name!r}; there are tandem/RECIPE, with {sorted(OPTIONS)[1:]} at its end or nothing; "
        f"keras/KIND, with KIND of {list(plain_keras.BUILDERS)}, and tandem's for those with +last_stage; "
        f"deepctr/KIND, with KIND of {OF_DEEPCTR}"
    )
