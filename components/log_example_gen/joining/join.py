"""Impressions, clicks and conversions -> one row per impression with its labels.

Pure: polars frames in and out. What is joined must hold all events of its keys; the order of the rows does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from tandem.components.log_example_gen.joining.attribution import (
    IMPRESSION,
    after_click,
    after_impression,
    attribute_clicks,
    leads,
)
from tandem.components.log_example_gen.labels import ancestors, parents_first
from tandem.components.log_example_gen.records import (
    CLICKS,
    CONVERSIONS,
    DUPLICATE,
    EVENT,
    FILE,
    IMPRESSIONS,
    REASON,
    ROW,
    TIME,
    UNUSED_EVENT,
    no_parent,
    set_aside,
)
from tandem.components.log_example_gen.settings.columns import time_column

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    from tandem.components.log_example_gen.settings.columns import Label
    from tandem.components.log_example_gen.settings.join import Join

_Times: TypeAlias = npt.NDArray[np.int64]  # [impressions]: the microsecond in which a label became 1, or `_NEVER`.
_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Joined:
    """What became of the rows: of each stream, rows in = examples (or attached) + rejects.

    Attributes:
      examples: The distinct impressions with a column per label (Int8), and per label the time of the event that set it
        (`time_column`, Int64 microseconds since 1970, null where the label is 0), in an order that depends on their
        keys and times alone and is otherwise as good as random.
      rejects: By stream, the other rows with `REASON` (duplicates among them).
      attached: By stream, how many clicks and conversions set a label.
      leads: By stream, how shortly before what they could belong to events lie whose time did not fit (see
        `attribution.leads`).
    """

    examples: pl.DataFrame
    rejects: dict[str, pl.DataFrame]
    attached: dict[str, int]
    leads: dict[str, Counter[str]] = field(default_factory=dict)


def join(
    impressions: pl.DataFrame,
    clicks: pl.DataFrame | None,
    conversions: pl.DataFrame | None,
    settings: Join,
    labels: Sequence[Label],
    click_label: str = "click",
) -> Joined:
    """Finds the impression of each click and conversion, and sets its labels.

    With `impression_id`, an event belongs to the impression with its key. With `last_touch`, a click belongs to the
    latest impression of its key at or before it. A window's edge lies inside. With `impression_id` and without a window
    no order is demanded: there are logs whose events all carry the time of their impression.

    What needs a click belongs to the latest click of its key at or before it, among all clicks that have an impression
    and lie in their window: also a second click of an impression, which sets no label any more. With `impression_id`, a
    conversion before all clicks of its key is compared with the first of them.

    A conversion that needs no click (none of its label's ancestors is `click_label`) belongs to the impression itself,
    within both windows together; where there are no clicks at all, within the conversion window.

    An implied click (`imply_click`) is that of an impression without a click of its own, with which the conversion lies
    within both windows together.

    A label's time is that of the earliest event that sets it: its own, or one that implies it.

    Args:
      impressions: Keys, `TIME` and whatever else; like the others without empty keys and times (see `records`).
      clicks: Keys and `TIME`; None: the logs have no clicks.
      conversions: Keys, `TIME` and `EVENT`, the name of the label that the row is about; None: there are none.
      settings: Keys, attribution, windows, and what to do with orphans.
      labels: All labels.
      click_label: The one that clicks set. A conversion of this name is not used: clicks come from the clicks. Without
        clicks it is a label like any other.

    Raises:
      LogsError: Labels that do not form a tree.
    """
    on = list(settings.on)
    shown, repeated = _distinct(impressions, [*on, TIME] if settings.attribution == "last_touch" else on, order=[TIME])
    shown = _scattered(shown, on).with_row_index(IMPRESSION)
    since = {label.name: np.full(len(shown), _NEVER) for label in labels}
    rejects = {IMPRESSIONS: set_aside(repeated, DUPLICATE)}
    attached: dict[str, int] = {}
    early: dict[str, Counter[str]] = {}
    counted = None
    if clicks is not None:
        first, again, rejects[CLICKS] = _clicks(clicks, shown, settings)
        since[click_label][first.get_column(IMPRESSION).to_numpy()] = first.get_column(TIME).to_numpy()
        attached[CLICKS], early[CLICKS] = len(first), leads(rejects[CLICKS], shown, settings)
        counted = pl.concat([first, again]).select(*on, TIME, IMPRESSION)
    if conversions is not None:
        kinds = [label.name for label in labels if counted is None or label.name != click_label]
        unused = set_aside(conversions.filter(~pl.col(EVENT).is_in(kinds)), UNUSED_EVENT)
        used = conversions.filter(pl.col(EVENT).is_in(kinds))
        found = _attributed(used, shown, counted, settings, labels, click_label)
        found = _set_labels(found, since, labels, imply=settings.orphan_conversions == "imply_click")
        kept, lost = _conversions(found, list(conversions.columns))
        rejects[CONVERSIONS] = pl.concat([unused, lost])
        attached[CONVERSIONS] = kept
        early[CONVERSIONS] = leads(rejects[CONVERSIONS], shown if counted is None else counted, settings)
    return Joined(
        examples=shown.drop(IMPRESSION).with_columns(
            *(pl.Series(label.name, (since[label.name] != _NEVER).astype(np.int8)) for label in labels),
            *(_times(label.name, since[label.name]) for label in labels),
        ),
        rejects=rejects,
        attached=attached,
        leads=early,
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


def _clicks(
    clicks: pl.DataFrame, shown: pl.DataFrame, settings: Join
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Returns the first click of each impression, those that repeat it (both with its number), and the rejects."""
    found = attribute_clicks(clicks, shown, settings)
    sound = pl.col(REASON).is_null()
    first, repeated = _distinct(found.filter(sound), [IMPRESSION], order=[TIME])
    rejects = pl.concat([found.filter(~sound), set_aside(repeated, DUPLICATE)])
    return first, repeated, rejects.select(*clicks.columns, REASON)


def _attributed(
    conversions: pl.DataFrame,
    shown: pl.DataFrame,
    clicks: pl.DataFrame | None,
    settings: Join,
    labels: Sequence[Label],
    click_label: str,
) -> pl.DataFrame:
    """Returns the conversions with their impression or the reason that they have none."""
    if clicks is None:
        return after_impression(conversions, shown, settings, after_clicks=False)
    chains = ancestors(labels)
    need_click = pl.col(EVENT).is_in([label.name for label in labels if click_label in chains[label.name]])
    return pl.concat(
        [
            after_click(conversions.filter(need_click), shown, clicks, settings, labels),
            after_impression(conversions.filter(~need_click), shown, settings),
        ]
    )


def _set_labels(found: pl.DataFrame, since: dict[str, _Times], labels: Sequence[Label], imply: bool) -> pl.DataFrame:
    """Sets the labels of attributed events, parents first, in `since`; gives orphans their reason."""
    chains = ancestors(labels)
    parts = [found.filter(pl.col(REASON).is_not_null())]
    attributed = found.filter(pl.col(REASON).is_null())
    for label in parents_first(labels):
        events = attributed.filter(pl.col(EVENT) == label.name)
        impression, time = events.get_column(IMPRESSION).to_numpy(), events.get_column(TIME).to_numpy()
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


def _conversions(found: pl.DataFrame, columns: list[str]) -> tuple[int, pl.DataFrame]:
    """Returns how many conversions count, and the rejects: those with a reason, and those that repeat another."""
    sound = pl.col(REASON).is_null()
    kept, repeated = _distinct(found.filter(sound), [IMPRESSION, EVENT], order=[TIME])
    rejects = pl.concat([found.filter(~sound), set_aside(repeated, DUPLICATE)])
    return len(kept), rejects.select(*columns, REASON)
