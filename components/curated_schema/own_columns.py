"""A schema's text, completed with the columns that ingestion itself makes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

_SERVING = "SERVING"


def with_own_columns(text: str, columns: Sequence[str]) -> str:
    """Adds optional int64 features for columns that a schema does not list; those it lists stay as they are.

    Requests for predictions have no such columns: where the schema knows the environment `SERVING`, they are not in it.

    Args:
      text: A schema in protobuf's text format.
      columns: The columns.

    Returns:
      The text as it is, comments included, and what is added below it.

    Raises:
      ValueError: The text is no schema.
    """
    try:
        schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise ValueError(f"the schema cannot be read: {error}") from error
    listed = {feature.name for feature in schema.feature}
    serving = f'\n  not_in_environment: "{_SERVING}"' if _SERVING in schema.default_environment else ""
    added = [
        f'feature {{\n  name: "{name}"\n  type: INT\n  value_count {{ min: 1 max: 1 }}{serving}\n}}\n'
        for name in columns
        if name not in listed
    ]
    if not added:
        return text
    return "\n".join([text.rstrip("\n"), "", "# Made by the ingestion; not listed above.", *added]).lstrip("\n")
