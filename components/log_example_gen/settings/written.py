"""Values as a user writes them: names, words, times."""

from __future__ import annotations

import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field


def _listed(value: Any) -> Any:
    """Reads one name as a list of one; makes tuples of lists, which strict validation does not do here."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _utc(value: Any) -> Any:
    """Reads dates as midnight UTC and times without a zone as UTC."""
    if isinstance(value, str):
        value = datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day, tzinfo=datetime.timezone.utc)
    if isinstance(value, datetime.datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=datetime.timezone.utc)
    return value


_DATE_OR_TIME = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}(:\d{2}(:\d{2}(\.\d{3}(\d{3})?)?)?)?(Z|[+-]\d{2}:\d{2})?)?$"


def _kinds(value: Any) -> Any:
    """Reads the kinds of events as texts: in a file, 1 is a number and the cell is a text."""
    return {str(kind): label for kind, label in value.items()} if isinstance(value, dict) else value


def _words(value: Any) -> Any:
    """Reads texts and numbers, one or a list of them, as texts."""
    values = list(value) if isinstance(value, list | tuple) else [value]
    texts = [str(each).lower() if isinstance(each, bool) else each for each in values]
    return tuple(str(each) if isinstance(each, int | float) else each for each in texts)


# What a user may write is the type of the JSON schema.
Names = Annotated[tuple[str, ...], BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...])]
UtcTime = Annotated[
    datetime.datetime,
    BeforeValidator(_utc, json_schema_input_type=Annotated[str, Field(pattern=_DATE_OR_TIME)]),
]
Kinds = Annotated[dict[str, str], BeforeValidator(_kinds)]
Words = Annotated[
    tuple[str, ...],
    BeforeValidator(_words, json_schema_input_type=str | float | bool | tuple[str | float | bool, ...]),
]
