"""The component that turns click and conversion logs into examples."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from itertools import chain

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.channel import Channel
from tfx.types.component_spec import ChannelParameter, ComponentSpec, ExecutionParameter
from tfx.types.experimental import simple_artifacts

from tandem.components.log_example_gen import executor
from tandem.components.log_example_gen.plan import all_files
from tandem.components.log_example_gen.settings import ExampleColumn, Label, LogSettings
from tandem.components.log_example_gen.sources import fingerprint


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
        executor.CODE_VERSION: ExecutionParameter(type=str),
        executor.FINGERPRINT: ExecutionParameter(type=str),
        executor.FAILURE_DIR: ExecutionParameter(type=str),
    }
    INPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS = {  # noqa: RUF012
        executor.EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        executor.QUARANTINE: ChannelParameter(type=simple_artifacts.Dataset),
    }


class LogExampleGen(base_beam_component.BaseBeamComponent):
    """Joins impressions, clicks and conversions (or reads a labelled table) and writes examples with their labels.

    Outputs:
      examples: `Examples`, a split for each period: serialized tf.Examples, TFRecord, gzip.
      quarantine: `Dataset`: the rows that are in no example, by source and reason, and `counts.json`.

    Both artifacts carry the counts as custom properties (`clicks.rows`, `clicks.no_impression` ...).
    """

    SPEC_CLASS = LogExampleGenSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self,
        logs: LogSettings,
        columns: Mapping[str, ExampleColumn],
        labels: Sequence[Label],
        data_dir: str,
        code_version: str,
        failure_dir: str = "",
    ):
        """Describes the step.

        Where the data folder exists at this moment, the names, sizes and times of its files become a property of the
        step, so that a cached result is not used once they change. Where it does not (a package is compiled on another
        machine), there is nothing to notice changes by: compile again, or switch caching off.

        Args:
          logs: What the logs look like, how they are joined and split.
          columns: What goes into the examples, by name.
          labels: All labels.
          data_dir: The folder (or URI) that the globs of the settings are relative to.
          code_version: Changes when the code of this step does; part of the cache key.
          failure_dir: Where the quarantine is copied to when the run fails; empty: a folder `failed` beside the
            outputs.

        Raises:
          LogsError: The data folder exists, and a glob matches nothing there.
        """
        local = "://" not in data_dir
        if local:
            data_dir = os.path.abspath(data_dir)
        seen = fingerprint(chain(*all_files(logs, data_dir).values())) if local and os.path.isdir(data_dir) else ""
        super().__init__(
            LogExampleGenSpec(
                **{
                    executor.LOGS: logs.model_dump_json(by_alias=True, exclude_none=True),
                    executor.COLUMNS: json.dumps({name: column.model_dump() for name, column in columns.items()}),
                    executor.LABELS: json.dumps([label.model_dump() for label in labels]),
                    executor.DATA_DIR: data_dir,
                    executor.CODE_VERSION: code_version,
                    executor.FINGERPRINT: seen,
                    executor.FAILURE_DIR: failure_dir,
                    executor.EXAMPLES: Channel(type=standard_artifacts.Examples),
                    executor.QUARANTINE: Channel(type=simple_artifacts.Dataset),
                }
            )
        )
