"""Reports of all runs -> one table, as plain data: `table.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from tandem import files
from tandem.models.variants import backbone_of
from tandem.pipeline.bench.estimates import Difference, Estimate, difference, estimate
from tandem.pipeline.trials.report import Inside, TrialReport
from tandem.pipeline.trials.trial import COMPARISONS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

METRICS = ("auc", "gauc", "log_loss", "calibration")
"""Of the catalog, those that the table has; without users it has no GAUC."""

Key = tuple[str, str | None]
"""A system and an ablation of it."""


class OutputResult(BaseModel, extra="forbid", frozen=True):
    """How well a system predicts one output.

    Attributes:
      metrics: By name in `METRICS`; None where no run has a value.
      to_backbone: Of AUC, to the recipe without the added objective; None: it is none, or was not run.
      to_recipe: Of AUC, to the recipe that this is an ablation of.
    """

    metrics: dict[str, Estimate | None]
    to_backbone: Difference | None
    to_recipe: Difference | None


class SystemResult(BaseModel, extra="forbid", frozen=True):
    """What came out for one system or ablation.

    Attributes:
      system: What was trained.
      variant: An ablation of it; None: the system as it is.
      seeds: Of the runs that there are.
      outputs: By output.
      parameters_trained: None: it is no network.
      parameters_exported: None: it is no network.
      examples_per_second: In training; None: too few steps to take the time.
      examples_per_cpu_second: The same by the time of all threads.
      training_seconds: From building to the last step, compiling and validation included.
      latency_ms: Of a batch of 512.
      inside: Of the first seed.
    """

    system: str
    variant: str | None
    seeds: list[int]
    outputs: dict[str, OutputResult]
    parameters_trained: int | None
    parameters_exported: int | None
    examples_per_second: Estimate | None
    examples_per_cpu_second: Estimate | None
    training_seconds: Estimate | None
    latency_ms: Estimate | None
    inside: Inside

    @property
    def name(self) -> str:
        """As a user types it."""
        return self.system if self.variant is None else f"{self.system}/{self.variant}"

    @property
    def is_network(self) -> bool:
        """Whether it is one of ours."""
        return self.system not in COMPARISONS


class ComparisonTable(BaseModel, extra="forbid", frozen=True):
    """A whole benchmark.

    Attributes:
      name: The configuration's.
      data: The folder of the logs.
      seeds: That were asked for.
      outputs: Names, in order.
      rows: By output, the rows of the evaluation that count for it, and the positive ones.
      systems: In the order of the plan.
      reachable: By output, `auc` and `gauc` of ranking by the true probability; empty where it is not known.
      failed: By run, why it failed.
    """

    name: str
    data: str
    seeds: int
    outputs: list[str]
    rows: dict[str, tuple[int, int]]
    systems: list[SystemResult]
    reachable: dict[str, dict[str, float]] = {}
    failed: dict[str, str] = {}


def make_table(
    name: str,
    data: str,
    seeds: int,
    outputs: Sequence[str],
    reports: Sequence[TrialReport],
    reachable: Mapping[str, Mapping[str, float]],
    failed: Mapping[str, str],
) -> ComparisonTable:
    """Puts the table together.

    Args:
      name: The configuration's.
      data: The folder of the logs.
      seeds: That were asked for.
      outputs: Names, in order.
      reports: Of the runs that succeeded, at least one.
      reachable: As in `ComparisonTable`.
      failed: As in `ComparisonTable`.
    """
    by_system: dict[Key, list[TrialReport]] = {}
    for report in sorted(reports, key=lambda each: each.seed):
        by_system.setdefault((report.system, report.variant), []).append(report)
    order = list(dict.fromkeys((report.system, report.variant) for report in reports))
    counted = reports[0].metrics
    return ComparisonTable(
        name=name,
        data=data,
        seeds=seeds,
        outputs=list(outputs),
        rows={
            output: (int(counted[output]["example_count"] or 0), int(counted[output]["positive_count"] or 0))
            for output in outputs
        },
        systems=[_system(key, by_system, outputs) for key in order],
        reachable={output: dict(best) for output, best in reachable.items()},
        failed=dict(failed),
    )


def write_table(path: Path, table: ComparisonTable) -> None:
    """Writes `table.json`."""
    files.write(path, table.model_dump_json(indent=2) + "\n")


def _system(key: Key, by_system: Mapping[Key, Sequence[TrialReport]], outputs: Sequence[str]) -> SystemResult:
    reports = by_system[key]

    def over_seeds(value: Callable[[TrialReport], float | None]) -> Estimate | None:
        return estimate([value(report) for report in reports])

    return SystemResult(
        system=key[0],
        variant=key[1],
        seeds=[report.seed for report in reports],
        outputs={output: _output(key, by_system, output) for output in outputs},
        parameters_trained=reports[0].parameters_trained,
        parameters_exported=reports[0].parameters_exported,
        examples_per_second=over_seeds(lambda r: r.speed.examples / r.speed.seconds if r.speed.seconds else None),
        examples_per_cpu_second=over_seeds(
            lambda r: r.speed.examples / r.speed.cpu_seconds if r.speed.cpu_seconds else None
        ),
        training_seconds=over_seeds(lambda r: r.speed.whole_seconds),
        latency_ms=over_seeds(lambda r: r.latency_ms),
        inside=reports[0].inside,
    )


def _output(key: Key, by_system: Mapping[Key, Sequence[TrialReport]], output: str) -> OutputResult:
    def aucs(of: Key) -> dict[int, float | None]:
        return {report.seed: report.metrics[output]["auc"] for report in by_system.get(of, ())}

    system, variant = key
    backbone = backbone_of(system)
    return OutputResult(
        metrics={
            name: estimate([report.metrics[output][name] for report in by_system[key]])
            for name in METRICS
            if all(name in report.metrics[output] for report in by_system[key])
        },
        to_backbone=difference(aucs(key), aucs((backbone, None)), backbone) if backbone else None,
        to_recipe=difference(aucs(key), aucs((system, None)), system) if variant else None,
    )
