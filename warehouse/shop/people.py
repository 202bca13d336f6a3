"""The people of one chunk: who they are, what they like, when they register, when they leave for good."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from warehouse.shop.shelf import Shelf
from warehouse.shop.text import chosen, numbered, times
from warehouse.shop.world import (
    BANDS,
    BRANDS,
    CATEGORY_NAMES,
    GIFT_BUYER,
    KIND_NAMES,
    PROVINCES,
    SELLERS,
    Flags,
    Floats,
    Ints,
    World,
)

BEFORE_OPENING = 270
"""Days before the first day of the files in which the oldest users registered."""
_NEVER = 1e9


@dataclass(frozen=True)
class People:
    """The users of a chunk, a row each; times are days since the shop's first, negative before it.

    `left` is when a person stops buying for good; from `fading` on interest shrinks. `guest` is the share of
    orders placed without signing in. `plus_from` is the day of joining the plus plan (far in the future: never).
    """

    first: int
    kind: Ints
    registered: Floats
    left: Floats
    fading: Floats
    tempo: Floats
    band: Ints
    weekday: Ints
    coupon: Floats
    browse: Floats
    guest: Floats
    plus_from: Floats
    region: Ints
    moved_on: Floats
    moved_to: Ints
    consent: Flags
    blocked: Flags

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def number(self) -> Ints:
        """Each person's number in the whole shop, from 0."""
        return self.first + np.arange(len(self))


@dataclass(frozen=True)
class Habits:
    """What a person keeps buying, one row per person and category: the mean gap in days, brand and favourites."""

    user: Ints
    category: Ints
    mean_gap: Floats
    brand: Ints
    favourite: Ints
    second: Ints


def draw_people(world: World, rng: np.random.Generator, first: int, count: int) -> People:
    """`count` people, numbered from `first` on."""
    kind = np.searchsorted(np.cumsum(world.kind_share), rng.random(count) * 0.999999)
    # Registrations grow: the density over time is exponential, e-fold over the whole span.
    share = np.log1p(rng.random(count) * (np.e - 1))
    registered = -BEFORE_OPENING + share * (world.days + BEFORE_OPENING)
    lifetime = rng.exponential(world.kind_lifetime[kind]) * rng.gamma(2.0, 0.5, count) + rng.exponential(6, count)
    left = registered + lifetime
    loyalty = np.array([0.32, 0.10, 0.04, 0.08, 0.02, 0.03, 0.0])[kind]
    joins = rng.random(count) < loyalty
    region = rng.choice(len(PROVINCES), count, p=_falling(len(PROVINCES)))
    moves = rng.random(count) < 0.05
    return People(
        first=first,
        kind=kind,
        registered=registered,
        left=left,
        fading=left - rng.exponential(45, count),
        tempo=world.kind_tempo[kind] * rng.lognormal(0, 0.25, count),
        band=_bands(rng, count, world.kind_coupon[kind] > 0.5),
        weekday=rng.integers(0, 7, count),
        coupon=np.clip(world.kind_coupon[kind] * rng.lognormal(0, 0.25, count), 0, 1),
        browse=world.kind_browse[kind] * rng.gamma(1.5, 1 / 1.5, count),
        guest=np.where(rng.random(count) < 0.15, rng.beta(2, 3, count), 0.0) * (world.guest_share / 0.06),
        plus_from=np.where(joins, registered + rng.uniform(20, 300, count), _NEVER),
        region=region,
        moved_on=np.where(moves, rng.uniform(0, world.days, count), _NEVER),
        moved_to=(region + rng.integers(1, len(PROVINCES), count)) % len(PROVINCES),
        consent=rng.random((count, 4)) < np.array([0.82, 0.64, 0.55, 0.93]),
        blocked=rng.random(count) < 0.006,
    )


def _bands(rng: np.random.Generator, count: int, thrifty: Flags) -> Ints:
    """Preferred price bands, 0 the cheapest."""
    bands: Ints = np.clip(np.round(rng.normal(1.9, 1.1, count) - 0.7 * thrifty), 0, BANDS - 1).astype(np.int64)
    return bands


def _falling(count: int) -> Floats:
    weights = 1 / np.arange(1, count + 1) ** 0.6
    shares: Floats = weights / weights.sum()
    return shares


def draw_habits(world: World, shelf: Shelf, people: People, rng: np.random.Generator) -> Habits:
    """Each person's categories, by popularity without repetition, with the gap that is the person's own."""
    users, categories = len(people), len(CATEGORY_NAMES)
    wanted = np.minimum(1 + rng.poisson(world.kind_categories[people.kind] - 1), 6)
    taste = np.log(
        world.category_weight * np.where((people.kind == GIFT_BUYER)[:, None], 0.1 + 3 * world.gift_share, 1)
    )
    ranking = np.argsort(-(taste + rng.gumbel(size=(users, categories))), axis=1)
    chosen = np.arange(categories) < wanted[:, None]
    user, place = np.nonzero(chosen)
    category = ranking[user, place]
    brand = rng.integers(0, BRANDS, len(user))
    band = people.band[user]
    return Habits(
        user=user,
        category=category,
        mean_gap=world.cycle_days[category] * people.tempo[user] * rng.lognormal(0, 0.18, len(user)),
        brand=brand,
        favourite=shelf.pick(rng, category, band, brand),
        second=shelf.pick(rng, category, band, brand),
    )


def user_ids(people: People) -> pa.Array:
    """Ids as text: `U` and a number; who registered before the shop's first day keeps the old plain number."""
    old = numbered("", people.number + 1, 7)
    modern = numbered("U", people.number + 1, 6)
    return pa.compute.if_else(pa.array(people.registered < 0), old, modern)


def seller_ids() -> pa.Array:
    """The ids of all sellers."""
    return numbered("S", np.arange(SELLERS) + 1, 4)


def users_table(world: World, people: People, ids: pa.Array, rng: np.random.Generator) -> pa.Table:
    """One row per version of a user: at registration, on joining plus, on moving house. Sorted by user and time."""
    static = _static_columns(world, people, ids, rng)
    everyone = np.arange(len(people))
    joined = np.flatnonzero(people.plus_from < world.days)
    moved = np.flatnonzero((people.moved_on < world.days) & (people.moved_on > people.registered))
    user = np.concatenate([everyone, joined, moved])
    when = np.concatenate([people.registered, people.plus_from[joined], people.moved_on[moved]])
    keep = (when < world.days) & (people.registered[user] < world.days)
    order = np.lexsort((when[keep], user[keep]))
    user, when = user[keep][order], when[keep][order]
    region = np.where(when >= people.moved_on[user], people.moved_to[user], people.region[user])
    versioned = {
        "region": chosen(PROVINCES, region),
        "plan": chosen(["free", "plus"], (when >= people.plus_from[user]).astype(np.int64)),
        "recorded_at": times(world.start, (when * 86400).astype(np.int64)),
    }
    table = static.take(pa.array(user))
    for name, column in versioned.items():
        table = table.append_column(name, column)
    return table


def _static_columns(world: World, people: People, ids: pa.Array, rng: np.random.Generator) -> pa.Table:
    count = len(people)
    seller = np.full(count, -1)
    mine = (world.seller_users >= people.first) & (world.seller_users < people.first + count)
    seller[world.seller_users[mine] - people.first] = np.arange(SELLERS)[mine]
    friend = np.minimum((rng.random(count) * np.arange(count)).astype(np.int64), count - 1)
    referred = (rng.random(count) < 0.09) & (people.registered[friend] < people.registered)
    sources = ["search", "social", "friend", "store", "short_video"]
    return pa.table(
        {
            "user_id": ids,
            "registered_at": times(world.start, (people.registered * 86400).astype(np.int64)),
            "birth_year": pa.array(rng.integers(1955, 2009, count), mask=rng.random(count) < 0.3),
            "gender": chosen(["f", "m"], rng.integers(0, 2, count), rng.random(count) < 0.8),
            "referred_by": chosen(ids, friend, referred),
            "seller_id": chosen(seller_ids(), np.maximum(seller, 0), seller >= 0),
            "consent_sms": people.consent[:, 0],
            "consent_email": people.consent[:, 1],
            "consent_push": people.consent[:, 2],
            "consent_profiling": people.consent[:, 3],
            "blocked": people.blocked,
            "source": chosen(sources, rng.integers(0, 5, count)),
        }
    )


def identities_table(people: People, ids: pa.Array, rng: np.random.Generator) -> pa.Table:
    """Contact points that reach nobody: phone numbers of no network, mail of a reserved domain, a made-up union id."""
    count = len(people)
    phones = numbered("100", rng.permutation(count) + people.first * 7 % 10**8, 8)
    mails = pa.compute.binary_join_element_wise(numbered("buyer", people.number + 1, 7), "example.com", "@")
    union = numbered("o", rng.integers(0, 10**12, count), 12)
    parts = [
        pa.table({"user_id": ids, "kind": pa.array([kind] * count), "value": values}).filter(
            pa.array(rng.random(count) < share)
        )
        for kind, values, share in (("phone", phones, 0.93), ("email", mails, 0.6), ("unionid", union, 0.7))
    ]
    return pa.concat_tables(parts)


def tags_table(world: World, people: People, ids: pa.Array, rng: np.random.Generator) -> pa.Table:
    """Tags set by hand by shop assistants; some expire."""
    names = ["VIP", "企业采购", "过敏体质", "怕打扰", "达人"]
    user = np.flatnonzero((rng.random(len(people)) < 0.05) & (people.registered < world.days - 20))
    begin = np.maximum(people.registered[user], 0)
    day = begin + rng.random(len(user)) * (world.days - begin - 1)
    seconds = (day * 86400).astype(np.int64)
    loyal = people.kind[user] == 0
    tag = np.where(loyal & (rng.random(len(user)) < 0.6), 0, rng.integers(0, 5, len(user)))
    return pa.table(
        {
            "user_id": chosen(ids, user),
            "tag": chosen(names, tag),
            "value": chosen(["gold", "silver"], rng.integers(0, 2, len(user)), tag == 0),
            "set_at": times(world.start, seconds),
            "set_by": numbered("staff-", rng.integers(1, 13, len(user)), 2),
            "expires_at": times(world.start, seconds + 180 * 86400, where=rng.random(len(user)) < 0.3),
        }
    )


def people_truth(world: World, people: People, ids: pa.Array) -> pa.Table:
    """Each user's kind, tempo, band and the day of leaving, as drawn."""
    return pa.table(
        {
            "user_id": ids,
            "kind": chosen(KIND_NAMES, people.kind),
            "left_at": times(world.start, (people.left * 86400).astype(np.int64)),
            "fading_from": times(world.start, (people.fading * 86400).astype(np.int64)),
            "tempo": people.tempo,
            "price_band": people.band,
            "favourite_weekday": people.weekday + 1,
            "coupon_probability": people.coupon,
            "sessions_per_week": people.browse,
            "guest_probability": people.guest,
        }
    )
