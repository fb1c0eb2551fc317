"""The environment: installed packages, against the lock or what the wheel declares; the Keras of the process."""

from __future__ import annotations

import importlib.metadata
import os
import re
from typing import TYPE_CHECKING

from packaging.requirements import Requirement

from tandem.pipeline.doctor.check import Check
from tandem.pipeline.fingerprints import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_LOCKED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)


def environment(lock: Path = PACKAGE.parent / "requirements.txt") -> Iterator[Check]:
    """Installed packages, against the lock or what the wheel declares; the Keras of the process."""
    if lock.is_file():
        wrong, mend = list(mismatches(lock.read_text())), "`make run` installs what the lock says"
        fine = f"packages: all {len(_LOCKED.findall(lock.read_text()))} as in {lock.name}"
    else:
        declared = importlib.metadata.requires("tandem") or []
        wrong, mend = list(unmet(declared)), "install Tandem again, with what it declares"
        fine = "packages: all as Tandem declares"
    for text in wrong[:10]:
        yield Check("fail", text)
    if len(wrong) > 10:
        yield Check("fail", f"and {len(wrong) - 10} more packages; {mend}")
    if not wrong:
        yield Check("ok", fine)
    keras = os.environ.get("TF_USE_LEGACY_KERAS")
    legacy = keras in ("1", "true", "True")
    yield Check(
        "ok" if legacy else "fail", "Keras: tf_keras" if legacy else f"TF_USE_LEGACY_KERAS is {keras!r}, must be '1'"
    )


def mismatches(lock: str) -> Iterator[str]:
    """Yields what is not installed as a lock says."""
    for name, version in _LOCKED.findall(lock):
        try:
            installed = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield f"package {name} is not installed; the lock says {version}"
            continue
        if installed != version:
            yield f"package {name}: {installed} is installed, the lock says {version}"


def unmet(declared: Iterable[str]) -> Iterator[str]:
    """Yields what is not installed as a package declares that it needs it. What only an extra asks for is left out."""
    for requirement in map(Requirement, declared):
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"package {requirement.name} is not installed; Tandem needs {requirement.specifier}"
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            yield f"package {requirement.name}: {installed} is installed, Tandem needs {requirement.specifier}"
