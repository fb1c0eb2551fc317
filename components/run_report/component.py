"""The report of a run as a TFX component."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.types.experimental import simple_artifacts

from tandem.components.run_report import executor as keys

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tandem.components.run_report.settings import ReportSettings


class RunReportSpec(types.ComponentSpec):
    """Inputs, outputs and execution properties of the report.

    The page is a plain `File`, for the reason that the quarantine of the ingestion is a plain `Dataset`.
    """

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        keys.SETTINGS: ExecutionParameter(type=str),
    }
    INPUTS: Mapping[str, ChannelParameter] = {
        keys.EVALUATION: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        keys.MODEL: ChannelParameter(type=standard_artifacts.Model),
        keys.MODEL_RUN: ChannelParameter(type=standard_artifacts.ModelRun),
        keys.BASELINE: ChannelParameter(type=standard_artifacts.Model),
        keys.PUSHED_MODEL: ChannelParameter(type=standard_artifacts.PushedModel),
        keys.EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
        keys.QUARANTINE: ChannelParameter(type=simple_artifacts.Dataset),
        keys.STATISTICS: ChannelParameter(type=standard_artifacts.ExampleStatistics),
        keys.SCHEMA: ChannelParameter(type=standard_artifacts.Schema),
        keys.ANOMALIES: ChannelParameter(type=standard_artifacts.ExampleAnomalies),
        keys.TRANSFORM_GRAPH: ChannelParameter(type=standard_artifacts.TransformGraph),
        keys.TRANSFORMED_EXAMPLES: ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS: Mapping[str, ChannelParameter] = {keys.REPORT: ChannelParameter(type=simple_artifacts.File)}


class RunReport(base_component.BaseComponent):
    """Writes all that came out of a run into one HTML file, which needs nothing but a browser.

    It comes last. Since it tells what became of the push, and the pusher looks anew in every run, it is written anew in
    every run, too.

    Its output `report` is a folder with the file `report.html`.
    """

    SPEC_CLASS = RunReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(keys.Executor)

    def __init__(self, settings: ReportSettings, **inputs: types.BaseChannel[types.Artifact]):
        """Makes the component.

        Args:
          settings: What stands in no artifact.
          **inputs: The channels by the names in `RunReportSpec.INPUTS`, all of them.
        """
        super().__init__(
            RunReportSpec(
                **{
                    keys.SETTINGS: settings.model_dump_json(),
                    keys.REPORT: types.Channel(type=simple_artifacts.File),
                },
                **inputs,
            )
        )
