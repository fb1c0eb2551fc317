"""A curated schema as an artifact, made anew whenever its text changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts
from tfx.types import standard_component_specs as keys
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from tandem.components.curated_schema.executor import SCHEMA_TEXT_KEY, Executor
from tandem.components.curated_schema.own_columns import with_own_columns

if TYPE_CHECKING:
    from collections.abc import Sequence


class CuratedSchemaSpec(types.ComponentSpec):
    """Outputs and execution properties of the component."""

    PARAMETERS = {  # noqa: RUF012 - the base class's protocol
        SCHEMA_TEXT_KEY: ExecutionParameter(type=str)
    }
    INPUTS: dict[str, ChannelParameter] = {}  # noqa: RUF012
    OUTPUTS = {  # noqa: RUF012
        keys.SCHEMA_KEY: ChannelParameter(type=standard_artifacts.Schema)
    }


class CuratedSchema(base_component.BaseComponent):
    """The schema of a configuration, and with it the columns of the examples that are none of the logs'.

    TFX's ImportSchemaGen knows a path: an edited schema would be ignored for as long as its artifact is cached, and the
    same schema in another folder would be a new one. Here the text itself is the property.

    Outputs:
      schema: `Schema`.
    """

    SPEC_CLASS: Any = CuratedSchemaSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, schema_text: str, own_columns: Sequence[str] = ()):
        """Makes the component.

        Args:
          schema_text: A schema in protobuf's text format.
          own_columns: Columns that ingestion makes (see `own_columns` in the settings of `LogExampleGen`). Those that
            the text does not list are added as optional int64 features.

        Raises:
          ValueError: The text is no schema.
        """
        text = with_own_columns(schema_text, own_columns)
        super().__init__(self.SPEC_CLASS(schema_text=text, schema=types.Channel(type=standard_artifacts.Schema)))
