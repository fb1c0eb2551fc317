"""What can be wrong with an output folder before a run begins, each with what to do."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

METADATA_FILE = "metadata.sqlite"
ARTIFACTS = "artifacts"

_GLOB_CHARACTERS = "*?["
_SECONDS = 3.0  # another program may be in the middle of something short


def name_problem(folder: Path) -> str:
    """Returns why nothing can be read again from a folder of this name (absolute); empty where it can."""
    wrong = [character for character in _GLOB_CHARACTERS if character in str(folder)]
    if not wrong:
        return ""
    return (
        f"the output folder {folder} has {' and '.join(map(repr, wrong))} in its name, which the libraries below "
        "read as a pattern of names, and find nothing; choose another with --output"
    )


def database_problem(folder: Path, seconds: float = _SECONDS) -> str:
    """Returns why the metadata of earlier runs cannot be written; empty where they can, or there are none.

    The libraries would try for minutes, and then name no file.

    Args:
      folder: The output folder.
      seconds: How long to wait for another program.
    """
    file = folder / METADATA_FILE
    if not file.is_file():
        return ""
    try:
        with contextlib.closing(sqlite3.connect(file, timeout=seconds, isolation_level=None)) as database:
            database.execute("BEGIN EXCLUSIVE")
            database.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        if "locked" in str(error):
            return (
                f"{file} is locked by another program, such as a viewer of databases or a copy that is being made: "
                "end that program, or choose another folder with --output"
            )
        return f"{file}, the metadata of earlier runs, cannot be used: {error}; choose another folder with --output"
    return ""


def set_aside_without_metadata(folder: Path, beside: str) -> Path | None:
    """Renames the artifacts of runs whose metadata are gone: new ones would be numbered as they are, and collide.

    Args:
      folder: The output folder, which must be ours.
      beside: What is added to the name.

    Returns:
      Where they lie now; None where nothing had to be done.
    """
    file, artifacts = folder / METADATA_FILE, folder / ARTIFACTS
    if (file.is_file() and file.stat().st_size) or not artifacts.is_dir() or not any(artifacts.iterdir()):
        return None
    return artifacts.rename(folder / f"{ARTIFACTS}-{beside}")
