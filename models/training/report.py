"""What people see of training: lines in the log, and TensorBoard's files."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tandem.models.training.checkpoints import Position
    from tandem.models.training.stages import TrainingPlan

logger = logging.getLogger("tandem.train")

SECONDS_BETWEEN_REPORTS = 2.0


class TrainingReport:
    """Tells where training is: epoch, step, speed, time left, losses; after an epoch, its figures.

    Args:
      plan: How long training is.
      batch_size: Rows of a step.
      log_dir: Where TensorBoard's files go; None: nowhere.
    """

    def __init__(self, plan: TrainingPlan, batch_size: int, log_dir: str | None):
        self._plan = plan
        self._batch_size = batch_size
        self._reported = time.monotonic()
        self._clock: tuple[float, int] | None = None  # when the first compiled call was over, and after how many steps
        self._board = tf.summary.create_file_writer(log_dir) if log_dir else tf.summary.create_noop_writer()

    def warn(self, text: str) -> None:
        """Tells what may make the training useless."""
        logger.warning("%s", text)

    def resumed(self, position: Position) -> None:
        """Tells from where training goes on, and writes what was known before."""
        for figures in position.history:
            self._write(figures)
        if position.finished:
            logger.info("training was finished before, after epoch %d", position.epoch)
            return
        step, steps = f"{position.step:,}", f"{self._plan.steps_per_pass:,}"
        logger.info("resuming at epoch %d, step %s of %s", position.epoch + 1, step, steps)

    def steps_done(self, position: Position) -> None:
        """Tells of the steps done; not more often than every other second."""
        now = time.monotonic()
        epoch, step, steps = position.epoch, position.step, self._plan.steps_per_pass
        done = epoch * steps + step
        if self._clock is None:  # the first call compiles, which says nothing about the speed
            self._clock = now, done
        if now - self._reported < SECONDS_BETWEEN_REPORTS and step < steps and done < self._plan.steps:
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

    def stage_begins(self, number: int, of: int, name: str) -> None:
        """Tells of a new stage, where there are several."""
        if of > 1:
            logger.info("stage %d/%d: %s", number + 1, of, name)

    def epoch_done(self, figures: Mapping[str, float]) -> None:
        """Tells of an epoch's validation and writes all its figures for TensorBoard."""
        aucs = [f"{n.removeprefix('validation/auc/')} {v:.4f}" for n, v in figures.items() if "validation/auc/" in n]
        if aucs:
            logger.info("epoch %d, validation AUC: %s", figures["epoch"], ", ".join(aucs))
        self._write(figures)

    def close(self) -> None:
        """Closes TensorBoard's files."""
        self._board.close()

    def _write(self, figures: Mapping[str, float]) -> None:
        with self._board.as_default(step=int(figures["epoch"])):
            for name, value in figures.items():
                tf.summary.scalar(name, value)
