"""Reads what came out of a run from the artifacts of its components."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from tfx.utils import path_utils

from tandem import files
from tandem.components.evaluator.results import read_metrics, read_verdict
from tandem.components.example_validator.distances import describe, read_distances
from tandem.components.log_example_gen.counts import Counts, describe_lost, describe_not_final
from tandem.components.log_example_gen.counts import describe as describe_counts
from tandem.components.log_example_gen.executor import COUNTS_FILE
from tandem.components.log_example_gen.judging.doubts import doubts
from tandem.components.log_example_gen.judging.id_forms import describe_id_forms
from tandem.components.log_example_gen.records import CLICKS, CONVERSIONS, IMPRESSIONS, TABLE
from tandem.components.pusher.executor import DESTINATION_PROPERTY, PUSHED_PROPERTY
from tandem.components.run_report.executor import REPORT_FILE
from tandem.pipeline.local.run_result import ComponentRun, RunResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tfx.types import Artifact

    from tandem.pipeline.configuration.config import Config


def collect(
    config: Config,
    artifacts: Mapping[str, Mapping[str, list[Artifact]]],
    components: tuple[ComponentRun, ...],
    seconds: float,
    log_file: Path,
) -> RunResult:
    """Puts the result of a run together.

    Args:
      config: What was run.
      artifacts: By component, its output artifacts by key.
      components: How long each took.
      seconds: How long all took.
      log_file: Where the log is.
    """
    quarantine = artifacts["LogExampleGen"]["quarantine"][0].uri
    evaluation = artifacts["ModelEvaluator"]["evaluation"][0].uri
    pushed = artifacts["AtomicPusher"]["pushed_model"][0]
    is_pushed = bool(pushed.get_int_custom_property(PUSHED_PROPERTY))
    return RunResult(
        name=config.name,
        config_file=config.file,
        data=config.data_folder,
        output=config.output_dir,
        components=components,
        seconds=seconds,
        outputs=tuple(output.name for output in config.task_graph.outputs()),
        metrics=tuple(read_metrics(evaluation)),
        verdict=read_verdict(evaluation),
        counts=tuple(counts(config, quarantine)),
        model=path_utils.serving_model_dir(artifacts["Trainer"]["model"][0].uri),
        pushed=pushed.get_string_custom_property(DESTINATION_PROPERTY) if is_pushed else None,
        evaluation=evaluation,
        report=_keep_report(artifacts["RunReport"]["report"][0].uri, config.output_dir),
        log_file=log_file,
        data_checks=tuple(describe(read_distances(artifacts["ExampleValidator"]["anomalies"][0].uri))),
    )


def _keep_report(uri: str, folder: Path) -> Path:
    """Copies the report to where the newest one always is; the artifacts have those of earlier runs."""
    kept = folder / REPORT_FILE
    files.write(kept, files.read(posixpath.join(uri, REPORT_FILE)))  # a browser never sees half of it
    return kept


def counts(config: Config, quarantine: str) -> list[str]:
    """Returns a line per stream and side table: rows = examples + duplicates + each reason; then what is doubtful."""
    found = Counts.from_json(files.read(posixpath.join(quarantine, COUNTS_FILE)).decode())
    order = [IMPRESSIONS, CLICKS, CONVERSIONS, TABLE, *(side.name for side in config.logs.side_tables)]
    for source in sorted(found.rows, key=order.index):
        found.rows[source] = found.rows.pop(source)
    judged = "left out of the evaluation" if config.evaluation.final_labels_only else "evaluated all the same"
    late = [f"{line}; {judged}" if " eval examples" in line else line for line in describe_not_final(found)]
    lines = [*describe_counts(found, list(config.logs.split.periods())), *describe_lost(found), *late]
    labels = config.labels()
    delays = config.logs.label_delays(label.name for label in labels)
    return [*lines, *describe_id_forms(found.id_forms), *doubts(found, labels, delays)]
