"""The table as several narrow ones, cell by cell: what the Markdown page and the terminal both show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tandem.pipeline.bench.estimates import CONFIDENCE, Difference, Estimate
from tandem.pipeline.bench.published import KINDS, PublishedTable, kind_of
from tandem.pipeline.bench.table import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tandem.models.tasks import TaskGraph
    from tandem.pipeline.bench.table import ComparisonTable, SystemResult

NONE = "-"
REACHABLE = "(best reachable)"

# By metric of the table: its title, and how it is written.
_SHOWN = {
    "auc": ("AUC", ".4f"),
    "gauc": ("GAUC", ".4f"),
    "log_loss": ("log loss", ".4f"),
    "calibration": ("calib.", ".3f"),
}


@dataclass(frozen=True)
class Section:
    """One narrow table.

    Attributes:
      title: Above it.
      columns: Titles.
      rows: Cells, as many as columns.
      notes: Below it.
      texts: How many columns, the first ones, are text; the others are numbers.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    notes: tuple[str, ...] = ()
    texts: int = 1


def sections(table: ComparisonTable, graph: TaskGraph, tables: Sequence[PublishedTable]) -> Iterator[Section]:
    """Yields all narrow tables.

    Args:
      table: The benchmark.
      graph: The tasks.
      tables: What the papers report on the same data.
    """
    for output in table.outputs:
        yield _quality(table, output)
        yield from _differences(table, output)
    yield _cost(table)
    for each in tables:
        yield _beside(table, graph, each)
    if table.failed:
        yield Section("Failed", ("run", "reason"), list(table.failed.items()), texts=2)


def how_to_read(table: ComparisonTable) -> Iterator[str]:
    """Yields what must be known to read the tables, a sentence or two each."""
    yield "Mean ± standard deviation over the seeds. Calibration (calib.) is predicted over observed."
    found = [result for system in table.systems for result in system.outputs.values()]
    if any(result.to_backbone or result.to_recipe for result in found):
        yield (
            f"Differences are means over n pairs of runs with the same seed, with the {CONFIDENCE:.0%} interval by the "
            "t distribution; *: 0 is not in it. Of many intervals a few miss the truth by chance."
        )
    yield (
        "Parameters: all that are trained, and those in the exported network. Examples per second: of the training "
        "steps, without compiling (the first call) and validation. Training: from building to the last step, both "
        "included. Latency: one batch of 512 raw examples on the exported model, in this process, median."
    )


def _quality(table: ComparisonTable, output: str) -> Section:
    measured = [system.outputs[output].metrics for system in table.systems]
    shown = [(name, *_SHOWN[name]) for name in METRICS if any(name in metrics for metrics in measured)]
    rows = [
        (system.name, *(plus_minus(metrics.get(name), form) for name, _, form in shown))
        for system, metrics in zip(table.systems, measured, strict=True)
    ]
    best = table.reachable.get(output)
    if best:
        rows.append((REACHABLE, *(format(best[name], form) if name in best else NONE for name, _, form in shown)))
    examples, positives = table.rows[output]
    note = f"{examples:,} rows of the evaluation, {positives:,} positive."
    return Section(output, ("system", *(title for _, title, _ in shown)), rows, (note,))


def _differences(table: ComparisonTable, output: str) -> Iterator[Section]:
    """Yields the differences of AUC, if there are any: of ablations first to their recipe, then to the backbone."""
    rows = []
    for system in table.systems:
        result = system.outputs[output]
        rows += [
            (system.name, found.against, f"{found.mean:+.4f}", interval(found), str(found.seeds))
            for found in (result.to_recipe, result.to_backbone)
            if found is not None
        ]
    if rows:
        columns = ("system", "minus", "AUC", f"{CONFIDENCE:.0%} interval", "n")
        yield Section(f"{output}: differences of AUC", columns, rows, texts=2)


def _cost(table: ComparisonTable) -> Section:
    columns = (
        "system",
        "parameters",
        "exported",
        "examples/s",
        "per CPU-s",
        "training, s",
        "latency, ms",
        "seeds",
    )
    rows = [
        (
            system.name,
            NONE if system.parameters_trained is None else f"{system.parameters_trained:,}",
            NONE if system.parameters_exported is None else f"{system.parameters_exported:,}",
            _mean(system.examples_per_second, ",.0f"),
            _mean(system.examples_per_cpu_second, ",.0f"),
            _mean(system.training_seconds, ",.1f"),
            plus_minus(system.latency_ms, ".2f"),
            str(len(system.seeds)),
        )
        for system in table.systems
    ]
    return Section("Cost", columns, rows)


def _beside(table: ComparisonTable, graph: TaskGraph, paper: PublishedTable) -> Section:
    """AUC of one paper's table beside ours, for the outputs of the same kind."""
    outputs = [
        output for kind in KINDS for output in graph.outputs() if kind_of(output, graph) == kind in paper.columns
    ]
    ours = {system.name: system for system in table.systems}
    rows = []
    for name, figures in paper.auc.items():
        reported = dict(zip(paper.columns, figures, strict=True))
        cells = [name]
        for output in outputs:
            cells += [
                f"{reported[kind_of(output, graph)]:.4f}",
                plus_minus(_auc(ours.get(name), output.name), ".4f"),
            ]
        rows.append(tuple(cells))
    columns = ["system"]
    for output in outputs:
        columns += [f"{output.name}: paper", "ours"]
    return Section(f"AUC in {paper.paper}", tuple(columns), rows, (f"{paper.table}.",))


def _auc(system: SystemResult | None, output: str) -> Estimate | None:
    return None if system is None else system.outputs[output].metrics["auc"]


def plus_minus(estimate: Estimate | None, form: str) -> str:
    """Writes mean ± standard deviation: `0.500 ± 0.010`."""
    if estimate is None:
        return NONE
    spread = "" if estimate.sd is None else f" ± {estimate.sd:{form}}"
    return f"{estimate.mean:{form}}{spread}"


def interval(difference: Difference) -> str:
    """Writes a difference's interval, with a star where 0 is outside: `[+0.0010, +0.0030] *`."""
    if difference.low is None or difference.high is None:
        return NONE
    return f"[{difference.low:+.4f}, {difference.high:+.4f}]{' *' if difference.is_clear else ''}"


def _mean(estimate: Estimate | None, form: str) -> str:
    return NONE if estimate is None else f"{estimate.mean:{form}}"
