"""Training: built system and batches -> trained weights, with progress, validation, early stopping, checkpoints."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf
import tf_keras as keras

from tandem.models.layers.dropout import generators
from tandem.models.precision import products_in
from tandem.models.training import stages
from tandem.models.training.checkpoints import Checkpoints, Position
from tandem.models.training.distribution import Replicas
from tandem.models.training.optimizers import LazyAdam
from tandem.models.training.report import TrainingReport
from tandem.models.training.stopping import Stopping
from tandem.models.training.update import RunSteps, compiled_steps
from tandem.models.training.validation import base_rates, validate

if TYPE_CHECKING:
    from tandem.models.batch import Batch
    from tandem.models.learner import Learner
    from tandem.models.settings import TrainingSettings
    from tandem.models.tasks import TaskGraph

Passes = Callable[[int, int], tf.data.Dataset]
Watch = Callable[[Position], None]

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
    learner.prepare(sample[0])
    weights = [batch.weights.numpy() for batch in sample if batch.weights is not None]
    rates = base_rates(
        np.concatenate([batch.labels.numpy() for batch in sample]), graph, np.concatenate(weights) if weights else None
    )
    learner.network.set_base_rates(rates)


def train(
    learner: Learner,
    graph: TaskGraph,
    settings: TrainingSettings,
    passes: Passes,
    validation: tf.data.Dataset | None = None,
    log_dir: str | None = None,
    checkpoints: Checkpoints | None = None,
    replicas: Replicas | None = None,
    watch: Watch = lambda position: None,
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
    with replicas.scope(), contextlib.ExitStack() as stack:
        training = _Training(learner, graph, settings, passes, validation, checkpoints, replicas, watch)
        training.begin(stack, log_dir)
        while not training.position.finished:
            training.do_pass()
            training.end_pass()
        training.end()
    return training.position.history


class _Training:
    """One training, from where it stands to its end.

    Attributes:
      position: Where it stands.
    """

    def __init__(
        self,
        learner: Learner,
        graph: TaskGraph,
        settings: TrainingSettings,
        passes: Passes,
        validation: tf.data.Dataset | None,
        checkpoints: Checkpoints | None,
        replicas: Replicas,
        watch: Watch,
    ):
        self.position = Position()
        self._learner = learner
        self._graph = graph
        self._settings = settings
        self._passes = passes
        self._validation = validation
        self._checkpoints = checkpoints
        self._replicas = replicas
        self._watch = watch
        self._plan = stages.plan(int(passes(0, 0).cardinality()), settings.epochs, settings.max_steps, learner.steps)
        self._predict = tf.function(lambda features: learner.network(features, training=False), autograph=False)
        self._compiled: tuple[int, RunSteps] | None = None  # of the present stage; one at a time is kept

    def begin(self, stack: contextlib.ExitStack, log_dir: str | None) -> None:
        """Makes the optimizer, and goes to where an earlier attempt stood.

        Args:
          stack: Ends what has to be ended.
          log_dir: Where TensorBoard's files go.
        """
        learner, settings, chief = self._learner, self._settings, self._replicas.is_chief
        # Keras' own compiling would start anew for every number of distinct rows in a batch.
        learner.compile(OPTIMIZERS[settings.optimizer](_learning_rate(settings, self._plan.steps), jit_compile=False))
        learner.optimizer.build(learner.trainable_variables)  # a checkpoint fills what is there
        self._stopping = None
        if settings.early_stopping:
            folder = self._checkpoints.folder if self._checkpoints else stack.enter_context(_temporary_folder())
            self._stopping = Stopping(settings.early_stopping, self._graph, learner.network.weights, folder, chief)
        self._report = TrainingReport(self._plan, settings.batch_size, log_dir if chief else None)
        stack.callback(self._report.close)
        if self._checkpoints and self._checkpoints.resume(_state(learner, self.position)):
            self._report.resumed(self.position)
        elif chief and (warning := stages.few_steps(self._plan.steps, settings)):
            self._report.warn(warning)
        self._skip_empty_stages()

    def do_pass(self) -> None:
        """Learns from the rest of a pass, or from as much of it as the stages want."""
        position, plan = self.position, self._plan
        self._watch(position)
        iterator = self._replicas.iterator(self._passes(position.epoch, position.step))
        while position.step < plan.steps_per_pass and not position.finished:
            left = plan.stages[position.stage] - position.stage_step
            count = min(STEPS_PER_CALL, plan.steps_per_pass - position.step, left)
            with products_in(self._settings.precision):
                sums = self._run_steps()(iterator, tf.constant(count))
            position.advance(count, dict(zip(self._learner.loss_names, sums.numpy().tolist(), strict=True)))
            self._report.steps_done(position)
            self._watch(position)
            if position.stage_step == plan.stages[position.stage]:
                self._end_stage()
            if self._checkpoints:
                self._checkpoints.save_if_due()

    def end_pass(self) -> None:
        """Judges the network by the validation part, and stops where that has not become better for too long."""
        position = self.position
        figures = {"epoch": position.epoch + 1, **position.mean_losses()}
        if self._validation is not None:
            found = validate(self._predict, self._validation, self._graph)
            figures |= {f"validation/{name}": value for name, value in found.items()}
        position.end_epoch(figures)
        self._report.epoch_done(figures)
        stopping = self._stopping
        if stopping and stopping.should_stop(position.history, position.stage_epoch) and not position.finished:
            if position.stage < len(self._plan.stages) - 1:
                stopping.restore(position.history, position.stage_epoch)  # the next stage goes on from the best
            self._end_stage()
        if self._checkpoints and position.finished:
            self._checkpoints.save()

    def end(self) -> None:
        """Goes back to the best weights."""
        if self._stopping:
            self._stopping.restore(self.position.history, self.position.stage_epoch)

    def _run_steps(self) -> RunSteps:
        """Returns the compiled function of the present stage."""
        number, learner, settings = self.position.stage, self._learner, self._settings
        if self._compiled is None or self._compiled[0] != number:
            step = learner.steps[number]
            self._report.stage_begins(number, len(learner.steps), type(step).__name__)
            run = compiled_steps(learner, step, learner.optimizer, settings.batch_size, settings.xla, self._replicas)
            self._compiled = number, run
        return self._compiled[1]

    def _end_stage(self) -> None:
        """Ends the present stage, and those after it that have no steps."""
        position = self.position
        self._learner.steps[position.stage].finish(self._learner)
        if position.stage == len(self._plan.stages) - 1:
            position.finished = True
            return
        position.end_stage()
        self._skip_empty_stages()

    def _skip_empty_stages(self) -> None:
        if not self.position.finished and not self._plan.stages[self.position.stage]:
            self._end_stage()


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="tandem-training-")


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
