"""What stands on the shelves: items with prices, brands, bands and dates, and how a person picks among them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from warehouse.shop.text import chosen, numbered, times
from warehouse.shop.world import (
    BANDS,
    BRANDS,
    CATEGORY_NAMES,
    CATEGORY_NAMES_ZH,
    SELLERS,
    Flags,
    Floats,
    Ints,
    World,
)

PER_CATEGORY = 36
_NEVER = 10**6
_BRANDS = ("拾光", "山野", "Nordli", "云朵", "Tanaka", "本味")
_SIZES = ("小包装", "标准装", "大包装", "家庭装")
_ATTRIBUTES = ("organic", "imported", "bestseller", "limited", "refill", "vegan")


@dataclass(frozen=True)
class Shelf:
    """All items, category by category, `PER_CATEGORY` each. Prices in whole cents; days since the first day.

    `cumulative[c, b, m]` is the distribution over the items of category c for a person of price band b whose brand
    there is m; `lasting` the same over the items that are on sale all the time.
    """

    category: Ints
    brand: Ints
    band: Ints
    price: Ints
    changed_price: Ints
    price_day: Ints
    cost: Ints
    gift: Flags
    launched: Ints
    retired: Ints
    cumulative: Floats
    lasting: Floats

    def price_on(self, item: Ints, day: Ints) -> Ints:
        """List price in cents of each item on each day."""
        return np.where(day >= self.price_day[item], self.changed_price[item], self.price[item])

    def seller_of(self, item: Ints) -> Ints:
        """The one seller of each item."""
        return np.asarray((item * 7 + self.category[item]) % SELLERS)

    def pick(self, rng: np.random.Generator, category: Ints, band: Ints, brand: Ints) -> Ints:
        """One item of each category, by popularity, closeness to the person's price band, and brand."""
        return _pick(rng, self.cumulative, category, band, brand)

    def on_sale(self, rng: np.random.Generator, item: Ints, day: Ints, band: Ints, brand: Ints) -> Ints:
        """The items themselves, or, where one is not sold that day, one of its category that always is."""
        instead = _pick(rng, self.lasting, self.category[item], band, brand)
        return np.where((day >= self.launched[item]) & (day < self.retired[item]), item, instead)


def _pick(rng: np.random.Generator, cumulative: Floats, category: Ints, band: Ints, brand: Ints) -> Ints:
    draw = rng.random(len(category))
    rows = cumulative.reshape(-1, PER_CATEGORY)
    row = (category * BANDS + band) * BRANDS + brand
    # The distributions stacked end to end are one increasing line, so one binary search serves all of them.
    line = (rows + np.arange(len(rows))[:, None]).ravel()
    found = np.searchsorted(line, row + draw, side="right") - row * PER_CATEGORY
    return category * PER_CATEGORY + np.minimum(found, PER_CATEGORY - 1)


def draw_shelf(world: World) -> Shelf:
    """The items of a world."""
    rng = np.random.default_rng([world.seed, 2])
    count = len(CATEGORY_NAMES) * PER_CATEGORY
    category = np.repeat(np.arange(len(CATEGORY_NAMES)), PER_CATEGORY)
    brand = rng.integers(0, BRANDS, count)
    band = rng.choice(BANDS, count, p=[0.18, 0.24, 0.28, 0.19, 0.11])
    factor = np.array([0.45, 0.7, 1.0, 1.5, 2.4])[band] * rng.lognormal(0, 0.08, count)
    price = np.maximum(np.round(world.category_price[category] * factor), 2).astype(np.int64) * 100 - 10
    moved = rng.random(count) < 0.35
    changed = np.where(moved, np.round(price * rng.uniform(0.88, 1.15, count) / 100) * 100 - 10, price)
    kind = rng.random(count)
    launched = np.where(kind < 0.12, rng.integers(20, max(world.days - 20, 21), count), -rng.integers(30, 900, count))
    retired = np.where(kind > 0.93, rng.integers(60, max(world.days, 61), count), _NEVER)
    price_day = rng.integers(10, max(world.days - 10, 11), count)
    popularity = rng.permuted(np.tile(1 / np.arange(1, PER_CATEGORY + 1) ** 0.9, (len(CATEGORY_NAMES), 1)), axis=1)
    weights = _weights(popularity, band.reshape(-1, PER_CATEGORY), brand.reshape(-1, PER_CATEGORY))
    always = ((launched < 0) & (retired == _NEVER)).reshape(-1, 1, 1, PER_CATEGORY)
    return Shelf(
        category=category,
        brand=brand,
        band=band,
        price=price,
        changed_price=changed.astype(np.int64),
        price_day=np.where(moved & (price_day > launched), price_day, _NEVER),
        cost=np.round(price * rng.uniform(0.42, 0.68, count)).astype(np.int64),
        gift=rng.random(count) < world.gift_share[category],
        launched=launched,
        retired=retired,
        cumulative=_cumulative(weights),
        lasting=_cumulative(weights * always),
    )


def _weights(popularity: Floats, band: Ints, brand: Ints) -> Floats:
    """Weights over [category, person's band, person's brand, item]."""
    near = np.exp(-0.9 * np.abs(band[:, None, :] - np.arange(BANDS)[None, :, None]))
    liked = np.where(brand[:, None, :] == np.arange(BRANDS)[None, :, None], 4.0, 1.0)
    weights: Floats = popularity[:, None, None, :] * near[:, :, None, :] * liked[:, None, :, :]
    return weights


def _cumulative(weights: Floats) -> Floats:
    total = np.cumsum(weights, axis=-1)
    shares: Floats = total / total[..., -1:]
    return shares


def item_ids(item: Ints) -> pa.Array:
    """Ids as text: `P` and a number, but old barcodes with leading zeros in the first two categories."""
    everything = np.arange(len(CATEGORY_NAMES) * PER_CATEGORY)
    old, modern = np.split(everything, [2 * PER_CATEGORY])
    ids = pa.concat_arrays([numbered("00690", old + 1, 5), numbered("P", modern + 1, 5)])
    return chosen(ids, item)


def items_table(world: World, shelf: Shelf) -> pa.Table:
    """One row per version of an item: as launched, after its price change, and when its end was announced."""
    everything = np.arange(len(shelf.category))
    announced = np.maximum(shelf.retired - 14, shelf.launched + 1)
    first = (everything, shelf.launched, np.zeros_like(everything), np.zeros_like(everything))
    changed = np.flatnonzero(shelf.price_day < world.days)
    ended = np.flatnonzero(shelf.retired < world.days)
    price_known = (shelf.price_day <= announced).astype(np.int64)
    item, day, repriced, retiring = (
        np.concatenate(parts)
        for parts in zip(
            first,
            (
                changed,
                shelf.price_day[changed],
                np.ones_like(changed),
                (announced[changed] < shelf.price_day[changed]).astype(np.int64),
            ),
            (ended, announced[ended], price_known[ended], np.ones_like(ended)),
            strict=True,
        )
    )
    order = np.lexsort((day, item))
    return _items_text(world, shelf, item[order], day[order], repriced[order] == 1, retiring[order] == 1)


def _items_text(world: World, shelf: Shelf, item: Ints, day: Ints, repriced: Flags, retiring: Flags) -> pa.Table:
    rng = np.random.default_rng([world.seed, 3])
    size = rng.integers(0, len(_SIZES), len(shelf.category))
    marks = rng.random((len(shelf.category), len(_ATTRIBUTES))) < 0.22
    names = [
        f"{_BRANDS[shelf.brand[i]]} {CATEGORY_NAMES_ZH[shelf.category[i]]} {i % PER_CATEGORY + 1:02d} {_SIZES[size[i]]}"
        for i in range(len(shelf.category))
    ]
    lists = ["|".join(a for a, has in zip(_ATTRIBUTES, row, strict=True) if has) or None for row in marks.tolist()]
    price = np.where(repriced, shelf.changed_price[item], shelf.price[item])
    return pa.table(
        {
            "item_id": item_ids(item),
            "name": chosen(names, item),
            "category": chosen(CATEGORY_NAMES, shelf.category[item]),
            "brand": chosen(_BRANDS, shelf.brand[item]),
            "price": price / 100,
            "cost": shelf.cost[item] / 100,
            "gift": shelf.gift[item],
            "launched_at": times(world.start, shelf.launched[item] * 86400),
            "retired_at": times(world.start, shelf.retired[item] * 86400, where=retiring),
            "in_stock": ~retiring,
            "attributes": chosen(pa.array(lists, pa.string()), item),
            "recorded_at": times(world.start, day * 86400),
        }
    )
