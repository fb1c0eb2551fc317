"""Training: built system and batches -> trained weights, with progress, validation, early stopping, checkpoints."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tandem.models.layers.dropout import generators
from tandem.models.learner import Batch, Learner
from tandem.models.precision import products_in
from tandem.models.settings import TrainingSettings
from tandem.models.tasks import TaskGraph
from tandem.models.training import stages
from tandem.models.training.checkpoints import Checkpoints, Position
from tandem.models.training.distribution import Replicas
from tandem.models.training.optimizers import LazyAdam
from tandem.models.training.report import TrainingReport
from tandem.models.training.stopping import Stopping
from tandem.models.training.update import RunSteps, compiled_steps
from tandem.models.training.validation import base_rates, validate

Passes = Callable[[int, int], tf.data.Dataset]

# Steps run inside one compiled call: few enough to show progress, enough for the calls to cost nothing.
STEPS_PER_CALL = 20
BATCHES_FOR_BASE_RATES = 20

OPTIMIZERS: dict[str, type[keras.optimizers.Optimizer]] = {
    "lazy_adam": LazyAdam,
    "adam": keras.optimizers.Adam,
    "adagrad": keras.optimizers.Adagrad,
    "sgd": keras.optimizers.SGD,
}


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
    replicas: Replicas | None = None,
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
      replicas: Who computes a step, of whose scope the learner's variables are; None: this process alone.
      watch: Told where training stands: at the start of every pass, and after every compiled call.

    Returns:
      Per epoch, the mean of every loss and, with a validation part, its figures (`validation/auc/<output>` ...).

    Raises:
      ValueError: The checkpoint cannot be resumed, or the stages' shares do not sum up to 1.
    """
    replicas = replicas or Replicas(None)
    plan = stages.plan(int(passes(0, 0).cardinality()), settings.epochs, settings.max_steps, learner.steps)
    with replicas.scope(), contextlib.ExitStack() as stack:
        # Keras' own compiling would start anew for every number of distinct rows in a batch.
        learner.compile(OPTIMIZERS[settings.optimizer](_learning_rate(settings, plan.steps), jit_compile=False))
        learner.optimizer.build(learner.trainable_variables)  # a checkpoint fills what is there
        stopping = None
        if settings.early_stopping:
            folder = checkpoints.folder if checkpoints else stack.enter_context(tempfile.TemporaryDirectory())
            stopping = Stopping(settings.early_stopping, graph, learner.network.weights, folder, replicas.is_chief)
        report = TrainingReport(plan, settings.batch_size, log_dir if replicas.is_chief else None)
        stack.callback(report.close)
        position = Position()
        if checkpoints and checkpoints.resume(_state(learner, position)):
            report.resumed(position)
        predict = tf.function(lambda features: learner.network(features, training=False), autograph=False)
        run_steps = _Stages(learner, settings, replicas, report)
        _skip_empty_stages(learner, plan, position)
        while not position.finished:
            watch(position)
            iterator = replicas.iterator(passes(position.epoch, position.step))
            while position.step < plan.steps_per_pass and not position.finished:
                left = plan.stages[position.stage] - position.stage_step
                count = min(STEPS_PER_CALL, plan.steps_per_pass - position.step, left)
                with products_in(settings.precision):
                    sums = run_steps.of(position.stage)(iterator, tf.constant(count))
                position.advance(count, dict(zip(learner.loss_names, sums.numpy().tolist(), strict=True)))
                report.steps_done(position)
                watch(position)
                if position.stage_step == plan.stages[position.stage]:
                    _end_stage(learner, plan, position)
                if checkpoints:
                    checkpoints.save_if_due()
            figures = {"epoch": position.epoch + 1, **position.mean_losses()}
            if validation is not None:
                figures |= {f"validation/{name}": value for name, value in validate(predict, validation, graph).items()}
            position.end_epoch(figures)
            report.epoch_done(figures)
            if stopping and stopping.should_stop(position.history, position.stage_epoch) and not position.finished:
                if position.stage < len(plan.stages) - 1:
                    stopping.restore(position.history, position.stage_epoch)  # the next stage goes on from the best
                _end_stage(learner, plan, position)
            if checkpoints and position.finished:
                checkpoints.save()
        if stopping:
            stopping.restore(position.history, position.stage_epoch)
    return position.history


class _Stages:
    """Makes the compiled function of the present stage; one at a time is kept."""

    def __init__(self, learner: Learner, settings: TrainingSettings, replicas: Replicas, report: TrainingReport):
        self._arguments = (learner, settings, replicas)
        self._report = report
        self._made: tuple[int, RunSteps] | None = None

    def of(self, stage: int) -> RunSteps:
        """Returns the function of a stage."""
        learner, settings, replicas = self._arguments
        if self._made is None or self._made[0] != stage:
            step = learner.steps[stage]
            self._report.stage_begins(stage, len(learner.steps), type(step).__name__)
            steps = compiled_steps(learner, step, learner.optimizer, settings.batch_size, settings.xla, replicas)
            self._made = stage, steps
        return self._made[1]


def _end_stage(learner: Learner, plan: stages.TrainingPlan, position: Position) -> None:
    """Ends the present stage, and those after it that have no steps."""
    learner.steps[position.stage].finish(learner)
    if position.stage == len(plan.stages) - 1:
        position.finished = True
        return
    position.end_stage()
    _skip_empty_stages(learner, plan, position)


def _skip_empty_stages(learner: Learner, plan: stages.TrainingPlan, position: Position) -> None:
    if not position.finished and not plan.stages[position.stage]:
        _end_stage(learner, plan, position)


def _learning_rate(settings: TrainingSettings, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Returns the learning rate, or its course over so many steps."""
    if settings.learning_rate_schedule == "linear":
        return keras.optimizers.schedules.PolynomialDecay(settings.learning_rate, steps, end_learning_rate=0.0)
    return settings.learning_rate


def _state(learner: Learner, position: Position) -> dict[str, Any]:
    """Returns all that the rest of training depends on, besides the settings and the rows.

    Plain lists, in the order in which the same code makes them: TensorFlow cannot save every object that an objective
    may keep its layers in.
    """
    return {
        "variables": learner.variables,
        "slots": list(learner.optimizer.variables),
        "random_numbers": generators(learner),
        "position": position,
    }
