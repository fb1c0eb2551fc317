"""Files that appear whole or not at all, on this machine or in an object store."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem


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
    """
    whole = os.fspath(path)
    system, name = url_to_fs(whole)
    system.makedirs(system._parent(name), exist_ok=True)
    folder, slash, base = whole.rpartition("/")
    partial = f"{folder}{slash}.{base}.{uuid.uuid4().hex}"
    _, partial_name = url_to_fs(partial)
    try:
        yield partial
        if isinstance(system, LocalFileSystem):
            os.replace(partial_name, name)
        else:
            system.mv(partial_name, name)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            system.rm_file(partial_name)
        raise


def write(path: str | os.PathLike[str], content: bytes | str) -> None:
    """Writes a file, text as UTF-8; it appears whole or not at all.

    Args:
      path: A path or URI. Its folder is made.
      content: All of the file.
    """
    data = content.encode() if isinstance(content, str) else content
    with appearing(path) as partial:
        system, name = url_to_fs(partial)
        with system.open(name, "wb") as file:
            file.write(data)
