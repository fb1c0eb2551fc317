"""Writes a schema."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.types import standard_component_specs as keys

from tandem.files import write

if TYPE_CHECKING:
    from tfx import types

SCHEMA_TEXT_KEY = "schema_text"

_FILE = "schema.pbtxt"  # as SchemaGen calls it


class Executor(base_executor.BaseExecutor):
    """Writes the schema of the properties as it stands there."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Runs the step; see `CuratedSchema`."""
        self._log_startup(input_dict, output_dict, exec_properties)
        folder = artifact_utils.get_single_uri(output_dict[keys.SCHEMA_KEY])
        write(posixpath.join(folder, _FILE), exec_properties[SCHEMA_TEXT_KEY])
