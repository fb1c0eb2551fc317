"""AUC and GAUC of many users: the evaluation's Beam transform, scikit-learn user by user, and ranks in pandas.

All get the same rows: a user, a label, a score in float32. Every line is a process of its own. "CPU" is its processor
time, "memory" its peak beyond what it held after its imports and a small run. "runner alone" sends the rows through the
same exchanges and computes nothing: it says what of it is Beam's DirectRunner, which keeps exchanged rows in memory.
Results must agree to 1e-12.

    python -m benchmarks.gauc
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]
BATCH_ROWS = 8192


@dataclass(frozen=True)
class Case:
    """What a process does.

    Attributes:
      system: Who computes.
      rows: How many rows.
      users: Of how many users.
      busiest: The share of the rows that is the first user's.
      budget_mb: Of the evaluation: what a shard holds.
    """

    system: str
    rows: int
    users: int
    busiest: float = 0.0
    budget_mb: int = 256


CASES = (
    Case("Tandem", 10_000, 1_000),
    Case("Tandem", 1_000_000, 100_000),
    Case("runner alone", 1_000_000, 100_000),
    Case("scikit-learn", 1_000_000, 100_000),
    Case("pandas", 1_000_000, 100_000),
    Case("Tandem", 2_000_000, 200_000),
    Case("runner alone", 2_000_000, 200_000),
    Case("Tandem", 1_000_000, 100_000, busiest=0.5),
    Case("Tandem", 1_000_000, 100_000, busiest=0.5, budget_mb=1),
    Case("pandas", 1_000_000, 100_000, busiest=0.5),
)


def batch(case: Case, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws users [B] int64, labels [B] int8 and scores [B] float32 of a batch."""
    rng = np.random.default_rng([case.rows, number])
    size = min(BATCH_ROWS, case.rows - number * BATCH_ROWS)
    users = rng.integers(0, case.users, size)
    users[rng.random(size) < case.busiest] = 0
    logits = rng.normal(-1.5, 1, size) + (users % 97) / 97
    labels = rng.random(size) < 1 / (1 + np.exp(-logits))
    # To four digits: there are ties.
    scores = np.round(1 / (1 + np.exp(-logits - rng.normal(0, 0.5, size))), 4)
    return users, labels.astype(np.int8), scores.astype(np.float32)


def batches(case: Case) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for number in range(-(-case.rows // BATCH_ROWS)):
        yield batch(case, number)


def _whole(case: Case) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    users, labels, scores = (np.concatenate(parts) for parts in zip(*batches(case), strict=True))
    return users, labels, scores


def with_sklearn(case: Case) -> dict[str, float]:
    from sklearn.metrics import roc_auc_score

    users, labels, scores = _whole(case)
    order = np.argsort(users, kind="stable")
    users, labels, scores = users[order], labels[order], scores[order]
    starts = np.flatnonzero(np.append(True, users[1:] != users[:-1]))
    aucs = []
    for start, end in zip(starts, np.append(starts[1:], len(users)), strict=True):
        of_user = labels[start:end]
        if 0 < of_user.sum() < len(of_user):
            aucs.append(roc_auc_score(of_user, scores[start:end]))
    return {"auc": float(roc_auc_score(labels, scores)), "gauc": float(np.mean(aucs))}


def with_pandas(case: Case) -> dict[str, float]:
    import pandas as pd

    frame = pd.DataFrame(dict(zip(("user", "label", "score"), _whole(case), strict=True)))

    def aucs(ranks: pd.Series, positive: pd.Series, rows: pd.Series) -> pd.Series:
        return (ranks - positive * (positive + 1) / 2) / (positive * (rows - positive))

    frame["rank"] = frame.groupby("user").score.rank() * frame.label
    of_user = frame.groupby("user").agg(ranks=("rank", "sum"), positive=("label", "sum"), rows=("label", "size"))
    of_user = of_user[(of_user.positive > 0) & (of_user.positive < of_user.rows)].astype("float64")
    everything = frame.score.rank()[frame.label == 1]
    positive = float(len(everything))
    return {
        "auc": float((everything.sum() - positive * (positive + 1) / 2) / (positive * (len(frame) - positive))),
        "gauc": float(aucs(of_user.ranks, of_user.positive, of_user.rows).mean()),
    }


def with_beam(case: Case) -> dict[str, float]:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    from tandem.components.evaluator.slice_statistics import SliceStatistics
    from tandem.components.metrics.estimates import jackknifed_metrics
    from tandem.components.metrics.rows import Rows, ScoredRows
    from tandem.components.metrics.sharding import Sharding
    from tandem.components.metrics.slicing import Sliced
    from tandem.components.metrics.statistics import Statistics
    from tandem.components.metrics.users import cluster_of

    def rows(number: int) -> Rows:
        users, labels, scores = batch(case, number)
        return Rows(
            users=users,
            clusters=cluster_of(users, lambda: users),
            labels=labels[:, None],
            scores=scores[:, None],
            slicings=(Sliced.all_rows(len(users)),),
        )

    class Exchanges(Sharding):
        """Passes rows on and computes nothing."""

        def of_users(self, received: Iterable[Rows]) -> Iterator:
            yield from self._by_score(Rows.concatenate(list(received)))

        def of_scores(self, column: int, received: Iterable[ScoredRows]) -> Iterator[Statistics]:
            yield Statistics((("rows", sum(map(len, received))),), {})

    # The runner pickles functions, so that they cannot put what they find into a list here.
    handle, path = tempfile.mkstemp()

    def keep(statistics: Statistics) -> None:
        Path(path).write_bytes(pickle.dumps(statistics))

    kind = Sharding if case.system == "Tandem" else Exchanges
    options = PipelineOptions(["--direct_running_mode=in_memory", "--direct_num_workers=1"])
    with beam.Pipeline(options=options) as pipeline:
        _ = (
            pipeline
            | beam.Create(range(-(-case.rows // BATCH_ROWS)), reshuffle=False)
            | beam.Map(rows)
            | SliceStatistics(kind((False,), budget=case.budget_mb * 2**20))
            | beam.Map(keep)
        )
    with os.fdopen(handle, "rb") as file:
        found = pickle.load(file)
    Path(path).unlink()
    if case.system != "Tandem":
        return {}
    values = jackknifed_metrics(found, 1)[0].estimates()
    return {name: values[name].value for name in ("auc", "gauc")}


SYSTEMS = {"Tandem": with_beam, "runner alone": with_beam, "scikit-learn": with_sklearn, "pandas": with_pandas}


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(case: Case) -> dict[str, float]:
    """Computes a case, after a small one of its kind that imports and warms up all there is."""
    SYSTEMS[case.system](Case(case.system, 2_000, 100))
    held, started = _memory_mb(), time.process_time()
    values = SYSTEMS[case.system](case)
    return {**values, "seconds": time.process_time() - started, "memory": _memory_mb() - held}


def main() -> None:
    """Runs every case in a process of its own and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gauc", description=__doc__)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(run(Case(**json.loads(options.case)))))
        return
    shown = Table(title="AUC and GAUC, exact")
    for column in ("system", "rows", "users", "busiest user", "budget", "CPU, s", "memory, MB", "AUC", "GAUC"):
        shown.add_column(column, justify="left" if column == "system" else "right")
    results: dict[Case, dict[str, float]] = {}
    agreed: dict[tuple, dict[str, float]] = {}
    for case in CASES:
        command = [sys.executable, "-m", "benchmarks.gauc", "--case", json.dumps(vars(case))]
        out = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
        found = results[case] = json.loads(out.splitlines()[-1])
        values = {name: found[name] for name in ("auc", "gauc") if name in found}
        if values:
            first = agreed.setdefault((case.rows, case.users, case.busiest), values)
            for name, value in values.items():
                if abs(value - first[name]) > 1e-12:
                    raise RuntimeError(f"{case} finds {name} {value!r}, the first system found {first[name]!r}")
        shown.add_row(
            case.system,
            f"{case.rows:,}",
            f"{case.users:,}",
            f"{case.busiest:.0%}" if case.busiest else "",
            f"{case.budget_mb} MB" if case.system == "Tandem" else "",
            f"{found['seconds']:.2f}",
            f"{found['memory']:,.0f}",
            *(f"{values[name]:.6f}" if values else "" for name in ("auc", "gauc")),
        )
    Console(width=120).print(shown)
    small, large, twice = (results[case]["seconds"] for case in (CASES[0], CASES[1], CASES[5]))
    each = (twice - large) / (CASES[5].rows - CASES[1].rows)
    print(f"fixed: {small - CASES[0].rows * each:.2f} s; each row: {1e6 * each:.2f} us; 2M / 1M: {twice / large:.2f}")


if __name__ == "__main__":
    main()
