"""What happens after impressions: clicks and, after them, carts and conversions.

A conversion always has a cart event before it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tandem.pipeline.sample_logs.delays import (
    LATE_CLICK_SHARE,
    cart_delays,
    click_delays,
    conversion_delays,
    late_conversion_share,
)
from tandem.pipeline.sample_logs.world import Probabilities


class Events(NamedTuple):
    """Events of one kind, one at most for an impression; [E] each.

    Attributes:
      row: The impression's place among those of the file.
      time_ms: When.
      late: After its window (measured from the impression, or from the click).
      late_parent: In time after a click that was itself late.
    """

    row: np.ndarray
    time_ms: np.ndarray
    late: np.ndarray
    late_parent: np.ndarray

    @property
    def counted(self) -> np.ndarray:
        """[E] bool, whether the event makes a label 1."""
        return ~self.late & ~self.late_parent


def draw_clicks(rng: np.random.Generator, shown_ms: np.ndarray, probabilities: Probabilities) -> Events:
    """Draws clicks; with the late ones they are more than their labels' probability says."""
    row = np.flatnonzero(rng.random(len(shown_ms)) < probabilities.click / (1 - LATE_CLICK_SHARE))
    delays = click_delays(rng, len(row))
    return Events(row, shown_ms[row] + delays.ms, delays.late, np.zeros(len(row), dtype=bool))


def draw_carts_and_conversions(
    rng: np.random.Generator, clicks: Events, probabilities: Probabilities
) -> tuple[Events, Events]:
    """Draws carts and, for some of them, conversions later than the cart."""
    count = len(clicks.row)
    p_cart = probabilities.cart[clicks.row]
    p_conversion = probabilities.conversion[clicks.row] / (p_cart * (1 - late_conversion_share()))
    carted = rng.random(count) < p_cart
    converted = carted & (rng.random(count) < p_conversion)

    delays = conversion_delays(rng, count)
    cart_ms = cart_delays(rng, count)
    cart_ms = np.where(converted, np.minimum(cart_ms, delays.ms // 2), cart_ms)

    def after_click(chosen: np.ndarray, delay_ms: np.ndarray, late: np.ndarray) -> Events:
        events = Events(clicks.row, clicks.time_ms + delay_ms, late, clicks.late & ~late)
        return Events(*(values[chosen] for values in events))

    return (
        after_click(carted, cart_ms, np.zeros(count, dtype=bool)),
        after_click(converted, delays.ms, delays.late),
    )
