"""The machine: Python, the C library, processors, memory."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tandem.pipeline.doctor.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator

GIB = 2**30
MIN_MEMORY_GIB = 4.0
MIN_GLIBC = (2, 28)  # of the TensorFlow wheels


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
