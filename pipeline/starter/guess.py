"""Which file is what: streams, a labelled table, tables about users and items; their keys, times and labels.

Everything here is a guess, and is told as one: a user reads the file that comes of it.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from tandem.components.log_example_gen.settings import TimeColumn
from tandem.components.log_example_gen.times import moment_us
from tandem.pipeline.starter.profile import Profile, TimeUnit, profile, words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

Role = Literal["impressions", "clicks", "conversions", "table"]

_ROLE_WORDS: dict[Role, tuple[str, ...]] = {
    "impressions": ("impression", "impressions", "imp", "imps", "exposure", "exposures", "shown", "pv", "views"),
    "clicks": ("click", "clicks", "clk", "clks"),
    "conversions": (
        *("conversion", "conversions", "conv", "convs", "order", "orders", "purchase", "purchases", "buy", "buys"),
        *("sale", "sales", "install", "installs", "payment", "payments", "transaction", "transactions"),
    ),
}
_CLICK_WORDS = {"click", "clicked", "clk", "is_click", "ctr"}
_LABEL_WORDS = {
    *_CLICK_WORDS,
    *("label", "conversion", "converted", "conv", "cvr", "purchase", "purchased", "buy", "bought", "order", "ordered"),
    *("like", "liked", "view", "cart", "install", "attributed", "target", "response", "effective"),
}
_USER_WORDS = {"user", "uid", "userid", "member", "customer", "visitor", "account", "uuid", "ip"}
_ITEM_WORDS = {
    "item",
    "product",
    "ad",
    "adgroup",
    "video",
    "news",
    "article",
    "sku",
    "goods",
    "movie",
    "brand",
    "creative",
}
_EVENT_WORDS = {"event", "action", "behavior", "behaviour", "kind", "type"}


@dataclass(frozen=True)
class Sample:
    """Files with the same columns, and some rows of the first.

    Attributes:
      files: A glob, or names, relative to the data folder.
      rows: Rows as the readers give them: texts, or lists of texts.
      names: What the files are called, without folder and endings.
    """

    files: tuple[str, ...]
    rows: pl.DataFrame
    names: tuple[str, ...]


@dataclass(frozen=True)
class Stream:
    """A stream or table and what was found in it.

    Attributes:
      sample: Its rows.
      columns: By name.
      time: The column that says when, and its unit.
    """

    sample: Sample
    columns: Mapping[str, Profile]
    time: tuple[str, TimeUnit] | None = None


@dataclass(frozen=True)
class Side:
    """A table about users or items.

    Attributes:
      name: What it is called.
      key: Its column that the impressions have, too.
      stream: What is in it.
    """

    name: str
    key: str
    stream: Stream


@dataclass
class Guess:
    """What the files seem to be.

    Attributes:
      streams: By role.
      sides: Tables that are added by a key.
      unused: Files that fit nowhere.
      on: The columns by which events find their impression.
      unique: Whether these name one impression.
      event: The column of the conversions that names the kind of event, and the kinds.
      labels: Of a labelled table, parents first.
      first: The earliest time seen among impressions or rows.
      last: The latest.
      notes: What a user should know of how it was guessed.
    """

    streams: dict[Role, Stream] = field(default_factory=dict)
    sides: list[Side] = field(default_factory=list)
    unused: list[Sample] = field(default_factory=list)
    on: tuple[str, ...] = ()
    unique: bool = True
    event: tuple[str, tuple[str, ...]] | None = None
    labels: tuple[str, ...] = ()
    first: datetime.datetime | None = None
    last: datetime.datetime | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def main(self) -> Stream:
        """The impressions, or the labelled table."""
        return self.streams.get("impressions") or self.streams["table"]


class CannotGuess(ValueError):
    """The files do not look like logs that a configuration can be guessed for; the message says why."""


def guess(samples: Sequence[Sample]) -> Guess:
    """Says what files seem to be.

    Args:
      samples: Groups of files with the same columns.

    Raises:
      CannotGuess: There are neither impressions nor a table with labels.
    """
    streams = [Stream(sample, {name: profile(sample.rows, name) for name in sample.rows.columns}) for sample in samples]
    found = Guess()
    rest: list[Stream] = []
    for stream in streams:
        role = _role(stream)
        if role is None or role in found.streams:
            rest.append(stream)
        else:
            found.streams[role] = _timed(stream)
    found.streams = {role: found.streams[role] for role in _ROLE_WORDS if role in found.streams}
    if "impressions" not in found.streams:
        _take_table(found, rest)
    _find_keys(found)
    for stream in rest:
        _take_side(found, stream)
    _find_kinds(found)
    _find_period(found)
    return found


def user_column(stream: Stream, sides: Sequence[Side] = ()) -> str | None:
    """Returns the column that seems to name the user."""
    candidates = [each for each in stream.columns.values() if each.words & _USER_WORDS and not each.unit]
    keyed = [each for each in candidates if each.name in {side.key for side in sides} or "id" in each.words]
    best = keyed or candidates
    return max(best, key=lambda each: each.distinct).name if best else None


def _role(stream: Stream) -> Role | None:
    """What a file is by its name."""
    words = set().union(*map(words_of, stream.sample.names))
    by_name = [role for role, known in _ROLE_WORDS.items() if words & set(known)]
    return by_name[0] if len(by_name) == 1 else None


def _timed(stream: Stream) -> Stream:
    """Finds the time: of several columns the one that is filled most, then the one with most values."""
    times = [each for each in stream.columns.values() if each.unit is not None]
    if not times:
        return stream
    best = max(times, key=lambda each: (each.filled, each.distinct))
    return Stream(stream.sample, stream.columns, (best.name, best.unit or "s"))


def _take_table(found: Guess, rest: list[Stream]) -> None:
    """Finds the table that carries labels."""
    candidates = [*rest, *found.streams.values()]
    labelled = [(stream, labels) for stream in candidates if (labels := _labels(stream))]
    if not labelled:
        names = "; ".join(f"{', '.join(each.sample.names[:3])}: {', '.join(each.columns)}" for each in candidates)
        raise CannotGuess(
            "these are neither streams (a file called impressions, another clicks) nor a table with labels (a column "
            f"such as click or label that holds 0 and 1): {names}"
        )
    stream, labels = max(labelled, key=lambda each: (len(each[1]), len(each[0].sample.rows)))
    rest[:] = [each for each in candidates if each is not stream]
    found.streams = {"table": _timed(stream)}
    found.labels = labels


def _labels(stream: Stream) -> tuple[str, ...]:
    """Returns the columns that look like labels, the click first, then by how frequent they are."""
    binary = [each for each in stream.columns.values() if each.binary and _words_of_label(each)]
    return tuple(
        each.name
        for each in sorted(binary, key=lambda each: (not each.words & _CLICK_WORDS, -_positives(stream, each.name)))
    )


def _words_of_label(column: Profile) -> bool:
    return bool(column.words & _LABEL_WORDS) and not column.constant


def _positives(stream: Stream, name: str) -> int:
    return int(stream.sample.rows.get_column(name).str.to_lowercase().is_in(["1", "true"]).sum())


def _find_keys(found: Guess) -> None:
    """Finds the columns that impressions share with clicks and conversions."""
    if "impressions" not in found.streams:
        return
    if "clicks" not in found.streams:
        raise CannotGuess(
            "there are impressions, but no file called clicks: name the files by what they are, or write the "
            "configuration by hand (see the documentation of the configuration)"
        )
    impressions = found.streams["impressions"]
    events = [stream for role, stream in found.streams.items() if role != "impressions"]
    shared = [
        each
        for each in impressions.columns.values()
        if not each.unit and not each.separator and all(each.name in stream.columns for stream in events)
    ]
    unique = [each for each in shared if each.distinct >= 0.98 * max(each.filled, 1) and "id" in each.words]
    if unique:
        found.on = (max(unique, key=lambda each: each.distinct).name,)
        return
    pair = [each.name for each in shared if each.words & (_USER_WORDS | _ITEM_WORDS)]
    if not pair:
        raise CannotGuess(
            "impressions, clicks and conversions share no column that could be their key; the impressions have "
            f"{', '.join(impressions.columns)}"
        )
    found.on, found.unique = tuple(pair), False


def _take_side(found: Guess, stream: Stream) -> None:
    """Takes a file for a table about what one of the main stream's columns names, if there is one."""
    keys = [
        each
        for each in stream.columns.values()
        if each.name in found.main.columns and each.name not in found.on[:1] and each.distinct >= 0.98 * each.filled
    ]
    keys = [each for each in keys if not each.unit and each.filled]
    own = [name for name in stream.columns if name not in found.main.columns]
    if not keys or not own:
        found.unused.append(stream.sample)
        return
    key = max(keys, key=lambda each: each.distinct).name
    found.sides.append(Side(_table_name(stream.sample, found), key, stream))


def _table_name(sample: Sample, found: Guess) -> str:
    name = "_".join(sorted(words_of(sample.names[0]), key=sample.names[0].lower().find)) or "table_2"
    taken = {*found.streams, *(side.name for side in found.sides)}
    return name if name not in taken else f"{name}_{len(taken)}"


def _find_kinds(found: Guess) -> None:
    """Finds the column of the conversions that names the kind of event."""
    conversions = found.streams.get("conversions")
    if conversions is None:
        return
    kinds = [
        each
        for each in conversions.columns.values()
        if each.words & _EVENT_WORDS and not each.numeric and not each.unit and 1 <= each.distinct <= 8
    ]
    if kinds:
        values = conversions.sample.rows.get_column(kinds[0].name)
        counted = values.filter(values != "").value_counts(sort=True).get_column(kinds[0].name)
        found.event = kinds[0].name, tuple(counted.to_list())


def _find_period(found: Guess) -> None:
    """Finds the first and the last time of the sample."""
    if found.main.time is None:
        return
    name, unit = found.main.time
    times = found.main.sample.rows.select(moment_us(TimeColumn(column=(name,), unit=unit))).to_series().drop_nulls()
    if len(times):
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        low, high = (times.quantile(q, "nearest") for q in (0.001, 0.999))
        found.first, found.last = (epoch + datetime.timedelta(microseconds=int(each or 0)) for each in (low, high))
