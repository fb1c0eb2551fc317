"""Sends everything that libraries write to a log file, so that the terminal is free for what a user should read."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import warnings
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextlib.contextmanager
def captured(log_file: Path) -> Iterator[TextIO]:
    """Redirects logging, Python warnings and the file descriptors 1 and 2 (C++ code writes there) into a file.

    Args:
      log_file: Is appended to; its folder is made.

    Yields:
      The terminal: what standard output was.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(log_file.open("a", encoding="utf-8", buffering=1))
        terminal = stack.enter_context(_standard_output())
        stack.enter_context(_descriptors(log))
        stack.enter_context(_python_logging(log))
        yield terminal


@contextlib.contextmanager
def _standard_output() -> Iterator[TextIO]:
    """What standard output is now, unharmed by a later redirection."""
    try:
        descriptor = os.dup(sys.stdout.fileno())
    except (OSError, ValueError):  # not a real file: captured by a test or a notebook
        yield sys.stdout
        return
    with os.fdopen(descriptor, "w", encoding=sys.stdout.encoding or "utf-8", errors="replace", buffering=1) as terminal:
        yield terminal


@contextlib.contextmanager
def _descriptors(log: TextIO) -> Iterator[None]:
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    try:
        for descriptor in saved:
            os.dup2(log.fileno(), descriptor)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, copy in saved.items():
            os.dup2(copy, descriptor)
            os.close(copy)


@contextlib.contextmanager
def _python_logging(log: TextIO) -> Iterator[None]:
    """Logging and warnings; the handlers that were there are put aside and come back."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    handler = logging.StreamHandler(log)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    with warnings.catch_warnings():
        logging.captureWarnings(True)
        try:
            yield
        finally:
            logging.captureWarnings(False)
            root.handlers[:] = handlers
            root.setLevel(level)
