"""What came out of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from tandem.components.evaluator.results import MetricValue, Verdict


@dataclass(frozen=True)
class ComponentRun:
    """One component of a run.

    Attributes:
      status: `done`: it ran; `cached`: its earlier output was still right.
      seconds: How long that took.
    """

    name: str
    status: Literal["done", "cached"]
    seconds: float


@dataclass(frozen=True)
class RunResult:
    """What came out of a run, parts reused from earlier runs included.

    Attributes:
      name: The configuration's.
      config_file: Where it stands.
      data: The folder of the logs.
      output: The folder of artifacts, metadata and logs.
      components: In the order in which they ran.
      seconds: From start to end.
      outputs: The names of the model's outputs, in order.
      metrics: All metrics of the candidate and, if there is one, of the last blessed model.
      verdict: Of the gate.
      counts: A line per stream and table: its rows, by what became of them.
      model: The trained SavedModel.
      pushed: The version's folder, where it was pushed (in this run or before); None where it was refused.
      evaluation: The folder of the evaluation: metrics.json, verdict.json.
      report: The page of this run, one HTML file.
      log_file: All that the libraries had to say.
      data_checks: What skew and drift came to, a line each; empty where the schema compares nothing.
    """

    name: str
    config_file: Path
    data: str
    output: Path
    components: tuple[ComponentRun, ...]
    seconds: float
    outputs: tuple[str, ...]
    metrics: tuple[MetricValue, ...]
    verdict: Verdict
    counts: tuple[str, ...]
    model: str
    pushed: str | None
    evaluation: str
    report: Path
    log_file: Path
    data_checks: tuple[str, ...] = ()

    def metric(self, output: str, name: str, model: Literal["candidate", "baseline"] = "candidate") -> float | None:
        """Returns a metric over all rows; None where there is none."""
        for each in self.metrics:
            if (each.model, each.slice, each.output, each.metric) == (model, (), output, name):
                return each.value
        return None
