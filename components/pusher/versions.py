"""The push folder as it is: which versions of a model were pushed, and what is inside them.

The folder has TF Serving's layout, `<push_dir>/<model_name>/<version>/saved_model.pb`, and is itself the record of what
was blessed: a model is pushed only when it is blessed, so the newest version is the last blessed model, and whoever
deletes a version has rolled it back.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PUSH_RECORD = "assets.extra/push.json"

# TF Serving reads a version as a signed 64-bit number and passes over a folder whose name does not fit.
LARGEST_VERSION = 2**63 - 1

_SAVED_MODEL_FILES = ("saved_model.pb", "saved_model.cpb", "saved_model.pbtxt")
_BLOCK = 1 << 20


class PushedVersion(NamedTuple):
    """A version in the push folder."""

    number: int
    path: str


def require_local_path(path: str, what: str) -> str:
    """Returns the absolute path.

    Args:
      path: A path of a mounted file system.
      what: How the error calls it.

    Raises:
      ValueError: It is empty or a URI of an object store.
    """
    if not path:
        raise ValueError(f"{what} is empty; give a folder")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path):
        raise ValueError(
            f"{what} is {path!r}, but must be a folder of a mounted file system: a version becomes visible whole or "
            "not at all because a folder is renamed in one step, and object stores cannot do that (they copy file by "
            "file while the server is looking). Push to a mounted folder and let the server read from there"
        )
    return str(Path(path).absolute())


def model_folder(push_dir: str, model_name: str) -> str:
    """Returns the folder that holds the versions of a model.

    Raises:
      ValueError: `push_dir` is not a local path, or `model_name` is not the name of a visible folder.
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", model_name):
        raise ValueError(
            f"model_name is {model_name!r}; allowed are letters, digits, '_', '-' and '.', and no '.' or '-' in front"
        )
    return str(Path(require_local_path(push_dir, "push_dir")) / model_name)


def taken_numbers(folder: str) -> list[int]:
    """Returns every version number that is the name of something in the folder; none without the folder."""
    return list(_names_by_number(folder))


def pushed_versions(folder: str) -> list[PushedVersion]:
    """Returns the versions that hold a SavedModel, newest first; none without the folder."""
    found = ((number, Path(folder) / name) for number, name in _names_by_number(folder).items())
    return sorted(
        (PushedVersion(number, str(path)) for number, path in found if _holds_saved_model(path)), reverse=True
    )


def newest_version(folder: str) -> PushedVersion | None:
    """Returns the version that is served, None when there is none."""
    return next(iter(pushed_versions(folder)), None)


def model_files(saved_model: str) -> list[str]:
    """Returns the files of a SavedModel as sorted relative paths, the record of its push left out.

    Raises:
      FileNotFoundError: There is no such folder, or it holds no SavedModel.
      ValueError: It holds a link to a folder, which a copy would leave out.
    """
    if not _holds_saved_model(Path(saved_model)):
        raise FileNotFoundError(f"{saved_model} holds no SavedModel: none of {', '.join(_SAVED_MODEL_FILES)} is there")
    files = []
    for parent, folders, names in os.walk(saved_model, onerror=_raise):
        for folder in (Path(parent, name) for name in folders):
            if folder.is_symlink():
                raise ValueError(f"{folder} is a link to a folder; a model must hold its own files")
        files += [str(Path(parent, name).relative_to(saved_model)) for name in names]
    return sorted(file for file in files if file != PUSH_RECORD)


def fingerprint(saved_model: str) -> str:
    """Returns the SHA-256 over the paths and contents of a SavedModel, in hexadecimal.

    A model and its pushed copy have the same fingerprint, since the record of the push is left out. Empty folders do
    not count. See `model_files` for what is raised.
    """
    total = hashlib.sha256()
    for file in model_files(saved_model):
        content = hashlib.sha256()
        for block in _blocks(Path(saved_model) / file):
            content.update(block)
        # A NUL cannot be part of a path and a digest has a fixed length, so no two sets of files run together.
        total.update(file.encode("utf-8", "surrogateescape") + b"\0" + content.digest())
    return total.hexdigest()


def _names_by_number(folder: str) -> dict[int, str]:
    try:
        names = [path.name for path in Path(folder).iterdir()]
    except FileNotFoundError:
        return {}
    numbers = {int(name): name for name in names if re.fullmatch(r"[0-9]+", name)}
    return {number: name for number, name in numbers.items() if number <= LARGEST_VERSION}


def _holds_saved_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _SAVED_MODEL_FILES)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            yield block


def _raise(error: OSError) -> None:
    raise error
