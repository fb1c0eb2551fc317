"""Peak memory of training, by the size of the embedding table and by the number of examples.

Every row is a process that trains MMoE through Tandem's trainer, with early stopping on, on the files of
`benchmarks.training_speed` (read several times for more examples). "above imports" is what the process needs beyond a
process that has only imported the same modules; from that the table with its two moments is taken away.

    python -m benchmarks.training_memory
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.training_speed import workload

ROOT = Path(__file__).resolve().parents[1]
DIM, BATCH = 8, 1024
# Million examples, million rows of the table.
CASES = ((1, 1), (10, 1), (1, 10), (1, 30))


def peak_mb() -> float:
    """Returns the most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def train(folder: Path, times: int, table_rows: int) -> dict[str, float]:
    """Trains one pass over the files, each named so many times, and returns what memory it took, in MB."""
    import tensorflow as tf
    import tf_keras as keras

    from tandem.models.batch import RowFormat
    from tandem.models.registry import build
    from tandem.models.settings import EarlyStopping, ModelSettings, TrainingSettings
    from tandem.models.tasks import Task, TaskGraph
    from tandem.models.training import loop
    from tandem.models.training.dataset import read_examples, shuffled_passes

    imported = peak_mb()
    keras.utils.set_random_seed(1)
    layout, graph = workload.layout(), TaskGraph([Task(name="click"), Task(name="conversion", given="click")])
    files = sorted(str(path) for path in (folder / "examples").iterdir()) * times
    learner = build(ModelSettings(recipe="mmoe", embedding_dim=DIM), graph, layout, table_rows)
    settings = TrainingSettings(batch_size=BATCH, epochs=1, early_stopping=EarlyStopping())
    rows = RowFormat(layout, len(graph))
    passes = shuffled_passes(files, rows, BATCH, settings.shuffle_rows, seed=1)
    loop.initialize(learner, graph, read_examples(files, rows, BATCH).take(20))
    built = peak_mb()
    validation = read_examples(files[:1], rows, 8192)
    loop.train(learner, graph, settings, passes, validation)
    table = learner.network.encoder.table
    assert tf.reduce_all(tf.math.is_finite(table[:10]))
    return {
        "imported": imported,
        "built": built,
        "trained": peak_mb(),
        "table": 3 * 4 * table.shape.num_elements() / 2**20,
    }


def main() -> None:
    """Runs every case in a process of its own and prints a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training_memory", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("data/training_speed"), help="of the workload")
    parser.add_argument("--case", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
    if options.case:
        print(json.dumps(train(options.folder, *options.case)))
        return
    folder = options.folder.absolute()
    workload.load(folder)
    shown = Table(title="peak memory of training MMoE, MB")
    for column in ("examples", "rows of the table", "process", "above imports", "table and moments", "the rest"):
        shown.add_column(column, justify="right")
    for examples, rows in CASES:
        times = round(examples * 1e6 / workload.TRAIN_ROWS)
        command = [sys.executable, "-m", "benchmarks.training_memory", "--folder", str(folder)]
        case = ["--case", str(times), str(rows * 1_000_000 + 10_000)]
        out = subprocess.run([*command, *case], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
        found = json.loads(out.splitlines()[-1])
        above = found["trained"] - found["imported"]
        figures = [found["trained"], above, found["table"], above - found["table"]]
        shown.add_row(f"{examples}M", f"{rows}M", *(f"{figure:,.0f}" for figure in figures))
    Console(width=110).print(shown)


if __name__ == "__main__":
    main()
