"""The folder of sample logs: told from other folders, found complete, and made to appear whole.

The files in it (CSV with gzip; every file of a stream holds impressions of all days, in no order):

    impressions-*  clicks-*  carts-*  conversions-*    the streams; carts and conversions have the same columns
    users  items                                       side tables
    truth/probabilities.parquet, truth/summary.json    what really happened and how likely it was; not for the pipeline
    manifest.json                                      what was asked for, and the files with their sizes
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_MANIFEST = "manifest.json"
_OUR_FILES = re.compile(
    r"(impressions|clicks|carts|conversions)-\d+\.csv\.gz|(users|items)\.csv\.gz|truth|manifest\.json"
)


def is_complete(folder: Path, asked: Mapping[str, int]) -> bool:
    """Tells whether the folder holds all the files of logs that were asked for with the same arguments."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text())
        files = manifest.pop("files")
        return manifest == asked and all((folder / name).stat().st_size == size for name, size in files.items())
    except (OSError, ValueError, KeyError, AttributeError):
        return False


def write_manifest(folder: Path, asked: Mapping[str, int]) -> None:
    """Writes what was asked for, and the sizes of all the files that are there."""
    files = {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    content = {**asked, "files": dict(sorted(files.items()))}
    (folder / _MANIFEST).write_text(json.dumps(content, indent=2) + "\n")


def check_replaceable(folder: Path) -> None:
    """Refuses to replace a folder that holds anything but sample logs.

    Raises:
      FileExistsError: It does, or it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"sample logs need a folder, but {folder} is a file")
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    foreign = [name for name in names if not _OUR_FILES.fullmatch(name)]
    if foreign or (names and _MANIFEST not in names):
        found = ", ".join(foreign[:3]) or f"files without a {_MANIFEST}"
        raise FileExistsError(
            f"{folder} holds {found}: not sample logs of an earlier call, so they are not replaced; "
            "give an empty or a new folder"
        )


@contextlib.contextmanager
def appearing_whole(folder: Path) -> Iterator[Path]:
    """Yields a folder beside `folder` that takes its place at the end, or vanishes on any exception."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.partial-{os.getpid()}")
    replaced = folder.with_name(f".{folder.name}.replaced-{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        if folder.exists():
            folder.rename(replaced)
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        if replaced.exists() and not folder.exists():
            replaced.rename(folder)
        raise
    finally:
        shutil.rmtree(replaced, ignore_errors=True)
