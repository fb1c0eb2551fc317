"""What came out of one run, as a file that appears whole or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ValidationError

from tandem import files

if TYPE_CHECKING:
    from pathlib import Path


class Distribution(BaseModel, extra="forbid", frozen=True):
    """How values of rows are distributed.

    Attributes:
      rows: How many there are.
      mean: Of the values.
      counts: Rows per bin; the bins are of equal width, from 0 to `highest`.
      highest: The upper end of the last bin.
    """

    rows: int
    mean: float
    counts: list[int]
    highest: float


class Inside(BaseModel, extra="forbid", frozen=True):
    """What a network does inside, over rows of the evaluation.

    Attributes:
      gates: By name (`gate/<task>`, `gate_groups/<task>`), the mean weight of every expert or group of experts.
      temperatures: By pair of tasks (`<a>/<b>`), then by the labels that are 1, the distribution of PICO's temperature.
    """

    gates: dict[str, list[float]] = {}
    temperatures: dict[str, dict[str, Distribution]] = {}


class Speed(BaseModel, extra="forbid", frozen=True):
    """How fast training was.

    Attributes:
      examples: Trained on while the time was taken: all but those of the first call of every stage, which compiles.
        0: too few steps for their time to say anything.
      seconds: Which that took, validation not counted.
      cpu_seconds: Of all threads, in the same time.
      whole_seconds: Of the whole training: building, compiling, validation; None: it went on from a checkpoint.
    """

    examples: int
    seconds: float
    cpu_seconds: float
    whole_seconds: float | None


class TrialReport(BaseModel, extra="forbid", frozen=True):
    """What came out of one run.

    Attributes:
      system: What was trained.
      variant: An ablation of it; None: the system as it is.
      seed: Of the weights and of the order of the rows.
      digest: Of everything that the result depends on.
      metrics: By output, then by metric of the catalog; None: it has no value.
      parameters_trained: Numbers that training changes, those of training-only parts included.
      parameters_exported: Numbers in the exported network. None in both: the system is no network.
      speed: Of training.
      latency_ms: Of one batch of 512 raw examples on the exported model, the median.
      inside: What the network does inside.
    """

    system: str
    variant: str | None
    seed: int
    digest: str
    metrics: dict[str, dict[str, float | None]]
    parameters_trained: int | None = None
    parameters_exported: int | None = None
    speed: Speed
    latency_ms: float
    inside: Inside = Inside()


def write_report(path: Path, report: TrialReport) -> None:
    """Writes a report."""
    files.write(path, report.model_dump_json(indent=2) + "\n")


def read_report(path: Path, digest: str) -> TrialReport | None:
    """Returns the report of a run; None where there is none, or one of other settings, data or code.

    Args:
      path: Where it lies.
      digest: What it must be of.
    """
    try:
        report = TrialReport.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValidationError):
        return None
    return report if report.digest == digest else None
