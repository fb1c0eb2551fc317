"""How fast training is, apart from compiling and validation."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from tandem.pipeline.trials.report import Speed

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST_STEPS = 20
"""The time of fewer steps says nothing."""


class Stands(Protocol):
    """Where training stands: `tandem.models.training.checkpoints.Position`."""

    epoch: int
    step: int
    stage: int


class Stopwatch:
    """Is told where training stands, at the start of every pass and after every compiled call (see `train`).

    The first call of every stage compiles, and is left out; so is everything between the last call of a pass and the
    start of the next, where the network is validated.

    Args:
      batch_size: Rows of a step. The last step of a pass, which may have fewer, counts in full.
      wall: A clock, seconds.
      cpu: A clock of the process's own time, all threads, seconds.
      least_steps: With fewer steps timed, no time is told.
    """

    def __init__(
        self,
        batch_size: int,
        wall: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.process_time,
        least_steps: int = LEAST_STEPS,
    ):
        self._batch_size = batch_size
        self._wall, self._cpu = wall, cpu
        self._least_steps = least_steps
        self._created = wall()
        self._last: tuple[int, int, float, float] | None = None
        self._from_start = False
        self._compiled: set[int] = set()
        self._steps, self._seconds, self._cpu_seconds = 0, 0.0, 0.0

    def __call__(self, position: Stands) -> None:
        """Takes the time."""
        now = (position.epoch, position.step, self._wall(), self._cpu())
        self._from_start |= self._last is None and now[:2] == (0, 0)
        if self._last and self._last[0] == now[0] and now[1] > self._last[1]:
            if position.stage in self._compiled:
                self._steps += now[1] - self._last[1]
                self._seconds += now[2] - self._last[2]
                self._cpu_seconds += now[3] - self._last[3]
            self._compiled.add(position.stage)
        self._last = now

    def speed(self) -> Speed:
        """Returns what was measured; the whole time ends now."""
        whole = self._wall() - self._created if self._from_start else None
        if self._steps < self._least_steps:
            return Speed(examples=0, seconds=0.0, cpu_seconds=0.0, whole_seconds=whole)
        return Speed(
            examples=self._steps * self._batch_size,
            seconds=self._seconds,
            cpu_seconds=self._cpu_seconds,
            whole_seconds=whole,
        )
