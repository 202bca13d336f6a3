"""Sellers planted into the made-up shop: of those who see their items in a list, some bring more to pay, some fewer.

Looks begin in a list, as no other event of the shop does, and at items that the person has nothing to do with
otherwise, so that how many end in a purchase is what is planted. Good sellers mostly show what is bought seldom, and
people keep to few sellers and differ in how easily they pay: both mislead who only counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from warehouse.shop.people import People, seller_ids
from warehouse.shop.shelf import Shelf, item_ids
from warehouse.shop.text import chosen, numbered, times
from warehouse.shop.world import CATEGORY_NAMES, SELLERS, Floats, Ints, World

SKILLS = (0.8, 0.9, 1.0, 1.1, 1.2)
"""By how much sellers move the share that goes on at each of three steps; as many sellers have each of them."""
LOOKS = 16.0
"""Items that a person is shown in lists, in the mean."""
FAVOURITES, FAITHFUL = 2, 0.8
"""Of so many sellers of their own people see so large a share."""
EAGER = (0.4, 1.6)
"""How much more easily than others somebody pays what is in the cart, evenly between these."""
EVENTS = ("view_item_list", "view_item", "add_to_cart")
_WITHIN = (300, 600, 86_400)
"""Seconds at most from the list to the item, from there to the cart, from there to the order."""
_LOWEST, _HIGHEST = (0.4, 0.3, 0.25), (0.7, 0.6, 0.5)
_FIRST_ORDER = 500_000
"""Numbers of planted orders begin here in each chunk, above all others."""


@dataclass(frozen=True)
class Selling:
    """What is planted: `skill` of each seller, `steps[category, step]` of everybody, the chance that somebody who is
    shown an item is shown each of them (`looks[seller]`, cumulative over items)."""

    skill: Floats
    steps: Floats
    looks: Floats

    def chance(self, shelf: Shelf, item: Ints) -> Floats:
        """How likely each of the three steps is, by item."""
        return np.asarray(self.steps[shelf.category[item]] * self.skill[shelf.seller_of(item)][:, None])

    def truth(self, shelf: Shelf) -> dict[str, Any]:
        """The share of those shown an item of a seller who pay for it, by category, as plain values."""
        item = np.arange(len(shelf.category))
        seller, paid = shelf.seller_of(item), self.chance(shelf, item).prod(axis=1)
        told: dict[str, Any] = {name: {} for name in seller_ids().to_pylist()}
        for n, name in enumerate(told):
            told[name] = {
                "skill": float(self.skill[n]),
                "rates": {CATEGORY_NAMES[shelf.category[i]]: float(paid[i]) for i in np.flatnonzero(seller == n)},
            }
        return told


def draw_selling(world: World, shelf: Shelf) -> Selling:
    """The sellers of a world, from a stream of their own."""
    rng = np.random.default_rng([world.seed, 3])
    steps = rng.uniform(_LOWEST, _HIGHEST, (len(CATEGORY_NAMES), 3))
    skill = rng.permutation(np.resize(SKILLS, SELLERS))
    ease = np.log(steps).sum(axis=1)
    ease = (ease - ease.mean()) / ease.std()
    item = np.arange(len(shelf.category))
    own = shelf.seller_of(item) == np.arange(SELLERS)[:, None]
    weight = own * np.exp(-8 * (skill - 1)[:, None] * ease[shelf.category])
    looks = np.cumsum(weight, axis=1)
    return Selling(skill, steps, looks / looks[:, -1:])


@dataclass(frozen=True)
class Looks:
    """Who (number in the chunk) was shown what, when (second of the shop), and how many steps they went on."""

    person: Ints
    item: Ints
    seconds: Ints
    went: Ints


def draw_looks(
    world: World, shelf: Shelf, people: People, selling: Selling, known: Ints, rng: np.random.Generator
) -> Looks:
    """The looks of a chunk. `known`: person × items + item of all that people have to do with otherwise."""
    person = np.repeat(np.arange(len(people)), rng.poisson(LOOKS, len(people)))
    liked = rng.integers(0, SELLERS, (len(people), FAVOURITES))
    own = liked[person, rng.integers(0, FAVOURITES, len(person))]
    seller = np.where(rng.random(len(person)) < FAITHFUL, own, rng.integers(0, SELLERS, len(person)))
    line = (selling.looks + np.arange(SELLERS)[:, None]).ravel()
    items = len(shelf.category)
    item = np.searchsorted(line, seller + rng.random(len(person)), side="right") - seller * items
    item = np.minimum(item, items - 1)
    begin, end = np.maximum(people.registered, 0)[person], np.clip(people.left, 0, world.days)[person] - 2
    day = begin + rng.random(len(person)) * (end - begin)
    there = (end > begin) & (day >= shelf.launched[item]) & (day + 2 < shelf.retired[item])
    pair = person * items + item
    there &= ~np.isin(pair, known)
    first = np.zeros(len(pair), bool)
    first[np.unique(pair, return_index=True)[1]] = True
    eager = rng.uniform(*EAGER, len(people))[person]
    chance = selling.chance(shelf, item)
    chance[:, 2] *= eager
    went = np.cumprod(rng.random(chance.shape) < chance, axis=1).sum(axis=1)
    keep = there & first
    return Looks(person[keep], item[keep], (day[keep] * 86400).astype(np.int64), went[keep])


def planted_rows(
    world: World, shelf: Shelf, looks: Looks, ids: pa.Array, chunk: int, events: pa.Schema, orders: pa.Schema,
    rng: np.random.Generator,
) -> tuple[pa.Table, pa.Table]:  # fmt: skip
    """The looks as events and order lines, in the columns of these schemas."""
    after = np.cumsum(rng.uniform(20, _WITHIN, (len(looks.person), 3)), axis=1).astype(np.int64)
    moments = np.column_stack([looks.seconds, looks.seconds[:, None] + after])
    seen = np.concatenate([np.flatnonzero(looks.went >= step) for step in range(3)])
    step = np.repeat(np.arange(3), [int((looks.went >= step).sum()) for step in range(3)])
    at = times(world.start, moments[seen, step])
    acts: dict[str, Any] = {
        "occurred_at": at,
        "event": chosen(EVENTS, step),
        "user_id": chosen(ids, looks.person[seen]),
        "item_id": item_ids(looks.item[seen]),
        "recorded_at": at,
    }
    paid = np.flatnonzero(looks.went == 3)
    item, at = looks.item[paid], times(world.start, moments[paid, 3])
    price = shelf.price_on(item, moments[paid, 3] // 86400) / 100
    lines: dict[str, Any] = {
        "order_id": numbered("", chunk * 10**6 + _FIRST_ORDER + np.arange(len(paid)), 10),
        "user_id": chosen(ids, looks.person[paid]),
        "ordered_at": at,
        "item_id": item_ids(item),
        "quantity": np.ones(len(paid), np.int64),
        "unit_price": price,
        "amount": price,
        "discount": np.zeros(len(paid)),
        "channel": pa.array(["app"] * len(paid)),
        "seller_id": chosen(seller_ids(), shelf.seller_of(item)),
        "kind": pa.array(["sale"] * len(paid)),
        "recorded_at": at,
    }
    return _table(acts, events, len(seen)), _table(lines, orders, len(paid))


def _table(columns: dict[str, Any], schema: pa.Schema, rows: int) -> pa.Table:
    return pa.table({f.name: columns.get(f.name, pa.nulls(rows, f.type)) for f in schema}, schema=schema)


def known_pairs(items: int, *pairs: tuple[Ints, Ints]) -> Ints:
    """Person × items + item of all pairs of a person and an item (−1: none)."""
    person, item = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return np.asarray(np.unique((person * items + item)[item >= 0]))
