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
    from collections.abc import Callable, Iterable
    from pathlib import Path as FilePath

    from tandem.validation.places import Path

_TAG = "tag:yaml.org,2002:"
_MERGE, _NULL, _TEXT = f"{_TAG}merge", f"{_TAG}null", f"{_TAG}str"
_SEQUENCE, _MAPPING = f"{_TAG}seq", f"{_TAG}map"

# More than any configuration has: anchors within anchors can stand for billions of values.
_MOST_NODES = 100_000

# The plain words that are no texts: tag, pattern (the library's are compiled when they are needed), first characters.
_Word = tuple[str, Any, Sequence[str]]
_WORDS: list[_Word] = [
    (_NULL, re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
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


_PATTERNS = {tag: pattern for tag, pattern, _ in _WORDS if tag != _MERGE}
_SCALARS = (*_PATTERNS, _TEXT, _MERGE)


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


def scalar(text: str, as_text: Callable[[Path], bool] = lambda path: False) -> Any:
    """Reads one value as it would be read in a file.

    Args:
      text: The value.
      as_text: As in `parse`.

    >>> scalar("5e-4"), scalar("on"), scalar("[1, 2]"), scalar("007"), scalar("1_4")
    (0.0005, 'on', [1, 2], 7, '1_4')

    Raises:
      YamlError: The text is no YAML.
    """
    return parse(text, as_text)[0]


def parse(text: str, as_text: Callable[[Path], bool] = lambda path: False) -> tuple[Any, dict[Path, int]]:
    """Reads a YAML text. Keys are texts, whatever they look like.

    Args:
      text: The text.
      as_text: Says of a place whether a word there is a text as it is written, `007` and `true` as well.

    Returns:
      The value, and the line (from 1 on) of every key and list element.

    Raises:
      YamlError: The text is no YAML, has a key twice, or what no settings have: tags, values without end.
    """
    yaml = _yaml()
    try:
        node = yaml.compose(text)
        if node is None:
            return None, {}
        nodes = _Nodes(as_text)
        nodes.note(node, ())
        return yaml.constructor.construct_document(node), nodes.lines
    except RecursionError as error:
        raise YamlError(1, "no valid YAML: lists or mappings are nested too deep") from error
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


def read(path: FilePath, as_text: Callable[[Path], bool] = lambda path: False) -> tuple[Any, dict[Path, int]]:
    """Reads a YAML file: see `parse`.

    Args:
      path: The file.
      as_text: As in `parse`.

    Raises:
      YamlError: The file is no YAML, or has a key twice.
      OSError: The file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise YamlError(1, f"no UTF-8 text: {error.reason} at byte {error.start}") from error
    return parse(text, as_text)


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


class _Nodes:
    """Goes over the nodes of a document before values are made of them.

    Attributes:
      lines: Of keys and list elements.
    """

    def __init__(self, as_text: Callable[[Path], bool]):
        self.lines: dict[Path, int] = {}
        self._as_text = as_text
        self._left = _MOST_NODES

    def note(self, node: Node, path: Path, above: tuple[Node, ...] = (), merged: bool = False) -> None:
        """Notes the lines of what stands below a node, and makes texts of all keys: `5:` is "5".

        Args:
          node: A node.
          path: Where it stands.
          above: The nodes that it stands in.
          merged: Whether it is that of `<<: *anchor`; the lines of its keys are those at the anchor.

        Raises:
          YamlError: A key comes twice or is no word, a tag is none of ours, an anchor stands for something that
            contains it, or for too much.
        """
        line = node.start_mark.line + 1
        self._left -= 1
        if self._left < 0:
            raise YamlError(line, f"more than {_MOST_NODES:,} values; anchors within anchors multiply them")
        if any(node is other for other in above):
            raise YamlError(line, f"the anchor '{node.anchor}' contains itself")
        if isinstance(node, ScalarNode):
            self._note_scalar(node, path)
        elif isinstance(node, SequenceNode):
            _require_tag(node, _SEQUENCE)
            for index, element in enumerate(node.value):
                self._note_line((*path, index), element.start_mark.line + 1, merged)
                self.note(element, (*path, index), (*above, node), merged)
        elif isinstance(node, MappingNode):
            _require_tag(node, _MAPPING)
            self._note_mapping(node, path, above, merged)

    def _note_scalar(self, node: ScalarNode, path: Path) -> None:
        _require_tag(node, *_SCALARS)
        pattern = _PATTERNS.get(node.tag or "")
        if pattern is not None and not pattern.match(node.value):  # the tag was written, and is wrong
            raise YamlError(node.start_mark.line + 1, f"'{node.value}' is no '{_short(node)}'")
        if node.style is None and node.tag != _NULL and self._as_text(path):
            node.tag = _TEXT

    def _note_mapping(self, node: MappingNode, path: Path, above: tuple[Node, ...], merged: bool) -> None:
        seen: dict[str, int] = {}
        for index, (key_node, value) in enumerate(node.value):
            if key_node.tag == _MERGE:
                self.note(value, path, (*above, node), merged=True)
                continue
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                raise YamlError(line, "a key must be a word, not a list or a mapping")
            key = key_node.value
            if key in seen:
                raise YamlError(line, f"the key '{key}' comes twice, first on line {seen[key]}")
            seen[key] = line
            self._note_line((*path, key), line, merged)
            node.value[index] = (ScalarNode(_TEXT, key, key_node.start_mark, key_node.end_mark), value)
            self.note(value, (*path, key), (*above, node), merged)

    def _note_line(self, path: Path, line: int, merged: bool) -> None:
        if not merged:
            self.lines[path] = line


def _require_tag(node: Node, *known: str) -> None:
    if node.tag not in known:
        message = f"no valid YAML: could not determine a constructor for the tag '{_short(node)}'"
        raise YamlError(node.start_mark.line + 1, f"{message}; settings need no tags")


def _short(node: Node) -> str:
    """A node's tag as it is typed."""
    return (node.tag or "").replace(_TAG, "!!", 1)
