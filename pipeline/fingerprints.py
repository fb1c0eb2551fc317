"""A fingerprint of the source code that a component runs.

TFX reuses a finished component when its inputs and settings are the same; it does not look at the code. So every
component is given the fingerprint of its module and of all modules of this project that it imports, directly or not.
The imports are read from the source text, and so are references to classes that are imported when they are needed,
"tandem.models.backbones.mmoe:MMoE"; nothing is executed.
"""

from __future__ import annotations

import ast
import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

import tandem

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(tandem.__file__).resolve().parents[1]
PACKAGES = ("tandem",)
_REFERENCE = re.compile(r"\w+(\.\w+)+:\w+")


def code_version(*modules: str, root: Path = ROOT, packages: tuple[str, ...] = PACKAGES) -> str:
    """Returns a hash over the sources of some modules and of what they import of this project.

    Args:
      *modules: Dotted names, `tandem.models.training.trainer`.
      root: The folder in which the packages lie.
      packages: The packages whose imports are followed.

    Returns:
      16 hexadecimal digits.

    Raises:
      ValueError: A module that is not there.
    """
    sources: dict[str, bytes] = {}
    pending = list(modules)
    while pending:
        name = pending.pop()
        if name in sources:
            continue
        path = _file(name, root)
        if path is None:
            raise ValueError(f"there is no module '{name}' below {root}")
        sources[name] = path.read_bytes()
        pending += [
            found
            for found in _imports(sources[name], name, path)
            if found.split(".")[0] in packages and _file(found, root)
        ]
        pending += [name.rpartition(".")[0]] if "." in name else []
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(f"{name}\0{len(sources[name])}\0".encode() + sources[name])
    return digest.hexdigest()[:16]


def _file(module: str, root: Path) -> Path | None:
    base = root.joinpath(*module.split("."))
    return next((path for path in (base / "__init__.py", base.with_suffix(".py")) if path.is_file()), None)


def _imports(source: bytes, module: str, path: Path) -> Iterator[str]:
    """Yields the dotted names a source may import: `from a import b` may mean the module `a.b`, "a.b:C" means it."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source, filename=str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _REFERENCE.fullmatch(node.value):
            yield node.value.partition(":")[0]
