"""`tandem init`: files in, a commented configuration out."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from tandem import files
from tandem.pipeline.configuration import built_in
from tandem.pipeline.starter.guess import guess
from tandem.pipeline.starter.samples import expanded, samples
from tandem.pipeline.starter.text import configuration
from tandem.validation.words import unknown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tandem.components.log_example_gen.settings.time import TimeColumn
    from tandem.pipeline.starter.findings import Guess
    from tandem.pipeline.starter.label_guess import LabelRule


def write(name: str, patterns: Sequence[str], like: str | None = None, replace: bool = False) -> Iterator[str]:
    """Writes `<name>.yaml` into the current folder.

    Args:
      name: Of the pipeline: lower-case letters, digits and underscores.
      patterns: Files, folders or globs to guess from.
      like: A configuration that comes with Tandem, to be copied instead.
      replace: Whether a file that is there may be replaced.

    Yields:
      What was done and guessed, a line each.

    Raises:
      ValueError: A name that cannot be one, a file that is there, or nothing to guess from.
      CannotGuess: The files are no logs that a configuration can be guessed for.
      LogsError: A file cannot be read.
    """
    name = name.removesuffix(".yaml")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"got the name '{name}', expected lower-case letters, digits and underscores, a letter first")
    target = Path(f"{name}.yaml")
    if target.exists() and not replace:
        raise ValueError(f"{target} is there already; choose another name, or replace it with --force")
    if like is not None:
        yield from _copied(like, name, target)
        return
    if not patterns:
        raise ValueError(
            f"name the files of your logs: tandem init {name} FILE ... (or copy one that comes with Tandem, such as "
            "--like sample)"
        )
    folder, found = _guessed(patterns)
    files.write(target, configuration(name, os.path.relpath(folder), found))
    yield f"{target}: written"
    yield from _told(found)
    yield f"next: read {target}, then: tandem doctor {target} && tandem run {target}"


def _guessed(patterns: Sequence[str]) -> tuple[Path, Guess]:
    folder, groups = samples(list(dict.fromkeys(_readable(expanded(patterns)))))
    return folder, guess(groups)


def _readable(paths: Iterator[Path]) -> Iterator[Path]:
    """Leaves hidden files out, which nobody means by a folder."""
    return (path for path in paths if not path.name.startswith((".", "_")))


def _told(found: Guess) -> Iterator[str]:
    for role, stream in found.streams.items():
        time = f", time: {stream.time[0]} ({_how(stream.time[1])})" if stream.time else ", no time"
        yield f"  {role}: {', '.join(stream.sample.files)}{time}"
        if not stream.sample.named:
            yield f"    no header: the columns are called {', '.join(stream.columns)} by what is in them; name them"
    if found.log is not None:
        clicks = f", {found.log.clicked} is a click" if found.log.clicked else ""
        follow = ", ".join(found.log.following) or "nothing"
        yield f"  one log of events by '{found.log.column}': {found.log.shown} is an example{clicks}, then {follow}"
    for side in found.sides:
        yield f"  about {side.key}: {', '.join(side.stream.sample.files)}"
    if found.on:
        yield f"  joined by {', '.join(found.on)}{'' if found.unique else ' (last touch)'}"
    if found.labels:
        yield f"  labels: {', '.join(map(_label, found.labels))}"
    for sample in found.unused:
        yield f"  not used: {', '.join(sample.files)}"


def _label(label: LabelRule) -> str:
    positive = label.settings.get("positive")
    if positive is None:
        return label.name
    return f"{label.name} (where {label.column} is {positive if isinstance(positive, str) else positive[0]})"


def _how(time: TimeColumn) -> str:
    return time.unit or time.format or ""


def _copied(like: str, name: str, target: Path) -> Iterator[str]:
    """Copies a configuration with its schema, which it names by where it lies."""
    source = built_in.find(like)
    if source is None:
        raise ValueError(unknown("configuration", like, built_in.names()))
    text = source.read_text(encoding="utf-8")
    schema = re.search(r"^schema_file: (\S+)$", text, re.MULTILINE)
    text = re.sub(r"^name: .*$", f"name: {name}", text, count=1, flags=re.MULTILINE)
    if schema:
        own = Path(f"{name}.pbtxt")
        shutil.copyfile(source.parent / schema[1], own)
        text = text.replace(schema[0], f"schema_file: {own}")
        yield f"{own}: written"
    files.write(target, text)
    yield f"{target}: written, a copy of {like}"
