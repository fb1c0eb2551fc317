"""Trains several systems in turn, a chunk of steps each, and prints how fast they are beside each other.

Every system is a process of its own, on one core. They take turns, so a machine that is slow for a while is slow for
all of them. What counts is the time of the processor, not of the clock.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.training_speed import workload

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = [
    *(f"{library}/{kind}" for kind in ("shared_bottom", "mmoe", "ple") for library in ("keras", "deepctr", "tandem")),
    "tandem/mmoe_pico",
]


class Worker:
    """The process of one system."""

    def __init__(self, name: str, folder: Path, core: str | None, seed: int):
        threads = 1 if core else os.cpu_count() or 1
        settings = {key: str(threads) for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        pinned = ["taskset", "-c", core] if core else []
        command = [sys.executable, "-m", "benchmarks.training_speed.worker", name, str(folder), str(seed), str(threads)]
        self.errors = folder / f"{name.replace('/', '-')}.log"
        with self.errors.open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [*pinned, *command],
                cwd=ROOT,
                env={**os.environ, **settings, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._answer()

    def ask(self, command: str) -> dict[str, Any]:
        """Sends a command and waits for its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"a system failed: see {self.errors}\n{self.errors.read_text(encoding='utf-8')[-1500:]}")
        return json.loads(line)

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def measure(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Runs all chunks and returns the figures of every system."""
    console = Console(stderr=True)
    with console.status("the workload (made once: 1.2 million rows)"):
        workload.load(options.folder)
    core = None if options.threads == "all" else options.core
    found: dict[str, dict[str, Any]] = {name: {"chunks": []} for name in options.systems}
    with Progress(console=console) as progress:
        bar = progress.add_task("starting", total=options.chunks * len(options.systems))
        workers = {name: Worker(name, options.folder, core, options.seed) for name in options.systems}
        for chunk in range(options.chunks):
            for name, worker in workers.items():
                progress.update(bar, description=f"chunk {chunk + 1}, {name}")
                found[name]["chunks"].append(worker.ask(f"train {chunk} {options.steps}"))
                progress.advance(bar)
        for name, worker in workers.items():
            progress.update(bar, description=f"AUC, {name}")
            found[name] |= worker.ask("judge")
            worker.close()
    for figures in found.values():
        counted = figures["chunks"][1:] or figures["chunks"]  # the first one compiles
        rates = [chunk["rows"] / chunk["cpu"] for chunk in counted]
        figures["median"] = statistics.median(rates)
        figures["mean"] = sum(chunk["rows"] for chunk in counted) / sum(chunk["cpu"] for chunk in counted)
    return found


def table(found: dict[str, dict[str, Any]]) -> Table:
    """Makes the table: every system beside the peers of its kind."""
    shown = Table(title="training, examples per second of one core: medians of the chunks (and over all of them)")
    for column in ("system", "median", "all", "x keras", "x deepctr", "AUC click", "AUC click & conv.", "peak MB"):
        shown.add_column(column, justify="left" if column == "system" else "right")
    for name, figures in found.items():
        recipe, _, option = name.partition("/")[2].partition("+")
        kind = recipe.removesuffix("_pico") + ("+last_stage" if option == "last_stage" else "")
        ratios = [
            f"{figures['median'] / found[peer]['median']:.1f}" if (peer := f"{library}/{kind}") in found else ""
            for library in ("keras", "deepctr")
        ]
        aucs = [f"{value:.4f}" for value in figures["auc"]]
        speed = [f"{figures[key]:,.0f}" for key in ("median", "mean")]
        shown.add_row(name, *speed, *ratios, *aucs, f"{figures['peak_mb']:,.0f}")
    return shown


def main() -> None:
    """Reads the command line, measures, prints the table, writes all figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_speed", description=__doc__)
    parser.add_argument("systems", nargs="*", default=DEFAULT, metavar="SYSTEM", help=f"default: {' '.join(DEFAULT)}")
    parser.add_argument("--chunks", type=int, default=10, help="per system; 10 of 100 steps are an epoch")
    parser.add_argument("--steps", type=int, default=100, help="of a chunk, a multiple of 20 (default: %(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("data/training_speed"), help="for the workload")
    parser.add_argument("--core", default="1", help="which core all systems share (default: %(default)s)")
    parser.add_argument("--threads", choices=["1", "all"], default="1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", dest="output", type=Path, help="a JSON file for all figures")
    options = parser.parse_args()
    options.folder = options.folder.absolute()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found = measure(options)
    Console(width=120).print(table(found))
    if options.output:
        options.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
