"""Users and items: their features, their hidden tastes and effects, how often they are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from tandem.pipeline.sample_logs.draws import Floats, Integers, pick_skewed, skewed_shares

if TYPE_CHECKING:
    from collections.abc import Sequence

SEGMENTS = ("commuters", "families", "gamers", "gardeners", "students", "travelers")
CATEGORIES = (
    *("audio", "books", "camping", "computers", "furniture", "games"),
    *("garden", "kitchen", "luggage", "shoes", "sports", "toys"),
)
_AGE_BANDS = ("", "18-24", "25-34", "35-44", "45-54", "55-64", "65+")
_MEMBERSHIPS = ("none", "basic", "plus")
_CITIES = 300
_TAGS = 120
_MOST_TAGS = 5  # of an item
_TYPICAL_LOG_PRICE = 3.2
_TYPICAL_RATING = 4
_TASTE_RANK = 4


class Population(NamedTuple):
    """Users, or items.

    Attributes:
      names: [N] string.
      popularity: [N] float64, cumulative shares; the last is 1.
      group: [N] the user's segment, or the item's category.
      taste: [2, N, rank] float64; users' and items' tastes are multiplied. 0: what clicks follow, 1: something else.
      effect: [2, N] float64, on clicks and on conversions.
      table: The side table.
    """

    names: pa.Array
    popularity: Floats
    group: Integers
    taste: Floats
    effect: Floats
    table: pa.Table


def draw_users(rng: np.random.Generator, count: int) -> Population:
    """Draws users."""
    segment = pick_skewed(rng, len(SEGMENTS), count, 0.3)
    age = rng.integers(0, len(_AGE_BANDS), count)
    city = pick_skewed(rng, _CITIES, count)
    membership = rng.choice(len(_MEMBERSHIPS), count, p=(0.6, 0.28, 0.12))
    member_days = np.where(membership > 0, rng.exponential(500, count).astype(np.int64), -1)
    names = _named("u", rng.permutation(count) + 1)
    effect = _effects(rng, count, ((0.5, age), (0.3, city), (0.6, membership)), own=0.4)
    effect[1] += 0.4 * membership
    return Population(
        names=names,
        popularity=np.cumsum(skewed_shares(rng, count, 0.8)),
        group=segment,
        taste=_tastes(rng, count, ((0.65, segment), (0.5, age), (0.15, city)), own=0.3),
        effect=effect,
        table=pa.table(
            {
                "user_id": names,
                "age_band": decoded(_AGE_BANDS, age),
                "city": _named("city_", city),
                "segment": decoded(SEGMENTS, segment),
                "membership": decoded(_MEMBERSHIPS, membership),
                "member_days": pa.array(member_days, mask=member_days < 0),
            }
        ),
    )


def draw_items(rng: np.random.Generator, count: int) -> Population:
    """Draws items."""
    category = pick_skewed(rng, len(CATEGORIES), count, 0.4)
    brand = pick_skewed(rng, 20 + count // 25, count)
    seller = pick_skewed(rng, 10 + count // 8, count)
    tags = pick_skewed(rng, _TAGS, _MOST_TAGS * count).reshape(count, _MOST_TAGS)
    tag_count = rng.choice(_MOST_TAGS + 1, count, p=(0.08, 0.2, 0.27, 0.2, 0.15, 0.1))
    log_price = _log_prices(rng, category)
    rating = np.clip(_TYPICAL_RATING + 0.6 * rng.normal(size=count), 1, 5)
    names = _named("i", rng.permutation(count) + 1)

    taste = _tastes(rng, count, ((0.65, category), (0.4, brand)), own=0.3) + 0.5 * _tag_tastes(rng, tags, tag_count)
    effect = _effects(rng, count, ((0.4, category), (0.4, brand), (0.3, seller)), own=0.5)
    effect[0] += 0.3 * (rating - _TYPICAL_RATING) - 0.1 * (log_price - _TYPICAL_LOG_PRICE)
    effect[1] += 0.5 * (rating - _TYPICAL_RATING) - 0.5 * (log_price - _TYPICAL_LOG_PRICE)
    return Population(
        names=names,
        popularity=np.cumsum(skewed_shares(rng, count, 1.0)),
        group=category,
        taste=taste,
        effect=effect,
        table=pa.table(
            {
                "item_id": names,
                "seller": _named("seller_", seller),
                "brand": pa.array([f"brand_{code}" for code in brand], mask=rng.random(count) < 0.04),
                "category": decoded(CATEGORIES, category),
                "tags": _tag_cells(tags, tag_count),
                "price": pa.array(np.round(np.exp(log_price), 2), mask=rng.random(count) < 0.03),
                "rating": pa.array(np.round(rating, 1), mask=rng.random(count) < 0.06),
            }
        ),
    )


def decoded(values: Sequence[str], codes: Integers) -> pa.Array:
    """Returns the values that the codes stand for."""
    return pa.array(values).take(pa.array(codes))


def _named(prefix: str, codes: Integers) -> pa.Array:
    """Returns the prefix followed by the code."""
    return pa.array([f"{prefix}{code}" for code in codes])


def _tastes(rng: np.random.Generator, count: int, parts: Sequence[tuple[float, Integers]], own: float) -> Floats:
    """Sums random tastes of the features' values and one of each user or item: [2, count, rank]."""
    taste: Floats = own * rng.normal(size=(2, count, _TASTE_RANK))
    for weight, codes in parts:
        taste += weight * rng.normal(size=(2, int(codes.max()) + 1, _TASTE_RANK))[:, codes]
    return taste


def _effects(rng: np.random.Generator, count: int, parts: Sequence[tuple[float, Integers]], own: float) -> Floats:
    """The same for main effects: [2, count]."""
    effect: Floats = own * rng.normal(size=(2, count))
    for weight, codes in parts:
        effect += weight * rng.normal(size=(2, int(codes.max()) + 1))[:, codes]
    return effect


def _log_prices(rng: np.random.Generator, category: Integers) -> Floats:
    """A log-normal body and a Pareto tail: most cost tens, a few cost thousands."""
    count = len(category)
    of_category = 0.6 * rng.normal(size=len(CATEGORIES))
    log_price: Floats = _TYPICAL_LOG_PRICE + of_category[category] + 0.5 * rng.normal(size=count)
    log_price += np.where(rng.random(count) < 0.08, rng.exponential(1.5, count), 0)
    return log_price


def _tag_tastes(rng: np.random.Generator, tags: Integers, tag_count: Integers) -> Floats:
    """Sums the tastes of each item's first `tag_count` tags, scaled to the spread of one: [2, count, rank]."""
    worn = np.arange(_MOST_TAGS) < tag_count[:, None]
    tastes = rng.normal(size=(2, _TAGS, _TASTE_RANK))[:, tags] * worn[:, :, None]
    scaled: Floats = tastes.sum(axis=2) / np.sqrt(np.maximum(tag_count, 1))[:, None]
    return scaled


def _tag_cells(tags: Integers, tag_count: Integers) -> pa.Array:
    different = (dict.fromkeys(row[:worn]) for row, worn in zip(tags, tag_count, strict=True))
    return pa.array([",".join(f"tag_{tag}" for tag in row) for row in different])
