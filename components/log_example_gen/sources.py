"""Where the log files are: globs over folders of this machine and of object stores alike.

Pure: `fsspec` alone. A folder may be a path, or a URI whose file system is installed (`gs://` with gcsfs, `s3://` with
s3fs).
"""

from __future__ import annotations

import fnmatch
import glob
import os
import posixpath
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import glob_translate

if TYPE_CHECKING:
    from collections.abc import Collection

    from fsspec import AbstractFileSystem

    from tandem.components.log_example_gen.settings.files import Files

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


@dataclass(frozen=True)
class Found:
    """The files of a source.

    Attributes:
      files: In the order of their names.
      remarks: What was left out, in a sentence each.
    """

    files: tuple[SourceFile, ...]
    remarks: tuple[str, ...] = ()


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
    """Lists the files of a source as `look_for` does, without its remarks."""
    return look_for(spec, data_dir, source).files


def look_for(spec: Files, data_dir: str, source: str) -> Found:
    """Finds the files of a source: each once, and no hidden ones unless a glob names them.

    Args:
      spec: Its globs.
      data_dir: The folder they are relative to.
      source: How errors and remarks call the source.

    Raises:
      LogsError: A glob that is none, or matches no file, or a link that leads nowhere.
    """
    system, root = filesystem(data_dir)
    found: dict[str, SourceFile] = {}
    hidden: dict[str, SourceFile] = {}
    for pattern in spec.files:
        shown, others, dangling = _matching(pattern, system, root)
        if dangling:
            raise LogsError(f"{source}: {dangling[0]} is a link to a file or folder that is not there")
        if not shown:
            only = f" (but for hidden ones: {next(iter(others))})" if others else ""
            raise LogsError(f"{source}: no file matches '{pattern}' in {data_dir}{only}")
        found.update((file.path, file) for file in shown.values())
        hidden.update((file.path, file) for file in others.values())
    files = tuple(found[path] for path in sorted(found))
    remarks = []
    if left := [file.name for path, file in hidden.items() if path not in found]:
        remarks.append(f"{source}: {_many(left, 'hidden file')} left out: {left[0]}")
    if is_local(system):
        files, again = _each_once(files, root)
        if again:
            first, same = next(iter(again.items()))
            remarks.append(
                f"{source}: {_many(again, 'file')} left out that links lead to a second time: {first} is {same}"
            )
    return Found(files, tuple(remarks))


def _many(names: Collection[str], what: str) -> str:
    return f"1 {what} is" if len(names) == 1 else f"{len(names):,} {what}s are"


def _matching(
    pattern: str, system: AbstractFileSystem, root: str
) -> tuple[dict[str, SourceFile], dict[str, SourceFile], list[str]]:
    """Returns the files that a glob means, hidden ones that it matches, and links to nothing, by their names."""
    glob_pattern(pattern)
    # The folder is meant as it stands: a bracket in its name is no glob.
    wanted = posixpath.normpath(posixpath.join(glob.escape(root), pattern))
    shown: dict[str, SourceFile] = {}
    hidden: dict[str, SourceFile] = {}
    dangling = _dangling(pattern, root) if is_local(system) else []
    for path, info in system.glob(wanted, detail=True).items():
        if info["type"] == "file":
            file = _source_file(path, info, root)
            (hidden if _is_hidden(file.name, pattern) else shown)[file.name] = file
    return shown, hidden, dangling


def _dangling(pattern: str, root: str) -> list[str]:
    """Returns the links to nothing that a glob or the folders in it mean: what they led to would be missing."""
    found = []
    while pattern not in ("", "/"):
        wanted = posixpath.join(glob.escape(root), pattern)
        # By their real paths: through links in circles a path may be longer than the system follows.
        found += [
            path
            for path in glob.iglob(wanted, recursive=True)  # noqa: PTH207  (a bracket in the folder's name is no glob)
            if Path(path).is_symlink() and not Path(os.path.realpath(path)).exists()
        ]
        pattern = posixpath.dirname(pattern) if glob.has_magic(posixpath.dirname(pattern)) else ""
    names = (posixpath.relpath(path, root) for path in found)
    return sorted((name for name in names if not _is_hidden(name, "")), key=lambda name: (len(name), name))


def _is_hidden(name: str, pattern: str) -> bool:
    """Whether a part of a name begins with a point or an underscore and no part of the glob says so."""
    said = [part for part in pattern.split("/") if part.startswith((".", "_"))]
    parts = (part for part in name.split("/") if part.startswith((".", "_")) and part not in (".", ".."))
    return any(not any(fnmatch.fnmatchcase(part, each) for each in said) for part in parts)


def _each_once(files: tuple[SourceFile, ...], root: str) -> tuple[tuple[SourceFile, ...], dict[str, str]]:
    """Returns the files without those that are others by another name, and these: name -> the name of the other."""
    real_folder = cache(os.path.realpath)
    inside = os.path.realpath(root)
    by_real: dict[str, SourceFile] = {}
    real = {}
    for file in files:
        folder, name = posixpath.split(file.path)
        linked = Path(file.path).is_symlink()
        path = os.path.realpath(file.path) if linked else posixpath.join(real_folder(folder), name)
        real[file.path] = path
        # The file itself is kept rather than a link to it, whichever name comes first.
        if path not in by_real or path == posixpath.join(inside, file.name):
            by_real[path] = file
    kept = {file.path for file in by_real.values()}
    again = {file.name: by_real[real[file.path]].name for file in files if file.path not in kept}
    return tuple(file for file in files if file.path in kept), again


def _source_file(path: str, info: dict[str, Any], root: str) -> SourceFile:
    inside = path.startswith(root.rstrip("/") + "/")
    told = next((f"{key} {info[key]}" for key in _VERSIONS if info.get(key)), "")
    return SourceFile(
        path=path,
        name=posixpath.relpath(path, root) if inside else path,
        size=int(info["size"] or 0),
        version=told,
    )
