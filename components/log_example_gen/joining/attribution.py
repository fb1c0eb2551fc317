"""Which impression or click an event belongs to, and why it belongs to none.

Pure: polars frames in and out.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from tandem.components.log_example_gen.records import (
    BEFORE_CLICK,
    BEFORE_IMPRESSION,
    DUPLICATE,
    EVENT,
    NO_IMPRESSION,
    OUTSIDE_CLICK_WINDOW,
    OUTSIDE_CONVERSION_WINDOW,
    REASON,
    TIME,
    UNUSED_EVENT,
    no_parent,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tandem.components.log_example_gen.settings.columns import Label
    from tandem.components.log_example_gen.settings.join import Join

IMPRESSION = "__impression"  # The number of an impression among those that are kept.
LEADS_S = (1, 10, 60, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
"""How long before what it belongs to an event may lie, in seconds: the upper edges of what `leads` counts."""

_ANCHOR_TIME = "__anchor_time_us"  # When the thing happened that an event belongs to.
_KNOWN = "__known"  # Whether any impression has an event's key.
_PLACE = "__place"  # The number of an event in its frame.
_US_PER_HOUR = 3_600_000_000
_US_PER_SECOND = 1_000_000


def attribute_clicks(clicks: pl.DataFrame, shown: pl.DataFrame, settings: Join) -> pl.DataFrame:
    """Adds to each click the number of its impression (`IMPRESSION`), or why it counts for nothing (`REASON`).

    Args:
      clicks: Keys and `TIME`.
      shown: The impressions with their keys, `TIME` and number.
      settings: Keys, attribution and windows.
    """
    found = _nearest(_known(clicks, shown, settings), shown, settings)
    return _judged(found, _within(settings.click_window_hours), _too_early_or(OUTSIDE_CLICK_WINDOW.name))


def after_click(
    events: pl.DataFrame, shown: pl.DataFrame, clicks: pl.DataFrame, settings: Join, labels: Sequence[Label]
) -> pl.DataFrame:
    """Attributes events that need a click, each to the latest one at or before it.

    Args:
      events: Keys, `TIME` and `EVENT`.
      shown: The impressions.
      clicks: All clicks that count, also the second and third of an impression, with its number.
      settings: Keys, attribution and windows.
      labels: All labels.

    Returns:
      The events with `IMPRESSION` and `REASON`, one of them null.
    """
    events = _known(events, shown, settings)
    found = _nearest_click(events, clicks, settings)
    within = _within(settings.conversion_window_hours)
    early = pl.col(IMPRESSION).is_not_null() & (pl.col(TIME) < pl.col(_ANCHOR_TIME))
    if settings.orphan_conversions == "quarantine":
        parent_of = {label.name: no_parent(label.parent).name for label in labels if label.parent is not None}
        orphan = pl.col(EVENT).replace_strict(parent_of, default=None, return_dtype=pl.String)
        late = pl.when(pl.col(IMPRESSION).is_not_null()).then(pl.lit(OUTSIDE_CONVERSION_WINDOW.name)).otherwise(orphan)
        return _judged(found, within, pl.when(early).then(pl.lit(BEFORE_CLICK.name)).otherwise(late))
    implied = _nearest(events, shown, settings).with_columns(
        (
            _within(window_of_events(settings, after_clicks=True))
            & ~pl.col(IMPRESSION).is_in(clicks.get_column(IMPRESSION).implode())
        ).alias("__implies"),
        _too_early_or(None).alias("__early"),
    )
    found = found.with_columns(within.alias("__within"), early.alias("__before_click"))
    found = found.with_columns(
        pl.when("__within").then(IMPRESSION).otherwise(implied.get_column(IMPRESSION)).alias(IMPRESSION),
        implied.get_column("__implies"),
        implied.get_column("__early"),
    )
    why = pl.coalesce(
        pl.col("__early"),
        pl.when("__before_click").then(pl.lit(BEFORE_CLICK.name)),
        pl.lit(OUTSIDE_CONVERSION_WINDOW.name),
    )
    own = ("__within", "__implies", "__early", "__before_click")
    return _judged(found, pl.col("__within") | pl.col("__implies"), why).drop(own)


def after_impression(
    events: pl.DataFrame, shown: pl.DataFrame, settings: Join, after_clicks: bool = True
) -> pl.DataFrame:
    """Attributes events that need no click, each to its impression; returns what `after_click` does.

    Args:
      events: Keys, `TIME` and `EVENT`.
      shown: The impressions.
      settings: Keys, attribution and windows.
      after_clicks: Whether there are clicks: then such an event may be as late as one after a click.
    """
    found = _nearest(_known(events, shown, settings), shown, settings)
    within = _within(window_of_events(settings, after_clicks))
    return _judged(found, within, _too_early_or(OUTSIDE_CONVERSION_WINDOW.name))


def window_of_events(settings: Join, after_clicks: bool) -> float | None:
    """Returns how many hours after its impression a conversion may come; None: there is no limit.

    Args:
      settings: The windows.
      after_clicks: Whether there are clicks between the two.
    """
    if not after_clicks:
        return settings.conversion_window_hours
    if settings.click_window_hours is None or settings.conversion_window_hours is None:
        return None
    return settings.click_window_hours + settings.conversion_window_hours


def leads(rejects: pl.DataFrame, anchors: pl.DataFrame, settings: Join) -> Counter[str]:
    """Counts how shortly before something that they could belong to events lie that came at the wrong time.

    Where they are many and the time is short, a clock is behind.

    Args:
      rejects: Events with `REASON`; those set aside for their key, their kind or as repeated are not looked at.
      anchors: Impressions or clicks, with the keys and `TIME`.
      settings: Keys and attribution.

    Returns:
      By the upper edge in seconds (`LEADS_S`, as text), how many; those further away are not counted.
    """
    early = rejects.filter(~pl.col(REASON).is_in([NO_IMPRESSION.name, DUPLICATE.name, UNUSED_EVENT.name]))
    if early.is_empty():
        return Counter()
    following = early.select(*settings.on, TIME).sort(TIME)
    following = following.join_asof(
        anchors.select(*settings.on, TIME, pl.col(TIME).alias(_ANCHOR_TIME)).sort(TIME),
        on=TIME,
        by=list(settings.on),
        strategy="forward",
        check_sortedness=False,  # Sorted just above; polars cannot see it through `by` and warns.
    )
    seconds = ((following.get_column(_ANCHOR_TIME) - following.get_column(TIME)) / _US_PER_SECOND).drop_nulls()
    found: Counter[str] = Counter()
    below = 0
    for edge in LEADS_S:
        until = int((seconds <= edge).sum())
        found[str(edge)] = until - below
        below = until
    return +found


def _nearest(events: pl.DataFrame, anchors: pl.DataFrame, settings: Join) -> pl.DataFrame:
    """Adds to each event the number (`IMPRESSION`) and the time (`_ANCHOR_TIME`) of what it belongs to, or nulls.

    That is the one with its key, or (`last_touch`) the latest one of its key at or before it. The events keep their
    order; windows are not looked at.
    """
    on = list(settings.on)
    if settings.attribution == "last_touch":
        return _latest_before(events, anchors, on)
    anchors = anchors.select(*on, pl.col(TIME).alias(_ANCHOR_TIME), IMPRESSION)
    return events.join(anchors, on=on, how="left", maintain_order="left")


def _nearest_click(events: pl.DataFrame, clicks: pl.DataFrame, settings: Join) -> pl.DataFrame:
    """Does the same with clicks, of which an impression may have several.

    Where the key names one impression, an event before all clicks of its key belongs to the first.
    """
    if settings.attribution == "last_touch":
        return _nearest(events, clicks, settings)
    again = clicks.get_column(IMPRESSION).is_duplicated()
    if not again.any():
        return _nearest(events, clicks, settings)
    firsts = clicks.filter(again).sort(TIME).unique(IMPRESSION, keep="first", maintain_order=True)
    found = _nearest(events, pl.concat([clicks.filter(~again), firsts]), settings)
    latest = _latest_before(events, clicks, list(settings.on)).get_column(_ANCHOR_TIME)
    return found.with_columns(latest.fill_null(found.get_column(_ANCHOR_TIME)).alias(_ANCHOR_TIME))


def _latest_before(events: pl.DataFrame, anchors: pl.DataFrame, on: list[str]) -> pl.DataFrame:
    return (
        events.with_row_index(_PLACE)
        .sort(TIME)
        .join_asof(
            anchors.select(*on, TIME, pl.col(TIME).alias(_ANCHOR_TIME), IMPRESSION).sort(TIME),
            on=TIME,
            by=on,
            strategy="backward",
            check_sortedness=False,  # Sorted just above; polars cannot see it through `by` and warns.
        )
        .sort(_PLACE)
        .drop(_PLACE)
    )


def _known(events: pl.DataFrame, shown: pl.DataFrame, settings: Join) -> pl.DataFrame:
    on = list(settings.on)
    keys = shown.select(on).unique().with_columns(pl.lit(True).alias(_KNOWN))
    return events.join(keys, on=on, how="left", maintain_order="left").with_columns(pl.col(_KNOWN).fill_null(False))


def _within(hours: float | None) -> pl.Expr:
    """Whether an event has something to belong to and lies within the window after it, edge included."""
    found = pl.col(IMPRESSION).is_not_null()
    if hours is None:
        return found
    delay = pl.col(TIME) - pl.col(_ANCHOR_TIME)
    return found & (delay >= 0) & (delay <= round(hours * _US_PER_HOUR))


def _too_early_or(late: str | None) -> pl.Expr:
    """Why an event outside its window is outside: it came before all impressions of its key, or `late`."""
    early = pl.col(IMPRESSION).is_null() | (pl.col(TIME) < pl.col(_ANCHOR_TIME))
    return pl.when(early).then(pl.lit(BEFORE_IMPRESSION.name)).otherwise(pl.lit(late, pl.String))


def _judged(found: pl.DataFrame, within: pl.Expr, lost: pl.Expr) -> pl.DataFrame:
    """Gives events outside their window the reason `lost`, and takes their impression from them."""
    why = pl.when(~pl.col(_KNOWN)).then(pl.lit(NO_IMPRESSION.name)).when(~within).then(lost)
    found = found.with_columns(why.alias(REASON))
    number = pl.when(pl.col(REASON).is_null()).then(pl.col(IMPRESSION))
    return found.with_columns(number.alias(IMPRESSION)).drop(_KNOWN, _ANCHOR_TIME)
