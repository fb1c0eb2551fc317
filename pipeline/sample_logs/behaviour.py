"""What follows an impression: clicks and, after them, carts and conversions; which of them come too late to count.

A conversion always has a cart event before it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tandem.pipeline.sample_logs.draws import Flags, Floats, Integers, pick
from tandem.pipeline.sample_logs.world import HOUR_MS, EventProbabilities

LABEL_OF = {"clicks": "click", "carts": "add_to_cart", "conversions": "conversion"}
"""By stream of events, the label that they make 1; carts and conversions carry it in their column `event`."""

# The windows that the truth is about: a later event is no label.
CLICK_WINDOW_HOURS = 12
CONVERSION_WINDOW_HOURS = 36

_LATE_CLICK_SHARE = 0.005
# Hours from click to conversion: share, median and log-scale deviation of log-normal parts.
_CONVERSION_DELAYS = ((0.55, 0.7, 1.0), (0.41, 8.0, 0.6), (0.04, 48.0, 0.4))


class LabelProbabilities(NamedTuple):
    """True probabilities of labels, so of events within their windows: [B] float64 each."""

    click: Floats
    cart: Floats  # given a click
    conversion: Floats  # given a click


class Events(NamedTuple):
    """Events of one kind, one at most for an impression; [E] each.

    Attributes:
      row: The impression's place among those of the file.
      time_ms: When.
      late: After its window (measured from the impression, or from the click).
      late_parent: In time after a click that was itself late.
    """

    row: Integers
    time_ms: Integers
    late: Flags
    late_parent: Flags

    @property
    def counted(self) -> Flags:
        """[E] bool, whether the event makes a label 1."""
        return ~self.late & ~self.late_parent


class _Delays(NamedTuple):
    """[E] each.

    Attributes:
      ms: Since the impression or the click.
      late: Whether that is after the window.
    """

    ms: Integers
    late: Flags


def late_conversion_share() -> float:
    """Returns the share of conversions that come after their window."""
    window = CONVERSION_WINDOW_HOURS
    return sum(
        share * math.erfc(math.log(window / median) / (deviation * math.sqrt(2))) / 2
        for share, median, deviation in _CONVERSION_DELAYS
    )


def label_probabilities(events: EventProbabilities) -> LabelProbabilities:
    """Leaves out of the probabilities what comes too late; a cart never does."""
    return LabelProbabilities(
        click=events.click * (1 - _LATE_CLICK_SHARE),
        cart=events.cart,
        conversion=events.cart * events.conversion * (1 - late_conversion_share()),
    )


def draw_events(rng: np.random.Generator, shown_ms: Integers, probabilities: EventProbabilities) -> dict[str, Events]:
    """Draws what follows impressions.

    Args:
      rng: Random numbers.
      shown_ms: [B], the impressions' times.
      probabilities: Of these impressions.

    Returns:
      By stream (see `LABEL_OF`), its events.
    """
    clicks = _draw_clicks(rng, shown_ms, probabilities)
    carts, conversions = _draw_carts_and_conversions(rng, clicks, probabilities)
    return {"clicks": clicks, "carts": carts, "conversions": conversions}


def _draw_clicks(rng: np.random.Generator, shown_ms: Integers, probabilities: EventProbabilities) -> Events:
    row = np.flatnonzero(rng.random(len(shown_ms)) < probabilities.click)
    delays = _click_delays(rng, len(row))
    return Events(row, shown_ms[row] + delays.ms, delays.late, np.zeros(len(row), dtype=bool))


def _draw_carts_and_conversions(
    rng: np.random.Generator, clicks: Events, probabilities: EventProbabilities
) -> tuple[Events, Events]:
    """Draws carts and, for some of them, conversions later than the cart."""
    count = len(clicks.row)
    carted = rng.random(count) < probabilities.cart[clicks.row]
    converted = carted & (rng.random(count) < probabilities.conversion[clicks.row])

    delays = _conversion_delays(rng, count)
    cart_ms = _cart_delays(rng, count)
    cart_ms = np.where(converted, np.minimum(cart_ms, delays.ms // 2), cart_ms)

    def after_click(chosen: Flags, delay_ms: Integers, late: Flags) -> Events:
        time_ms, late_parent = clicks.time_ms + delay_ms, clicks.late & ~late
        return Events(clicks.row[chosen], time_ms[chosen], late[chosen], late_parent[chosen])

    return (
        after_click(carted, cart_ms, np.zeros(count, dtype=bool)),
        after_click(converted, delays.ms, delays.late),
    )


def _click_delays(rng: np.random.Generator, count: int) -> _Delays:
    """Draws the delays of clicks since their impressions."""
    late = rng.random(count) < _LATE_CLICK_SHARE
    # A typical click takes 20 seconds; the bound keeps repeated clicks, too, on their side of the window.
    soon = np.clip(rng.lognormal(math.log(20), 1.2, count), 0.3, 3_600)
    after = CLICK_WINDOW_HOURS * 3_600 + 60 + rng.exponential(8 * 3_600, count)
    return _Delays((1000 * np.where(late, after, soon)).astype(np.int64), late)


def _cart_delays(rng: np.random.Generator, count: int) -> Integers:
    """Draws the milliseconds from clicks to carts, [count]; none is late."""
    return np.clip(1000 * rng.lognormal(math.log(150), 1.0, count), 1, 12 * HOUR_MS).astype(np.int64)


def _conversion_delays(rng: np.random.Generator, count: int) -> _Delays:
    """Draws the delays of conversions since their clicks, 2 ms at least."""
    shares, medians, deviations = np.array(_CONVERSION_DELAYS).T
    part = pick(rng, np.cumsum(shares), count)
    hours = np.exp(np.log(medians[part]) + deviations[part] * rng.normal(size=count))
    late = hours > CONVERSION_WINDOW_HOURS
    # Late by a minute at least: a double click a moment after the first must not bring it back into the window.
    hours += late / 60
    return _Delays((hours * HOUR_MS).astype(np.int64) + 2, late)
