"""A driver that adds execution properties before TFX asks its cache."""

from __future__ import annotations

import abc
from typing import TYPE_CHECKING

from tfx.dsl.components.base import base_driver
from tfx.orchestration.portable import base_driver as portable_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2

if TYPE_CHECKING:
    from tfx.orchestration import metadata


class PropertiesDriver(base_driver.BaseDriver, portable_base_driver.BaseDriver, abc.ABC):
    """Makes something outside the pipeline part of a component's cache key.

    TFX demands the first base class of a component's driver and calls the second. Kubeflow Pipelines v2 runs no
    drivers: an executor must do without the properties.
    """

    def __init__(self, metadata_handle: metadata.Metadata):
        base_driver.BaseDriver.__init__(self, metadata_handle)
        portable_base_driver.BaseDriver.__init__(self, metadata_handle)

    @abc.abstractmethod
    def properties(self, execution_info: data_types.ExecutionInfo) -> dict[str, str]:
        """Returns the execution properties to add."""

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:  # type: ignore[name-defined]
        """Adds them; TFX calls this."""
        result = driver_output_pb2.DriverOutput()  # type: ignore[attr-defined]
        for key, value in self.properties(execution_info).items():
            result.exec_properties[key].string_value = value
        return result
