"""Features whose names count on, in one entry: C1, C2, C3 of one kind become C1..C3."""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from tandem.pipeline.configuration.feature_lists import names_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_FEWEST = 3
_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<number>\d+)")


class Entry(NamedTuple):
    """A feature as it is to be written.

    Attributes:
      name: Its name.
      rest: The rest of its entry.
      comment: Why it is none; empty: it is one.
    """

    name: str
    rest: str
    comment: str = ""


def folded(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yields the entries; three and more that count on and are alike otherwise as one.

    >>> [entry.name for entry in folded([Entry(name, "kind: bag") for name in ("a", "C08", "C09", "C10", "C12", "7")])]
    ['a', 'C08..C10', 'C12', '7']
    """
    numbered = list(enumerate(entries))
    for _, run in groupby(numbered, key=lambda each: _place_in_a_run(*each)):
        yield from _as_one([entry for _, entry in run])


def _place_in_a_run(position: int, entry: Entry) -> tuple[object, ...]:
    """Returns what entries of a run, and they alone, have in common."""
    found = _NUMBERED.fullmatch(entry.name)
    if found is None:
        return (position,)
    return int(found["number"]) - position, found["prefix"], entry.rest, entry.comment


def _as_one(run: Sequence[Entry]) -> Sequence[Entry]:
    if len(run) < _FEWEST:
        return run
    name = f"{run[0].name}..{run[-1].name}"
    return [run[0]._replace(name=name)] if names_in(name) == [entry.name for entry in run] else run
