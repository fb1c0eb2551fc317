"""What a component runs, as a fingerprint: its own code, and the libraries that compute.

TFX reuses a finished component when its inputs and settings are the same; it looks neither at the code nor at what is
installed. So every component, TFX's own included, is given a property that changes with the modules of this package
that it imports, directly or not, with the files that it reads besides, and with the versions of the libraries. Nothing
else is in it: not the place of the checkout, nor the folder that a command is typed in.

    stamp(pipeline.components)
"""

from __future__ import annotations

import functools
import hashlib
import importlib.metadata
import platform
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grimp

import tandem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tfx.dsl.components.base.base_node import BaseNode

PROPERTY = "computed_by"
"""The execution property that holds it."""

PACKAGE = Path(tandem.__file__).resolve().parent

LIBRARIES = (
    "tensorflow",
    "tf-keras",
    "tfx",
    "tensorflow-transform",
    "tensorflow-model-analysis",
    "tensorflow-data-validation",
    "tensorflow-metadata",
    "tensorflow-recommenders",
    "tfx-bsl",
    "apache-beam",
    "ml-metadata",
    "protobuf",
    "numpy",
    "pandas",
    "pyarrow",
    "polars",
    "scipy",
    "scikit-learn",
    "fsspec",
    "pydantic",
    "jinja2",
    "markupsafe",
    "plotly",
)
"""Distributions whose release can change what a component gives. Those that only show or parse are not among them."""


@dataclass(frozen=True)
class Code:
    """Where a component's own code begins.

    Attributes:
      modules: What it runs, without `tandem.`; what these import belongs to it.
      packages: Whole packages that it finds by name, as recipes name their parts.
      files: Globs below the package of what it reads besides.
    """

    modules: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


_PARTS = ("models.backbones", "models.objectives", "models.steps")

COMPONENTS: dict[str, Code] = {
    "LogExampleGen": Code(("components.log_example_gen.executor",)),
    "StatisticsGen": Code(),
    "SchemaGen": Code(),
    "CuratedSchema": Code(("components.curated_schema.component",)),
    "ExampleValidator": Code(("components.example_validator.executor",)),
    "Transform": Code(("models.preprocessing",)),
    "Trainer": Code(("models.training.trainer", "models.training.worker", "models.balancing"), _PARTS),
    "BlessedModel": Code(("components.blessed_model.executor", "components.blessed_model.driver")),
    "ModelEvaluator": Code(("components.evaluator.executor",)),
    "AtomicPusher": Code(("components.pusher.executor", "components.pusher.driver")),
    "RunReport": Code(
        ("components.run_report.executor",),
        files=("components/run_report/templates/*.html", "components/run_report/static/*"),
    ),
}
"""By component, its code; those without any are TFX's alone."""

TRIAL = Code(("pipeline.trials.worker", "models.balancing"), _PARTS)
"""What a trial runs (see `tandem.pipeline.trials`)."""


def stamp(components: Iterable[BaseNode]) -> None:
    """Gives every component its fingerprint.

    Args:
      components: Of a pipeline.

    Raises:
      KeyError: A component that `COMPONENTS` does not know.
    """
    for component in components:
        component.exec_properties[PROPERTY] = fingerprint(COMPONENTS[component.id])


def fingerprint(code: Code) -> str:
    """Returns the fingerprint of some code and of the libraries, 16 hexadecimal digits."""
    digest = hashlib.sha256("\n".join(library_versions()).encode())
    for path in [*map(_file, sorted(modules_of(code))), *_further(code)]:
        content = source(path)
        digest.update(f"{path.relative_to(PACKAGE).as_posix()}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def modules_of(code: Code) -> set[str]:
    """Returns all modules of this package that some code runs, by dotted name.

    Imports for type checkers alone do not count. The source text is read; nothing is executed.

    Raises:
      ValueError: A module or package that is not there.
    """
    graph = _imports()
    beginning = {f"tandem.{name}" for name in (*code.modules, *code.packages)}
    if unknown := sorted(beginning - graph.modules):
        raise ValueError(f"there is no module {', '.join(unknown)}")
    for name in code.packages:
        beginning |= graph.find_descendants(f"tandem.{name}")
    found = beginning.union(*(graph.find_upstream_modules(module) for module in beginning))
    # A module's package is imported before it.
    packages = {name.rpartition(".")[0] for name in found if "." in name}
    while packages:
        found |= packages
        packages = {name.rpartition(".")[0] for name in packages if "." in name} - found
    return found


def library_versions() -> list[str]:
    """Returns a line per library, `name==version`, Python first."""
    return [f"python=={platform.python_version()}", *(f"{name}=={_version(name)}" for name in LIBRARIES)]


def source(path: Path) -> bytes:
    """Reads a file of the package."""
    return path.read_bytes()


@functools.cache
def _imports() -> grimp.ImportGraph:
    return grimp.build_graph("tandem", cache_dir=None, exclude_type_checking_imports=True)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"


def _file(module: str) -> Path:
    base = PACKAGE.joinpath(*module.split(".")[1:])
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def _further(code: Code) -> list[Path]:
    return sorted(path for pattern in code.files for path in PACKAGE.glob(pattern))
