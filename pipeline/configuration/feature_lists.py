"""Entries of `features:` that stand for several features -> an entry for each.

It is done before anything is checked, so that all checks and all other code see plain features.

>>> expanded = expand([{"name": "C1..C3", "kind": "categorical"}, {"name": "price", "kind": "numeric"}])
>>> [entry["name"] for entry in expanded.features]
['C1', 'C2', 'C3', 'price']
>>> expanded.in_file(("features", 2, "kind"))
('features', 0, 'kind')
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from tandem.models.features import ALL_OTHERS
from tandem.validation.draft import Unclear
from tandem.validation.words import shown

if TYPE_CHECKING:
    from tandem.validation.draft import Draft
    from tandem.validation.places import Path, Problem

Others = Callable[[Sequence[str]], Sequence[str] | None]
"""Columns that are named -> the columns of the logs that no setting names; None: the settings are not clear."""

LONGEST_RANGE = 10_000

# The name of an entry of which it is not known what it stands for: the rest of it is checked all the same.
_UNKNOWN = "unknown"

_RANGE = re.compile(r"(?P<prefix>.*?)(?P<first>\d+)\.\.(?P<again>.*?)(?P<last>\d+)")
_NO_NAME = re.compile(r"[^A-Za-z0-9_.-]")
_OF_ONE = ("column", "columns", "of")


class Expanded(NamedTuple):
    """The features of a file, an entry each.

    Attributes:
      features: Plain data; what is no list of mappings is as it was.
      origins: By position, the position of its entry in the file.
      problems: What is wrong with names that stand for several, by place in the file.
    """

    features: Any
    origins: Sequence[int] = ()
    problems: Sequence[Problem] = ()

    def in_file(self, path: Path) -> Path:
        """Returns the place in the file of what stands at a path after the expansion."""
        if len(path) > 1 and path[0] == "features" and isinstance(path[1], int) and path[1] < len(self.origins):
            return ("features", self.origins[path[1]], *path[2:])
        return path


def nobody_knows(named: Sequence[str]) -> None:
    """Answers as if it were not clear which columns the logs have."""


def columns_left(config: Draft[Any], named: Sequence[str]) -> Sequence[str] | None:
    """Returns the columns of the logs that no setting names; None where the settings that tell them are not clear.

    Args:
      config: The configuration; its features do not matter.
      named: Columns that features name.

    Raises:
      ValueError: The logs cannot be read.
    """
    try:
        logs, data = config.read("logs"), config.read("data_dir")
        tasks = [task for _, task in config.elements("tasks")]
    except Unclear:
        return None
    if data is None:
        return None
    # Imported here, since nothing else of a configuration needs the logs: it brings polars and Arrow.
    from tandem.components.log_example_gen.planning.other_columns import other_columns

    of_tasks = [name for task in tasks for name in (task.label or task.name, task.weight) if name is not None]
    try:
        return other_columns(logs, data, [*named, *of_tasks])
    except OSError as error:
        raise ValueError(str(error)) from error


def expand(written: Any, others: Others = nobody_knows) -> Expanded:
    """Expands the list of features.

    A cross may name columns or categorical features: after this it names columns.

    Args:
      written: What stands below `features`.
      others: Tells the columns that no setting names. Called where an entry asks for them.
    """
    if not isinstance(written, list):
        return Expanded(written)
    problems: list[Problem] = []
    by_entry = [_told(problems, ("features", index), entry, _several) for index, entry in enumerate(written)]
    asking = [index for index, entry in enumerate(written) if _is_for_others(entry)]
    for index in asking:
        rest = by_entry[:index] + by_entry[index + 1 :]
        named = [column for several in rest for one in several for column in _columns(one)]
        of_rest = partial(_others, tell=partial(others, named), again=index != asking[0])
        by_entry[index] = _told(problems, ("features", index), written[index], of_rest)
    flat = [(index, one) for index, several in enumerate(by_entry) for one in several]
    features = _with_columns([one for _, one in flat])
    return Expanded(features, [index for index, _ in flat], problems)


def _told(problems: list[Problem], place: Path, entry: Any, expanded: Callable[[Any], list[Any]]) -> list[Any]:
    """Expands an entry. Where that is not possible, says why, and leaves an entry by which the rest can be checked."""
    try:
        return expanded(entry)
    except ValueError as error:
        problems += [(place, sentence) for sentence in str(error).splitlines()]
        return [{key: value for key, value in entry.items() if key != "except"} | {"name": f"{_UNKNOWN}_{place[-1]}"}]


def _is_for_others(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.get("name") == ALL_OTHERS


def _several(entry: Any) -> list[Any]:
    """Returns an entry for each name of a list or a range; the entry itself where there is neither."""
    name = entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(name, list) and not (isinstance(name, str) and _RANGE.fullmatch(name)):
        return [entry]
    names = [each for part in (name if isinstance(name, list) else [name]) for each in names_in(part)]
    if not names:
        raise ValueError("got [], expected at least one name")
    if ALL_OTHERS in names:
        raise ValueError(f"'{ALL_OTHERS}' stands for all other columns, so it stands alone")
    if len(names) > 1 and (of_one := [key for key in _OF_ONE if entry.get(key) is not None]):
        raise ValueError(f"several features cannot have the same '{of_one[0]}'; each is made of the column of its name")
    return [{**entry, "name": each} for each in names]


def names_in(name: Any) -> list[Any]:
    """Returns the names of a range; anything else is one name.

    >>> names_in("C08..C10"), names_in("price")
    (['C08', 'C09', 'C10'], ['price'])

    Raises:
      ValueError: It looks like a range and is none.
    """
    found = _RANGE.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        return [name]
    prefix, first, last = found["prefix"], found["first"], found["last"]
    count = int(last) - int(first) + 1
    width = len(first) if first.startswith("0") else 0
    if prefix != found["again"]:
        raise ValueError(f"got {shown(name)}: both ends of a range begin alike, as in C1..C26")
    if count < 1:
        raise ValueError(f"got {shown(name)}: a range goes upwards")
    if count > LONGEST_RANGE:
        raise ValueError(f"got {shown(name)}: {count} names; a range has at most {LONGEST_RANGE}")
    if last.startswith("0") and len(last) != width:
        raise ValueError(
            f"got {shown(name)}: both ends of a range have leading zeros to the same length, as in C01..C26"
        )
    return [f"{prefix}{number:0{width}}" for number in range(int(first), int(first) + count)]


def _others(entry: dict[str, Any], tell: Callable[[], Sequence[str] | None], again: bool) -> list[dict[str, Any]]:
    """Returns an entry for each column that is left; one where they are not known."""
    if again:
        raise ValueError(f"only one entry can be called '{ALL_OTHERS}': all other columns")
    left_out, columns = entry.get("except", []), tell()
    plain = {key: value for key, value in entry.items() if key != "except" or not _are_texts(left_out)}
    if columns is None:
        return [{**plain, "name": _UNKNOWN}]
    if of_one := [key for key in _OF_ONE if entry.get(key) is not None]:
        raise ValueError(f"'{of_one[0]}' does not go with the name '{ALL_OTHERS}'")
    if _are_texts(left_out):
        if strange := [name for name in left_out if name not in columns]:
            there = ", ".join(columns) or "none"
            raise ValueError(f"except: {shown(strange)} is not among the columns that no other setting names: {there}")
        columns = [name for name in columns if name not in left_out]
    if not columns:
        raise ValueError(f"'{ALL_OTHERS}' stands for no column: other settings name all columns of the logs")
    named = [(_NO_NAME.sub("_", column) or "_", column) for column in columns]
    return [{**plain, "name": name, **({} if name == column else {"column": column})} for name, column in named]


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _columns(entry: Any) -> list[str]:
    """Returns the columns that a plain entry takes from others, as far as it is sound: a cross takes none."""
    if not isinstance(entry, dict) or entry.get("kind") == "cross":
        return []
    several = entry.get("columns")
    given = several if isinstance(several, list) else [entry.get("column") or entry.get("name")]
    return [name for name in [*given, entry.get("weights")] if isinstance(name, str)]


def _with_columns(features: list[Any]) -> list[Any]:
    """Writes columns in place of the categorical features that a cross names."""
    columns = {
        entry["name"]: entry["column"]
        for entry in features
        if isinstance(entry, dict)
        and entry.get("kind") == "categorical"
        and isinstance(entry.get("name"), str)
        and isinstance(entry.get("column"), str)
    }
    return [
        {**entry, "of": [columns.get(name, name) if isinstance(name, str) else name for name in entry["of"]]}
        if isinstance(entry, dict) and entry.get("kind") == "cross" and isinstance(entry.get("of"), list)
        else entry
        for entry in features
    ]
