"""A guess as a commented configuration file."""

from __future__ import annotations

import datetime
import json
import math
import re
from typing import TYPE_CHECKING

from tandem.pipeline.starter.guess import Guess, Side, Stream, user_column

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tandem.pipeline.starter.profile import Profile

_HOUR, _DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)
_TRAINED_ON = 0.75
_RARE = 5
"""Values of ids that are seen less often share a row."""

_CODES = 1000
"""A category with more different values in the sample is taken for an id."""

_PLAIN = re.compile(r"[A-Za-z_./][A-Za-z0-9_.*/-]*")
_WORDS_OF_YAML = {"true", "false", "null", "yes", "no", "on", "off"}


def configuration(name: str, data_dir: str, found: Guess) -> str:
    """Writes a configuration.

    Args:
      name: Of the pipeline.
      data_dir: The folder of the files, relative to where the configuration will lie.
      found: What the files seem to be.
    """
    return "\n".join(_lines(name, data_dir, found)) + "\n"


def _lines(name: str, data_dir: str, found: Guess) -> Iterator[str]:
    yield "# Written by `tandem init` from the columns of your files. What is marked (guessed) may be wrong: read it,"
    yield "# mend it, then:"
    yield "#"
    yield f"#   tandem doctor {name}.yaml     # checks this file and the logs"
    yield f"#   tandem run {name}.yaml"
    yield "#"
    yield "# `tandem schema` writes a JSON schema by which an editor completes and checks it."
    for note in found.notes:
        yield f"# Note: {note}"
    yield ""
    yield f"name: {name}"
    yield ""
    yield "# Relative to this file. `--data PATH` or the environment variable TANDEM_DATA come before it."
    yield f"data_dir: {_scalar(data_dir)}"
    yield ""
    yield "logs:"
    yield from _indented(_logs(found))
    yield ""
    yield "# What the model looks at: known before the answer is asked for. (guessed: kinds by the values of a sample)"
    yield "features:"
    yield from _indented(_features(found))
    yield ""
    yield from _tasks(found)
    yield ""
    yield "# `tandem models` lists the recipes."
    yield "model: {recipe: shared_bottom, embedding_dim: 8, tower_layers: [64, 32]}"
    yield ""
    yield "training: {epochs: 1, batch_size: 512, optimizer: adam, learning_rate: 0.001}"
    yield ""
    yield from _evaluation(found)


def _indented(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" if line else "" for line in lines)


# --- Logs ---


def _logs(found: Guess) -> Iterator[str]:
    for role, stream in found.streams.items():
        yield f"{role}:  # (guessed by the {'labels' if role == 'table' else 'name of the file'})"
        yield f"  files: {_list(stream.sample.files)}"
        if stream.time is not None:
            column, unit = stream.time
            yield f"  time: {{column: {_scalar(column)}, unit: {unit}}}  # (guessed) UTC, unless a text names its zone"
        if role == "conversions":
            yield f"  event: {_scalar(found.event[0])}" if found.event else "  label: conversion"
    if found.sides:
        yield "side_tables:  # (guessed) columns added by a key"
        yield from (f"  - {_side(side)}" for side in found.sides)
    if "impressions" in found.streams:
        yield from _join(found)
    yield from _split(found)
    if found.main.time is not None:
        yield "derived: {hour: hour_of_day, weekday: day_of_week}"


def _side(side: Side) -> str:
    files = _list(side.stream.sample.files)
    return f"{{name: {_scalar(side.name)}, files: {files}, key: {_scalar(side.key)}}}"


def _join(found: Guess) -> Iterator[str]:
    click, conversion = _windows(found)
    yield "join:"
    what = "names one impression" if found.unique else "repeats: an event belongs to the latest impression before it"
    yield f"  on: {_list(found.on)}  # (guessed) {what}"
    if not found.unique:
        yield "  attribution: last_touch"
    yield f"  click_window_hours: {click:g}  # (guessed) a later click does not count"
    if "conversions" in found.streams or not found.unique:
        yield f"  conversion_window_hours: {conversion:g}  # (guessed) after its click"


def _windows(found: Guess) -> tuple[float, float]:
    """Returns hours: a day for a click and two for a conversion, less where the logs are short."""
    span = _span(found) / _HOUR
    return float(min(24, max(1, span // 20))), float(min(48, max(1, span // 10)))


def _span(found: Guess) -> datetime.timedelta:
    return found.last - found.first if found.first and found.last else datetime.timedelta()


def _split(found: Guess) -> Iterator[str]:
    if found.first is None or found.last is None:
        files = found.main.sample.files
        yield "# Without times, files are what is trained on or judged by: name them. (guessed by their names)"
        judging = [each for each in files if re.search(r"test|eval|valid", each.rpartition("/")[2].lower())]
        training = [each for each in files if each not in judging]
        yield "split:"
        yield f"  train: {{files: {_list(training or files)}}}"
        yield f"  eval: {{files: {_list(judging or files[-1:])}}}"
        return
    click, conversion = _windows(found) if "impressions" in found.streams else (0.0, 0.0)
    gap = datetime.timedelta(hours=click + (conversion if "conversions" in found.streams or not found.unique else 0))
    unit = _DAY if _span(found) >= 4 * _DAY + 2 * gap else _HOUR
    # Twice the gap: between the parts, and at the end of the logs, where labels may still change.
    end = _floor(found.first + _TRAINED_ON * (_span(found) - 2 * gap), unit)
    begin = _ceil(end + gap, unit)
    seen = f"{found.first:%Y-%m-%d %H:%M} to {found.last:%Y-%m-%d %H:%M}"
    yield f"# By the time of the impression (UTC); the sample is from {seen}."
    if gap:
        yield "# The gap is as long as both windows, so that no label that is trained on comes from what judges."
    yield f"split: {{train: {{before: {_moment(end)}}}, eval: {{from: {_moment(begin)}}}}}  # (guessed)"


def _floor(moment: datetime.datetime, unit: datetime.timedelta) -> datetime.datetime:
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    return epoch + (moment - epoch) // unit * unit


def _ceil(moment: datetime.datetime, unit: datetime.timedelta) -> datetime.datetime:
    down = _floor(moment, unit)
    return down if down == moment else down + unit


def _moment(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%d}" if moment == _floor(moment, _DAY) else f"{moment:%Y-%m-%dT%H:%M:%SZ}"


# --- Features, tasks, evaluation ---


def _features(found: Guess) -> Iterator[str]:
    left_out = {*found.labels, *([found.main.time[0]] if found.main.time else []), *(found.on if found.unique else ())}
    taken: set[str] = set()
    for stream, without in [(found.main, left_out), *((side.stream, {side.key}) for side in found.sides)]:
        for column in stream.columns.values():
            if column.name in without or column.name in taken:
                continue
            taken.add(column.name)
            why = _why_not(column, stream)
            yield f"# - {{name: {_scalar(column.name)}}}  # left out: {why}" if why else f"- {_feature(column)}"
    if found.main.time is not None:
        yield "- {name: hour, kind: categorical}"
        yield "- {name: weekday, kind: categorical}"


def _why_not(column: Profile, stream: Stream) -> str:
    if not column.filled:
        return "it is empty"
    if column.constant:
        return "it has one value"
    if column.unit is not None:
        return "it is a time, perhaps one that is known too late"
    if column.unique and column.separator is None and not column.numeric and stream.time is not None:
        return "every row has a value of its own"
    return ""


def _feature(column: Profile) -> str:
    name = _feature_name(column.name)
    called = f"name: {_scalar(name)}"
    if name != column.name:
        called += f", column: {_scalar(column.name)}"
    if column.separator is not None:
        separator = f", separator: {json.dumps(column.separator)}" if column.separator else ""
        return f"{{{called}, kind: bag{separator}, max_values: 8}}"
    if column.numeric:
        return f"{{{called}, kind: numeric, buckets: 16}}"
    rare = f", min_count: {_RARE}" if column.distinct > _CODES else ""
    return f"{{{called}, kind: categorical{rare}}}"


def _feature_name(column: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", column).strip("_") or "column"


def _tasks(found: Guess) -> Iterator[str]:
    labels = list(found.labels)
    if not labels:
        labels = ["click", *(found.event[1] if found.event else ["conversion"] * ("conversions" in found.streams))]
    yield "# What it predicts. `given` names the parent: the probability of a conversion, once clicked. (guessed)"
    yield "tasks:"
    first = _task_name(labels[0])
    for number, label in enumerate(labels):
        name = _task_name(label)
        of = "" if name == label else f", label: {json.dumps(label)}"
        yield f"  - {{name: {name}{of}{f', given: {first}' if number else ''}}}"


def _task_name(label: str) -> str:
    name = re.sub(r"[^a-z0-9_]+", "_", label.lower()).strip("_")
    return name if re.match(r"[a-z]", name) else f"task_{name}"


def _evaluation(found: Guess) -> Iterator[str]:
    user = user_column(found.main, found.sides)
    label = found.labels[0] if found.labels else "click"
    yield "evaluation:"
    if user is not None:
        yield f"  group_by: {_scalar(user)}  # (guessed) the users of GAUC"
    else:
        column = next(iter(found.main.columns))
        yield f"  group_by: {_scalar(column)}  # (guessed) no column looks like a user: name the one to group by"
    yield "  # What a model has to keep to be pushed: a start. See docs/evaluation.md for what else there is."
    yield "  thresholds:"
    yield f"    - {{metric: auc, output: {_task_name(label)}, at_least: 0.55, not_worse_than_blessed_by: 0.01}}"


# --- YAML ---


def _list(values: Sequence[str]) -> str:
    texts = [_scalar(value) for value in values]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def _scalar(text: str) -> str:
    """Writes a text plainly where that is read as the same text, quoted elsewhere."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML and not _is_number(text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def _is_number(text: str) -> bool:
    try:
        return not math.isnan(float(text)) or True
    except ValueError:
        return False
