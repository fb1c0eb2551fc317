"""Checkpoints: training that was killed goes on where it was, and reaches the weights it would have reached.

A checkpoint holds everything that the rest of training depends on and that cannot be had again from the settings and
the files: variables, the optimizer's slots, running means, the state of the random numbers, and the position. The order
of the rows follows from the seed and the epoch, so it takes no space here.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from typing import TYPE_CHECKING, Any

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

logger = logging.getLogger("tandem.train")


class Position(tf.train.experimental.PythonState):
    """Where training stands.

    Attributes:
      epoch: Epochs that are over, their validation included.
      step: Steps done in the epoch after these.
      loss_sums: Of these steps, each loss by its name.
      finished: Whether nothing is left to train.
      history: Figures of every epoch that is over.
      stage: Stages that are over.
      stage_step: Steps done in the stage after these.
      stage_epoch: The first epoch of that stage, from 0; the one that it began in the middle of counts.
    """

    _SAVED = ("epoch", "step", "loss_sums", "finished", "history", "stage", "stage_step", "stage_epoch")

    def __init__(self) -> None:
        self.epoch = 0
        self.step = 0
        self.loss_sums: dict[str, float] = {}
        self.finished = False
        self.history: list[dict[str, float]] = []
        self.stage = 0
        self.stage_step = 0
        self.stage_epoch = 0

    def advance(self, steps: int, loss_sums: Mapping[str, float]) -> None:
        """Goes on by some steps, whose losses are given summed up."""
        self.step += steps
        self.stage_step += steps
        self.loss_sums = {name: self.loss_sums.get(name, 0.0) + value for name, value in loss_sums.items()}

    def mean_losses(self) -> dict[str, float]:
        """Returns the mean of every loss over the epoch's steps so far."""
        return {name: value / self.step for name, value in self.loss_sums.items()}

    def end_stage(self) -> None:
        """Goes on to the next stage."""
        self.stage, self.stage_step, self.stage_epoch = self.stage + 1, 0, self.epoch

    def end_epoch(self, figures: Mapping[str, float]) -> None:
        """Goes on to the next epoch."""
        self.history = [*self.history, dict(figures)]
        self.epoch, self.step, self.loss_sums = self.epoch + 1, 0, {}

    def serialize(self) -> str:
        """Returns the position as JSON, which keeps every bit of a float."""
        return json.dumps({name: getattr(self, name) for name in self._SAVED})

    def deserialize(self, string_value: bytes) -> None:
        """Takes over what `serialize` has returned."""
        for name, value in json.loads(string_value).items():
            setattr(self, name, value)


class Checkpoints:
    """Keeps the newest checkpoint of one training in a folder.

    A checkpoint becomes visible whole, and the one before it is removed only then. Writing stops training for as long
    as the file system takes for the variables and the optimizer's slots.

    Args:
      folder: Of this training alone.
      minutes: From one checkpoint to the next.
      writes: Whether this process writes. Of several that train together one does, and all read the same folder.

    Attributes:
      folder: As given.
    """

    def __init__(self, folder: str, minutes: float, writes: bool = True):
        self.folder = folder
        self._writes = writes
        self._seconds = 60 * minutes
        self._manager: tf.train.CheckpointManager | None = None
        self._saved = time.monotonic()

    def resume(self, state: Mapping[str, Any]) -> bool:
        """Takes over the newest checkpoint, if there is one; from now on `save` saves `state`.

        Args:
          state: By name, what is to be saved: objects whose variables exist, lists of them, a `Position`.

        Returns:
          Whether there was a checkpoint.

        Raises:
          ValueError: The checkpoint cannot be read, or is not one of this state.
        """
        checkpoint = tf.train.Checkpoint(**state)
        _ = checkpoint.save_counter  # a variable: where several processes train together, all have to make it
        self._manager = tf.train.CheckpointManager(checkpoint, self.folder, max_to_keep=1)
        newest = self._manager.latest_checkpoint
        if newest is not None:
            try:
                checkpoint.restore(newest).assert_consumed()
            except (AssertionError, ValueError, tf.errors.OpError) as error:
                raise ValueError(
                    f"the checkpoint {newest} cannot be resumed: {error}; remove {self.folder} to train from the start"
                ) from error
        self._saved = time.monotonic()
        return newest is not None

    def save_if_due(self) -> None:
        """Saves when the last time is long enough ago."""
        if time.monotonic() - self._saved >= self._seconds:
            self.save()

    def save(self) -> None:
        """Saves the state given to `resume`."""
        if self._manager is None:
            raise RuntimeError("nothing to save: `resume` comes first")
        if not self._writes:
            return
        path = self._manager.save()
        self._saved = time.monotonic()
        logger.debug("saved %s", path)

    def delete(self) -> None:
        """Removes the folder: the training is over and its model is exported."""
        if self._writes and tf.io.gfile.exists(self.folder):
            tf.io.gfile.rmtree(self.folder)


def digest(settings: Mapping[str, Any], files: Iterable[str]) -> str:
    """Names a training: two with the same digest reach the same weights, so one can go on from the other's checkpoint.

    Args:
      settings: All settings that the weights depend on, as JSON.
      files: What training reads. Their names, sizes and times count; reading large ones would take too long.

    Returns:
      16 hexadecimal digits.
    """
    stats = [(file, tf.io.gfile.stat(file)) for file in sorted(files)]
    known = {
        "settings": settings,
        "files": [(file, stat.length, stat.mtime_nsec) for file, stat in stats],
        "tensorflow": tf.__version__,  # another release may round differently
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


def files_below(folder: str) -> Sequence[str]:
    """Returns all files of a folder and the folders in it."""
    return [f"{path}/{name}" for path, _, names in tf.io.gfile.walk(folder) for name in names]
