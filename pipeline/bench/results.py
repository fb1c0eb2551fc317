"""Reports -> the files of a benchmark: table.json, table.md and pictures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from tandem import files
from tandem.pipeline.bench import markdown, plots
from tandem.pipeline.bench.outcome import Outcome
from tandem.pipeline.bench.published import published
from tandem.pipeline.bench.sections import sections
from tandem.pipeline.bench.table import make_table, write_table
from tandem.pipeline.sample_logs import read_summary

if TYPE_CHECKING:
    from tandem.pipeline.configuration.config import Config
    from tandem.pipeline.trials.run_all import TrialOutcomes

TABLE, PAGE = "table.json", "table.md"
PICTURES = {"table.png": plots.comparison, "gates.png": plots.gates, "temperature.png": plots.temperatures}


def write(config: Config, folder: Path, seeds: int, done: TrialOutcomes, seconds: float) -> Outcome:
    """Makes the table and writes everything.

    Args:
      config: What was benchmarked.
      folder: Where to write.
      seeds: How many runs of each system were asked for.
      done: What came out.
      seconds: That all of it took.
    """
    graph = config.task_graph
    outputs = [output.name for output in graph.outputs()]
    best = reachable(Path(config.data_folder), outputs)
    table = make_table(config.name, config.data_folder, seeds, outputs, done.reports, best, done.failed)
    found = tuple(sections(table, graph, published(config.name)))
    pictures = []
    for name, draw in PICTURES.items():
        (folder / name).unlink(missing_ok=True)
        figure = draw(table)
        if figure is not None:
            plots.save(figure, folder / name)
            pictures.append(name)
    write_table(folder / TABLE, table)
    files.write(folder / PAGE, markdown.page(table, found, pictures))
    runs = len(done.reports) + len(done.failed)
    return Outcome(table, found, folder, (PAGE, TABLE, *pictures), runs, done.reused, seconds)


def reachable(data: Path, outputs: list[str]) -> dict[str, dict[str, float]]:
    """Returns what the truth about sample logs says of the evaluation; nothing for other logs.

    Args:
      data: The folder of the logs.
      outputs: Names.
    """
    try:
        best = read_summary(data).eval_best
    except (OSError, ValueError):  # no sample logs
        return {}
    return {
        name: {"auc": best[name].auc, "gauc": best[name].gauc}
        for name in outputs
        if name in best and not math.isnan(best[name].auc) and not math.isnan(best[name].gauc)
    }
