"""Checks the machine, the environment and a configuration, and says in plain words what is wrong.

Nothing is written but a probe file in the folders that a run writes to.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from packaging.requirements import Requirement
from rich.console import Console
from rich.markup import escape

from tandem.pipeline.configuration.config import Config, ConfigError, load
from tandem.pipeline.fingerprints import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

GIB, MIB = 2**30, 2**20
MIN_MEMORY_GIB = 4.0
MIN_DISK_GIB = 5.0
MIN_GLIBC = (2, 28)  # of the TensorFlow wheels

_LOCKED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)
_WORDS = {"ok": "[green]ok  [/]", "warn": "[yellow]warn[/]", "fail": "[red]FAIL[/]"}


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
      status: `fail`: a run cannot succeed; `warn`: it may be slow, or not do what was meant.
      text: In a sentence; for anything but ok also what to do.
    """

    status: Literal["ok", "warn", "fail"]
    text: str


def examine(
    config: str | None = None,
    data: str | None = None,
    overrides: Sequence[str] = (),
    console: Console | None = None,
) -> bool:
    """Prints all findings.

    Args:
      config: A configuration file; None: the machine and the environment only.
      data: The folder of the logs, as for a run.
      overrides: Changes of the configuration, as for a run.
      console: None: standard output.

    Returns:
      Whether nothing failed.
    """
    console = console or Console()
    failed = 0
    for finding in findings(config, data, overrides):
        console.print(f"{_WORDS[finding.status]} {escape(finding.text)}", soft_wrap=True, highlight=False)
        failed += finding.status == "fail"
    console.print(f"[red]{failed} failed[/]" if failed else "[green]all good[/]")
    return not failed


def findings(config: str | None, data: str | None, overrides: Sequence[str] = ()) -> Iterator[Check]:
    """Yields the findings one after the other."""
    yield from machine()
    yield from environment()
    if config is None:
        return
    try:
        loaded = load(config, data, overrides)
    except ConfigError as error:
        yield from (Check("fail", problem) for problem in error.problems)
        return
    yield Check("ok", f"{config}: valid; {len(loaded.features)} features, {len(loaded.tasks)} tasks")
    yield from recipe(loaded)
    yield from folders(loaded)
    yield from data_files(loaded)


# --- The machine ---


def machine() -> Iterator[Check]:
    """Python, the C library, processors, memory."""
    version = platform.python_version()
    right = sys.version_info[:2] == (3, 10)
    yield Check(
        "ok" if right else "fail",
        f"Python {version}" + ("" if right else "; 3.10 is needed: `make run` finds or installs it"),
    )
    name, glibc = platform.libc_ver()
    if name == "glibc":
        new = tuple(int(part) for part in glibc.split(".")[:2]) >= MIN_GLIBC
        wanted = ".".join(map(str, MIN_GLIBC))
        yield Check(
            "ok" if new else "fail", f"glibc {glibc}" + ("" if new else f"; TensorFlow needs {wanted} or newer")
        )
    else:
        yield Check(
            "warn", f"the C library is not glibc ({name or platform.system()}); TFX is published for Linux with glibc"
        )
    processors = len(os.sched_getaffinity(0))
    yield Check(
        "ok" if processors > 1 else "warn", f"{processors} processor{'s' if processors > 1 else '; a run will be slow'}"
    )
    memory = memory_gib()
    enough = memory is None or memory >= MIN_MEMORY_GIB
    size = "unknown" if memory is None else f"{memory:.1f} GiB"
    yield Check(
        "ok" if enough else "warn", f"memory: {size}" + ("" if enough else f"; {MIN_MEMORY_GIB:.0f} GiB are advised")
    )


def memory_gib(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup/memory.max")) -> float | None:
    """Returns the memory this process may use: the machine's, or its container's limit."""
    sizes = []
    if meminfo.is_file():
        found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
        sizes += [int(found.group(1)) * 1024] if found else []
    if cgroup.is_file():
        limit = cgroup.read_text().strip()
        sizes += [int(limit)] if limit.isdigit() else []
    return min(sizes) / GIB if sizes else None


# --- The environment ---


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


# --- The configuration ---


def recipe(config: Config) -> Iterator[Check]:
    """What will be built and when it is pushed: all that is left to say of settings that were found sound."""
    yield Check("ok", f"recipe '{config.model.recipe}' takes these settings")
    yield from thresholds(config)
    periods = config.logs.split.periods()
    if config.logs.label_delay:
        delay = config.logs.label_delay.total_seconds() / 3600
        yield Check("ok", f"split: {', '.join(periods)}; at least {delay:g} hours (the windows) lie between the parts")
    else:
        yield Check("ok", f"split: {', '.join(periods)}")


def thresholds(config: Config) -> Iterator[Check]:
    """What a model has to keep, and whether the first one has to keep anything."""
    given = config.evaluation.thresholds
    yield Check(
        "ok", f"{len(given)} threshold{' decides' if len(given) == 1 else 's decide'} whether a model is pushed"
    )
    if all(threshold.kinds == ("not_worse_than_blessed_by",) for threshold in given):
        yield Check(
            "warn",
            "every threshold compares with the model pushed last, so the first model is pushed, however bad; "
            "give one of them 'at_least' or 'at_most'",
        )


def folders(config: Config) -> Iterator[Check]:
    """Whether a run can write what it writes, and has room for it."""
    for what, folder in (("output folder", config.output_dir), ("push folder", config.push_dir)):
        problem = write_problem(folder)
        yield Check("fail" if problem else "ok", f"{what} {folder}: {problem or 'can be written'}")
    free = shutil.disk_usage(existing(config.output_dir)).free / GIB
    enough = free >= MIN_DISK_GIB
    yield Check(
        "ok" if enough else "warn",
        f"{free:.0f} GiB are free for the output" + ("" if enough else f"; {MIN_DISK_GIB:.0f} are advised"),
    )


def existing(folder: Path) -> Path:
    """Returns the nearest folder above that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def write_problem(folder: Path) -> str:
    """Returns why nothing can be written into a folder (or made where it will be); empty if it can."""
    place = existing(folder)
    if not place.is_dir():
        return f"{place} is a file"
    try:
        with tempfile.TemporaryFile(dir=place):
            return ""
    except OSError as error:
        return f"nothing can be written into {place}: {error.strerror}"


# --- The data ---


def data_files(config: Config) -> Iterator[Check]:
    """Whether the logs are there, and have the columns that the configuration names."""
    from tandem.components.log_example_gen.plan import make_plan  # imports polars and Arrow
    from tandem.components.log_example_gen.sources import LogsError

    try:
        plan = make_plan(config.logs, config.columns(), config.labels(), config.data_folder)
    except (LogsError, OSError) as error:
        yield from (Check("fail", line) for line in str(error).splitlines())
        return
    for source in (*plan.streams, *plan.sides):
        size = sum(file.size for file in source.files) / MIB
        many = f"{len(source.files)} file{'s' if len(source.files) != 1 else ''}"
        yield Check("ok", f"{source.name}: {many}, {size:.1f} MiB; read are {', '.join(source.columns)}")
    yield Check("ok", f"all {len(plan.columns)} columns of features, slices and user groups are there")
