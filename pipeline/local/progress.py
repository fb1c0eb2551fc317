"""Shows what a run is doing: a live table in a terminal, lines with the time of day anywhere else."""

from __future__ import annotations

import contextlib
import datetime
import logging
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import rich.progress
from rich.console import Console, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

End = Literal["done", "cached", "failed", "interrupted"]
Status = Literal["waiting", "running"] | End

LOGGER = "tandem"
HEARTBEAT_SECONDS = 15.0
ADVANCING_SECONDS = 5.0  # plain output: at least so long between two lines about what advances
BURST, REFILL_SECONDS = 12, 2.0  # plain output: so many messages at once, then one more for every so many seconds


def local_time() -> datetime.datetime:
    """Returns the time that people here read off their clocks."""
    return datetime.datetime.now().astimezone()


@dataclass
class ComponentState:
    """One component of the run.

    Attributes:
      started: When it began, seconds of the clock; None before.
      seconds: How long it took; None while it has not ended.
      message: The latest thing it said.
    """

    name: str
    status: Status = "waiting"
    started: float | None = None
    seconds: float | None = None
    message: str = ""


class Progress:
    """What a run reports to; as a context manager it also listens to the `tandem.*` loggers.

    Subclasses say how it is shown.
    """

    def __init__(self, console: Console, names: Sequence[str], clock: Callable[[], float] = time.monotonic):
        """Takes the terminal, the components in the order they run in, and a clock in seconds."""
        self.console = console
        self.components = {name: ComponentState(name) for name in names}
        self.current: ComponentState | None = None
        self.clock = clock
        self._handler = _Listener(self)

    def start(self, name: str) -> None:
        """A component begins."""
        self.current = self.components[name]
        self.current.status, self.current.started = "running", self.clock()

    def finish(self, name: str, status: End) -> None:
        """A component ends."""
        state = self.components[name]
        state.status, state.seconds = status, self.elapsed(state)
        self.current = None

    def say(self, message: str, urgent: bool = False) -> None:
        """The running component says something; urgent: a warning."""
        if self.current is not None:
            self.current.message = message

    def elapsed(self, state: ComponentState) -> float:
        """Seconds since a component began."""
        return 0.0 if state.started is None else self.clock() - state.started

    def __enter__(self) -> Progress:
        logger = logging.getLogger(LOGGER)
        self._level = logger.level
        logger.setLevel(logging.INFO)
        logger.addHandler(self._handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logger = logging.getLogger(LOGGER)
        logger.removeHandler(self._handler)
        logger.setLevel(self._level)


class LiveProgress(Progress):
    """A table that is redrawn in place."""

    def __enter__(self) -> Progress:
        self._spinner = Spinner("dots")
        self._live = Live(get_renderable=self.table, console=self.console, refresh_per_second=8, transient=False)
        self._live.start()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._live.stop()

    def say(self, message: str, urgent: bool = False) -> None:
        """Shows the message in the component's row; a warning also stays above the table."""
        super().say(message, urgent)
        if urgent:
            self.console.print(f"[yellow]{escape(message)}[/]")

    def table(self) -> Table:
        """Draws the components."""
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        table.add_column(no_wrap=True, overflow="ellipsis")
        for state in self.components.values():
            seconds = (
                ""
                if state.started is None
                else duration(self.elapsed(state) if state.seconds is None else state.seconds)
            )
            time_or_cached = "cached" if state.status == "cached" else seconds
            table.add_row(
                self._sign(state.status), state.name, time_or_cached, escape(state.message), style=_STYLES[state.status]
            )
        return table

    def _sign(self, status: Status) -> RenderableType:
        return self._spinner if status == "running" else _SIGNS[status]


_SIGNS = {"waiting": "·", "done": "✓", "cached": "✓", "failed": "✗", "interrupted": "✗"}
_STYLES = {"waiting": "dim", "running": "bold", "done": "", "cached": "dim", "failed": "red", "interrupted": "yellow"}


class PlainProgress(Progress):
    """Lines: when a component begins and ends, what it says (not too often), and a sign of life every 15 seconds."""

    def __init__(
        self,
        console: Console,
        names: Sequence[str],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime.datetime] = local_time,
    ):
        """Takes what `Progress` takes, and the time of day."""
        super().__init__(console, names, clock)
        self._now = now
        self._last_line = clock()
        self._allowance, self._counted = float(BURST), clock()
        self._unsaid = False
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._heart, name="tandem-heartbeat", daemon=True)

    def __enter__(self) -> Progress:
        self._thread.start()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._stop.set()
        self._thread.join()

    def start(self, name: str) -> None:
        """Writes that a component begins, and which of how many it is."""
        super().start(name)
        position = list(self.components).index(name) + 1
        self._line(name, f"started ({position} of {len(self.components)})")

    def finish(self, name: str, status: End) -> None:
        """Writes that a component ends; a message that was held back comes first."""
        self._flush()
        super().finish(name, status)
        seconds = self.components[name].seconds or 0.0
        words = {
            "done": f"done in {duration(seconds)}",
            "cached": "cached: nothing has changed",
            "failed": f"FAILED after {duration(seconds)}",
            "interrupted": f"interrupted after {duration(seconds)}",
        }
        self._line(name, words[status])

    def say(self, message: str, urgent: bool = False) -> None:
        """Writes a message, unless there are too many: then the latest waits for the heartbeat or the end."""
        super().say(message, urgent)
        self._unsaid = True
        now = self.clock()
        self._allowance = min(BURST, self._allowance + (now - self._counted) / REFILL_SECONDS)
        self._counted = now
        if urgent or self._allowance >= 1:
            self._allowance -= 1
            self._flush()

    def beat(self) -> None:
        """Writes that a component is still running, if nothing was written for long."""
        state = self.current
        if state is not None and self.clock() - self._last_line >= HEARTBEAT_SECONDS:
            about = f": {state.message}" if state.message else ""
            self._unsaid = False
            self._line(state.name, f"running for {duration(self.elapsed(state))}{about}")

    def _flush(self) -> None:
        if self._unsaid and self.current is not None:
            self._unsaid = False
            self._line(self.current.name, self.current.message)

    def _heart(self) -> None:
        while not self._stop.wait(1.0):
            self.beat()

    def _line(self, name: str, text: str) -> None:
        with self._lock:
            self._last_line = self.clock()
            width = max(map(len, self.components))
            self.console.print(
                f"{self._now():%H:%M:%S}  {name:{width}}  {text}", markup=False, highlight=False, soft_wrap=True
            )


class _Listener(logging.Handler):
    """Hands the messages of the `tandem.*` loggers on."""

    def __init__(self, progress: Progress):
        super().__init__(logging.INFO)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._progress.say(record.getMessage(), urgent=record.levelno >= logging.WARNING)
        except Exception:  # a message that cannot be shown must not stop the run
            self.handleError(record)


def create(console: Console, names: Sequence[str]) -> Progress:
    """Returns a live table for a terminal, lines otherwise."""
    return LiveProgress(console, names) if console.is_terminal else PlainProgress(console, names)


def duration(seconds: float) -> str:
    """Writes a duration.

    >>> duration(0.26), duration(42.4), duration(125), duration(3725)
    ('0.3 s', '42 s', '2 min 05 s', '1 h 02 min')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


@contextlib.contextmanager
def working(console: Console, what: str) -> Iterator[None]:
    """Shows that something without parts is being done."""
    if console.is_terminal:
        with console.status(what):
            yield
    else:
        console.print(f"{local_time():%H:%M:%S}  {what}", markup=False, highlight=False)
        yield


@contextlib.contextmanager
def counting(what: str, console: Console | None = None) -> Iterator[Callable[[int, int], None]]:
    """Shows how much of something is done.

    Args:
      what: Is counted.
      console: None: standard output.

    Yields:
      A function that takes how many are done and how many there are in all.
    """
    console = console or Console()
    bar = rich.progress.Progress(
        *("[progress.description]{task.description}", rich.progress.BarColumn(), rich.progress.MofNCompleteColumn()),
        console=console,
        transient=True,
    )
    task = bar.add_task(what, total=None)

    def report(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)
        if not console.is_terminal:
            console.print(f"{local_time():%H:%M:%S}  {what}: {done:,} of {total:,}", markup=False, highlight=False)

    with bar if console.is_terminal else contextlib.nullcontext():
        yield report


@contextlib.contextmanager
def advancing(
    what: str, console: Console, clock: Callable[[], float] = time.monotonic
) -> Iterator[Callable[[int], None]]:
    """Shows how much of something is done and how fast, where nobody knows how much there is.

    Args:
      what: Is counted.
      console: Where it is shown.
      clock: In seconds.

    Yields:
      A function that takes how many are done.
    """
    began = told = clock()

    def line(done: int) -> str:
        seconds = clock() - began
        return f"{what}: {done:,} so far" + (f", {done / seconds:,.0f} {what}/s" if seconds > 0 else "")

    if console.is_terminal:
        with console.status(f"{what}: none so far") as status:
            yield lambda done: status.update(line(done))
        return

    def report(done: int) -> None:
        nonlocal told
        if clock() - told >= ADVANCING_SECONDS:
            told = clock()
            console.print(f"{local_time():%H:%M:%S}  {line(done)}", markup=False, highlight=False, soft_wrap=True)

    yield report
