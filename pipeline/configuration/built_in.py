"""The configurations that come with Tandem, by name: `tandem run sample` where there is no file called `sample`."""

from __future__ import annotations

from pathlib import Path

import tandem

FOLDER = Path(tandem.__file__).resolve().parent / "configs"


def names() -> list[str]:
    """Returns the names, in order of the alphabet."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def find(name: str) -> Path | None:
    """Returns the file of a configuration that comes with Tandem; None where there is none of that name.

    >>> find("sample").name, find("shop.yaml")
    ('sample.yaml', None)
    """
    return FOLDER / f"{name}.yaml" if name in names() else None
