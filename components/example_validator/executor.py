"""Fails the run when the data do not fit the schema; TFX glue around `messages`."""

from __future__ import annotations

import logging
import posixpath
from typing import TYPE_CHECKING, Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator import executor
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as keys
from tfx.utils import io_utils

from tandem import files
from tandem.components.example_validator.accepted import AcceptedStatistics, fingerprint
from tandem.components.example_validator.distances import describe, distances, write_distances
from tandem.components.example_validator.messages import sentences

if TYPE_CHECKING:
    from tfx import types
    from tfx.proto.orchestration import execution_result_pb2

_LOG = logging.getLogger("tandem.example_validator")

SCHEMA_FILE_KEY = "schema_file"
SKEW_KEY, DRIFT_KEY = "skew", "drift"
STATISTICS_DIR_KEY = "statistics_dir"

_TRAIN, _EVAL = "train", "eval"


class DataAnomaliesError(ValueError):
    """The data do not fit the schema."""


class Executor(executor.Executor):
    """TFX's validator, followed by a verdict."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:  # type: ignore[name-defined]
        """Validates the statistics of every split that is not excluded, and compares splits as the schema asks.

        Every distance is in `drift.json` of the anomalies. The statistics of a training split that was not refused are
        kept: the next one is compared with them.

        Raises:
          DataAnomaliesError: There are anomalies, or distances above their threshold that are to stop the run. All of
            them are in the message: a failed run keeps no artifacts.
        """
        result = super().Do(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(output_dict[keys.ANOMALIES_KEY])
        splits = artifact_utils.decode_split_names(artifact.split_names)
        found = [line for split in splits for line in sentences(split, _anomalies(artifact, split))]
        schema_file = exec_properties.get(SCHEMA_FILE_KEY)
        schema = schema_file or f"of this run ({artifact_utils.get_single_uri(input_dict[keys.SCHEMA_KEY])})"
        if found:
            raise DataAnomaliesError(_report(found, schema))
        _LOG.info("the data fit the schema in every split validated (%s)", ", ".join(splits) or "none")
        if _TRAIN in splits:
            _compare(input_dict, artifact, splits, exec_properties, schema)
        return result


def _compare(
    input_dict: dict[str, list[types.Artifact]],
    anomalies: types.Artifact,
    splits: list[str],
    exec_properties: dict[str, Any],
    schema_name: str,
) -> None:
    """Measures skew and drift, and accepts or refuses the training split."""
    schema = io_utils.SchemaReader().read(
        io_utils.get_only_uri_in_dir(artifact_utils.get_single_uri(input_dict[keys.SCHEMA_KEY]))
    )
    statistics = artifact_utils.get_single_instance(input_dict[keys.STATISTICS_KEY])
    training = stats_artifact_utils.load_statistics(statistics, _TRAIN).proto()
    mark, folder = fingerprint(training), exec_properties.get(STATISTICS_DIR_KEY)
    store = AcceptedStatistics(folder) if folder else None
    found = distances("drift", schema, training, store.before(mark) if store else None)
    if _EVAL in splits:
        evaluation = stats_artifact_utils.load_statistics(statistics, _EVAL).proto()
        found = [*distances("skew", schema, training, evaluation), *found]
    write_distances(anomalies.uri, found)
    stops = {kind for kind in (SKEW_KEY, DRIFT_KEY) if exec_properties.get(kind) == "stop"}
    if store and store.accepted(mark):
        stops.discard(DRIFT_KEY)  # A run took them as they are, or they were not refused then.
    refused = [each for each in found if each.exceeded and each.kind in stops]
    if refused:
        raise DataAnomaliesError(_moved([each.text for each in refused], schema_name, {each.kind for each in refused}))
    for line in describe(found):
        _LOG.info("%s", line)
    for each in found:
        if each.exceeded:
            _LOG.warning("%s", each.text)
    if store:
        store.accept(training)


def _anomalies(artifact: types.Artifact, split: str) -> anomalies_pb2.Anomalies:
    path = posixpath.join(artifact_utils.get_split_uri([artifact], split), executor.DEFAULT_FILE_NAME)
    return anomalies_pb2.Anomalies.FromString(files.read(path))


def _moved(found: list[str], schema: str, kinds: set[str]) -> str:
    count = "1 feature" if len(found) == 1 else f"{len(found)} features"
    once = " ".join(f"--set statistics.{kind}=report" for kind in sorted(kinds))
    return "\n  ".join(
        [
            f"the data have moved, {count} above the threshold of the schema:",
            *found,
            f"If that is as it should be, run once with {once}, or edit the threshold in the schema {schema}; "
            "if it is not, mend the logs or how they are read.",
        ]
    )


def _report(found: list[str], schema: str) -> str:
    count = "1 anomaly" if len(found) == 1 else f"{len(found)} anomalies"
    return "\n  ".join(
        [
            f"the data do not fit the schema, {count}:",
            *found,
            f"If the data are right, edit the schema {schema}; if they are wrong, mend the logs or how they are read.",
        ]
    )
