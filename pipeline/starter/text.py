"""A guess as a commented configuration file."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from tandem.pipeline.starter.guess import user_column
from tandem.pipeline.starter.logs_text import logs_lines
from tandem.pipeline.starter.ranges import Entry, folded
from tandem.pipeline.starter.yaml_words import indented, scalar, task_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tandem.pipeline.starter.findings import Guess, Stream
    from tandem.pipeline.starter.profile import Profile

_RARE = 5
"""Values of ids that are seen less often share a row."""

_CODES = 1000
"""A category with more different values in the sample is taken for an id."""


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
    yield f"data_dir: {scalar(data_dir)}"
    yield ""
    yield "logs:"
    yield from indented(logs_lines(found))
    yield ""
    yield "# What the model looks at: known before the answer is asked for. (guessed: kinds by the values of a sample)"
    yield "features:"
    yield from indented(_features(found))
    yield ""
    yield from _tasks(found)
    yield ""
    yield "# `tandem models` lists the recipes."
    yield "model: {recipe: shared_bottom, embedding_dim: 8, tower_layers: [64, 32]}"
    yield ""
    yield "training: {epochs: 1, batch_size: 512, optimizer: adam, learning_rate: 0.001}"
    yield ""
    yield from _evaluation(found)


def _features(found: Guess) -> Iterator[str]:
    left_out = {label.column for label in found.labels} | set(found.on if found.unique else ())
    left_out |= {found.main.time[0]} if found.main.time else set()
    left_out |= {found.log.column} if found.log else set()
    taken: set[str] = set()
    entries: list[Entry] = []
    for stream, without in [(found.main, left_out), *((side.stream, {side.key}) for side in found.sides)]:
        for column in stream.columns.values():
            if column.name in without or column.name in taken:
                continue
            taken.add(column.name)
            entries.append(_feature(column, _why_not(column, stream)))
    for entry in folded(entries):
        beginning = "# - " if entry.comment else "- "
        yield f"{beginning}{{name: {scalar(entry.name)}{entry.rest}}}{entry.comment}"
    if found.main.time is not None:
        yield from ([] if found.days_only else ["- {name: hour, kind: categorical}"])
        yield "- {name: weekday, kind: categorical}"


def _why_not(column: Profile, stream: Stream) -> str:
    if not column.filled:
        return "it is empty"
    if column.constant:
        return "it has one value"
    if column.time is not None:
        return "it is a time, perhaps one that is known too late"
    if column.unique and column.separator is None and not column.numeric and stream.time is not None:
        return "every row has a value of its own"
    return ""


def _feature(column: Profile, why_not: str) -> Entry:
    if why_not:
        return Entry(column.name, "", f"  # left out: {why_not}")
    name = _feature_name(column.name)
    of = f", column: {scalar(column.name)}" if name != column.name else ""
    if column.separator is not None:
        separators = {"separator": column.separator, "weight_separator": column.weight_separator}
        said = "".join(f", {key}: {json.dumps(sign)}" for key, sign in separators.items() if sign)
        return Entry(name, f"{of}, kind: bag{said}, max_values: 8")
    if column.numeric:
        return Entry(name, f"{of}, kind: numeric, buckets: 16")
    rare = f", min_count: {_RARE}" if column.distinct > _CODES else ""
    return Entry(name, f"{of}, kind: categorical{rare}")


def _feature_name(column: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", column).strip("_") or "column"


def _tasks(found: Guess) -> Iterator[str]:
    labels = _labels(found)
    yield "# What it predicts. `given` names the parent: the probability of a conversion, once clicked. (guessed)"
    yield "tasks:"
    first = task_name(labels[0])
    for number, label in enumerate(labels):
        name = task_name(label)
        of = "" if name == label else f", label: {json.dumps(label)}"
        given = f", given: {first}" if number and (found.clicks or "table" in found.streams) else ""
        yield f"  - {{name: {name}{of}{given}}}"


def _labels(found: Guess) -> list[str]:
    """Returns the labels, the first parent first."""
    return [label.name for label in found.labels] or [*(["click"] if found.clicks else []), *found.kinds]


def _evaluation(found: Guess) -> Iterator[str]:
    user = user_column(found.main, found.sides)
    yield "evaluation:"
    if user is not None:
        yield f"  group_by: {scalar(user)}  # (guessed) the users of GAUC"
    else:
        yield "  group_by: null  # (guessed) no column looks like a user, so there is no GAUC: name the one to group by"
    yield "  # What a model has to keep to be pushed: a start. See docs/evaluation.md for what else there is."
    yield "  thresholds:"
    output = task_name(_labels(found)[0])
    yield f"    - {{metric: auc, output: {output}, at_least: 0.55, not_worse_than_blessed_by: 0.01}}"
