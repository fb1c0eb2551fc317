"""Where the log files are: globs, formats, and a fingerprint that changes when a file does.

Pure: Arrow's file systems only, so that local folders and buckets (`gs://`, `s3://`, `hdfs://`) are read alike.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from pyarrow import fs as arrow_fs

from tandem.components.log_example_gen.settings import Files

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".parquet": "parquet"}

_MAGIC = re.compile(r"[*?\[]")


class LogsError(ValueError):
    """The logs, or what the settings say about them, cannot be used; the message is meant for the user."""


@dataclass(frozen=True)
class SourceFile:
    """One file of a source.

    Attributes:
      path: As `filesystem(data_dir)` knows it.
      name: Relative to the data folder, where it lies inside: what messages and quarantine files call it.
      size: In bytes.
      modified_ns: When it was last written, in nanoseconds since 1970; 0 where the file system does not tell.
    """

    path: str
    name: str
    size: int
    modified_ns: int

    @property
    def compressed(self) -> bool:
        """Whether the rows take several times the file's size once they are read."""
        return self.name.endswith((".gz", ".parquet"))


@lru_cache(maxsize=8)
def filesystem(data_dir: str) -> tuple[arrow_fs.FileSystem, str]:
    """Returns the file system of a folder or URI, and the folder's path there."""
    if "://" in data_dir:
        return arrow_fs.FileSystem.from_uri(data_dir)
    return arrow_fs.LocalFileSystem(), os.path.abspath(data_dir)


def file_format(name: str, spec: Files) -> str:
    """Returns `csv`, `jsonl` or `parquet`.

    Raises:
      LogsError: The settings do not say and the ending is not known.
    """
    if spec.format is not None:
        return spec.format
    ending = os.path.splitext(name.removesuffix(".gz"))[1]
    if ending not in FORMATS or (ending == ".parquet" and name.endswith(".gz")):
        raise LogsError(
            f"{name}: unknown ending; allowed are {', '.join(FORMATS)}, each also with .gz but for .parquet "
            "(or say what it is with 'format')"
        )
    return FORMATS[ending]


def delimiter(name: str, spec: Files) -> str:
    """Returns what stands between two cells of a CSV file."""
    return spec.delimiter or ("\t" if name.removesuffix(".gz").endswith(".tsv") else ",")


def glob_regex(pattern: str) -> re.Pattern[str]:
    """Translates a glob: `*` and `?` stay within a folder, `**` does not."""
    parts = []
    for token in re.split(r"(\*\*/|\*\*|\*|\?|\[[^\]]+\])", pattern):
        if token == "**/":
            parts.append("(?:.*/)?")
        elif token == "**":
            parts.append(".*")
        elif token == "*":
            parts.append("[^/]*")
        elif token == "?":
            parts.append("[^/]")
        elif token.startswith("[") and token.endswith("]"):
            parts.append(f"[^{token[2:]}" if token[1] == "!" else token)
        else:
            parts.append(re.escape(token))
    return re.compile("".join(parts))


def find_files(spec: Files, data_dir: str, source: str) -> tuple[SourceFile, ...]:
    """Lists the files of a source in the order of their names.

    Args:
      spec: Its globs.
      data_dir: The folder they are relative to.
      source: How the error calls the source.

    Raises:
      LogsError: A glob that matches no file, or a file of unknown ending.
    """
    found: dict[str, SourceFile] = {}
    for pattern in spec.files:
        matches = _matching(pattern, data_dir)
        if not matches:
            raise LogsError(f"{source}: no file matches '{pattern}' in {data_dir}")
        found.update((file.path, file) for file in matches)
    files = tuple(found[path] for path in sorted(found))
    for file in files:
        file_format(file.name, spec)
    return files


def _matching(pattern: str, data_dir: str) -> list[SourceFile]:
    system, root = filesystem(data_dir)
    full = posixpath.normpath(posixpath.join(root, pattern))
    match = _MAGIC.search(full)
    if match is None:
        infos = [system.get_file_info(full)]
    else:
        folder = posixpath.dirname(full[: match.start()])
        deep = "/" in full[match.start() :] or "**" in full
        infos = system.get_file_info(arrow_fs.FileSelector(folder or "/", allow_not_found=True, recursive=deep))
    regex = glob_regex(full)
    return [
        SourceFile(
            path=info.path,
            name=posixpath.relpath(info.path, root) if info.path.startswith(root.rstrip("/") + "/") else info.path,
            size=info.size or 0,
            modified_ns=info.mtime_ns or 0,
        )
        for info in infos
        if info.type == arrow_fs.FileType.File and (match is None or regex.fullmatch(info.path))
    ]


def fingerprint(files: Iterable[SourceFile]) -> str:
    """Returns a digest of names, sizes and times of change, in whatever order the files come."""
    lines = sorted({f"{file.name}\t{file.size}\t{file.modified_ns}" for file in files})
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
