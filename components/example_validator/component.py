"""The example validator: an anomaly stops the run and is told in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs as keys
from tfx.types.component_spec import ChannelParameter, ExecutionParameter
from tfx.utils import json_utils

from tandem.components.example_validator.executor import (
    DRIFT_KEY,
    SCHEMA_FILE_KEY,
    SKEW_KEY,
    STATISTICS_DIR_KEY,
    Executor,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class ExampleValidatorSpec(types.ComponentSpec):
    """Inputs, outputs and execution properties of the validator."""

    PARAMETERS: Mapping[str, ExecutionParameter] = {
        keys.EXCLUDE_SPLITS_KEY: ExecutionParameter(type=str, optional=True),
        SCHEMA_FILE_KEY: ExecutionParameter(type=str, optional=True),
        SKEW_KEY: ExecutionParameter(type=str, optional=True),
        DRIFT_KEY: ExecutionParameter(type=str, optional=True),
        STATISTICS_DIR_KEY: ExecutionParameter(type=str, optional=True),
    }
    INPUTS: Mapping[str, ChannelParameter] = keys.ExampleValidatorSpec.INPUTS
    OUTPUTS: Mapping[str, ChannelParameter] = keys.ExampleValidatorSpec.OUTPUTS


class ExampleValidator(base_component.BaseComponent):
    """TFX's ExampleValidator, but an anomaly in any validated split fails the run with `DataAnomaliesError`.

    A split without rows is an anomaly too. Where the schema has comparators, the evaluation split is compared with the
    training split (skew), and the training split with the one accepted last (drift).

    Outputs:
      anomalies: As in TFX, and `drift.json` with every distance (see `tandem.components.example_validator.distances`).
    """

    SPEC_CLASS = ExampleValidatorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        statistics: types.BaseChannel[types.Artifact],
        schema: types.BaseChannel[types.Artifact],
        exclude_splits: Sequence[str] | None = None,
        schema_file: str | None = None,
        skew: Literal["stop", "report"] = "stop",
        drift: Literal["stop", "report"] = "stop",
        statistics_dir: str | None = None,
    ):
        """Makes the component.

        Args:
          statistics: Of type ExampleStatistics.
          schema: Of type Schema.
          exclude_splits: Splits that are not validated; None: all are.
          schema_file: The file to edit when the data are right and the schema is not; errors name it. None: they name
            the run's copy.
          skew: Whether an evaluation split that is too far from the training split stops the run.
          drift: Whether a training split that is too far from the one accepted last does.
          statistics_dir: The folder (or URI) that keeps the statistics of accepted training splits; None: drift is not
            looked at.
        """
        super().__init__(
            ExampleValidatorSpec(
                statistics=statistics,
                schema=schema,
                exclude_splits=json_utils.dumps(list(exclude_splits or [])),
                schema_file=schema_file,
                skew=skew,
                drift=drift,
                statistics_dir=statistics_dir,
                anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
            )
        )
