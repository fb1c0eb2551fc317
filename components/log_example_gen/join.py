"""Impressions, clicks and conversions -> one row per impression with its labels.

Pure: polars frames in and out. What is joined must hold all events of its keys; the order of the rows does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from tandem.components.log_example_gen.labels import ancestors, parents_first
from tandem.components.log_example_gen.records import (
    CLICKS,
    CONVERSIONS,
    DUPLICATE,
    EVENT,
    FILE,
    IMPRESSIONS,
    NO_IMPRESSION,
    OUTSIDE_CLICK_WINDOW,
    OUTSIDE_CONVERSION_WINDOW,
    REASON,
    ROW,
    TIME,
    UNUSED_EVENT,
    no_parent,
    set_aside,
)
from tandem.components.log_example_gen.settings import time_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.components.log_example_gen.settings import Join, Label

_Times: TypeAlias = npt.NDArray[np.int64]  # [impressions]: the microsecond in which a label became 1, or `_NEVER`.
_NEVER = np.iinfo(np.int64).max
_US_PER_HOUR = 3_600_000_000
_IMPRESSION = "__impression"  # The number of an impression among those that are kept.
_ANCHOR_TIME = "__anchor_time_us"  # When the thing happened that an event belongs to.
_KNOWN = "__known"  # Whether any impression has an event's key.
_PLACE = "__place"  # The number of an event in its frame.


@dataclass(frozen=True)
class Joined:
    """What became of the rows: of each stream, rows in = examples (or attached) + rejects.

    Attributes:
      examples: The distinct impressions with a column per label (Int8), and per label the time of the event that set it
        (`time_column`, Int64 microseconds since 1970, null where the label is 0), in an order that depends on their
        keys and times alone and is otherwise as good as random.
      rejects: By stream, the other rows with `REASON` (duplicates among them).
      attached: By stream, how many clicks and conversions set a label.
    """

    examples: pl.DataFrame
    rejects: dict[str, pl.DataFrame]
    attached: dict[str, int]


def join(
    impressions: pl.DataFrame,
    clicks: pl.DataFrame,
    conversions: pl.DataFrame | None,
    settings: Join,
    labels: Sequence[Label],
    click_label: str = "click",
) -> Joined:
    """Finds the impression of each click and conversion, and sets its labels.

    With `impression_id`, an event belongs to the impression with its key. With `last_touch`, a click belongs to the
    latest impression of its key at or before it, and what needs a click to the latest click (of those that count) at or
    before it. A window's edge lies inside. With `impression_id` and without a window no order is demanded: there are
    logs whose events all carry the time of their impression.

    A conversion that needs no click (none of its label's ancestors is `click_label`) belongs to the impression itself,
    within both windows together.

    An implied click (`imply_click`) is that of an impression without a click of its own, with which the conversion lies
    within both windows together.

    A label's time is that of the earliest event that sets it: its own, or one that implies it.

    Args:
      impressions: Keys, `TIME` and whatever else; like the others without empty keys and times (see `records`).
      clicks: Keys and `TIME`.
      conversions: Keys, `TIME` and `EVENT`, the name of the label that the row is about; None: there are none.
      settings: Keys, attribution, windows, and what to do with orphans.
      labels: All labels.
      click_label: The one that clicks set. A conversion of this name is not used: clicks come from the clicks.

    Raises:
      LogsError: Labels that do not form a tree.
    """
    on = list(settings.on)
    if conversions is None:
        conversions = clicks.clear().select(*on, TIME).with_columns(pl.lit("").alias(EVENT))
    shown, repeated = _distinct(impressions, [*on, TIME] if settings.attribution == "last_touch" else on, order=[TIME])
    shown = _scattered(shown, on).with_row_index(_IMPRESSION)
    counted, click_rejects = _attribute_clicks(clicks, shown, settings)
    since, conversion_rejects, attached = _attribute_conversions(
        conversions, shown, counted, settings, labels, click_label
    )
    return Joined(
        examples=shown.drop(_IMPRESSION).with_columns(
            *(pl.Series(label.name, (since[label.name] != _NEVER).astype(np.int8)) for label in labels),
            *(_times(label.name, since[label.name]) for label in labels),
        ),
        rejects={
            IMPRESSIONS: set_aside(repeated, DUPLICATE),
            CLICKS: click_rejects,
            CONVERSIONS: conversion_rejects,
        },
        attached={CLICKS: len(counted), CONVERSIONS: attached},
    )


def _times(label: str, since: _Times) -> pl.Series:
    times = pl.Series(time_column(label), since, pl.Int64)
    return times.set(times == _NEVER, None)


def _distinct(rows: pl.DataFrame, by: list[str], order: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Splits rows into the first of each `by`, and the others.

    Which one is first depends on what the rows say: on `order`, then on all other cells, so that neither the order of
    the rows nor that of the files matters; only among rows that are wholly equal does their place decide.
    """
    several = rows.select(pl.struct(by).is_duplicated() if len(by) > 1 else pl.col(by[0]).is_duplicated()).to_series()
    if not several.any():
        return rows, rows.clear()
    said = [name for name in rows.columns if name not in (*by, *order, FILE, ROW)]
    place = [name for name in (FILE, ROW) if name in rows.columns]
    lists = [name for name in said if isinstance(rows.schema[name], pl.List)]
    ranked = rows.filter(several).with_columns(pl.col(name).list.join("\x1f").alias(f"__text_{name}") for name in lists)
    ranked = ranked.sort([*by, *order, *(f"__text_{name}" if name in lists else name for name in said), *place])
    ranked = ranked.select(rows.columns)
    first = ranked.select(pl.struct(by).is_first_distinct()).to_series()
    return pl.concat([rows.filter(~several), ranked.filter(first)]), ranked.filter(~first)


def _scattered(rows: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    """Shuffles rows the same way every time: training reads them in this order."""
    order = rows.select(*on, TIME).hash_rows(seed=1)
    return rows.with_columns(order.alias("__order")).sort("__order", TIME, *on).drop("__order")


def _nearest(events: pl.DataFrame, anchors: pl.DataFrame, settings: Join) -> pl.DataFrame:
    """Adds to each event the number (`_IMPRESSION`) and the time (`_ANCHOR_TIME`) of what it belongs to, or nulls.

    The events keep their order; windows are not looked at.
    """
    on = list(settings.on)
    anchors = anchors.select(*on, pl.col(TIME).alias(_ANCHOR_TIME), _IMPRESSION)
    if settings.attribution == "impression_id":
        return events.join(anchors, on=on, how="left", maintain_order="left")
    return (
        events.with_row_index(_PLACE)
        .sort(TIME)
        .join_asof(
            anchors.with_columns(pl.col(_ANCHOR_TIME).alias(TIME)).sort(TIME),
            on=TIME,
            by=on,
            strategy="backward",
            check_sortedness=False,  # Sorted just above; polars cannot see it through `by` and warns.
        )
        .sort(_PLACE)
        .drop(_PLACE)
    )


def _known(events: pl.DataFrame, shown: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    keys = shown.select(on).unique().with_columns(pl.lit(True).alias(_KNOWN))
    return events.join(keys, on=on, how="left", maintain_order="left").with_columns(pl.col(_KNOWN).fill_null(False))


def _within(hours: float | None) -> pl.Expr:
    """Whether an event has something to belong to and lies within the window after it, edge included."""
    found = pl.col(_IMPRESSION).is_not_null()
    if hours is None:
        return found
    delay = pl.col(TIME) - pl.col(_ANCHOR_TIME)
    return found & (delay >= 0) & (delay <= round(hours * _US_PER_HOUR))


def _both_windows(settings: Join) -> float | None:
    if settings.click_window_hours is None or settings.conversion_window_hours is None:
        return None
    return settings.click_window_hours + settings.conversion_window_hours


def _attribute_clicks(clicks: pl.DataFrame, shown: pl.DataFrame, settings: Join) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Returns the clicks that count, with their impression, and the others with their reason."""
    on = list(settings.on)
    found = _nearest(_known(clicks, shown, on), shown, settings)
    why = (
        pl.when(~pl.col(_KNOWN))
        .then(pl.lit(NO_IMPRESSION.name))
        .when(~_within(settings.click_window_hours))
        .then(pl.lit(OUTSIDE_CLICK_WINDOW.name))
    )
    found = found.with_columns(why.alias(REASON))
    kept, repeated = _distinct(found.filter(pl.col(REASON).is_null()), [_IMPRESSION], order=[TIME])
    rejects = pl.concat([found.filter(pl.col(REASON).is_not_null()), set_aside(repeated, DUPLICATE)])
    return kept.select(*on, TIME, _IMPRESSION), rejects.select(*clicks.columns, REASON)


def _attribute_conversions(
    conversions: pl.DataFrame,
    shown: pl.DataFrame,
    clicks: pl.DataFrame,
    settings: Join,
    labels: Sequence[Label],
    click_label: str,
) -> tuple[dict[str, _Times], pl.DataFrame, int]:
    """Returns since when each label of all impressions is 1, the rejects, and how many conversions count."""
    on = list(settings.on)
    chains = ancestors(labels)
    kinds = [label.name for label in labels if label.name != click_label]
    after_click = [name for name in kinds if click_label in chains[name]]
    used = _known(conversions.filter(pl.col(EVENT).is_in(kinds)), shown, on)
    found = pl.concat(
        [
            _after_click(used.filter(pl.col(EVENT).is_in(after_click)), shown, clicks, settings, labels),
            _after_impression(used.filter(~pl.col(EVENT).is_in(after_click)), shown, settings),
        ]
    )
    since = {label.name: np.full(len(shown), _NEVER) for label in labels}
    since[click_label][clicks.get_column(_IMPRESSION).to_numpy()] = clicks.get_column(TIME).to_numpy()
    found = _set_labels(found, since, labels, imply=settings.orphan_conversions == "imply_click")
    kept, repeated = _distinct(found.filter(pl.col(REASON).is_null()), [_IMPRESSION, EVENT], order=[TIME])
    rejects = pl.concat(
        [
            set_aside(conversions.filter(~pl.col(EVENT).is_in(kinds)), UNUSED_EVENT),
            *(
                part.select(*conversions.columns, REASON)
                for part in (found.filter(pl.col(REASON).is_not_null()), set_aside(repeated, DUPLICATE))
            ),
        ]
    )
    return since, rejects, len(kept)


def _after_click(
    events: pl.DataFrame, shown: pl.DataFrame, clicks: pl.DataFrame, settings: Join, labels: Sequence[Label]
) -> pl.DataFrame:
    """Attributes events that need a click: adds `_IMPRESSION` and `REASON`, one of them null."""
    found = _nearest(events, clicks, settings)
    found = found.with_columns(_within(settings.conversion_window_hours).alias("__within"))
    if settings.orphan_conversions == "imply_click":
        implied = _nearest(events, shown, settings)
        implied = implied.with_columns(
            (
                _within(_both_windows(settings)) & ~pl.col(_IMPRESSION).is_in(clicks.get_column(_IMPRESSION).implode())
            ).alias("__within")
        )
        own = found.get_column("__within")
        found = found.with_columns(
            pl.when(own)
            .then(found.get_column(_IMPRESSION))
            .otherwise(implied.get_column(_IMPRESSION))
            .alias(_IMPRESSION),
            (own | implied.get_column("__within")).alias("__within"),
        )
        lost: pl.Expr = pl.lit(OUTSIDE_CONVERSION_WINDOW.name)
    else:
        parent_of = {label.name: no_parent(label.parent).name for label in labels if label.parent is not None}
        orphan = pl.col(EVENT).replace_strict(parent_of, default=None, return_dtype=pl.String)
        lost = pl.when(pl.col(_IMPRESSION).is_not_null()).then(pl.lit(OUTSIDE_CONVERSION_WINDOW.name)).otherwise(orphan)
    return _judged(found, pl.col("__within"), lost)


def _after_impression(events: pl.DataFrame, shown: pl.DataFrame, settings: Join) -> pl.DataFrame:
    """Attributes events that need no click: adds `_IMPRESSION` and `REASON`, one of them null."""
    found = _nearest(events, shown, settings)
    return _judged(found, _within(_both_windows(settings)), pl.lit(OUTSIDE_CONVERSION_WINDOW.name))


def _judged(found: pl.DataFrame, within: pl.Expr, lost: pl.Expr) -> pl.DataFrame:
    why = pl.when(~pl.col(_KNOWN)).then(pl.lit(NO_IMPRESSION.name)).when(~within).then(lost)
    found = found.with_columns(why.alias(REASON))
    number = pl.when(pl.col(REASON).is_null()).then(pl.col(_IMPRESSION))
    return found.with_columns(number.alias(_IMPRESSION)).drop(_KNOWN, _ANCHOR_TIME, "__within", strict=False)


def _set_labels(found: pl.DataFrame, since: dict[str, _Times], labels: Sequence[Label], imply: bool) -> pl.DataFrame:
    """Sets the labels of attributed events, parents first, in `since`; gives orphans their reason."""
    chains = ancestors(labels)
    parts = [found.filter(pl.col(REASON).is_not_null())]
    attributed = found.filter(pl.col(REASON).is_null())
    for label in parents_first(labels):
        events = attributed.filter(pl.col(EVENT) == label.name)
        impression, time = events.get_column(_IMPRESSION).to_numpy(), events.get_column(TIME).to_numpy()
        if imply:
            for name in (label.name, *chains[label.name]):
                np.minimum.at(since[name], impression, time)
        elif label.parent is None:
            np.minimum.at(since[label.name], impression, time)
        else:
            sound = since[label.parent][impression] != _NEVER
            np.minimum.at(since[label.name], impression[sound], time[sound])
            why = pl.when(~pl.Series(sound)).then(pl.lit(no_parent(label.parent).name))
            events = events.with_columns(why.alias(REASON))
        parts.append(events)
    return pl.concat(parts)
