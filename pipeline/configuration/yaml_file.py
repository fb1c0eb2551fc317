"""Reads a YAML file so that mistakes can be shown where they stand.

Unlike `yaml.safe_load` it refuses a key that comes twice, remembers the line of every key, and reads plain words by the
rules of YAML 1.2: `on` is a word, not a boolean; `5e-4` is a number, not a word; `2024-03-11` stays a text for whoever
wants a date.
"""

from __future__ import annotations

import re
from pathlib import Path as FilePath
from typing import Any

import yaml

Path = tuple[str | int, ...]  # ("features", 3, "min_count")

_PLAIN = {
    "tag:yaml.org,2002:null": (r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    "tag:yaml.org,2002:bool": (r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    "tag:yaml.org,2002:int": (r"^[-+]?[0-9][0-9_]*$", list("-+0123456789")),
    "tag:yaml.org,2002:float": (
        r"^[-+]?(?:(?:[0-9][0-9_]*\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$",
        list("-+.0123456789"),
    ),
    "tag:yaml.org,2002:merge": (r"^<<$", ["<"]),
}


class YamlError(ValueError):
    """The text is no YAML, or has a key twice."""

    def __init__(self, line: int, message: str):
        super().__init__(message)
        self.line = line


class _Loader(yaml.SafeLoader):
    """A SafeLoader with the plain words of YAML 1.2."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own protocol)


def _construct_int(loader: _Loader, node: yaml.ScalarNode) -> int:
    return int(str(loader.construct_scalar(node)).replace("_", ""))


for _tag, (_pattern, _first) in _PLAIN.items():
    _Loader.add_implicit_resolver(_tag, re.compile(_pattern), _first)
_Loader.add_constructor("tag:yaml.org,2002:int", _construct_int)


def scalar(text: str) -> Any:
    """Reads one value as it would be read in a file.

    >>> scalar("5e-4"), scalar("on"), scalar("[1, 2]"), scalar("007")
    (0.0005, 'on', [1, 2], 7)

    Raises:
      YamlError: The text is no YAML.
    """
    return parse(text)[0]


def parse(text: str) -> tuple[Any, dict[Path, int]]:
    """Reads a YAML text.

    Returns:
      The value, and the line (from 1 on) of every key and list element.

    Raises:
      YamlError: The text is no YAML, or has a key twice.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, {}
        lines: dict[Path, int] = {}
        _walk(loader, node, (), lines)
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", column {mark.column + 1}" if mark else ""
        about = f" ({error.context})" if error.context else ""
        raise YamlError(mark.line + 1 if mark else 1, f"no valid YAML{where}: {error.problem}{about}") from error
    except yaml.YAMLError as error:
        raise YamlError(1, f"no valid YAML: {error}") from error
    finally:
        loader.dispose()


def read(path: FilePath) -> tuple[Any, dict[Path, int]]:
    """Reads a YAML file: see `parse`.

    Raises:
      YamlError: The file is no YAML, or has a key twice.
      OSError: The file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise YamlError(1, f"no UTF-8 text: {error.reason} at byte {error.start}") from error
    return parse(text)


def _walk(loader: _Loader, node: yaml.Node, path: Path, lines: dict[Path, int]) -> None:
    """Notes the lines below a node, and refuses keys that come twice."""
    if isinstance(node, yaml.SequenceNode):
        for index, element in enumerate(node.value):
            below = (*path, index)
            lines[below] = element.start_mark.line + 1
            _walk(loader, element, below, lines)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str | int, int] = {}
        for key_node, value in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # <<: *anchor
                continue
            key = loader.construct_object(key_node, deep=True)
            if not isinstance(key, str | int):
                key = str(key)
            line = key_node.start_mark.line + 1
            if key in seen:
                raise YamlError(line, f"the key '{key}' comes twice, first on line {seen[key]}")
            seen[key] = line
            below = (*path, key)
            lines[below] = line
            _walk(loader, value, below, lines)
