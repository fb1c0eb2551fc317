"""Says in plain words what is wrong with settings: what was received, what is allowed, what may have been meant."""

from __future__ import annotations

import datetime
import difflib
import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from tandem.validation.places import (
    NoSuchKey,
    Path,
    Problem,
    annotation_at,
    at,
    child,
    fields,
    has,
    keys,
    members,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pydantic_core import ErrorDetails

_NAMES = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("a text", "texts"),
    bool: ("true or false", "true or false"),
    datetime.datetime: ("a date or time, such as 2024-03-11 or 2024-03-11T06:00:00Z", "dates or times"),
}


def closest(name: object, allowed: Iterable[str]) -> str | None:
    """Returns the allowed name that may have been meant; None where none is near.

    >>> closest("mmeo", ["mmoe", "ple"]), closest("dnn", ["mmoe", "ple"])
    ('mmoe', None)
    """
    near = difflib.get_close_matches(str(name), sorted(allowed), n=1)
    return near[0] if near else None


def choices(name: object, allowed: Iterable[str]) -> str:
    """Says what may have been meant by a name, and which names there are: what follows "there is no ... 'NAME'"."""
    allowed = sorted(allowed)
    near = closest(name, allowed)
    hint = f"; did you mean '{near}'? Allowed: " if near else "; allowed: "
    return f"{hint}{', '.join(allowed) or 'none'}"


def unknown(kind: str, name: object, allowed: Iterable[str]) -> str:
    """Says that a name is unknown, which one may have been meant, and which there are.

    >>> unknown("key", "min_cuont", ["name", "min_count"])
    "unknown key 'min_cuont'; did you mean 'min_count'? Allowed: min_count, name"
    """
    return f"unknown {kind} '{name}'{choices(name, allowed)}"


def validated(annotation: Any, data: Any) -> Any:
    """Reads plain data as a type, as strictly as a configuration file is read.

    Args:
      annotation: A settings class or any other type.
      data: Dictionaries, lists and words.

    Raises:
      ValidationError: They are not of the type.
    """
    text = json.dumps(data, default=str)
    return TypeAdapter(annotation).validate_json(text, strict=True, by_alias=True, by_name=False)


def explain(error: ValidationError, root: Any, data: Any) -> list[Problem]:
    """Translates pydantic's findings. What only follows from another finding is left out.

    Args:
      error: What validating `data` against `root` raised.
      root: The type of the whole.
      data: What was received, plain dictionaries, lists and words.

    Returns:
      Per problem the path in the data and a sentence.
    """
    found: dict[Problem, None] = {}  # a dictionary: in order, each once
    details = [(_path_in_data(detail, data), detail) for detail in error.errors(include_url=False)]
    above = {path[:length] for path, _ in details for length in range(len(path))}
    misspelt = {
        (*path[:-1], meant)
        for path, detail in details
        if detail["type"] == "extra_forbidden"
        and (meant := closest(path[-1], keys(_parent(annotation_at(root, path, data)))))
    }
    for path, detail in details:
        if detail["type"] == "too_short" and at(data, path):
            continue  # its elements have problems of their own, and pydantic counts the sound ones only
        if detail["type"] == "missing" and path in misspelt:
            continue  # it is there, under the name that is reported
        if detail["type"].endswith("_type") and path in above:
            continue  # it may be something else, and as that, something in it is wrong
        annotation = annotation_at(root, path, data)
        if detail["type"] in ("union_tag_not_found", "union_tag_invalid"):
            found |= dict.fromkeys(_of_unclear_kind(detail, path, annotation, at(data, path)))
        else:
            found[path, _sentence(detail, path, annotation, data)] = None
    return list(found)


def _sentence(detail: ErrorDetails, path: Path, annotation: Any, data: Any) -> str:
    kind, context, got = detail["type"], detail.get("ctx", {}), shown(detail["input"])
    if kind == "extra_forbidden":
        return unknown("key", path[-1], keys(_parent(annotation)))
    if kind == "missing":
        return f"is missing; expected {describe(annotation)}"
    if kind in ("value_error", "assertion_error"):
        message = str(context.get("error", detail["msg"]))
        scalar = not isinstance(at(data, path), dict | list)
        return f"got {got}: {message}" if scalar and got not in message else message
    wanted = describe(annotation)
    if kind == "string_type" and isinstance(detail["input"], int | float):
        return f"got {got}, expected {wanted or 'a text'}; quote it: '{got}'"
    if kind in ("tuple_type", "list_type") and isinstance(detail["input"], int | float) and "a list of text" in wanted:
        return f"got {got}, expected {wanted}; quote it: '{got}'"
    return f"got {got}, expected {wanted}" if wanted else f"got {got}: {detail['msg'][:1].lower()}{detail['msg'][1:]}"


def _of_unclear_kind(detail: ErrorDetails, path: Path, annotation: Any, data: dict[str, Any]) -> list[Problem]:
    """Says that `kind` is wrong or missing, and what is wrong by the kind that may have been meant."""
    of_kind = {fields(member)["kind"].default: member for member in members(annotation)}
    allowed = f"expected one of {', '.join(map(repr, of_kind))}"
    known = set(keys(annotation))
    written = "kind"
    if detail["type"] == "union_tag_invalid":
        tag = detail["ctx"]["tag"]
        found = [(path, f"kind: got '{tag}', {allowed}")]
        meant = closest(tag, of_kind)
    else:
        unknown_keys = [key for key in data if key not in known]
        written = next((key for key in unknown_keys if closest(key, known) == "kind"), "kind")
        is_misspelt = written != "kind"
        found = [((*path, written), unknown("key", written, known))] if is_misspelt else []
        found += [] if is_misspelt else [(path, f"'kind' is missing; {allowed}")]
        meant = data[written] if is_misspelt and data[written] in of_kind else None
    if meant is None:
        strange = [key for key in data if key not in known and key != written]
        return found + [((*path, key), unknown("key", key, known)) for key in strange]
    guess = {key: value for key, value in data.items() if key != written} | {"kind": meant}
    try:
        validated(of_kind[meant], guess)
    except ValidationError as error:
        found += [((*path, *below), sentence) for below, sentence in explain(error, of_kind[meant], guess)]
    return found


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


def _path_in_data(detail: ErrorDetails, data: Any) -> Path:
    """Drops the parts of pydantic's location that no key of the data stands for (the member of a union, say)."""
    path: list[str | int] = []
    location = detail["loc"]
    for position, key in enumerate(location):
        missing = detail["type"] == "missing" and position == len(location) - 1
        if missing or has(data, key):
            path.append(key)
            data = child(data, key)
    return tuple(path)


def _parent(annotation: Any) -> Any:
    """The class that lacks a key."""
    return annotation.parent if isinstance(annotation, NoSuchKey) else annotation


# --- What is allowed ---


def describe(annotation: Any, plural: bool = False) -> str:
    """What values a type allows, in words; empty where there are no plain ones.

    >>> describe(int), describe(Literal["s", "ms"]), describe(tuple[str, ...])
    ('a whole number', "one of 's', 'ms'", 'a list of texts')
    """
    if isinstance(annotation, NoSuchKey):
        return ""
    if get_origin(annotation) is Annotated:
        base, *extras = get_args(annotation)
        inner = describe(base, plural)
        return f"{inner}{bounds(extras, base)}" if inner else ""
    options = members(annotation)
    if len(options) > 1:
        words = [describe(member, plural) for member in options]
        return " or ".join(dict.fromkeys(words)) if all(words) else ""
    member = options[0]
    if member is not annotation:  # Optional[...]: its own Annotated, if any, has been unwrapped by `members`
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
        return f"{'mappings' if plural else 'a mapping'} with the keys {', '.join(fields(member))}"
    return _NAMES[member][plural] if member in _NAMES else ""


def bounds(extras: Iterable[Any], base: Any) -> str:
    """Returns the limits that an annotation sets, in words: " >= 2", " of at least 1 element".

    Args:
      extras: What stands beside the type in `Annotated`.
      base: The type.
    """
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    values: list[str] = []
    lengths: dict[str, int] = {}
    for extra in extras:
        for limit in extra.metadata if isinstance(extra, FieldInfo) else [extra]:
            told: dict[str, Any] = {name: getattr(limit, name, None) for name in (*signs, "min_length", "max_length")}
            given = {name: value for name, value in told.items() if value is not None}
            values += [f"{sign} {given[name]}" for name, sign in signs.items() if name in given]
            lengths |= {name: value for name, value in given.items() if name not in signs}
    return f" {' and '.join(values)}" * bool(values) + _length(base, **lengths)


def _length(base: Any, min_length: int = 0, max_length: int | None = None) -> str:
    unit = "character" if str in members(base) else "element"
    if min_length == max_length:
        return f" of {min_length} {unit}{'s' if min_length != 1 else ''}"
    words = f" of at least {min_length} {unit}{'s' if min_length != 1 else ''}" if min_length else ""
    return words + (f" of at most {max_length} {unit}{'s' if max_length != 1 else ''}" if max_length else "")
