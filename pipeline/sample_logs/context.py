"""The context of an impression: device, placement, page, position, hour, and their effects."""

from __future__ import annotations

import numpy as np

from tandem.pipeline.sample_logs.draws import pick, skewed_shares
from tandem.pipeline.sample_logs.impressions import Impressions
from tandem.pipeline.sample_logs.timeline import hour_of_day

DEVICES = ("desktop", "mobile_app", "mobile_web", "tablet", "tv")
PLACEMENTS = ("banner", "cart", "checkout", "feed", "home", "product", "search", "sidebar")
PAGES = ("", *(f"page_{number:02d}" for number in range(1, 41)))
POSITIONS = 10

_OWN_DEVICE = 0.7  # share of a user's impressions


class Context:
    """Devices, placements and pages by their shares, and the effects of all that is around an item."""

    def __init__(self, rng: np.random.Generator):
        def effect(values: int, scale: float) -> np.ndarray:
            """[2, values] float64, on clicks and on conversions."""
            return scale * rng.normal(size=(2, values))

        self._device = effect(len(DEVICES), 0.4)
        self._placement = effect(len(PLACEMENTS), 0.6)
        self._page = effect(len(PAGES), 0.4)
        self._position = effect(POSITIONS, 0.1)
        self._hour = effect(24, 0.15)
        self._position[0] -= 0.15 * np.arange(POSITIONS)  # what stands lower is clicked less
        self._shares = [np.cumsum(skewed_shares(rng, len(values), 0.7)) for values in (DEVICES, PLACEMENTS, PAGES)]

    def draw(self, rng: np.random.Generator, user: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draws device, placement and page for impressions of these users: [B] codes each."""
        count = len(user)
        device, placement, page = (pick(rng, shares, count) for shares in self._shares)
        # People keep to a device: most impressions come from the one that belongs to the user.
        device = np.where(rng.random(count) < _OWN_DEVICE, user % len(DEVICES), device)
        return device, placement, page

    def effect(self, shown: Impressions) -> np.ndarray:
        """Returns the sum of the effects: [2, B] float64, on clicks and on conversions."""
        return (
            self._device[:, shown.device]
            + self._placement[:, shown.placement]
            + self._page[:, shown.page]
            + self._position[:, shown.position]
            + self._hour[:, hour_of_day(shown.time_ms)]
        )
