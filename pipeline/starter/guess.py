"""Which file is what: streams, a labelled table, tables about users and items; their keys, times and labels.

Everything here is a guess, and is told as one: a user reads the file that comes of it.
"""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.times import moment_us
from tandem.pipeline.starter.event_log import MOST_KINDS, EventLog, event_log, speaks_of_events
from tandem.pipeline.starter.findings import CannotGuess, Guess, Role, Sample, Side, Stream
from tandem.pipeline.starter.label_guess import answers, graded_label
from tandem.pipeline.starter.profile import profile, words_of

if TYPE_CHECKING:
    from collections.abc import Sequence


_ROLE_WORDS: dict[Role, tuple[str, ...]] = {
    "impressions": ("impression", "impressions", "imp", "imps", "exposure", "exposures", "shown", "pv", "views"),
    "clicks": ("click", "clicks", "clk", "clks"),
    "conversions": (
        *("conversion", "conversions", "conv", "convs", "order", "orders", "purchase", "purchases", "buy", "buys"),
        *("sale", "sales", "install", "installs", "payment", "payments", "transaction", "transactions"),
    ),
}
_USER_WORDS = {"user", "uid", "userid", "member", "customer", "visitor", "account", "uuid", "ip"}
_ITEM_WORDS = {
    "session",
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
_FILLED = 0.95
_DAY_US = 86_400_000_000
_EVENT_WORDS = {"event", "action", "behavior", "behaviour", "kind", "type"}


def guess(samples: Sequence[Sample]) -> Guess:
    """Says what files seem to be.

    Args:
      samples: Groups of files with the same columns.

    Raises:
      CannotGuess: There are neither impressions nor a table with labels.
    """
    streams = [_stream(sample) for sample in samples]
    found = Guess()
    rest: list[Stream] = []
    for stream in streams:
        role = _role(stream)
        if role is None or role in found.streams:
            rest.append(stream)
        else:
            found.streams[role] = _timed(stream)
    found.streams = {role: found.streams[role] for role in _ROLE_WORDS if role in found.streams}
    if {"clicks", "conversions"} <= found.streams.keys() and "impressions" not in found.streams:
        found.streams = {"impressions": found.streams.pop("clicks"), **found.streams}
        found.notes.append(
            "there are no impressions: clicks stand for them, and conversions belong to the latest click"
        )
    if "impressions" not in found.streams or len(found.streams) == 1:
        _take_table_or_log(found, rest)
    _find_keys(found)
    for stream in rest:
        _take_side(found, stream)
    _find_kinds(found)
    _find_period(found)
    return found


def user_column(stream: Stream, sides: Sequence[Side] = ()) -> str | None:
    """Returns the column that seems to name the user."""
    candidates = [each for each in stream.columns.values() if each.words & _USER_WORDS and not each.time]
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
    times = [each for each in stream.columns.values() if each.time is not None]
    if not times:
        return stream
    best = max(times, key=lambda each: (each.filled, each.distinct))
    return stream if best.time is None else Stream(stream.sample, stream.columns, (best.name, best.time))


def _stream(sample: Sample) -> Stream:
    return Stream(sample, {name: profile(sample.rows, name, sample.named) for name in sample.rows.columns})


def _take_table_or_log(found: Guess, rest: list[Stream]) -> None:
    """Finds the table that carries labels, or the log of several kinds of events."""
    candidates = [*rest, *found.streams.values()]
    stream = _take_labelled(found, candidates) or _take_log(found, candidates) or _take_graded(found, candidates)
    if stream is None and "impressions" in found.streams:
        raise CannotGuess(
            "there are impressions, but no file called clicks or conversions: name the files by what they are, or "
            "write the configuration by hand (see the documentation of the configuration)"
        )
    if stream is None:
        names = "; ".join(f"{', '.join(each.sample.names[:3])}: {_columns(each)}" for each in candidates)
        raise CannotGuess(
            "these are neither streams (a file called impressions, another clicks) nor a table with labels (a column "
            "such as click or label that holds 0 and 1, or a rating) nor a log of events (a column such as event or "
            f"type that names their kinds): {names}"
        )
    rest[:] = [each for each in candidates if each is not stream]
    found.streams = {"table" if found.log is None else "impressions": _timed(stream)}


def _columns(stream: Stream) -> str:
    if stream.sample.named:
        return ", ".join(stream.columns)
    return f"{len(stream.columns)} columns without names; give the file a first row that names them"


def _take_labelled(found: Guess, candidates: Sequence[Stream]) -> Stream | None:
    labelled = [(each, labels) for each in candidates if (labels := answers(each.columns, each.sample.rows))]
    if not labelled:
        return None
    stream, found.labels = max(labelled, key=lambda each: (len(each[1]), len(each[0].sample.rows)))
    return stream


def _take_log(found: Guess, candidates: Sequence[Stream]) -> Stream | None:
    logs = [(each, log) for each in candidates if (log := _event_log(each)) is not None]
    if not logs:
        return None
    stream, found.log = max(logs, key=lambda each: len(each[0].sample.rows))
    return stream


def _take_graded(found: Guess, candidates: Sequence[Stream]) -> Stream | None:
    graded = [(each, label) for each in candidates if (label := graded_label(each.columns, each.sample.rows))]
    if not graded:
        return None
    stream, label = max(graded, key=lambda each: len(each[0].sample.rows))
    found.labels = (label,)
    return stream


def _event_log(stream: Stream) -> EventLog | None:
    """Says what the kinds of events of a log mean; None: it is no such log."""
    for column in stream.columns.values():
        if not (column.words & _EVENT_WORDS and 1 < column.distinct <= MOST_KINDS and column.time is None):
            continue
        values = stream.sample.rows.get_column(column.name)
        kinds = values.filter(values != "").value_counts(sort=True).get_column(column.name).to_list()
        digits = all(kind.isdigit() for kind in kinds)
        if len(_pair(stream, column.name)) > 1 and (digits or speaks_of_events(kinds)):
            return event_log(column.name, kinds)
    return None


def _pair(stream: Stream, event: str) -> list[str]:
    """Returns the columns of an event log that name the user and the item."""
    others = [each for each in stream.columns.values() if each.name != event and each.time is None]
    if stream.sample.named:
        return [each.name for each in others if each.words & (_USER_WORDS | _ITEM_WORDS) and not each.separator]
    # Without names: the two columns with most values, if these come again.
    often = [each for each in others if not each.numeric and each.separator is None and not each.unique]
    most = sorted(often, key=lambda each: -each.distinct)[:2]
    return [each.name for each in others if each in most]


def _find_keys(found: Guess) -> None:
    """Finds the columns that impressions share with clicks and conversions."""
    if "impressions" not in found.streams:
        return
    if found.log is not None:
        found.on, found.unique = tuple(_pair(found.main, found.log.column)), False
        return
    impressions = found.streams["impressions"]
    events = [stream for role, stream in found.streams.items() if role != "impressions"]
    shared = [
        each
        for each in impressions.columns.values()
        if not each.time
        and not each.separator
        and all(_is_filled(stream, each.name) for stream in (found.main, *events))
    ]
    named = impressions.sample.named
    unique = [each for each in shared if each.distinct >= 0.98 * each.filled and ("id" in each.words or not named)]
    if unique:
        found.on = (max(unique, key=lambda each: each.distinct).name,)
        return
    if named:
        pair = [each.name for each in shared if each.words & (_USER_WORDS | _ITEM_WORDS)]
    else:
        most = sorted(shared, key=lambda each: -each.distinct)[:2]
        pair = [each.name for each in shared if each in most]
    if not pair:
        raise CannotGuess(
            "impressions, clicks and conversions share no column that could be their key; the impressions have "
            f"{', '.join(impressions.columns)}"
        )
    found.on, found.unique = tuple(pair), False


def _is_filled(stream: Stream, name: str) -> bool:
    """Whether a stream has a column that could be a key: a row without one belongs to nothing."""
    column = stream.columns.get(name)
    return column is not None and column.filled >= _FILLED * column.rows


def _take_side(found: Guess, stream: Stream) -> None:
    """Takes a file for a table about what one of the main stream's columns names, if there is one."""
    keys = [
        each
        for each in stream.columns.values()
        if each.name in found.main.columns and each.name not in found.on[:1] and each.distinct >= 0.98 * each.filled
    ]
    keys = [each for each in keys if not each.time and each.filled and _meets(found.main, stream, each.name)]
    own = [name for name in stream.columns if name not in found.main.columns]
    if not keys or not own:
        found.unused.append(stream.sample)
        return
    key = max(keys, key=lambda each: each.distinct).name
    found.sides.append(Side(_table_name(stream.sample, found), key, stream))


def _meets(main: Stream, side: Stream, name: str) -> bool:
    """Whether a column has values in common; where columns have no names, the same name means nothing."""
    if main.sample.named and side.sample.named:
        return True
    return bool(main.sample.rows.get_column(name).is_in(side.sample.rows.get_column(name).unique().implode()).any())


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
        if each.words & _EVENT_WORDS and not each.numeric and not each.time and 1 <= each.distinct <= 8
    ]
    if kinds:
        values = conversions.sample.rows.get_column(kinds[0].name)
        counted = values.filter(values != "").value_counts(sort=True).get_column(kinds[0].name)
        found.event = kinds[0].name, tuple(counted.to_list())


def _find_period(found: Guess) -> None:
    """Finds the first and the last time of the sample."""
    if found.main.time is None:
        return
    name, how = found.main.time
    texts = found.main.sample.rows.select(pl.col(name).alias("t"))
    times = texts.select(moment_us(how)).to_series().drop_nulls()
    if len(times):
        found.days_only = bool((times % _DAY_US == 0).all())
        epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
        low, high = (times.quantile(q, "nearest") for q in (0.001, 0.999))
        found.first, found.last = (epoch + datetime.timedelta(microseconds=int(each or 0)) for each in (low, high))
