"""The world behind the logs: who is shown what and when, and how likely a click, a cart and a conversion are.

Users and items have hidden tastes. What a user likes to click is a product of user and item tastes; what the user likes
to buy is that product mixed with a second one, by an angle that depends on the user's segment and the item's category:
in some cells of that table buying follows clicking, in some it goes against it, in some the two have nothing to do with
each other. On top come the effects of the user, of the item and of the context: device, placement, page, position,
hour.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from tandem.pipeline.sample_logs.draws import Flags, Floats, Integers, pick, skewed_shares
from tandem.pipeline.sample_logs.population import CATEGORIES, SEGMENTS, decoded, draw_items, draw_users

START = datetime.datetime(2024, 3, 1, tzinfo=datetime.timezone.utc)
DAYS = 14
EVAL_START = datetime.datetime(2024, 3, 13, tzinfo=datetime.timezone.utc)

HOUR_MS = 3_600_000

# Mean rates, of events within their windows and of later ones.
CLICK_RATE = 0.045  # of impressions
CART_RATE = 0.27  # of clicks
CONVERSION_RATE = 0.098  # of clicks

DEVICES = ("desktop", "mobile_app", "mobile_web", "tablet", "tv")
PLACEMENTS = ("banner", "cart", "checkout", "feed", "home", "product", "search", "sidebar")
PAGES = ("", *(f"page_{number:02d}" for number in range(1, 41)))
POSITIONS = 10

_DAILY_CYCLE = 1 + 0.7 * np.sin((np.arange(24) - 13) / 24 * 2 * np.pi)  # quietest at 7, busiest at 19 UTC
_WEEKLY_CYCLE = (1.0, 1.0, 1.0, 1.05, 1.1, 1.2, 1.15)  # from Monday
_OWN_DEVICE = 0.7  # share of a user's impressions

# Standard deviations of the parts of the log-odds, after standardizing each part.
_CLICK_WEIGHTS = {"user": 0.38, "item": 0.58, "context": 0.62, "taste": 0.88}
_CONVERSION_WEIGHTS = {"user": 0.35, "item": 0.40, "context": 0.25, "taste": 0.65}
_PILOT = 50_000  # impressions that the parts are standardized on


class Impressions(NamedTuple):
    """[B] integers each: milliseconds since 1970 and, from `user` on, codes that start at 0."""

    time_ms: Integers
    user: Integers
    item: Integers
    device: Integers
    placement: Integers
    page: Integers
    position: Integers


class EventProbabilities(NamedTuple):
    """How likely it is that something happens after an impression, in time or too late: [B] float64 each."""

    click: Floats
    cart: Floats  # given a click
    conversion: Floats  # given a cart


def in_evaluation(time_ms: Integers) -> Flags:
    """Tells which times are not before `EVAL_START`."""
    return time_ms >= EVAL_START.timestamp() * 1000


class World:
    """Everything that does not change from impression to impression, and the draws that depend on it."""

    def __init__(self, impressions: int, seed: int):
        rng = np.random.default_rng([seed, 0])
        self.users = draw_users(rng, max(100, round(0.25 * impressions**0.8)))
        self.items = draw_items(rng, max(50, round(0.05 * impressions**0.8)))
        self._alignment = _draw_alignment(rng)
        self._context = _Context(rng)
        self._cumulative_hours = np.cumsum(_hour_shares())
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

    def cells(self, shown: Impressions) -> dict[str, pa.Array]:
        """Returns what the logs say of impressions beside id and time: by column, [B] string."""
        return {
            "user_id": self.users.names.take(pa.array(shown.user)),
            "item_id": self.items.names.take(pa.array(shown.item)),
            "device": decoded(DEVICES, shown.device),
            "placement": decoded(PLACEMENTS, shown.placement),
            "page": decoded(PAGES, shown.page),
            "position": pa.array(shown.position + 1).cast(pa.string()),
        }

    def event_probabilities(self, shown: Impressions) -> EventProbabilities:
        """Returns the true probabilities of what may follow."""
        click, purchase = self._scores(shown)
        return EventProbabilities(
            click=_sigmoid(self._biases["click"] + click),
            cart=_sigmoid(self._biases["cart"] + purchase),
            conversion=_sigmoid(self._biases["conversion"] + purchase),
        )

    def alignment(self, shown: Impressions) -> Floats:
        """Returns the cosine of the angle between what is clicked and what is bought: [B]."""
        cosines: Floats = self._alignment[self.users.group[shown.user], self.items.group[shown.item]]
        return cosines

    def _parts(self, shown: Impressions) -> dict[str, Floats]:
        """Returns the parts of the log-odds before weighting, [2, B] each."""
        users, items = self.users, self.items
        return {
            "user": users.effect[:, shown.user],
            "item": items.effect[:, shown.item],
            "context": self._context.effect(shown),
            "taste": np.einsum("tbr,tbr->tb", users.taste[:, shown.user], items.taste[:, shown.item]),
        }

    def _scores(self, shown: Impressions) -> tuple[Floats, Floats]:
        """Returns the log-odds of clicking and of buying but for their biases, [B] each."""
        parts = {name: (part - self._center[name]) / self._scale[name] for name, part in self._parts(shown).items()}
        alignment = self.alignment(shown)
        click: Floats = sum(weight * parts[name][0] for name, weight in _CLICK_WEIGHTS.items())
        bought = alignment * parts["taste"][0] + np.sqrt(1 - alignment**2) * parts["taste"][1]
        others = sum(weight * parts[name][1] for name, weight in _CONVERSION_WEIGHTS.items() if name != "taste")
        purchase: Floats = others + _CONVERSION_WEIGHTS["taste"] * bought
        return click, purchase

    def _calibrate(self, rng: np.random.Generator) -> None:
        """Standardizes the parts and sets the biases, so that every seed and size has about the same rates."""
        shown = self.show(rng, _PILOT)
        parts = self._parts(shown)
        self._center = {name: part.mean(axis=1, keepdims=True) for name, part in parts.items()}
        self._scale = {name: part.std(axis=1, keepdims=True) for name, part in parts.items()}
        click, purchase = self._scores(shown)
        bias = _bias(click, CLICK_RATE, np.ones(_PILOT))
        clicked = _sigmoid(bias + click)
        cart_bias = _bias(purchase, CART_RATE, clicked)
        carted = clicked * _sigmoid(cart_bias + purchase)
        self._biases = {
            "click": bias,
            "cart": cart_bias,
            "conversion": _bias(purchase, CONVERSION_RATE / CART_RATE, carted),
        }


class _Context:
    """Devices, placements and pages by their shares, and the effects of all that is around an item."""

    def __init__(self, rng: np.random.Generator):
        def effect(values: int, scale: float) -> Floats:
            """[2, values] float64, on clicks and on conversions."""
            return scale * rng.normal(size=(2, values))

        self._device = effect(len(DEVICES), 0.4)
        self._placement = effect(len(PLACEMENTS), 0.6)
        self._page = effect(len(PAGES), 0.4)
        self._position = effect(POSITIONS, 0.1)
        self._hour = effect(24, 0.15)
        self._position[0] -= 0.15 * np.arange(POSITIONS)  # what stands lower is clicked less
        self._shares = [np.cumsum(skewed_shares(rng, len(values), 0.7)) for values in (DEVICES, PLACEMENTS, PAGES)]

    def draw(self, rng: np.random.Generator, user: Integers) -> tuple[Integers, Integers, Integers]:
        """Draws device, placement and page for impressions of these users: [B] codes each."""
        count = len(user)
        device, placement, page = (pick(rng, shares, count) for shares in self._shares)
        # People keep to a device: most impressions come from the one that belongs to the user.
        device = np.where(rng.random(count) < _OWN_DEVICE, user % len(DEVICES), device)
        return device, placement, page

    def effect(self, shown: Impressions) -> Floats:
        """Returns the sum of the effects: [2, B] float64, on clicks and on conversions."""
        hour_of_day = shown.time_ms // HOUR_MS % 24
        effect: Floats = (
            self._device[:, shown.device]
            + self._placement[:, shown.placement]
            + self._page[:, shown.page]
            + self._position[:, shown.position]
            + self._hour[:, hour_of_day]
        )
        return effect


def _hour_shares() -> Floats:
    """Returns the shares of the impressions that fall into each hour from `START` on: [24 * DAYS] float64."""
    first_day = START.weekday()
    hours = np.concatenate([_WEEKLY_CYCLE[(first_day + day) % 7] * _DAILY_CYCLE for day in range(DAYS)])
    shares: Floats = hours / hours.sum()
    return shares


def _draw_alignment(rng: np.random.Generator) -> Floats:
    """Draws how buying goes with clicking: cosines, [segments, categories].

    About half of the cells are aligned, a third opposed, the rest unrelated.
    """
    degrees = rng.choice(np.array((25, 155, 90)), size=(len(SEGMENTS), len(CATEGORIES)), p=(0.5, 0.35, 0.15))
    cosines: Floats = np.cos(np.radians(degrees + 8 * rng.normal(size=degrees.shape)))
    return cosines


def _sigmoid(x: Floats) -> Floats:
    probability: Floats = 1 / (1 + np.exp(-x))
    return probability


def _bias(score: Floats, rate: float, weights: Floats) -> float:
    """Finds by bisection the bias at which the weighted mean of sigmoid(bias + score) is `rate`."""
    low, high = -20.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        if np.average(_sigmoid(middle + score), weights=weights) < rate:
            low = middle
        else:
            high = middle
    return (low + high) / 2
