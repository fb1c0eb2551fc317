"""Publishing a SavedModel in TF Serving's layout: whole or not at all.

TF Serving loads an integer-named folder as soon as it sees one, so a version is written under a hidden name next to the
others, checked there, and appears by one rename.

    publication = publish("runs/7/model", model_folder("serving", "ranker"))
    publication.version    # 1767225600
"""

from __future__ import annotations

import datetime
import errno
import json
import logging
import os
import shutil
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tandem.components.pusher.versions import (
    LARGEST_VERSION,
    PUSH_RECORD,
    fingerprint,
    model_files,
    newest_version,
    require_local_path,
    taken_numbers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOG = logging.getLogger("tandem.pusher")

STAGING_PREFIX = ".pushing-"

# A push writes all the time; one that has written nothing for this long is dead.
STALE_AFTER_SECONDS = 3600

# What rename answers when somebody else took the name: a folder with files in it, or a file.
_TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)


class CopyMismatchError(RuntimeError):
    """The copy differs from the model it was made of."""


@dataclass(frozen=True)
class Publication:
    """What became of a push.

    Attributes:
      version: The version number that holds the model.
      path: Its folder.
      fingerprint: Of the model, see `tandem.components.pusher.versions.fingerprint`.
      copied: False when the newest version held this very model already.
    """

    version: int
    path: str
    fingerprint: str
    copied: bool


def publish(source: str, folder: str, origin: Mapping[str, str] | None = None) -> Publication:
    """Makes a SavedModel the newest version of a push folder, in one step.

    The version number is the time in Unix seconds, or one more than the largest number there if that is not smaller.
    Nothing is copied when the newest version is the same model.

    Args:
      source: The SavedModel.
      folder: Where the versions are, see `tandem.components.pusher.versions.model_folder`; made when it is missing.
      origin: What to note in the version's `assets.extra/push.json` besides fingerprint, version and time.

    Raises:
      CopyMismatchError: The copy is not the model, because of the disk or because the model changed meanwhile.
      FileNotFoundError: `source` holds no SavedModel.
      OSError: Writing failed. Like after every other error, no version has appeared.
    """
    versions = Path(require_local_path(folder, "the push folder"))
    digest = fingerprint(source)
    newest = newest_version(str(versions))
    if newest is not None and fingerprint(newest.path) == digest:
        return Publication(newest.number, newest.path, digest, copied=False)
    versions.mkdir(parents=True, exist_ok=True)
    _remove_dead_pushes(versions)
    number = _next_number(versions)
    staging = versions / f"{STAGING_PREFIX}{number}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    try:
        _copy(Path(source), staging)
        copied = fingerprint(str(staging))
        if copied != digest:
            raise CopyMismatchError(
                f"the copy of {source} in {staging} has the fingerprint {copied}, not {digest}: it was damaged on the "
                "way, or the model changed while it was copied. Nothing was pushed; run again"
            )
        number = _reveal(staging, versions, number, {**(origin or {}), "fingerprint": digest})
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return Publication(number, str(versions / str(number)), digest, copied=True)


def _next_number(folder: Path, above: int = -1) -> int:
    number = max([int(time.time()), above + 1, *(taken + 1 for taken in taken_numbers(str(folder)))])
    if number > LARGEST_VERSION:
        raise ValueError(
            f"{folder} holds version {LARGEST_VERSION}, the largest there is; remove it, no model can follow it"
        )
    return number


def _copy(source: Path, target: Path) -> None:
    """Copies a SavedModel and waits until the disk has it."""
    # Empty folders too: a SavedModel without assets has one.
    folders = [target, *sorted(target / path.relative_to(source) for path in source.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.mkdir()
    for file in model_files(str(source)):
        _copy_file(source / file, target / file)
    for folder in reversed(folders):
        _sync_folder(folder)


def _copy_file(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        shutil.copyfileobj(reader, writer, 1 << 20)
        writer.flush()
        os.fsync(writer.fileno())


def _reveal(staging: Path, folder: Path, number: int, record: Mapping[str, str]) -> int:
    """Renames the finished copy to its version, or to the next one free if others were faster."""
    while True:
        _write_record(staging, {**record, "version": number, "pushed_at": _now()})
        try:
            staging.rename(folder / str(number))
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            number = _next_number(folder, above=number)
        else:
            _sync_folder(folder)
            return number


def _write_record(saved_model: Path, record: Mapping[str, str | int]) -> None:
    path = saved_model / PUSH_RECORD
    path.parent.mkdir(exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        json.dump(record, file, indent=2, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
    _sync_folder(path.parent)
    _sync_folder(saved_model)


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems sync files only; they offer nothing better.
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def _remove_dead_pushes(folder: Path) -> None:
    for path in list(folder.glob(f"{STAGING_PREFIX}*")):
        if time.time() - _last_write(path) > STALE_AFTER_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
            if path.exists():
                _LOG.warning("%s was left by a push that died and cannot be removed: remove it by hand", path)
            else:
                _LOG.info("removed %s, left by a push that died", path)


def _last_write(folder: Path) -> float:
    """Returns when something inside was last written (Unix seconds); now if it is being removed by another push."""
    try:
        return max(path.lstat().st_mtime for path in (folder, *folder.rglob("*")))
    except FileNotFoundError:
        return time.time()
