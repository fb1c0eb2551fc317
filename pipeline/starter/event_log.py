"""One log of several kinds of events: which kind is the impression, which the click, and what follows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tandem.pipeline.starter.profile import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SHOWN = {"impression", "imp", "exposure", "expose", "exposed", "show", "shown", "view", "views", "pv", "pageview"}
_CLICKED = {"click", "clk", "clicked"}
_KNOWN = {
    *_SHOWN,
    *_CLICKED,
    *(
        "buy",
        "purchase",
        "order",
        "cart",
        "addtocart",
        "add_to_cart",
        "fav",
        "favorite",
        "favourite",
        "collect",
        "like",
    ),
    *("share", "transaction", "pay", "payment", "install", "subscribe", "conversion"),
}
MOST_KINDS = 8


@dataclass(frozen=True)
class EventLog:
    """What the values of the column with the kind of event mean.

    Attributes:
      column: Its name.
      shown: The kind that becomes an impression.
      clicked: The kind that is a click; None: there is none.
      following: Value -> label of the other kinds, the most frequent first.
    """

    column: str
    shown: str
    clicked: str | None
    following: Mapping[str, str]


def speaks_of_events(kinds: Sequence[str]) -> bool:
    """Whether values are kinds of events by what they say."""
    return sum(bool(_words(kind) & _KNOWN) for kind in kinds) > 1


def event_log(column: str, kinds: Sequence[str]) -> EventLog:
    """Says what kinds of events mean.

    Args:
      column: The column that names them.
      kinds: Its values, the most frequent first. Two at least.
    """
    shown = next((kind for kind in kinds if _words(kind) & _SHOWN), None)
    clicked = next((kind for kind in kinds if _words(kind) & _CLICKED), None)
    if shown is None:
        # Clicks alone begin a log as impressions do; of numbers, most events are what comes first.
        shown, clicked = clicked or kinds[0], None
    rest = [kind for kind in kinds if kind not in (shown, clicked)]
    return EventLog(column, shown, clicked, {kind: _label(column, kind) for kind in rest})


def _words(kind: str) -> set[str]:
    return {kind.lower(), *words_of(kind)}


def _label(column: str, kind: str) -> str:
    """Returns a name for a label: the kind's, or (a number) one made of the column's."""
    plain = "_".join(sorted(words_of(kind), key=kind.lower().find))
    return plain if plain and plain[0].isalpha() else f"{'_'.join(sorted(words_of(column))) or 'event'}_{plain}"
