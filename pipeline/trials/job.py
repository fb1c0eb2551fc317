"""What the process of one run is told: all that the run depends on, as plain data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel


class TrialFiles(BaseModel, extra="forbid", frozen=True):
    """The files that all runs of a benchmark read.

    Attributes:
      train: Transformed examples to learn from.
      validation: Transformed examples to stop by; may be none.
      evaluation: Transformed examples of the evaluation.
      raw_evaluation: The same rows as raw examples, perhaps in another order.
      transform_graph: The folder of the transform graph.
    """

    train: list[str]
    validation: list[str]
    evaluation: list[str]
    raw_evaluation: list[str]
    transform_graph: str


class Job(BaseModel, extra="forbid", frozen=True):
    """One run.

    Attributes:
      system: A recipe, or a system for comparison.
      variant: An ablation of it; None: the system as it is.
      seed: Of the weights and of the order of the rows.
      digest: Of everything that the result depends on.
      trainer: A `tandem.models.training.trainer.TrainerConfig`, as plain data.
      files: What is read.
      group_by: The column that names the user; None: there are none.
      weights: By output, the columns whose product weighs its rows in the metrics; None: all rows weigh the same.
      result: Where the report is written.
      log_file: Where everything goes that libraries say.
      scratch: A folder for what need not outlive the run.
      checkpoint_dir: A folder for checkpoints, this run's alone.
    """

    system: str
    variant: str | None
    seed: int
    digest: str
    trainer: dict[str, Any]
    files: TrialFiles
    group_by: str | None
    weights: dict[str, tuple[str, ...]] | None
    result: Path
    log_file: Path
    scratch: Path
    checkpoint_dir: Path
