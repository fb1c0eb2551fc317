"""Gathers the facts of a run from its artifacts and writes the page; TFX glue around `page`."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import logging
import platform
import posixpath
import time
from collections.abc import Iterable, Mapping
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import path_utils

from tandem import files
from tandem.components.blessed_model.executor import HAS_MODEL_PROPERTY, REASON_PROPERTY
from tandem.components.blessed_model.executor import VERSION_PROPERTY as BASELINE_VERSION_PROPERTY
from tandem.components.evaluator.results import CURVES_FILE, read_curves, read_metrics, read_verdict
from tandem.components.example_validator.distances import DISTANCES_FILE, read_distances
from tandem.components.log_example_gen.counts import Counts
from tandem.components.log_example_gen.executor import COUNTS_FILE
from tandem.components.log_example_gen.records import CLICKS, CONVERSIONS, IMPRESSIONS, TABLE
from tandem.components.log_example_gen.settings.columns import IMPRESSION_TIME
from tandem.components.pusher.executor import DESTINATION_PROPERTY, PUSHED_PROPERTY, VERSION_PROPERTY
from tandem.components.run_report import page, statistics, vocabularies
from tandem.components.run_report.facts import (
    ArtifactRecord,
    Facts,
    FeatureStatistics,
    Lineage,
    PushFacts,
    Shift,
    SourceAccount,
    SplitFacts,
    UnknownValues,
)
from tandem.components.run_report.settings import ReportSettings
from tandem.models.tasks import Output

SETTINGS = "settings"
EVALUATION, MODEL, MODEL_RUN, BASELINE, PUSHED_MODEL = "evaluation", "model", "model_run", "baseline", "pushed_model"
EXAMPLES, QUARANTINE, STATISTICS, SCHEMA, ANOMALIES = "examples", "quarantine", "statistics", "schema", "anomalies"
TRANSFORM_GRAPH, TRANSFORMED_EXAMPLES = "transform_graph", "transformed_examples"
REPORT = "report"

REPORT_FILE = "report.html"

HISTORY_FILE = "history.json"  # of `tandem.models.training.trainer`

_PACKAGES = (
    "tandem",
    "tensorflow",
    "tf-keras",
    "tfx",
    "tensorflow-transform",
    "tensorflow-model-analysis",
    "tensorflow-data-validation",
    "tensorflow-recommenders",
    "apache-beam",
    "numpy",
    "polars",
    "plotly",
)

_LOG = logging.getLogger("tandem.report")

_Artifacts = Mapping[str, list[types.Artifact]]


class Executor(base_executor.BaseExecutor):
    """Writes the report of a run."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """See `tandem.components.run_report.component.RunReport`."""
        started = time.monotonic()
        settings = ReportSettings.model_validate_json(exec_properties[SETTINGS])
        text = page.build(gather(input_dict, settings))
        report = artifact_utils.get_single_instance(output_dict[REPORT])
        path = posixpath.join(report.uri, REPORT_FILE)
        files.write(path, text)
        _LOG.info("wrote %s (%.1f MB) in %.0f s", path, len(text) / 1e6, time.monotonic() - started)


def gather(inputs: _Artifacts, settings: ReportSettings) -> Facts:
    """Reads all facts of a run.

    Args:
      inputs: By the names of `RunReportSpec.INPUTS`, the artifacts.
      settings: What stands in none of them.
    """
    one = {name: artifact_utils.get_single_instance(artifacts) for name, artifacts in inputs.items()}
    evaluation = one[EVALUATION].uri
    has_curves = fileio.exists(posixpath.join(evaluation, CURVES_FILE))
    columns = _statistics(one[STATISTICS])
    counts = _counts(one[QUARANTINE])
    splits = tuple(_splits(settings, counts, columns))
    baseline, reason = _baseline(one[BASELINE])
    return Facts(
        name=settings.name,
        written=datetime.datetime.now(tz=datetime.timezone.utc),
        outputs=tuple(Output(**output.model_dump()) for output in settings.outputs),
        group_by=settings.group_by,
        metrics=tuple(read_metrics(evaluation)),
        verdict=read_verdict(evaluation),
        curves=tuple(read_curves(evaluation)) if has_curves else None,
        baseline=baseline,
        no_baseline=reason,
        push=_push(one[PUSHED_MODEL]),
        history=tuple(json.loads(_read(one[MODEL_RUN].uri, HISTORY_FILE) or "[]")),
        sources=None if counts is None else tuple(_sources(counts)),
        splits=splits,
        not_final=_not_final(counts),
        final_labels_only=settings.final_labels_only,
        min_examples=settings.min_examples,
        statistics=tuple(columns),
        shifts=_shifts(one[ANOMALIES]),
        vocabularies=tuple(_vocabulary_sizes(one[TRANSFORM_GRAPH], settings)),
        unknown=tuple(_unknown(one[TRANSFORMED_EXAMPLES], settings, splits)),
        lineage=Lineage(
            configuration=settings.configuration,
            data=settings.data,
            commit=settings.commit,
            code_versions=settings.code_versions,
            packages=_packages(),
            artifacts=tuple(ArtifactRecord(name, each.type_name, each.id, each.uri) for name, each in one.items()),
            model=path_utils.serving_model_dir(one[MODEL].uri),
        ),
    )


def _baseline(model: types.Artifact) -> tuple[str, str]:
    """Returns the last blessed model's version, and why there was none to compare with."""
    if model.has_custom_property(HAS_MODEL_PROPERTY) and not model.get_int_custom_property(HAS_MODEL_PROPERTY):
        return "", model.get_string_custom_property(REASON_PROPERTY)
    if not model.has_custom_property(BASELINE_VERSION_PROPERTY):
        return "", ""
    return str(model.get_int_custom_property(BASELINE_VERSION_PROPERTY)), ""


def _push(pushed: types.Artifact) -> PushFacts:
    if not pushed.get_int_custom_property(PUSHED_PROPERTY):
        return PushFacts(False)
    version = pushed.get_string_custom_property(VERSION_PROPERTY)
    return PushFacts(True, version, pushed.get_string_custom_property(DESTINATION_PROPERTY))


# --- The logs and their examples ---


def _counts(quarantine: types.Artifact) -> Counts | None:
    content = _read(quarantine.uri, COUNTS_FILE)
    return None if content is None else Counts.from_json(content.decode())


def _sources(counts: Counts) -> Iterable[SourceAccount]:
    streams = [name for name in (IMPRESSIONS, CLICKS, CONVERSIONS, TABLE) if name in counts.rows]
    order = [*streams, *sorted(name for name in counts.rows if name not in streams)]
    return (SourceAccount(name, counts.rows[name], dict(counts.outcomes.get(name, {}))) for name in order)


def _splits(settings: ReportSettings, counts: Counts | None, columns: list[FeatureStatistics]) -> Iterable[SplitFacts]:
    for name, period in settings.periods.items():
        first, last = statistics.span(columns, name, IMPRESSION_TIME)
        yield SplitFacts(
            name=name,
            period=period,
            examples=None if counts is None else counts.examples(name),
            positives={} if counts is None else dict(counts.positives.get(name, {})),
            first=first,
            last=last,
        )


def _not_final(counts: Counts | None) -> Mapping[str, int] | None:
    """Returns the evaluation examples whose label may still change, by label; None where the counts do not know."""
    if counts is None:
        return None
    return {label: number for label, number in counts.not_final.get("eval", {}).items() if number}


def _statistics(artifact: types.Artifact) -> list[FeatureStatistics]:
    found: list[FeatureStatistics] = []
    for split in artifact_utils.decode_split_names(artifact.split_names):
        path = posixpath.join(artifact_utils.get_split_uri([artifact], split), statistics.FILE_NAME)
        found += statistics.parse(split, files.read(path))
    return found


def _shifts(anomalies: types.Artifact) -> tuple[Shift, ...] | None:
    if not fileio.exists(posixpath.join(anomalies.uri, DISTANCES_FILE)):
        return None
    return tuple(Shift(**vars(each)) for each in read_distances(anomalies.uri))


# --- The vocabularies ---


def _vocabulary_sizes(graph: types.Artifact, settings: ReportSettings) -> list[Any]:
    if not settings.vocabularies:
        return []
    tokens = files.read(posixpath.join(graph.uri, vocabularies.VOCABULARY_FILE)).splitlines()
    return vocabularies.sizes(tokens, settings.vocabularies, settings.looked_up)


def _unknown(
    examples: types.Artifact, settings: ReportSettings, splits: Iterable[SplitFacts]
) -> Iterable[UnknownValues]:
    if not settings.looked_up:
        return
    available = artifact_utils.decode_split_names(examples.split_names)
    for split in splits:
        if split.name not in available:
            continue
        pattern = posixpath.join(artifact_utils.get_split_uri([examples], split.name), "*.gz")
        paths = sorted(str(file) for file in fileio.glob(pattern))
        batches = vocabularies.read_ids(paths, settings.ids_width, split.examples or 0)
        found = vocabularies.unknown_values(batches, split.name, settings.vocabularies, settings.looked_up)
        _LOG.info("looked for unknown values in %s rows of '%s'", f"{found[0].rows:,}", split.name)
        yield from found


# --- Files and packages ---


def _read(uri: str, name: str) -> bytes | None:
    """Returns what a file of an artifact holds; None where it is not there."""
    try:
        return files.read(posixpath.join(uri, name))
    except FileNotFoundError:
        return None


def _packages() -> dict[str, str]:
    installed = {name: _version(name) for name in _PACKAGES}
    return {"python": platform.python_version(), **{name: known for name, known in installed.items() if known}}


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
