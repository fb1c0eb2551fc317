"""How long after an impression or a click an event comes, and which events come after their window."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from tandem.pipeline.sample_logs.draws import pick
from tandem.pipeline.sample_logs.timeline import HOUR_MS

# The windows that the truth is about: a later event is no label.
CLICK_WINDOW_HOURS = 12
CONVERSION_WINDOW_HOURS = 36

LATE_CLICK_SHARE = 0.005
# Hours from click to conversion: share, median and log-scale deviation of log-normal parts.
_CONVERSION_DELAYS = ((0.55, 0.7, 1.0), (0.41, 8.0, 0.6), (0.04, 48.0, 0.4))


class Delays(NamedTuple):
    """[E] each.

    Attributes:
      ms: int64, since the impression or the click.
      late: bool, whether that is after the window.
    """

    ms: np.ndarray
    late: np.ndarray


def late_conversion_share() -> float:
    """Returns the share of conversions that come after their window."""
    window = CONVERSION_WINDOW_HOURS
    return sum(
        share * math.erfc(math.log(window / median) / (deviation * math.sqrt(2))) / 2
        for share, median, deviation in _CONVERSION_DELAYS
    )


def click_delays(rng: np.random.Generator, count: int) -> Delays:
    """Draws the delays of clicks since their impressions."""
    late = rng.random(count) < LATE_CLICK_SHARE
    # A typical click takes 20 seconds; the bound keeps repeated clicks, too, on their side of the window.
    soon = np.clip(rng.lognormal(math.log(20), 1.2, count), 0.3, 3_600)
    after = CLICK_WINDOW_HOURS * 3_600 + 60 + rng.exponential(8 * 3_600, count)
    return Delays((1000 * np.where(late, after, soon)).astype(np.int64), late)


def cart_delays(rng: np.random.Generator, count: int) -> np.ndarray:
    """Draws the milliseconds from clicks to carts, [count] int64; none is late."""
    return np.clip(1000 * rng.lognormal(math.log(150), 1.0, count), 1, 12 * HOUR_MS).astype(np.int64)


def conversion_delays(rng: np.random.Generator, count: int) -> Delays:
    """Draws the delays of conversions since their clicks, 2 ms at least."""
    shares, medians, deviations = np.array(_CONVERSION_DELAYS).T
    part = pick(rng, np.cumsum(shares), count)
    hours = np.exp(np.log(medians[part]) + deviations[part] * rng.normal(size=count))
    late = hours > CONVERSION_WINDOW_HOURS
    # Late by a minute at least: a double click a moment after the first must not bring it back into the window.
    hours += late / 60
    return Delays((hours * HOUR_MS).astype(np.int64) + 2, late)
