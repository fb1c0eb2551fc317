"""What stands in the log files, as one digest: it changes when a name or a byte does, and with nothing else.

A file that is only touched, copied or moved with its folder gives the same digest. Files of this machine are read once:
an index keeps the digest of each by its path, size and times. Of an object store's files it is asked what it knows.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, TypeAdapter, ValidationError

from tandem.components.log_example_gen.sources import is_local
from tandem.files import write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.sources import SourceFile

_LOG = logging.getLogger("tandem.ingest")
_AT_ONCE = 1 << 20
_SETTLED_NS = 1_000_000_000  # A file that changed a moment ago may change again within one tick of its times.


class _Known(BaseModel, frozen=True):
    """The digest of a file's bytes, and what the file looked like then."""

    size: int
    mtime_ns: int
    ctime_ns: int  # Of the change of anything: it cannot be set back, as the time of writing can.
    sha256: str


_INDEX = TypeAdapter(dict[str, _Known])


def digest(files: Iterable[SourceFile], system: AbstractFileSystem, index: str | None = None) -> str:
    """Returns the digest of names and contents, in whatever order the files come.

    Args:
      files: By the names that count (those relative to the data folder).
      system: Where they lie. If that is not this machine, contents are what the file system tells of them (a checksum,
        a tag or a time) and their size.
      index: A JSON file with what is known of local files from last time. It is read, brought up to date and written;
        one that cannot be used costs time only. None: all files are read.
    """
    if is_local(system):
        contents = _local_contents({file.path: file.name for file in files}, index)
    else:
        contents = {file.name: f"{file.size}\0{file.version}" for file in files}
    lines = sorted(f"{name}\0{content}" for name, content in contents.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _local_contents(names: dict[str, str], index: str | None) -> dict[str, str]:
    """Returns the SHA-256 of each file (path -> name) by its name."""
    before = {} if index is None else _read_index(index)
    known = {path: entry for path in names if (entry := _unchanged(path, before)) is not None}
    new = [path for path in names if path not in known]
    if new:
        size = sum(Path(path).stat().st_size for path in new)
        _LOG.info("reading %d log files (%.1f MiB) for their digest", len(new), size / 2**20)
    contents = {names[path]: entry.sha256 for path, entry in known.items()}
    for path in new:
        entry = _look_at(path)
        contents[names[path]] = entry.sha256
        if time.time_ns() - max(entry.mtime_ns, entry.ctime_ns) > _SETTLED_NS:
            known[path] = entry
    if index is not None and before | known != before:
        _write_index(index, before | known)
    return contents


def _unchanged(path: str, known: dict[str, _Known]) -> _Known | None:
    """Returns what is known of a file, None where it has changed since."""
    entry = known.get(path)
    if entry is None:
        return None
    stat = Path(path).stat()
    same = (entry.size, entry.mtime_ns, entry.ctime_ns) == (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
    return entry if same else None


def _look_at(path: str) -> _Known:
    sha256 = hashlib.sha256()
    with Path(path).open("rb") as file:
        stat = os.fstat(file.fileno())
        while chunk := file.read(_AT_ONCE):
            sha256.update(chunk)
    return _Known(size=stat.st_size, mtime_ns=stat.st_mtime_ns, ctime_ns=stat.st_ctime_ns, sha256=sha256.hexdigest())


def _read_index(index: str) -> dict[str, _Known]:
    try:
        return _INDEX.validate_json(Path(index).read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        _LOG.warning("the index of the logs' digests, %s, cannot be used and is made anew: %s", index, error)
        return {}


def _write_index(index: str, known: dict[str, _Known]) -> None:
    try:
        write(index, _INDEX.dump_json(dict(sorted(known.items())), indent=1))
    except OSError as error:
        _LOG.warning("the index of the logs' digests, %s, cannot be written: %s", index, error)
