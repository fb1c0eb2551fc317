"""What settings contradict once the labels and the files are known."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tandem.components.log_example_gen.labels import parents_first
from tandem.components.log_example_gen.records import (
    CLICKS,
    CONVERSIONS,
    IMPRESSIONS,
    no_parent,
)
from tandem.components.log_example_gen.settings.columns import own_columns
from tandem.components.log_example_gen.sources import LogsError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tandem.components.log_example_gen.settings.columns import ExampleColumn, Label
    from tandem.components.log_example_gen.settings.logs import LogSettings
    from tandem.components.log_example_gen.settings.sources import ClickStream, ConversionStream
    from tandem.components.log_example_gen.sources import SourceFile


def check_labels(logs: LogSettings, labels: Sequence[Label]) -> None:
    """Looks whether the labels form a tree, and whether the streams set them."""
    if not labels:
        raise LogsError("at least one label is needed")
    parents_first(labels)
    for label in labels:
        if label.parent is not None:
            no_parent(label.parent)
    if logs.table is None:
        names = [label.name for label in labels]
        if logs.clicks is not None:
            _check_click_label(logs.clicks, logs.conversions, names)
        others = [name for name in names if logs.clicks is None or name != logs.clicks.label]
        _check_conversion_labels(logs.conversions, others)


def _check_click_label(clicks: ClickStream, conversions: ConversionStream | None, names: Sequence[str]) -> None:
    if clicks.label not in names:
        raise LogsError(f"clicks: the label '{clicks.label}' is not among the labels {names}")
    if conversions is not None and clicks.label in (conversions.labels or ()):
        raise LogsError(f"clicks and conversions cannot both set the label '{clicks.label}'")


def _check_conversion_labels(conversions: ConversionStream | None, names: Sequence[str]) -> None:
    """Looks whether the labels that no click sets can come from the conversions.

    Args:
      conversions: The stream.
      names: Those labels.
    """
    if conversions is None:
        if names:
            raise LogsError(f"labels {names} come from no stream: there are no 'conversions'")
    elif conversions.label is not None and conversions.label not in names:
        raise LogsError(f"conversions: the label '{conversions.label}' is not among the labels {names}")
    elif conversions.labels is not None and (missing := [name for name in names if name not in conversions.labels]):
        raise LogsError(f"labels {missing} come from no stream: conversions set {', '.join(conversions.labels)}")


def check_shared_files(logs: LogSettings, files: Mapping[str, Sequence[SourceFile]]) -> None:
    """Refuses two streams that take the same rows of a file at the same time: each would be both."""
    streams = {IMPRESSIONS: logs.impressions, CLICKS: logs.clicks, CONVERSIONS: logs.conversions}
    there = [(name, stream) for name, stream in streams.items() if stream is not None]
    for (one, first), (other, second) in itertools.combinations(there, 2):
        paths = {file.path for file in files[other]}
        shared = [file.name for file in files[one] if file.path in paths]
        if shared and (first.where, first.time) == (second.where, second.time):
            raise LogsError(
                f"{one} and {other} are the same rows of {shared[0]}: say which rows are which with 'where', such as "
                f"{other}: {{..., where: {{event: buy}}}}"
            )


def check_names(
    logs: LogSettings, columns: Mapping[str, ExampleColumn], labels: Sequence[Label], observed_until: bool
) -> None:
    """Looks whether the columns that are made here have names of their own."""
    names = [label.name for label in labels]
    own = own_columns(logs, names, observed_until)
    taken = [name for name in own if name in columns]
    if taken:
        raise LogsError(f"columns {taken} have the name of a label or of a column made here; rename them")
    twice = sorted({name for name in own if own.count(name) > 1})
    if twice:
        raise LogsError(f"the labels {names} lead to several columns '{twice[0]}'; rename one")
