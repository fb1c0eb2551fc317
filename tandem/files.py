"""Files that appear whole or not at all, on this machine or in an object store.

Paths and URIs are fsspec's: `gs://` needs the package gcsfs, `s3://` needs s3fs, and so on. Where there is no such
package, files that TensorFlow can reach (`gs://`, and whatever tensorflow-io adds) are left to TensorFlow, as TFX's own
are.
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsspec import AbstractFileSystem


@contextlib.contextmanager
def appearing(path: str | os.PathLike[str]) -> Iterator[str]:
    """Gives a name to write to; the file appears under its own name when the block ends without an error.

    Whoever reads the folder meanwhile sees the file as it was before, or does not see it. After an error, or when the
    process is killed, it stays as it was; what was written so far is removed, or left under a name that begins with a
    point.

    Args:
      path: A path or URI. Its folder is made.

    Yields:
      A path or URI beside it.

    Raises:
      ValueError: Nothing here knows such a URI; the message says what is missing.
    """
    whole = os.fspath(path)
    store = _store(whole)
    folder, slash, base = whole.rpartition("/")
    partial = f"{folder}{slash}.{base}.{uuid.uuid4().hex}"
    store.make_folder_of(whole)
    try:
        yield partial
        store.rename(partial, whole)
    except BaseException:
        store.remove(partial)
        raise


def write(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Writes a file, text as UTF-8; it appears whole or not at all.

    Args:
      path: A path or URI. Its folder is made.
      content: All of the file.

    Raises:
      ValueError: Nothing here knows such a URI; the message says what is missing.
    """
    with appearing(path) as partial:
        _store(partial).write(partial, content.encode() if isinstance(content, str) else content)


def read(path: str | os.PathLike[str]) -> bytes:
    """Returns all of a file.

    Raises:
      FileNotFoundError: There is none.
      ValueError: Nothing here knows such a URI; the message says what is missing.
    """
    return _store(os.fspath(path)).read(os.fspath(path))


class _Store(Protocol):
    """What holds files."""

    def make_folder_of(self, path: str) -> None: ...

    def read(self, path: str) -> bytes: ...

    def write(self, path: str, content: bytes) -> None: ...

    def rename(self, path: str, to: str) -> None:
        """Gives a file another name, and takes the place of what has that name."""

    def remove(self, path: str) -> None:
        """Removes a file, if there is one."""


class _Fsspec:
    """This machine, and what fsspec has a driver for."""

    def __init__(self, system: AbstractFileSystem):
        self._system = system

    def make_folder_of(self, path: str) -> None:
        self._system.makedirs(self._system._parent(path), exist_ok=True)

    def read(self, path: str) -> bytes:
        content: bytes = self._system.cat_file(path)
        return content

    def write(self, path: str, content: bytes) -> None:
        self._system.pipe_file(path, content)

    def rename(self, path: str, to: str) -> None:
        if isinstance(self._system, LocalFileSystem):
            Path(self._system._strip_protocol(path)).replace(self._system._strip_protocol(to))
        else:
            self._system.mv(path, to)

    def remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._system.rm_file(self._system._strip_protocol(path))


class _TensorFlow:
    """What TensorFlow has a driver for."""

    def __init__(self, gfile: Any):
        self._gfile = gfile

    def make_folder_of(self, path: str) -> None:
        self._gfile.makedirs(path.rpartition("/")[0])

    def read(self, path: str) -> bytes:
        if not self._gfile.exists(path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        with self._gfile.GFile(path, "rb") as file:
            content: bytes = file.read()
        return content

    def write(self, path: str, content: bytes) -> None:
        with self._gfile.GFile(path, "wb") as file:
            file.write(content)

    def rename(self, path: str, to: str) -> None:
        self._gfile.rename(path, to, overwrite=True)

    def remove(self, path: str) -> None:
        if self._gfile.exists(path):
            self._gfile.remove(path)


def _store(path: str) -> _Store:
    try:
        return _Fsspec(url_to_fs(path)[0])
    except (ImportError, ValueError) as error:  # a driver that is not installed, or that there is none of
        # Not at the top: it takes seconds, and almost nobody needs it here.
        import tensorflow as tf

        if path.partition("://")[0] not in tf.io.gfile.get_registered_schemes():
            raise ValueError(f"{path} cannot be reached: {error}") from error
        return _TensorFlow(tf.io.gfile)
