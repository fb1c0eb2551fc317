"""The world behind the logs: who is shown what, and how likely a click, a cart and a conversion are.

Users and items have hidden tastes. What a user likes to click is a product of user and item tastes; what the user likes
to buy is that product mixed with a second one, by an angle that depends on the user's segment and the item's category:
in some cells of that table buying follows clicking, in some it goes against it, in some the two have nothing to do with
each other. On top come the effects of the user, of the item and of the context.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tandem.pipeline.sample_logs.context import POSITIONS, Context
from tandem.pipeline.sample_logs.delays import LATE_CLICK_SHARE, late_conversion_share
from tandem.pipeline.sample_logs.draws import pick
from tandem.pipeline.sample_logs.impressions import Impressions
from tandem.pipeline.sample_logs.population import CATEGORIES, SEGMENTS, draw_items, draw_users
from tandem.pipeline.sample_logs.timeline import HOUR_MS, START, hour_shares

# Mean rates, of events within their windows and of later ones.
CLICK_RATE = 0.045  # of impressions
CART_RATE = 0.27  # of clicks
CONVERSION_RATE = 0.098  # of clicks

# Standard deviations of the parts of the log-odds, after standardizing each part.
_CLICK_WEIGHTS = {"user": 0.38, "item": 0.58, "context": 0.62, "taste": 0.88}
_CONVERSION_WEIGHTS = {"user": 0.35, "item": 0.40, "context": 0.25, "taste": 0.65}
_PILOT = 50_000  # impressions that the parts are standardized on


class Probabilities(NamedTuple):
    """True probabilities of impressions: [B] float64 each; of labels, so of events within their windows."""

    click: np.ndarray
    cart: np.ndarray  # given a click
    conversion: np.ndarray  # given a click
    alignment: np.ndarray  # cosine of the angle between what is clicked and what is bought


class World:
    """Everything that does not change from impression to impression, and the draws that depend on it."""

    def __init__(self, impressions: int, seed: int):
        rng = np.random.default_rng([seed, 0])
        self.users = draw_users(rng, max(100, round(0.25 * impressions**0.8)))
        self.items = draw_items(rng, max(50, round(0.05 * impressions**0.8)))
        self._alignment = _draw_alignment(rng)
        self._context = Context(rng)
        self._cumulative_hours = np.cumsum(hour_shares())
        self._calibrate(np.random.default_rng([seed, 1]))

    def show(self, rng: np.random.Generator, count: int) -> Impressions:
        """Draws impressions over all days."""
        hour = pick(rng, self._cumulative_hours, count)
        user = pick(rng, self.users.popularity, count)
        device, placement, page = self._context.draw(rng, user)
        return Impressions(
            time_ms=int(START.timestamp()) * 1000 + hour * HOUR_MS + rng.integers(0, HOUR_MS, count),
            user=user,
            item=pick(rng, self.items.popularity, count),
            device=device,
            placement=placement,
            page=page,
            position=rng.integers(0, POSITIONS, count),
        )

    def probabilities(self, shown: Impressions) -> Probabilities:
        """Returns the true probabilities of the labels."""
        click, purchase, alignment = self._scores(shown)
        cart = _sigmoid(self._biases["cart"] + purchase)
        return Probabilities(
            click=_sigmoid(self._biases["click"] + click) * (1 - LATE_CLICK_SHARE),
            cart=cart,
            conversion=cart * _sigmoid(self._biases["conversion"] + purchase) * (1 - late_conversion_share()),
            alignment=alignment,
        )

    def _parts(self, shown: Impressions) -> dict[str, np.ndarray]:
        """Returns the parts of the log-odds before weighting, [2, B] each."""
        users, items = self.users, self.items
        return {
            "user": users.effect[:, shown.user],
            "item": items.effect[:, shown.item],
            "context": self._context.effect(shown),
            "taste": np.einsum("tbr,tbr->tb", users.taste[:, shown.user], items.taste[:, shown.item]),
        }

    def _scores(self, shown: Impressions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns the log-odds of clicking and of buying but for their biases, and the alignment, [B] each."""
        parts = {name: (part - self._center[name]) / self._scale[name] for name, part in self._parts(shown).items()}
        alignment = self._alignment[self.users.group[shown.user], self.items.group[shown.item]]
        click = sum(weight * parts[name][0] for name, weight in _CLICK_WEIGHTS.items())
        bought = alignment * parts["taste"][0] + np.sqrt(1 - alignment**2) * parts["taste"][1]
        purchase = sum(weight * parts[name][1] for name, weight in _CONVERSION_WEIGHTS.items() if name != "taste")
        return click, purchase + _CONVERSION_WEIGHTS["taste"] * bought, alignment

    def _calibrate(self, rng: np.random.Generator) -> None:
        """Standardizes the parts and sets the biases, so that every seed and size has about the same rates."""
        shown = self.show(rng, _PILOT)
        parts = self._parts(shown)
        self._center = {name: part.mean(axis=1, keepdims=True) for name, part in parts.items()}
        self._scale = {name: part.std(axis=1, keepdims=True) for name, part in parts.items()}
        click, purchase, _ = self._scores(shown)
        bias = _bias(click, CLICK_RATE, np.ones(_PILOT))
        clicked = _sigmoid(bias + click)
        cart_bias = _bias(purchase, CART_RATE, clicked)
        carted = clicked * _sigmoid(cart_bias + purchase)
        self._biases = {
            "click": bias,
            "cart": cart_bias,
            "conversion": _bias(purchase, CONVERSION_RATE / CART_RATE, carted),
        }


def _draw_alignment(rng: np.random.Generator) -> np.ndarray:
    """Draws how buying goes with clicking: cosines, [segments, categories].

    About half of the cells are aligned, a third opposed, the rest unrelated.
    """
    degrees = rng.choice(np.array((25, 155, 90)), size=(len(SEGMENTS), len(CATEGORIES)), p=(0.5, 0.35, 0.15))
    return np.cos(np.radians(degrees + 8 * rng.normal(size=degrees.shape)))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _bias(score: np.ndarray, rate: float, weights: np.ndarray) -> float:
    """Finds by bisection the bias at which the weighted mean of sigmoid(bias + score) is `rate`."""
    low, high = -20.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        if np.average(_sigmoid(middle + score), weights=weights) < rate:
            low = middle
        else:
            high = middle
    return (low + high) / 2
