"""Reads a YAML file so that mistakes can be shown where they stand.

It remembers the line of every key and list element, refuses a key that comes twice, and reads plain words by YAML 1.2:
`on` is a word, not a boolean; `5e-4` is a number, `109_14` is none; `2024-03-11` stays a text for whoever wants a date.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.resolver import VersionedResolver, implicit_resolvers

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path as FilePath

    from tandem.validation.places import Path

_TAG = "tag:yaml.org,2002:"
_MERGE, _TEXT = f"{_TAG}merge", f"{_TAG}str"

# The plain words that are no texts: tag, pattern (the library's are compiled when they are needed), first characters.
_Word = tuple[str, Any, Sequence[str]]
_WORDS: list[_Word] = [
    (f"{_TAG}null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    (f"{_TAG}bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    (f"{_TAG}int", re.compile(r"^[-+]?[0-9]+$"), "-+0123456789"),
    (
        f"{_TAG}float",
        re.compile(
            r"^[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))$|^\.(?:nan|NaN|NAN)$"
        ),
        "-+.0123456789",
    ),
    (_MERGE, re.compile(r"^<<$"), "<"),
]


class YamlError(ValueError):
    """The text is no YAML, or has a key twice."""

    def __init__(self, line: int, message: str):
        super().__init__(message)
        self.line = line


def _by_first_character(words: Iterable[_Word]) -> dict[str, list[tuple[str, Any]]]:
    """The form in which the library looks words up."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for tag, pattern, characters in words:
        for character in characters:
            found.setdefault(character, []).append((tag, pattern))
    return found


class _CoreSchema(VersionedResolver):
    """The plain words of YAML 1.2's core schema, with decimal numbers alone.

    The library's own are those of 1.2 and some more: dates, and underscores within numbers.
    """

    words = _by_first_character(_WORDS)

    @property
    def versioned_resolver(self) -> dict[str, list[tuple[str, Any]]]:
        """Tags and patterns by the first character of a word."""
        return self.words


class _AnySchema(_CoreSchema):
    """The same, and what other readers take for something else than a text: dates, `on`, underscores within numbers."""

    words = _by_first_character([*_WORDS, *(word[1:] for word in implicit_resolvers)])


def _yaml(schema: type[_CoreSchema] = _CoreSchema) -> Any:  # the library declares what is set on it as None
    yaml = YAML(typ="safe", pure=True)
    yaml.Resolver = schema
    return yaml


def scalar(text: str) -> Any:
    """Reads one value as it would be read in a file.

    >>> scalar("5e-4"), scalar("on"), scalar("[1, 2]"), scalar("007"), scalar("1_4")
    (0.0005, 'on', [1, 2], 7, '1_4')

    Raises:
      YamlError: The text is no YAML.
    """
    return parse(text)[0]


def parse(text: str) -> tuple[Any, dict[Path, int]]:
    """Reads a YAML text. Keys are texts, whatever they look like.

    Returns:
      The value, and the line (from 1 on) of every key and list element.

    Raises:
      YamlError: The text is no YAML, or has a key twice.
    """
    yaml = _yaml()
    try:
        node = yaml.compose(text)
        if node is None:
            return None, {}
        lines: dict[Path, int] = {}
        _note_keys(node, (), lines, ())
        return yaml.constructor.construct_document(node), lines
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise YamlError(line, f"no valid YAML: unacceptable character #x{error.character:04x}") from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", column {mark.column + 1}" if mark else ""
        about = f" ({error.context})" if error.context else ""
        raise YamlError(mark.line + 1 if mark else 1, f"no valid YAML{where}: {error.problem}{about}") from error
    except YAMLError as error:
        raise YamlError(1, f"no valid YAML: {str(error).splitlines()[0]}") from error


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


def dump(value: Any) -> str:
    """Writes plain data so that `parse`, or any other reader of YAML, reads the same; the keys stay in their order.

    >>> print(dump({"name": "shop", "at": ["on", "5e-4"]}), end="")
    name: shop
    at:
    - 'on'
    - '5e-4'
    """
    yaml = _yaml(_AnySchema)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False
    yaml.width = 110
    stream = io.StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def _note_keys(node: Node, path: Path, lines: dict[Path, int], above: tuple[Node, ...]) -> None:
    """Notes the lines of what stands below a node, and makes texts of all keys: `5:` is "5".

    Raises:
      YamlError: A key comes twice or is no word, or an anchor stands for something that contains it.
    """
    line = node.start_mark.line + 1
    if any(node is other for other in above):
        raise YamlError(line, f"the anchor '{node.anchor}' contains itself")
    if isinstance(node, SequenceNode):
        for index, element in enumerate(node.value):
            below = (*path, index)
            lines[below] = element.start_mark.line + 1
            _note_keys(element, below, lines, (*above, node))
    elif isinstance(node, MappingNode):
        seen: dict[str, int] = {}
        for index, (key_node, value) in enumerate(node.value):
            if key_node.tag == _MERGE:  # <<: *anchor; the lines of its keys are those at the anchor
                _note_keys(value, path, {}, (*above, node))
                continue
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise YamlError(line, "a key must be a word, not a list or a mapping")
            key = key_node.value
            if key in seen:
                raise YamlError(line, f"the key '{key}' comes twice, first on line {seen[key]}")
            below = (*path, key)
            seen[key] = lines[below] = line
            node.value[index] = (ScalarNode(_TEXT, key, key_node.start_mark, key_node.end_mark), value)
            _note_keys(value, below, lines, (*above, node))
