"""Runs the ingestion as one Beam pipeline, and judges what came out of it."""

from __future__ import annotations

import gzip
import json
import logging
import os
import posixpath
from typing import TYPE_CHECKING, Any

from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils
from tfx.utils import io_utils

from tandem.components.log_example_gen.beam_steps.pipeline import build
from tandem.components.log_example_gen.counts import (
    Counts,
    describe,
    describe_lost,
    describe_not_final,
)
from tandem.components.log_example_gen.dates import describe_period, describe_us
from tandem.components.log_example_gen.judging.bad_rows import EXAMPLE_ROWS, bad_rows, describe_reason
from tandem.components.log_example_gen.judging.doubts import doubts
from tandem.components.log_example_gen.judging.faults import asked_for, faults, outcomes_of
from tandem.components.log_example_gen.judging.id_forms import describe_id_forms
from tandem.components.log_example_gen.judging.number_faults import no_numbers_to_judge
from tandem.components.log_example_gen.labelled import describe_unreadable
from tandem.components.log_example_gen.planning.making import make_plan
from tandem.components.log_example_gen.records import BAD_LABEL, IMPRESSIONS, TABLE
from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
from tandem.components.log_example_gen.settings.logs import LogSettings
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tfx.types.artifact import Artifact

    from tandem.components.log_example_gen.plan import Plan

LOGS, COLUMNS, LABELS, DATA_DIR, OBSERVED_UNTIL_KEY = "logs", "columns", "labels", "data_dir", "observed_until"
FINGERPRINT, FAILURE_DIR = "fingerprint", "failure_dir"
EXAMPLES_KEY, QUARANTINE = "examples", "quarantine"
COUNTS_FILE = "counts.json"

_LOG = logging.getLogger("tandem.ingest")


class Executor(base_beam_executor.BaseBeamExecutor):
    """Reads logs, joins them, and writes examples by split, and what was set aside into the quarantine."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs the step; see `LogExampleGen` for the properties.

        Raises:
          LogsError: Files or columns are missing, too many rows are bad, or a split is empty.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        plan = make_plan(
            LogSettings.model_validate_json(exec_properties[LOGS]),
            {name: ExampleColumn(**column) for name, column in json.loads(exec_properties[COLUMNS]).items()},
            [Label(**label) for label in json.loads(exec_properties[LABELS])],
            exec_properties[DATA_DIR],
            observed_until=bool(exec_properties[OBSERVED_UNTIL_KEY]),
        )
        for remark in plan.remarks:
            _LOG.warning("%s", remark)
        examples = artifact_utils.get_single_instance(output_dict[EXAMPLES_KEY])
        quarantine = artifact_utils.get_single_instance(output_dict[QUARANTINE])
        splits = list(plan.logs.split.periods())
        examples.split_names = artifact_utils.encode_split_names(splits)
        folders = {split: artifact_utils.get_split_uri([examples], split) for split in splits}
        for folder in (*folders.values(), quarantine.uri):
            fileio.makedirs(folder)
        counts_path = posixpath.join(quarantine.uri, COUNTS_FILE)
        pipeline: Any = self._make_beam_pipeline()
        with pipeline:
            build(pipeline, plan, folders, quarantine.uri, counts_path)
        _remove_unfinished(folders.values())
        with fileio.open(counts_path) as file:
            counts = _in_order(Counts.from_json(file.read()), plan)
        for line in (*describe(counts, splits), *describe_lost(counts)):
            _LOG.info("%s", line)
        _tell_not_final(counts)
        counts.check()
        suspicions = [
            *doubts(counts, plan.labels, plan.label_delays),
            *no_numbers_to_judge(counts, plan),
            *_unreadable_labels(counts, plan, quarantine.uri),
        ]
        _tell_oddities(counts, suspicions)
        problems = faults(counts, plan)
        problems += [*_too_many_bad(counts, plan, quarantine.uri), *_empty_splits(counts, plan)]
        if problems:
            kept = _keep(quarantine.uri, exec_properties.get(FAILURE_DIR, ""))
            raise LogsError(
                "\n".join([*problems, *suspicions, f"All rows that were set aside, by source and reason: {kept}"])
            )
        _describe_artifacts(examples, quarantine, counts)


def _remove_unfinished(folders: Iterable[str]) -> None:
    """Removes what workers that were killed have left: whoever reads all files of a split would read it, too."""
    for folder in folders:
        for name in map(os.fsdecode, fileio.listdir(folder)):
            if name.startswith("."):
                fileio.remove(posixpath.join(folder, name))


def _in_order(counts: Counts, plan: Plan) -> Counts:
    """Puts the sources in the order in which they are told, also those of which no row was read."""
    for source in (*plan.streams, *plan.sides):
        counts.rows[source.name] = counts.rows.pop(source.name, 0)
    return counts


def _describe_artifacts(examples: Artifact, quarantine: Artifact, counts: Counts) -> None:
    examples.span = 0
    examples.version = 0
    examples_utils.set_payload_format(examples, example_gen_pb2.FORMAT_TF_EXAMPLE)  # type: ignore[attr-defined]
    examples_utils.set_file_format(examples, "tfrecords_gzip")
    for artifact in (examples, quarantine):
        for name, number in counts.properties().items():
            artifact.set_int_custom_property(name, number)


def _tell_oddities(counts: Counts, suspicions: list[str]) -> None:
    for line in describe_id_forms(counts.id_forms):
        _LOG.warning("%s", line)
    for line in suspicions:
        _LOG.warning("%s", line)


def _tell_not_final(counts: Counts) -> None:
    """Says which labels may still change, loudly where that is most of a split: then the end is likely a wrong one."""
    for line in describe_not_final(counts):
        _LOG.info("%s", line)
    for split, late in counts.not_final.items():
        for label, number in late.items():
            if 2 * number > counts.examples(split):
                _LOG.warning(
                    "most examples of '%s' are younger than the window of '%s' at the end of the logs; if they were "
                    "taken later than their last event, say so with 'logs.observed_until'",
                    split,
                    label,
                )


def _too_many_bad(counts: Counts, plan: Plan, quarantine: str) -> list[str]:
    """Returns what to say about the sources with more bad rows than allowed."""
    lines = []
    allowed = plan.logs.max_bad_share
    for source in counts.rows:
        rows, bad = asked_for(counts, source), bad_rows(counts, source)
        share = sum(bad.values()) / rows if rows else 0.0
        if share <= allowed:
            continue
        lines.append(
            f"{source}: {sum(bad.values()):,} of {rows:,} rows ({share:.1%}) are bad, more than 'max_bad_share' allows "
            f"({allowed:.1%}):"
        )
        for name, number in bad.items():
            quoted = _examples_of(posixpath.join(quarantine, source), name)
            lines += describe_reason(name, number, source, quoted, plan)
    return lines


def _unreadable_labels(counts: Counts, plan: Plan, quarantine: str) -> list[str]:
    """Says what is wrong with labels of a table that cannot be read, however few they are."""
    if plan.table_labels is None or not outcomes_of(counts, TABLE)[BAD_LABEL.name]:
        return []
    return describe_unreadable(_examples_of(posixpath.join(quarantine, TABLE), BAD_LABEL.name), plan.table_labels)


def _examples_of(folder: str, name: str) -> list[str]:
    """Returns some of the rows that were set aside for a reason, the first ones of the first file."""
    found: list[str] = []
    for path in sorted(fileio.glob(posixpath.join(folder, f"{name}-*.jsonl.gz"))):
        with fileio.open(path, "rb") as packed, gzip.open(packed, "rt", encoding="utf-8") as rows:
            for row in rows:
                if len(found) == EXAMPLE_ROWS:
                    return found
                found.append(row.rstrip("\n"))
    return found


def _empty_splits(counts: Counts, plan: Plan) -> list[str]:
    lines = []
    for split, period in plan.logs.split.periods().items():
        if counts.examples(split):
            continue
        line = f"split '{split}' ({describe_period(period)}) has no examples; "
        if period.kind not in ("time", "files"):
            lines.append(f"{line}no usable row belongs to it")
        elif counts.first_us is not None and counts.last_us is not None:
            lines.append(
                f"{line}the impressions read are from {describe_us(counts.first_us)} to {describe_us(counts.last_us)}"
            )
        elif period.files is None:
            lines.append(f"{line}no {IMPRESSIONS if plan.logs.table is None else 'row'} with a time was read")
        else:
            lines.append(f"{line}its files hold no usable row")
    return lines


def _keep(quarantine: str, failure_dir: str) -> str:
    """Copies the quarantine to where it outlives the failure, for TFX removes the outputs of a step that fails."""
    if not failure_dir:
        folder, number = posixpath.split(quarantine.rstrip("/"))
        failure_dir = posixpath.join(posixpath.dirname(folder), "failed", number)
    if fileio.exists(failure_dir):
        fileio.rmtree(failure_dir)
    io_utils.copy_dir(quarantine, failure_dir)
    return failure_dir
