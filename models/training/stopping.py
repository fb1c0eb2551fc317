"""Early stopping: how long without a better model is too long, and the weights of the best one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tandem.models.settings import EarlyStopping
    from tandem.models.tasks import TaskGraph

# The best weights, and those that were the best before: training may be resumed from before the change.
_KEPT = 2


class Stopping:
    """Keeps the best weights on disk, and says when there have been no better ones for too long.

    They are not kept in memory: the embedding table would be there twice.

    Args:
      settings: Which loss counts, and the patience.
      graph: The tasks.
      weights: Of the network; at every epoch the same variables.
      folder: Where the best weights go; it lives as long as what is known of the epochs (see `checkpoints`).
      writes: Whether this process writes; of several that train together, one does.
    """

    def __init__(
        self,
        settings: EarlyStopping,
        graph: TaskGraph,
        weights: Sequence[tf.Variable],
        folder: str,
        writes: bool = True,
    ):
        self._settings = settings
        tasks = [settings.task] if settings.task else graph.names
        self._weights = {f"validation/log_loss/{graph.own_output(t).name}": graph[t].loss_weight for t in tasks}
        self._checkpoint = tf.train.Checkpoint(weights=list(weights))
        self._folder = folder
        self._writes = writes

    def should_stop(self, history: Sequence[Mapping[str, float]], first: int = 0) -> bool:
        """Keeps the weights, if they are the best so far; to be called after each epoch.

        Args:
          history: The figures of all epochs so far.
          first: The epoch from which on they count: an earlier stage's are not comparable.
        """
        best = self._best_epoch(history, first)
        if best == len(history) - 1 and self._writes:
            self._checkpoint.write(self._path_of(best))
            for old in sorted(tf.io.gfile.glob(self._path_of("*.index")))[:-_KEPT]:
                for part in tf.io.gfile.glob(f"{old.removesuffix('.index')}.*"):
                    tf.io.gfile.remove(part)
        return len(history) - 1 - best > self._settings.patience

    def restore(self, history: Sequence[Mapping[str, float]], first: int = 0) -> None:
        """Puts the best weights back."""
        best = self._best_epoch(history, first)
        if first <= best < len(history) - 1:  # those of the last epoch are in place
            self._checkpoint.read(self._path_of(best)).assert_consumed()

    def _path_of(self, epoch: int | str) -> str:
        return f"{self._folder}/best-" + (f"{epoch:05d}" if isinstance(epoch, int) else epoch)

    def _best_epoch(self, history: Sequence[Mapping[str, float]], first: int) -> int:
        """Returns the first epoch with the least loss, from 0; the one before `first` if no loss is a number."""
        best, least = first - 1, float("inf")
        for epoch, figures in enumerate(history[first:], first):
            loss = sum(weight * figures[name] for name, weight in self._weights.items())
            if loss < least:
                best, least = epoch, loss
        return best
