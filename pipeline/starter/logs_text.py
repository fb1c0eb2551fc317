"""A guess as the `logs:` section of a configuration, commented."""

from __future__ import annotations

import datetime
import json
import re
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.numbers import PLAIN
from tandem.pipeline.starter.guess import user_column
from tandem.pipeline.starter.yaml_words import indented, listed, scalar, valued

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tandem.pipeline.starter.event_log import EventLog
    from tandem.pipeline.starter.findings import Guess, Side, Stream

_HOUR, _DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)
_TRAINED_ON = 0.75


def logs_lines(found: Guess) -> Iterator[str]:
    """Yields what the files are, how they are joined and split."""
    if found.log is not None:
        yield from _event_log(found, found.log)
    else:
        for role, stream in found.streams.items():
            if role == "conversions" and "clicks" not in found.streams:
                yield "clicks: absent  # (guessed) conversions belong to the impression itself"
            yield f"{role}:  # (guessed by the {'labels' if role == 'table' else 'name of the file'})"
            yield from indented(_stream(stream))
            if role == "conversions":
                yield f"  event: {scalar(found.event[0])}" if found.event else "  label: conversion"
            if role == "table" and any(label.settings for label in found.labels):
                yield "  labels:  # (guessed) which values count as 1"
                for label in found.labels:
                    said = ", ".join(f"{key}: {_words(words)}" for key, words in label.settings.items())
                    yield from ([f"    {scalar(label.name)}: {{{said}}}"] if said else [])
    if found.sides:
        yield "side_tables:  # (guessed) columns added by a key"
        yield from (f"  - {_side(side)}" for side in found.sides)
    if "impressions" in found.streams:
        yield from _join(found)
    yield from _split(found)
    if found.main.time is not None:
        yield f"derived: {{{'' if found.days_only else 'hour: hour_of_day, '}weekday: day_of_week}}"


def _words(words: str | tuple[str, ...]) -> str:
    return listed(words) if isinstance(words, tuple) else scalar(words)


def _stream(stream: Stream) -> Iterator[str]:
    """Says where a stream's rows are, and how they are read."""
    yield f"files: {listed(stream.sample.files)}"
    yield from _reading(stream)
    if stream.time is not None:
        column, how = stream.time
        said = how.model_dump(mode="json", exclude_defaults=True, exclude={"column"})
        told = ", ".join(
            f"{key}: {value if key in ('unit', 'year') else json.dumps(value)}" for key, value in said.items()
        )
        yield f"time: {{column: {scalar(column)}, {told}}}  # (guessed) UTC, unless `timezone` or a text names a zone"


def _reading(stream: Stream) -> Iterator[str]:
    settings = dict(stream.sample.settings)
    columns = settings.pop("columns", None)
    for key, value in settings.items():
        yield f"{key}: {valued(value)}  # (guessed)"
    notation = next((column.notation for column in stream.columns.values() if column.notation != PLAIN), PLAIN)
    for key, value in notation._asdict().items():
        if value != getattr(PLAIN, key):
            yield f"{key}: {json.dumps(value, ensure_ascii=False)}  # (guessed) of numbers"
    if columns is not None:
        yield "# There seems to be no header: name the columns, in their order. (guessed by what is in them)"
        yield "columns:"
        yield from (f"  - {scalar(name)}{_example(stream, name)}" for name in columns)


def _example(stream: Stream, name: str) -> str:
    """Returns a comment with some values."""
    column = stream.sample.rows.get_column(name)
    some = (
        column.filter(column != "").unique(maintain_order=True).head(3).to_list() if column.dtype == pl.String else []
    )
    return f"  # {', '.join(json.dumps(value, ensure_ascii=False) for value in some)}" if some else ""


def _event_log(found: Guess, log: EventLog) -> Iterator[str]:
    """Says which rows of one log are what."""
    where = f"where: {{{scalar(log.column)}: %s}}"
    lines = list(_stream(found.main))
    yield f"# (guessed) One log of several kinds of events, which '{log.column}' names."
    yield "impressions:  # these become the examples"
    yield from indented([*lines, where % valued(log.shown)])
    if log.clicked is None:
        yield "clicks: absent  # (guessed) what follows belongs to the example itself"
    else:
        yield "clicks:"
        yield from indented([*lines, where % valued(log.clicked)])
    if log.following:
        yield "conversions:"
        yield from indented([*lines, where % f"[{', '.join(valued(kind) for kind in log.following)}]"])
        yield f"  event: {scalar(log.column)}"
        if any(kind != label for kind, label in log.following.items()):
            named = ", ".join(f"{json.dumps(kind)}: {label}" for kind, label in log.following.items())
            yield f"  events: {{{named}}}  # (guessed) give them names that say what they are"
        yield "# max_bad_share: 0.3  # where many events have no impression before them: it is older than the log"


def _side(side: Side) -> str:
    lines = [f"name: {scalar(side.name)}", f"files: {listed(side.stream.sample.files)}"]
    lines += [f"{key}: {valued(value)}" for key, value in side.stream.sample.settings.items()]
    return f"{{{', '.join([*lines, f'key: {scalar(side.key)}'])}}}"


def _join(found: Guess) -> Iterator[str]:
    click, conversion = _windows(found)
    yield "join:"
    what = "names one impression" if found.unique else "repeats: an event belongs to the latest impression before it"
    yield f"  on: {listed(found.on)}  # (guessed) {what}"
    if not found.unique:
        yield "  attribution: last_touch"
    if found.clicks:
        yield f"  click_window_hours: {click:g}  # (guessed) a later click does not count"
    if found.follows:
        after = "click" if found.clicks else "impression"
        yield f"  conversion_window_hours: {conversion:g}  # (guessed) after its {after}"


def _windows(found: Guess) -> tuple[float, float]:
    """Returns hours: a day for a click and two for a conversion, less where the logs are short."""
    span = _span(found) / _HOUR
    return float(min(24, max(1, span // 20))), float(min(48, max(1, span // 10)))


def _span(found: Guess) -> datetime.timedelta:
    return found.last - found.first if found.first and found.last else datetime.timedelta()


def _split(found: Guess) -> Iterator[str]:
    if found.first is None or found.last is None:
        yield from _split_without_times(found)
        return
    gap = _gap(found)
    unit = _DAY if _span(found) >= 4 * _DAY + 2 * gap else _HOUR
    # Twice the gap: between the parts, and at the end of the logs, where labels may still change.
    end = _floor(found.first + _TRAINED_ON * (_span(found) - 2 * gap), unit)
    begin = _ceil(end + gap, unit)
    seen = f"{found.first:%Y-%m-%d %H:%M} to {found.last:%Y-%m-%d %H:%M}"
    yield f"# By the time of the impression (UTC); the sample is from {seen}."
    if gap:
        yield "# The gap is as long as both windows, so that no label that is trained on comes from what judges."
    yield f"split: {{train: {{before: {_moment(end)}}}, eval: {{from: {_moment(begin)}}}}}  # (guessed)"


def _gap(found: Guess) -> datetime.timedelta:
    """Returns the windows that there are, together."""
    if "impressions" not in found.streams:
        return datetime.timedelta()
    click, conversion = _windows(found)
    return datetime.timedelta(hours=click * found.clicks + conversion * found.follows)


def _split_without_times(found: Guess) -> Iterator[str]:
    files = found.main.sample.files

    def called(pattern: str) -> list[str]:
        return [each for each in files if re.search(pattern, each.rpartition("/")[2].lower())]

    validating, judging = called(r"valid|(?<![a-z])(val|dev)(?![a-z])"), called(r"test|eval")
    training = [each for each in files if each not in (*validating, *judging)]
    if training and (judging or validating):
        yield "# Without times, files are what is trained on or judged by. (guessed by their names)"
        yield "split:"
        yield f"  train: {{files: {listed(training)}}}"
        if judging and validating:
            yield f"  validation: {{files: {listed(validating)}}}"
        yield f"  eval: {{files: {listed(judging or validating)}}}"
        return
    user = user_column(found.main, found.sides)
    yield f"# Without times, {'users are' if user else 'rows are'} divided by their hash. (guessed)"
    key = f"key: {scalar(user)}, " if user else ""
    yield f"split: {{{key}train: {{share: 0.8}}, eval: {{share: 0.2}}}}"


def _floor(moment: datetime.datetime, unit: datetime.timedelta) -> datetime.datetime:
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return epoch + (moment - epoch) // unit * unit


def _ceil(moment: datetime.datetime, unit: datetime.timedelta) -> datetime.datetime:
    down = _floor(moment, unit)
    return down if down == moment else down + unit


def _moment(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%d}" if moment == _floor(moment, _DAY) else f"{moment:%Y-%m-%dT%H:%M:%SZ}"
