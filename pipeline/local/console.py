"""Where results are printed, and how paths are written there."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

FILE_WIDTH = 120


def standard_output() -> Console:
    """Returns a console; a file is taken to be wider than the 80 columns that rich supposes."""
    console = Console()
    return console if console.is_terminal else Console(width=max(console.width, FILE_WIDTH))


def short(path: str | Path) -> str:
    """Returns the path from here, if it lies below."""
    return str(Path(path).relative_to(Path.cwd())) if Path(path).is_relative_to(Path.cwd()) else str(path)
