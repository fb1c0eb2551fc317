"""Says in plain words what is wrong with a configuration: where, what was received, what is allowed."""

from __future__ import annotations

import datetime
import difflib
import types
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from tandem.pipeline.configuration.yaml_file import Path

_NAMES = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
    bool: ("true or false", "true or false"),
    datetime.datetime: ("a date or time, such as 2024-03-11 or 2024-03-11T06:00:00Z", "dates or times"),
}


class ConfigError(ValueError):
    """A configuration that cannot be run.

    Attributes:
      problems: One line each: the place, what was received and what is allowed.
    """

    def __init__(self, problems: Iterable[str]):
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def key_path(path: Path, data: Any) -> str:
    """Writes a path as a user would, with the names of list elements that have one.

    >>> key_path(("features", 1, "min_count"), {"features": [{}, {"name": "city"}]})
    "features[1].min_count (of 'city')"
    """
    text, names = "", []
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else str(key)
        data = _child(data, key)
        if isinstance(key, int) and isinstance(data, dict) and isinstance(data.get("name"), str):
            names.append(f"'{data['name']}'")
    return text + (f" (of {', '.join(names)})" if names else "")


def explain(error: ValidationError, model: type[BaseModel], data: Any) -> list[tuple[Path, str]]:
    """Translates pydantic's findings.

    Args:
      error: What validating `data` against `model` raised.
      model: The class of the whole configuration.
      data: What was received: the plain dictionaries and lists of the YAML file.

    Returns:
      Per problem the path in the file and a sentence.
    """
    found: dict[tuple[Path, str], None] = {}  # a dictionary: in order, each once
    for detail in error.errors(include_url=False):
        path = _path_in_file(detail, data)
        if detail["type"] == "too_short" and _at(data, path):
            continue  # its elements have problems of their own, and pydantic counts the sound ones only
        annotation = _annotation_at(model, path, data)
        found[(path, _sentence(detail, path, annotation, data))] = None
    return list(found)


def unknown(kind: str, name: object, allowed: Iterable[str]) -> str:
    """Says that a name is unknown, which one may have been meant, and which there are.

    >>> unknown("key", "min_cuont", ["name", "min_count"])
    "unknown key 'min_cuont'; did you mean 'min_count'? Allowed: min_count, name"
    """
    allowed = sorted(allowed)
    close = difflib.get_close_matches(str(name), allowed, n=1)
    hint = f"; did you mean '{close[0]}'? Allowed: " if close else "; allowed: "
    return f"unknown {kind} '{name}'{hint}{', '.join(allowed) or 'none'}"


def _sentence(detail: ErrorDetails, path: Path, annotation: Any, data: Any) -> str:
    kind, context, got = detail["type"], detail.get("ctx", {}), shown(detail["input"])
    if kind == "extra_forbidden":
        return unknown("key", path[-1], _keys(_annotation_at_parent(annotation)))
    if kind == "missing":
        return f"is missing; expected {describe(annotation)}"
    if kind == "union_tag_not_found":
        return f"'kind' is missing; expected one of {_kinds(annotation)}"
    if kind == "union_tag_invalid":
        return f"kind: got '{context['tag']}', expected one of {_kinds(annotation)}"
    if kind in ("value_error", "assertion_error"):
        message = str(context.get("error", detail["msg"]))
        scalar = not isinstance(_at(data, path), dict | list)
        return f"got {got}: {message}" if scalar and got not in message else message
    wanted = describe(annotation)
    return f"got {got}, expected {wanted}" if wanted else f"got {got}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _kinds(annotation: Any) -> str:
    """The values of `kind` that choose among the classes of a union."""
    return ", ".join(repr(_fields(member)["kind"].default) for member in _members(annotation))


def shown(value: Any) -> str:
    """A received value, short enough for one line.

    >>> shown("abc"), shown(None), shown({"a": 1})
    ("'abc'", 'nothing', "a mapping (key 'a')")
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return f"a mapping ({'keys' if len(value) != 1 else 'key'} {', '.join(map(repr, value)) or 'none'})"[:80]
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else text[:57] + "..."


# --- Where ---


def _child(data: Any, key: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(key)
    if isinstance(data, list | tuple) and isinstance(key, int) and 0 <= key < len(data):
        return data[key]
    return None


def _has(data: Any, key: str | int) -> bool:
    return (isinstance(data, dict) and key in data) or (
        isinstance(data, list | tuple) and isinstance(key, int) and 0 <= key < len(data)
    )


def _at(data: Any, path: Path) -> Any:
    for key in path:
        data = _child(data, key)
    return data


def _path_in_file(detail: ErrorDetails, data: Any) -> Path:
    """Drops the parts of pydantic's location that no key of the file stands for (the member of a union, say)."""
    path: list[str | int] = []
    location = detail["loc"]
    for position, key in enumerate(location):
        missing = detail["type"] == "missing" and position == len(location) - 1
        if missing or _has(data, key):
            path.append(key)
            data = _child(data, key)
    return tuple(path)


# --- What is allowed ---


class _Forbidden:
    """Stands for a key that a model does not have."""

    def __init__(self, parent: Any):
        self.parent = parent


def _annotation_at_parent(annotation: Any) -> Any:
    return annotation.parent if isinstance(annotation, _Forbidden) else annotation


def _annotation_at(model: type[BaseModel], path: Path, data: Any) -> Any:
    """Follows the classes along a path of the file."""
    annotation: Any = model
    for key in path:
        annotation = _step(annotation, key, data) or _Forbidden(_member(annotation, data))
        data = _child(data, key)
        if isinstance(annotation, _Forbidden):
            break
    return annotation


def _members(annotation: Any) -> list[Any]:
    """The alternatives of a union without None, or the type itself."""
    if get_origin(annotation) is Annotated:
        return _members(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for option in get_args(annotation) if option is not type(None) for member in _members(option)]
    return [annotation]


def _member(annotation: Any, data: Any) -> Any:
    """The alternative of a union that `data` means: the one with the same `kind`, or with its keys, else the first."""
    members = _members(annotation)
    if not isinstance(data, dict):
        return members[0]
    for member in members:
        field = _fields(member).get("kind")
        if field is not None and data.get("kind") == field.default:
            return member
    return max(members, key=lambda member: (len(data.keys() & _fields(member).keys()), bool(_fields(member))))


def _step(annotation: Any, key: str | int, data: Any) -> Any:
    member = _member(annotation, data)
    origin, arguments = get_origin(member), get_args(member)
    if origin in (tuple, list):
        return arguments[0] if isinstance(key, int) else _step(arguments[0], key, data)  # one in place of a list
    if origin is dict:
        return arguments[1]
    field = _fields(member).get(str(key))
    return None if field is None else Annotated[field.annotation, field]


def _fields(annotation: Any) -> dict[str, FieldInfo]:
    """A model's fields by the name they have in the file."""
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return {}
    return {field.alias or name: field for name, field in annotation.model_fields.items()}


def _keys(annotation: Any) -> list[str]:
    if get_origin(annotation) in (tuple, list):
        return _keys(get_args(annotation)[0])
    return [key for member in _members(annotation) for key in _fields(member)]


def describe(annotation: Any, plural: bool = False) -> str:
    """What values a type allows, in words; empty where there are no plain ones.

    >>> describe(int), describe(Literal["s", "ms"]), describe(tuple[str, ...])
    ('a whole number', "one of 's', 'ms'", 'a list of texts')
    """
    if isinstance(annotation, _Forbidden):
        return ""
    if get_origin(annotation) is Annotated:
        base, *extras = get_args(annotation)
        inner = describe(base, plural)
        return f"{inner}{_bounds(extras, base)}" if inner else ""
    members = _members(annotation)
    if len(members) > 1:
        words = [describe(member, plural) for member in members]
        return " or ".join(dict.fromkeys(words)) if all(words) else ""
    member = members[0]
    if member is not annotation:  # Optional[...]: its own Annotated, if any, has been unwrapped by _members
        return next(describe(option, plural) for option in get_args(annotation) if option is not type(None))
    return _describe_plain(member, plural)


def _describe_plain(member: Any, plural: bool) -> str:
    origin, arguments = get_origin(member), get_args(member)
    if origin is Literal:
        return f"one of {', '.join(map(repr, arguments))}" if len(arguments) > 1 else repr(arguments[0])
    if origin in (tuple, list):
        inner = describe(arguments[0], plural=True)
        return f"{'lists' if plural else 'a list'} of {inner}" if inner else ""
    if origin is dict or member is dict:
        return "mappings (key: value)" if plural else "a mapping (key: value)"
    if isinstance(member, type) and issubclass(member, BaseModel):
        return f"{'mappings' if plural else 'a mapping'} with the keys {', '.join(_fields(member))}"
    return _NAMES[member][plural] if member in _NAMES else ""


def _bounds(extras: Iterable[Any], base: Any) -> str:
    """The limits that annotations set: ' >= 2', ' (at least 1)'."""
    words = ""
    for extra in extras:
        for limit in extra.metadata if isinstance(extra, FieldInfo) else [extra]:
            for name, sign in (("gt", ">"), ("ge", ">="), ("lt", "<"), ("le", "<=")):
                if getattr(limit, name, None) is not None:
                    words += f"{' and' if words else ''} {sign} {getattr(limit, name)}"
            words += _length(limit, base)
    return words


def _length(limit: Any, base: Any) -> str:
    unit = "character" if str in _members(base) else "element"
    words = ""
    for name, sign in (("min_length", "at least"), ("max_length", "at most")):
        length = getattr(limit, name, None)
        if length:
            words += f" of {sign} {length} {unit}{'s' if length != 1 else ''}"
    return words
