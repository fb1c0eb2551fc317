"""The component that turns click and conversion logs into examples."""

from __future__ import annotations

import json
import logging
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.experimental import simple_artifacts

from tandem.components.log_example_gen import executor
from tandem.components.log_example_gen.contents import digest
from tandem.components.log_example_gen.planning.making import TABLES_HAVE_NO_END, all_files
from tandem.components.log_example_gen.sources import LogsError, filesystem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
    from tandem.components.log_example_gen.settings.logs import LogSettings

_LOG = logging.getLogger("tandem.ingest")


class LogExampleGenSpec(ComponentSpec):
    """What `LogExampleGen` takes and gives.

    The quarantine is a plain `Dataset`: a type of our own could not be read back on Kubeflow Pipelines v2, where TFX
    takes its name for an importable path of two parts.
    """

    PARAMETERS = {  # noqa: RUF012
        executor.LOGS: ExecutionParameter(type=str),
        executor.COLUMNS: ExecutionParameter(type=str),
        executor.LABELS: ExecutionParameter(type=str),
        executor.DATA_DIR: ExecutionParameter(type=str),
        executor.OBSERVED_UNTIL_KEY: ExecutionParameter(type=int),
        executor.FINGERPRINT: ExecutionParameter(type=str),
        executor.FAILURE_DIR: ExecutionParameter(type=str),
    }
    INPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS = {  # noqa: RUF012
        executor.EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        executor.QUARANTINE: ChannelParameter(type=simple_artifacts.Dataset),
    }


class LogExampleGen(base_beam_component.BaseBeamComponent):
    """Joins impressions, clicks and conversions (or reads a labelled table) and writes examples with their labels.

    Outputs:
      examples: `Examples`, a split for each period: serialized tf.Examples, TFRecord, gzip.
      quarantine: `Dataset`: the rows that are in no example, by source and reason, and `counts.json`.

    Both artifacts carry the counts as custom properties (`clicks.rows`, `clicks.no_impression` ...).
    """

    SPEC_CLASS: Any = LogExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        logs: LogSettings,
        columns: Mapping[str, ExampleColumn],
        labels: Sequence[Label],
        data_dir: str,
        failure_dir: str = "",
        observed_until: bool = False,
        digest_index: str | None = None,
    ):
        """Describes the step.

        Where the data folder can be seen at this moment, a digest of the names and contents of its files becomes a
        property of the step, so that a cached result is not used once they change. Where it cannot (a package is
        compiled on another machine), there is nothing to notice changes by: compile again, or switch caching off.

        Args:
          logs: What the logs look like, how they are joined and split.
          columns: What goes into the examples, by name.
          labels: All labels.
          data_dir: The folder (or URI) that the globs of the settings are relative to.
          failure_dir: Where the quarantine is copied to when the run fails; empty: a folder `failed` beside the
            outputs.
          observed_until: Whether every example says when the logs end (`observed_until_us`).
          digest_index: A file that keeps the digests of the logs' files, so that only new ones are read for it; None:
            all are.

        Raises:
          LogsError: The data folder exists, and a glob matches nothing there; or the end of the logs is to be told of a
            labelled table.
        """
        if observed_until and logs.table is not None:
            raise LogsError(TABLES_HAVE_NO_END)
        if "://" not in data_dir:
            data_dir = str(Path(data_dir).absolute())
        super().__init__(
            self.SPEC_CLASS(
                **{
                    executor.LOGS: logs.model_dump_json(by_alias=True),
                    executor.COLUMNS: json.dumps({name: column.model_dump() for name, column in columns.items()}),
                    executor.LABELS: json.dumps([label.model_dump() for label in labels]),
                    executor.DATA_DIR: data_dir,
                    executor.OBSERVED_UNTIL_KEY: int(observed_until),
                    executor.FINGERPRINT: _fingerprint(logs, data_dir, digest_index),
                    executor.FAILURE_DIR: failure_dir,
                    executor.EXAMPLES_KEY: Channel(type=standard_artifacts.Examples),
                    executor.QUARANTINE: Channel(type=simple_artifacts.Dataset),
                }
            )
        )


def _fingerprint(logs: LogSettings, data_dir: str, digest_index: str | None) -> str:
    """Returns the digest of the log files; empty where the data folder cannot be seen from here."""
    try:
        system, root = filesystem(data_dir)
        visible = system.isdir(root)
    except Exception as error:  # Every file system raises errors of its own.
        _LOG.warning("%s cannot be seen from here, so changes of the logs are not noticed: %s", data_dir, error)
        return ""
    return digest(chain(*all_files(logs, data_dir).values()), system, digest_index) if visible else ""
