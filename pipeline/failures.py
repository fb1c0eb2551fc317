"""Why a run stopped, in a sentence or two."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tandem.pipeline.configuration.config import Config


class RunError(Exception):
    """A run that cannot start or go on, for a reason that the message tells in full."""


class ComponentFailed(Exception):
    """A component raised an error."""

    def __init__(self, component: str, error: BaseException):
        """Takes the component's name and its error."""
        super().__init__(f"{component}: {reason(error)}")
        self.component = component
        self.error = error


class Interrupted(Exception):
    """The user stopped the run (Ctrl-C)."""

    def __init__(self, component: str):
        """Takes the name of the component that was running."""
        super().__init__(f"interrupted while {component} was running")
        self.component = component


_TRACEBACK = "Traceback (most recent call last)"
_USER_CODE = "in user code:"  # TensorFlow's, before errors in a graph
_WHILE_RUNNING = re.compile(r"\s*\[while running '[^']*'\]")
_ERROR_LINE = re.compile(r"^ *[A-Za-z_][\w.]*: (?!Exception encountered)", re.MULTILINE)


def reason(error: BaseException) -> str:
    r"""Returns what an error says, without the tracebacks that Beam and TensorFlow write into it.

    >>> reason(ValueError("no rows"))
    'no rows'
    >>> reason(RuntimeError("Traceback (most recent call last):\n  File 'x'\nmy.BadRows: 3 of 9 [while running 'A']\n"))
    '3 of 9'
    >>> reason(KeyError("click"))
    "KeyError: 'click'"
    """
    text = _WHILE_RUNNING.sub("", str(error)).strip()
    if _TRACEBACK in text:
        return _last_message(text.rsplit(_TRACEBACK, 1)[1])
    if _USER_CODE in text:
        return _last_message(text).split("\n\n")[0].strip()
    if not text:
        return type(error).__name__
    plain = isinstance(error, ValueError | RuntimeError | OSError) or type(error).__module__ != "builtins"
    return text if plain else f"{type(error).__name__}: {text}"


def _last_message(text: str) -> str:
    """What follows the last `Kind: ` that begins a line."""
    *_, start = [0, *(match.end() for match in _ERROR_LINE.finditer(text))]
    return text[start:].strip()


def with_advice(message: str, config: Config) -> str:
    """Adds to a message what the configuration's defaults have to do with it."""
    users = config.evaluation.group_by
    if "group_by" in config.evaluation.model_fields_set or f"column '{users}' is in no source" not in message:
        return message
    return (
        f"{message}\nUsers are looked for in '{users}' unless 'evaluation.group_by' names another column; where there "
        "are no users, write 'group_by: null'"
    )


def paragraph(failure: ComponentFailed, log_file: Path) -> str:
    """Returns what a user reads when a component fails: which one, why, where more is written."""
    return f"{failure.component} failed: {reason(failure.error)}\nThe whole log: {log_file}"
