"""Training: built system and batches -> trained weights, with progress, validation, early stopping, checkpoints."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras
from sklearn.metrics import log_loss, roc_auc_score

from models.checkpoints import Checkpoints, Position
from models.layers.dropout import generators
from models.learner import Batch, Learner
from models.optimizers import LazyAdam
from models.settings import EarlyStopping, TrainingSettings
from models.tasks import TaskGraph
from models.update import compiled_steps

Passes = Callable[[int, int], tf.data.Dataset]
Predict = Callable[[Mapping[str, tf.Tensor]], Mapping[str, tf.Tensor]]

logger = logging.getLogger("tandem.train")

# Steps run inside one compiled call: few enough to show progress, enough for the calls to cost nothing.
STEPS_PER_CALL = 20
SECONDS_BETWEEN_REPORTS = 2.0
BATCHES_FOR_BASE_RATES = 20

OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "lazy_adam": LazyAdam,
    "adam": keras.optimizers.Adam,
    "adagrad": keras.optimizers.Adagrad,
    "sgd": keras.optimizers.SGD,
}


def base_rates(labels: np.ndarray, graph: TaskGraph) -> dict[str, float]:
    """Returns, by task, the share of positives among the rows it is trained on.

    Args:
      labels: [n, T], 0 or 1, in the order of the tasks.
      graph: The tasks.
    """
    by_label = {label: labels[:, index].astype(np.float64) for index, label in enumerate(graph.labels)}
    masks = graph.masks(by_label)
    rates = {}
    for task in graph:
        values, mask = by_label[graph.label(task.name)], masks[task.name]
        # One pseudo-row of each class: a rate of 0 or 1 in a sample is no certainty.
        counted = values if mask is None else values[mask > 0]
        rates[task.name] = float((counted.sum() + 1) / (len(counted) + 2))
    return rates


def validate(predict: Predict, batches: tf.data.Dataset, graph: TaskGraph) -> dict[str, float]:
    """Judges a network on validation batches.

    Args:
      predict: Features -> probabilities by output name, [B].
      batches: Features and labels.
      graph: The tasks.

    Returns:
      `auc/<output>` and `log_loss/<output>` over the rows that count for the output; an AUC over one class is nan.
    """
    answers: dict[str, list[np.ndarray]] = {output.name: [] for output in graph.outputs()}
    label_batches = []
    for features, labels in batches:
        for name, values in predict(features).items():
            answers[name].append(values.numpy())
        label_batches.append(labels.numpy())
    labels = np.concatenate(label_batches)
    columns = {label: labels[:, index] for index, label in enumerate(graph.labels)}
    figures = {}
    for output in graph.outputs():
        rows = slice(None) if output.given is None else columns[output.given] > 0
        truth, scores = columns[output.label][rows], np.concatenate(answers[output.name])[rows]
        both_classes = len(np.unique(truth)) == 2
        figures[f"auc/{output.name}"] = float(roc_auc_score(truth, scores)) if both_classes else float("nan")
        figures[f"log_loss/{output.name}"] = (
            float(log_loss(truth, scores, labels=[0, 1])) if len(truth) else float("nan")
        )
    return figures


@dataclass(frozen=True)
class _Plan:
    """How long training is.

    Attributes:
      steps_per_pass: Batches of one pass over the training part.
      steps: Of all passes together; the last one may be cut short.
    """

    steps_per_pass: int
    steps: int

    @property
    def epochs(self) -> int:
        """The passes, one that is cut short included."""
        return -(-self.steps // self.steps_per_pass)

    def steps_of(self, epoch: int) -> int:
        """Returns the steps of an epoch (counted from 0)."""
        return min(self.steps_per_pass, self.steps - epoch * self.steps_per_pass)


class _Progress:
    """Logs where training is: epoch, step, speed, time left, losses."""

    def __init__(self, plan: _Plan, batch_size: int):
        self._plan = plan
        self._batch_size = batch_size
        self._reported = time.monotonic()
        self._clock: tuple[float, int] | None = None  # when the first compiled call was over, and after how many steps

    def report(self, position: Position) -> None:
        """Tells of the steps done; not more often than every other second."""
        now = time.monotonic()
        epoch, step, steps = position.epoch, position.step, self._plan.steps_of(position.epoch)
        done = epoch * self._plan.steps_per_pass + step
        if self._clock is None:  # the first call compiles, which says nothing about the speed
            self._clock = now, done
        if now - self._reported < SECONDS_BETWEEN_REPORTS and step < steps:
            return
        self._reported = now
        since, before = self._clock
        speed = ""
        if done > before:
            seconds_per_step = (now - since) / (done - before)
            left = seconds_per_step * (self._plan.steps - done)
            speed = f", {self._batch_size / seconds_per_step:,.0f} examples/s, {left:.0f} s left"
        parts = ", ".join(f"{name} {value:.4f}" for name, value in position.mean_losses().items())
        logger.info("epoch %d/%d, step %d/%d%s: %s", epoch + 1, self._plan.epochs, step, steps, speed, parts)


class _Stopping:
    """Keeps the best weights, and says when there have been no better ones for too long.

    Attributes:
      best_weights: The best so far; the first ones before any validation. With the history they are all the state.
    """

    def __init__(self, settings: EarlyStopping, graph: TaskGraph, network: keras.Model):
        self._settings = settings
        self._network = network
        tasks = [settings.task] if settings.task else graph.names
        self._weights = {f"validation/log_loss/{graph.own_output(t).name}": graph[t].loss_weight for t in tasks}
        self.best_weights = [tf.Variable(weight, trainable=False) for weight in network.weights]

    def should_stop(self, history: Sequence[Mapping[str, float]]) -> bool:
        """Takes the figures of all epochs so far; to be called after each of them."""
        best = self._best_epoch(history)
        if best == len(history) - 1:
            for kept, weight in zip(self.best_weights, self._network.weights, strict=True):
                kept.assign(weight)
        return len(history) - 1 - best > self._settings.patience

    def restore(self, history: Sequence[Mapping[str, float]]) -> None:
        """Puts the best weights back."""
        if self._best_epoch(history) >= 0:
            for kept, weight in zip(self.best_weights, self._network.weights, strict=True):
                weight.assign(kept)

    def _best_epoch(self, history: Sequence[Mapping[str, float]]) -> int:
        """Returns the first epoch with the least loss, from 0; -1 if no loss is a number."""
        best, least = -1, float("inf")
        for epoch, figures in enumerate(history):
            loss = sum(weight * figures[name] for name, weight in self._weights.items())
            if loss < least:
                best, least = epoch, loss
        return best


def initialize(learner: Learner, graph: TaskGraph, sample: Iterable[Batch]) -> None:
    """Makes all variables and starts every task at its base rate.

    Args:
      learner: The system.
      graph: The tasks.
      sample: Some batches.
    """
    sample = list(sample)
    learner.compute_loss(sample[0])  # Makes the variables: their number must not change inside a compiled step.
    learner.network.set_base_rates(base_rates(np.concatenate([labels.numpy() for _, labels in sample]), graph))


def train(
    learner: Learner,
    graph: TaskGraph,
    settings: TrainingSettings,
    passes: Passes,
    validation: tf.data.Dataset | None = None,
    log_dir: str | None = None,
    checkpoints: Checkpoints | None = None,
    watch: Callable[[Position], None] = lambda position: None,
) -> list[dict[str, float]]:
    """Trains an initialized system, or goes on with its training.

    Args:
      learner: The system; its `network` has the trained weights afterwards.
      graph: The tasks.
      settings: How to train.
      passes: The epoch, from 0, and the number of batches to leave out -> the rest of one pass over the training part.
        The number of batches must be known and the same in every epoch. For training to go on as it would have, the
        order of the rows must depend on nothing else.
      validation: One pass over the validation part.
      log_dir: Where TensorBoard's files go.
      checkpoints: Where to go on from, and to save to; None: from the start, and nothing is saved.
      watch: Told where training stands: at the start of every pass, and after every compiled call.

    Returns:
      Per epoch, the mean of every loss and, with a validation part, its figures (`validation/auc/<output>` ...).

    Raises:
      ValueError: The checkpoint cannot be resumed.
    """
    steps = int(passes(0, 0).cardinality())
    plan = _Plan(steps, min(settings.epochs * steps, settings.max_steps or sys.maxsize))
    # Keras' own compiling would start anew for every number of distinct rows in a batch.
    learner.compile(OPTIMIZERS[settings.optimizer](_learning_rate(settings, plan.steps), jit_compile=False))
    learner.optimizer.build(learner.trainable_variables)  # a checkpoint fills what is there
    stopping = _Stopping(settings.early_stopping, graph, learner.network) if settings.early_stopping else None
    position = Position()
    if checkpoints and checkpoints.resume(_state(learner, position, stopping)):
        _tell_of_resuming(position, plan)
    run_steps = compiled_steps(learner, learner.steps[0], learner.optimizer, settings.batch_size, settings.xla)
    predict = tf.function(lambda features: learner.network(features, training=False), autograph=False)
    progress = _Progress(plan, settings.batch_size)
    board = tf.summary.create_file_writer(log_dir) if log_dir else tf.summary.create_noop_writer()
    for figures in position.history:
        _write(board, figures)
    while not position.finished:
        watch(position)
        iterator = iter(passes(position.epoch, position.step))
        while position.step < plan.steps_of(position.epoch):
            count = min(STEPS_PER_CALL, plan.steps_of(position.epoch) - position.step)
            sums = run_steps(iterator, tf.constant(count))
            position.advance(count, dict(zip(learner.loss_names, sums.numpy().tolist(), strict=True)))
            progress.report(position)
            watch(position)
            if checkpoints:
                checkpoints.save_if_due()
        figures = {"epoch": position.epoch + 1, **position.mean_losses()}
        if validation is not None:
            figures |= {f"validation/{name}": value for name, value in validate(predict, validation, graph).items()}
            aucs = ", ".join(f"{o.name} {figures[f'validation/auc/{o.name}']:.4f}" for o in graph.outputs())
            logger.info("epoch %d, validation AUC: %s", position.epoch + 1, aucs)
        position.end_epoch(figures)
        _write(board, figures)
        enough = stopping is not None and stopping.should_stop(position.history)
        position.finished = enough or position.epoch == plan.epochs
        if checkpoints and position.finished:
            checkpoints.save()
    if stopping:
        stopping.restore(position.history)
    board.close()
    return position.history


def _learning_rate(settings: TrainingSettings, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Returns the learning rate, or its course over so many steps."""
    if settings.learning_rate_schedule == "linear":
        return keras.optimizers.schedules.PolynomialDecay(settings.learning_rate, steps, end_learning_rate=0.0)
    return settings.learning_rate


def _state(learner: Learner, position: Position, stopping: _Stopping | None) -> dict[str, Any]:
    """Returns all that the rest of training depends on, besides the settings and the rows.

    Plain lists, in the order in which the same code makes them: TensorFlow cannot save every object that an objective
    may keep its layers in.
    """
    return {
        "variables": learner.variables,
        "slots": list(learner.optimizer.variables),
        "random_numbers": generators(learner),
        "position": position,
        "best_weights": stopping.best_weights if stopping else [],
    }


def _tell_of_resuming(position: Position, plan: _Plan) -> None:
    if position.finished:
        logger.info("training was finished before, after epoch %d", position.epoch)
    else:
        steps = plan.steps_of(position.epoch)
        logger.info("resuming at epoch %d, step %s of %s", position.epoch + 1, f"{position.step:,}", f"{steps:,}")


def _write(board: tf.summary.SummaryWriter, figures: Mapping[str, float]) -> None:
    """Writes an epoch's figures for TensorBoard."""
    with board.as_default(step=int(figures["epoch"])):
        for name, value in figures.items():
            tf.summary.scalar(name, value)
