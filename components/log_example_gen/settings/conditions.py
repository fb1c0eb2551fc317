"""Which rows of a file are meant: conditions on its columns, as a user writes them (`where`)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from tandem.settings import Settings


def _one_value(value: Any) -> Any:
    """Refuses what is no single value, in one sentence instead of one for each type."""
    if not isinstance(value, bool | int | float | str):
        raise ValueError("expected a text, a number, true or false")
    return value


_Plain = bool | int | float | str

Scalar = Annotated[_Plain, BeforeValidator(_one_value, json_schema_input_type=_Plain)]
"""What a cell is compared with."""

NOT_NULL = "not_null"


def _tuple(value: Any) -> Any:
    """Makes tuples of lists, which strict validation does not do here."""
    return tuple(value) if isinstance(value, list) else value


Scalars = Annotated[tuple[Scalar, ...], BeforeValidator(_tuple, json_schema_input_type=tuple[Scalar, ...])]
"""Several of them."""


class Condition(Settings, populate_by_name=True):
    """What a cell must be; all that is said here must hold."""

    equals: Scalar | None = None
    """A text: the cell is exactly this. A number: the cell reads as this number (1, 1.0 and " 1" are the same). true or
    false: the cell says so, in whatever case. A text, a number, true or false alone means `equals`.
    """

    one_of: Scalars | None = Field(default=None, alias="in", min_length=1)
    """The cell equals one of these. A list alone means `in`."""

    different: Scalar | None = Field(default=None, alias="not")
    """The cell does not equal this; an empty one does not either, so it satisfies it."""

    none_of: Scalars | None = Field(default=None, alias="not_in", min_length=1)
    """The cell equals none of these."""

    at_least: float | None = None
    """The cell is a number and not less than this."""

    at_most: float | None = None
    """The cell is a number and not more than this."""

    above: float | None = None
    """The cell is a number and more than this."""

    below: float | None = None
    """The cell is a number and less than this."""

    not_null: bool | None = None
    """Whether the cell must hold something (`true`) or be empty (`false`). The word `not_null` alone is `true`."""

    @model_validator(mode="after")
    def _says_something(self) -> Condition:
        if all(getattr(self, name) is None for name in type(self).model_fields):
            raise ValueError("a condition says at least one thing, such as {equals: view} or {at_least: 5}")
        return self

    def __str__(self) -> str:
        """Writes it as a user would."""
        said = self.model_dump(by_alias=True, exclude_none=True)
        return ", ".join(f"{name} {_written(value)}" for name, value in said.items())


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return f"[{', '.join(map(_written, value))}]" if isinstance(value, tuple | list) else str(value)


def _as_mapping(value: Any) -> Any:
    """Reads one value as `equals`, a list as `in`, and the word `not_null` as itself."""
    if value == NOT_NULL:
        return {"not_null": True}
    if isinstance(value, bool | int | float | str):
        return {"equals": value}
    if isinstance(value, list | tuple):
        return {"in": value}
    if not isinstance(value, dict | Condition):
        raise ValueError("expected a value, a list of values, or a mapping such as {at_least: 5}")
    return value


Where = dict[
    str,
    Annotated[
        Condition,
        BeforeValidator(_as_mapping, json_schema_input_type=Scalar | tuple[Scalar, ...] | Condition),
    ],
]
"""Conditions by column; all must hold."""
