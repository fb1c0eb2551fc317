"""Where the log files are: globs over folders of this machine and of object stores alike.

Pure: `fsspec` alone. A folder may be a path, or a URI whose file system is installed (`gs://` with gcsfs, `s3://` with
s3fs).
"""

from __future__ import annotations

import glob
import os
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.settings import Files

# What a file system may say that changes with the contents of a file: checksums, then tags, then times.
_VERSIONS = (
    *("md5Hash", "content_md5", "crc32c", "checksum", "ETag", "etag"),
    *("mtime", "LastModified", "last_modified", "updated", "modified", "created"),
)


class LogsError(ValueError):
    """The logs, or what the settings say about them, cannot be used; the message is meant for the user."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    Attributes:
      path: As `filesystem(data_dir)` knows it.
      name: Relative to the data folder, where it lies inside: what messages and quarantine files call it.
      size: In bytes.
      version: What the file system says that changes with the contents: a checksum, a tag or a time; empty: nothing.
    """

    path: str
    name: str
    size: int
    version: str = ""


class _LocalFiles(LocalFileSystem):  # type: ignore[misc, unused-ignore]  # has no types
    """Files of this machine; a link counts as what it leads to, in listings as well."""

    def info(self, path: Any, **kwargs: Any) -> dict[str, Any]:
        return dict(super().info(path.path if isinstance(path, os.DirEntry) else path, **kwargs))


def filesystem(data_dir: str) -> tuple[AbstractFileSystem, str]:
    """Returns the file system of a folder or URI, and the folder's path there.

    Raises:
      LogsError: The package for such URIs is not installed, or nobody knows them.
    """
    try:
        system, root = url_to_fs(data_dir)
    except (ImportError, ValueError) as error:
        raise LogsError(f"{data_dir} cannot be opened: {error}") from error
    return (_LocalFiles(), posixpath.normpath(root)) if is_local(system) else (system, str(root))


def is_local(system: AbstractFileSystem) -> bool:
    """Whether the files of a file system lie on this machine, so that other libraries can open them by their path."""
    return isinstance(system, LocalFileSystem)


def glob_pattern(pattern: str) -> re.Pattern[str]:
    """Translates a glob: `*`, `?` and `[...]` stay within a folder, `**` stands for any number of folders.

    Raises:
      LogsError: A `**` beside other characters.
    """
    try:
        return re.compile(glob_translate(pattern))
    except ValueError as error:
        raise LogsError(f"'{pattern}' is no glob: between two slashes, '**' must stand alone") from error


def find_files(spec: Files, data_dir: str, source: str) -> tuple[SourceFile, ...]:
    """Lists the files of a source in the order of their names.

    Args:
      spec: Its globs.
      data_dir: The folder they are relative to.
      source: How the error calls the source.

    Raises:
      LogsError: A glob that is none, or matches no file.
    """
    found: dict[str, SourceFile] = {}
    for pattern in spec.files:
        matches = _matching(pattern, data_dir)
        if not matches:
            raise LogsError(f"{source}: no file matches '{pattern}' in {data_dir}")
        found.update((file.path, file) for file in matches)
    return tuple(found[path] for path in sorted(found))


def _matching(pattern: str, data_dir: str) -> list[SourceFile]:
    glob_pattern(pattern)
    system, root = filesystem(data_dir)
    # The folder is meant as it stands: a bracket in its name is no glob.
    wanted = posixpath.normpath(posixpath.join(glob.escape(root), pattern))
    return [
        _source_file(path, info, root)
        for path, info in system.glob(wanted, detail=True).items()
        if info["type"] == "file"
    ]


def _source_file(path: str, info: dict[str, Any], root: str) -> SourceFile:
    inside = path.startswith(root.rstrip("/") + "/")
    told = next((f"{key} {info[key]}" for key in _VERSIONS if info.get(key)), "")
    return SourceFile(
        path=path,
        name=posixpath.relpath(path, root) if inside else path,
        size=int(info["size"] or 0),
        version=told,
    )
