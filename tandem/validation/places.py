"""Where a setting stands: in what was read, and in the classes that say what may be written there."""

from __future__ import annotations

import types
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, Field

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

Path = tuple[str | int, ...]
"""The keys that lead to a setting: ("features", 3, "min_count")."""

Problem = tuple[Path, str]
"""What is wrong, in a sentence, and where."""


# --- In what was read ---


def child(data: Any, key: str | int) -> Any:
    """Returns what stands below a key; None where nothing does."""
    return data[key] if has(data, key) else None


def has(data: Any, key: str | int) -> bool:
    """Returns whether a mapping has a key, or a list an element."""
    return (isinstance(data, dict) and key in data) or (
        isinstance(data, list | tuple) and isinstance(key, int) and 0 <= key < len(data)
    )


def at(data: Any, path: Path) -> Any:
    """Returns what stands at a path; None where nothing does."""
    for key in path:
        data = child(data, key)
    return data


def key_path(path: Path, data: Any) -> str:
    """Writes a path as a user would, with the names of list elements that have one.

    >>> key_path(("features", 1, "min_count"), {"features": [{}, {"name": "city"}]})
    "features[1].min_count (of 'city')"
    """
    text, names = "", []
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
        data = child(data, key)
        if isinstance(key, int) and isinstance(data, dict) and isinstance(data.get("name"), str):
            names.append(f"'{data['name']}'")
    return text + (f" (of {', '.join(names)})" if names else "")


# --- In the classes ---


class NoSuchKey:
    """Stands for the type of a key that a class does not have.

    Attributes:
      parent: The class, or another type that has no keys.
    """

    def __init__(self, parent: Any):
        self.parent = parent


def annotation_at(root: Any, path: Path, data: Any) -> Any:
    """Follows the classes along a path.

    Args:
      root: The type of the whole.
      path: Where to go.
      data: What was read; it chooses between the members of a union.

    Returns:
      The type there, its constraints included; a `NoSuchKey` where the path leads to no setting.
    """
    annotation = root
    for key in path:
        following = _step(annotation, key, data)
        if following is None:
            return NoSuchKey(member_for(annotation, data))
        annotation, data = following, child(data, key)
    return annotation


def _step(annotation: Any, key: str | int, data: Any) -> Any:
    member = member_for(annotation, data)
    origin, arguments = get_origin(member), get_args(member)
    if origin in (tuple, list):
        return arguments[0] if isinstance(key, int) else _step(arguments[0], key, data)  # one in place of a list
    if origin is dict:
        return arguments[1]
    field = fields(member).get(str(key))
    if field is None:
        return None
    if field.discriminator is not None:
        return Annotated[annotated(field), Field(discriminator=field.discriminator)]
    return annotated(field)


def annotated(field: FieldInfo) -> Any:
    """Returns the type of a field together with its constraints."""
    annotation: Any = field.annotation
    for limit in field.metadata:
        annotation = Annotated[annotation, limit]
    return annotation


def members(annotation: Any) -> list[Any]:
    """Returns the alternatives of a union without None, or the type itself."""
    if get_origin(annotation) is Annotated:
        return members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for option in get_args(annotation) if option is not type(None) for member in members(option)]
    return [annotation]


def member_for(annotation: Any, data: Any) -> Any:
    """Returns the alternative that is meant: the one with the same `kind`, or with the most keys, else the first."""
    options = members(annotation)
    if not isinstance(data, dict):
        return options[0]
    for option in options:
        kind = fields(option).get("kind")
        if kind is not None and data.get("kind") == kind.default:
            return option
    return max(options, key=lambda option: (len(data.keys() & fields(option).keys()), bool(fields(option))))


def fields(annotation: Any) -> dict[str, FieldInfo]:
    """Returns the fields of a settings class by the name that a user writes; none of any other type."""
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return {}
    return {field.alias or name: field for name, field in annotation.model_fields.items()}


def keys(annotation: Any) -> list[str]:
    """Returns the keys that a mapping of this type may have; those of an element, where the type is a list."""
    if get_origin(annotation) in (tuple, list):
        return keys(get_args(annotation)[0])
    return [key for member in members(annotation) for key in fields(member)]
