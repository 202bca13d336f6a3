"""What people do besides buying: sessions of looking, searching and using the app, ratings and complaints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from warehouse.shop.people import Habits, People
from warehouse.shop.purchases import Lines, Orders, time_of_day
from warehouse.shop.shelf import PER_CATEGORY, Shelf, item_ids
from warehouse.shop.text import chosen, numbered, times
from warehouse.shop.world import CATEGORY_NAMES, Flags, Floats, Ints, World

EVENTS = ("page_view", "view_item", "add_to_cart", "search", "app_feature", "rating", "complaint")
VIEW, ITEM, CART, SEARCH, FEATURE, RATING, COMPLAINT = range(len(EVENTS))
FEATURES = ("wishlist", "scan", "live_stream", "share", "points", "subscribe", "price_alert")
PAGES = ("home", "category", "promotion", "account", "help")
_NONE = -1


@dataclass(frozen=True)
class Acts:
    """Events, one row each. `person` counts the chunk's users; strangers, who never sign in, come after them.

    −1 stands for nothing. `session` is a number within the chunk.
    """

    person: Ints
    seconds: Ints
    event: Ints
    item: Ints
    session: Ints
    signed_in: Flags
    rating: Floats

    def where(self, keep: Flags | Ints) -> Acts:
        return Acts(*(column[keep] for column in vars(self).values()))


def browse(
    world: World,
    shelf: Shelf,
    people: People,
    habits: Habits,
    orders: Orders,
    lines: Lines,
    rng: np.random.Generator,
) -> Acts:
    """All events of a chunk, in order of time."""
    person, moment = _visits(world, people, orders, rng)
    parts = [
        _sessions(world, shelf, people, habits, person, moment, rng),
        _shopping(orders, lines, rng),
        _opinions(people, orders, lines, rng),
    ]
    sessions = 0
    joined: list[Acts] = []
    for acts in parts:
        joined.append(Acts(**(vars(acts) | {"session": np.where(acts.session < 0, _NONE, acts.session + sessions)})))
        sessions += int(acts.session.max(initial=-1)) + 1
    acts = Acts(*(np.concatenate(columns) for columns in zip(*(vars(a).values() for a in joined), strict=True)))
    acts = acts.where((acts.seconds >= 0) & (acts.seconds < world.days * 86400 - 90))
    return acts.where(np.lexsort((acts.session, acts.person, acts.seconds)))


def _visits(world: World, people: People, orders: Orders, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Who comes to look, and when (days). Interest rises before a purchase, shrinks on fading, and never quite ends."""
    count = len(people)
    begin, end = np.maximum(people.registered - 3, 0), np.clip(people.left, 0, world.days)
    weeks = np.maximum(end - begin, 0) / 7
    steady = np.repeat(np.arange(count), rng.poisson(people.browse * weeks))
    steady_at = begin[steady] + rng.random(len(steady)) * (end - begin)[steady]
    bored = (steady_at > people.fading[steady]) & (rng.random(len(steady)) < 0.7)
    steady, steady_at = steady[~bored], steady_at[~bored]
    after = np.maximum(world.days - np.maximum(end, begin), 0) / 7
    residual = np.repeat(np.arange(count), rng.poisson(people.browse * after * 0.06))
    residual_at = world.days - rng.random(len(residual)) * (after * 7)[residual]
    ahead = np.flatnonzero(rng.random(len(orders.user)) < 0.32)
    ahead_at = orders.seconds[ahead] / 86400 - rng.exponential(6, len(ahead))
    strangers = np.flatnonzero(rng.random(count) < 0.12)
    stranger = np.repeat(strangers, 1 + rng.poisson(0.6, len(strangers)))
    person = np.concatenate([steady, residual, orders.user[ahead], stranger + count])
    moment = np.concatenate([steady_at, residual_at, ahead_at, rng.random(len(stranger)) * world.days])
    return person, np.floor(moment) + time_of_day(rng, len(moment)) / 86400


def _sessions(
    world: World, shelf: Shelf, people: People, habits: Habits, person: Ints, moment: Floats, rng: np.random.Generator
) -> Acts:
    """Each visit becomes a session of one or more acts, some seconds apart."""
    sizes = 1 + rng.poisson(1.5, len(person))
    session = np.repeat(np.arange(len(person)), sizes)
    starts = np.cumsum(sizes) - sizes
    total = np.cumsum(rng.exponential(45, len(session)))
    seconds = moment[session] * 86400 + total - total[starts][session]
    event = rng.choice(5, len(session), p=[0.22, 0.48, 0.09, 0.11, 0.10])
    who = person[session]
    user = np.where(who < len(people), who, who - len(people))
    own_first = np.searchsorted(habits.user, np.arange(len(people)))
    own_count = np.bincount(habits.user, minlength=len(people))
    habit = own_first[user] + (rng.random(len(who)) * own_count[user]).astype(np.int64)
    item = shelf.pick(rng, habits.category[habit], people.band[user], habits.brand[habit])
    item = np.where(rng.random(len(item)) < 0.3, habits.favourite[habit], item)
    item = shelf.on_sale(rng, item, (seconds // 86400).astype(np.int64), people.band[user], habits.brand[habit])
    registered = seconds > people.registered[user] * 86400
    signed_in = (rng.random(len(person)) < 0.86)[session] & registered & (who < len(people))
    return Acts(
        person=who,
        seconds=seconds.astype(np.int64),
        event=event,
        item=np.where((event == ITEM) | (event == CART), item, _NONE),
        session=session,
        signed_in=signed_in,
        rating=np.full(len(who), np.nan),
    )


def _shopping(orders: Orders, lines: Lines, rng: np.random.Generator) -> Acts:
    """Buying online leaves traces: the items were looked at and put into the cart minutes before."""
    online = (orders.channel < 3) & (rng.random(len(orders.user)) < 0.42)
    line = np.flatnonzero(online[lines.order] & ~lines.is_return & (lines.product > 0))
    order = lines.order[line]
    looked = (lines.seconds[line] - rng.uniform(200, 1500, len(line))).astype(np.int64)
    carted = looked + rng.integers(20, 150, len(line))
    put = rng.random(len(line)) < 0.55
    count = len(line) + int(put.sum())
    return Acts(
        person=np.concatenate([orders.user[order], orders.user[order][put]]),
        seconds=np.concatenate([looked, carted[put]]),
        event=np.concatenate([np.full(len(line), ITEM), np.full(int(put.sum()), CART)]),
        item=np.concatenate([lines.product[line] - 1, lines.product[line][put] - 1]),
        session=np.concatenate([order, order[put]]),
        signed_in=np.concatenate([~orders.guest[order], ~orders.guest[order][put]]),
        rating=np.full(count, np.nan),
    )


def _opinions(people: People, orders: Orders, lines: Lines, rng: np.random.Generator) -> Acts:
    """Ratings and complaints some days after buying; who is fading, or sent it back, is less pleased."""
    line = np.flatnonzero(~lines.is_return & (lines.product > 0) & ~orders.guest[lines.order])
    user = orders.user[lines.order[line]]
    moment = lines.seconds[line] / 86400 + rng.uniform(2, 10, len(line))
    fading = moment > people.fading[user]
    rates = rng.random(len(line)) < 0.045
    complains = ~rates & (rng.random(len(line)) < np.where(fading, 0.06, 0.012))
    said = rates | complains
    stars = np.clip(np.round(rng.normal(np.where(fading, 3.4, 4.4), 0.9)), 1, 5)
    return Acts(
        person=user[said],
        seconds=(moment[said] * 86400).astype(np.int64),
        event=np.where(rates[said], RATING, COMPLAINT),
        item=lines.product[line][said] - 1,
        session=np.full(int(said.sum()), _NONE),
        signed_in=np.ones(int(said.sum()), bool),
        rating=np.where(rates[said], stars[said], np.nan),
    )


def events_table(
    world: World, people: People, acts: Acts, ids: pa.Array, chunk: int, rng: np.random.Generator, first_users: int
) -> pa.Table:
    """Events of the chunk's first users in the columns of the contract, but those that arrived after the last day.

    Who is not signed in is known by the device alone.
    """
    count, users = len(acts.person), len(people)
    stranger = acts.person >= users
    second_device = ~stranger & (rng.random(count) < 0.2)
    items = item_ids(np.arange(len(CATEGORY_NAMES) * PER_CATEGORY))
    session_ids = numbered("s", chunk * 10**6 + np.arange(acts.session.max(initial=0) + 1), 10)
    late = rng.random(count) < 0.008
    delay = np.where(late, rng.uniform(600, 3 * 86400, count), rng.uniform(0, 5, count)).astype(np.int64)
    seen = (acts.event == VIEW) | (acts.event == ITEM)
    dwell = np.round(rng.lognormal(3.2, 0.8, count), 1)
    arrived = acts.seconds + delay < world.days * 86400
    table = pa.table(
        {
            "occurred_at": times(world.start, acts.seconds),
            "event": chosen(EVENTS, acts.event),
            "user_id": chosen(ids, np.where(stranger, 0, acts.person), acts.signed_in),
            "device_id": chosen(_device_ids(people), acts.person + users * (second_device | stranger)),
            "item_id": chosen(items, np.maximum(acts.item, 0), acts.item >= 0),
            "page": chosen(PAGES, rng.integers(0, len(PAGES), count), acts.event == VIEW),
            "feature": chosen(FEATURES, _features(acts, rng), acts.event == FEATURE),
            "session_id": chosen(session_ids, np.maximum(acts.session, 0), acts.session >= 0),
            "dwell_seconds": pa.array(dwell, mask=~seen),
            "rating": pa.array(acts.rating, mask=np.isnan(acts.rating)),
            "recorded_at": times(world.start, acts.seconds + delay),
        }
    )
    return table.filter(pa.array(arrived & (acts.person % users < first_users)))


def _features(acts: Acts, rng: np.random.Generator) -> Ints:
    """Everybody uses some features of the app more than others."""
    favourite = acts.person * 5 % len(FEATURES)
    other = rng.integers(0, len(FEATURES), len(favourite))
    return np.where(rng.random(len(other)) < 0.5, favourite, other)


def _device_ids(people: People) -> pa.Array:
    """First and second devices of the users, then those of strangers."""
    own = (people.number + 1) * 10
    return pa.concat_arrays([numbered("d", own, 9), numbered("d", own + 1, 9), numbered("dx", people.number + 1, 8)])
