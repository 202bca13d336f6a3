"""When people buy and what: renewals of habits, festivals, campaigns, baskets, prices, returns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from warehouse.shop.people import Habits, People
from warehouse.shop.shelf import Shelf
from warehouse.shop.world import CONSUMABLE, COUPON_HUNTER, ONE_OFF, Flags, Floats, Ints, World

POSTAGE = 0
"""The line that is no product; items of the shelf count from 1 in `Lines.product`."""


@dataclass(frozen=True)
class Trips:
    """Intentions to buy one thing, one row each. `day` counts from the first; `habit` is −1 outside a habit."""

    user: Ints
    day: Ints
    category: Ints
    habit: Ints
    guest: Flags

    def where(self, keep: Flags) -> Trips:
        return Trips(*(column[keep] for column in vars(self).values()))

    def plus(self, other: Trips) -> Trips:
        return Trips(*(np.concatenate(pair) for pair in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass(frozen=True)
class Orders:
    """One row per order; `seconds` since 00:00 of the first day, local."""

    user: Ints
    day: Ints
    guest: Flags
    seconds: Ints
    festival: Ints
    coupon: Flags
    depth: Floats
    channel: Ints


@dataclass(frozen=True)
class Lines:
    """One row per order line. Money in cents; a return has negative quantity, amount and list price."""

    order: Ints
    product: Ints
    quantity: Ints
    unit_price: Ints
    discount: Ints
    seller: Ints
    seconds: Ints
    recorded: Ints
    is_return: Flags


def renew(world: World, people: People, habits: Habits, rng: np.random.Generator) -> Trips:
    """The habits' renewals: gamma gaps around each person's own mean, from registration until leaving.

    Gaps have the category's shape, so that consumables return more evenly than chance would have it. Now and then
    a pause comes on top: stock at home, a holiday, a purchase elsewhere.
    """
    begin, end = people.registered[habits.user], np.minimum(people.left[habits.user], world.days)
    span = np.maximum(end - begin, 0)
    counts = np.where(span > 0, np.ceil(1.5 * span / habits.mean_gap).astype(np.int64) + 5, 0)
    habit = np.repeat(np.arange(len(habits.user)), counts)
    shape = world.regularity[habits.category[habit]]
    gaps = rng.gamma(shape) / shape * habits.mean_gap[habit]
    gaps += np.where(rng.random(len(gaps)) < world.pause_share, rng.exponential(world.pause_days, len(gaps)), 0.0)
    starts = np.cumsum(counts) - counts
    place = np.arange(len(habit)) - starts[habit]
    first_of_user = np.r_[True, habits.user[1:] != habits.user[:-1]]
    delay = np.where(
        first_of_user, rng.exponential(4, len(habits.user)), rng.random(len(habits.user)) * habits.mean_gap * 1.2
    )
    gaps = np.where(place == 0, delay[habit], gaps)
    total = np.cumsum(gaps)
    before = np.r_[0.0, total][starts]
    moment = begin[habit] + total - before[habit]
    user = habits.user[habit]
    fades = (moment > people.fading[user]) & (rng.random(len(user)) < 0.5)
    keep = (moment < end[habit]) & (moment >= 0) & (~fades | (place == 0))
    keep &= ~((people.kind[user] == ONE_OFF) & (~first_of_user[habit] | (place > 0)) & (rng.random(len(user)) < 0.8))
    habit, moment, user = habit[keep], moment[keep], user[keep]
    return Trips(user, moment.astype(np.int64), habits.category[habit], habit, _guests(people, user, rng))


def _guests(people: People, user: Ints, rng: np.random.Generator) -> Flags:
    return rng.random(len(user)) < people.guest[user]


def bend_to_week(people: People, trips: Trips, world: World, rng: np.random.Generator) -> Trips:
    """Some purchases wait for, or hurry to, the person's own weekday, three days at most."""
    weekday = (world.start.weekday() + trips.day) % 7
    shift = (people.weekday[trips.user] - weekday + 3) % 7 - 3
    day = trips.day + np.where(rng.random(len(shift)) < 0.35, shift, 0)
    earliest = np.maximum(np.ceil(people.registered[trips.user]), 0).astype(np.int64)
    return Trips(trips.user, np.clip(day, earliest, world.days - 1), trips.category, trips.habit, trips.guest)


def bend_to_festivals(world: World, people: People, trips: Trips, rng: np.random.Generator) -> Trips:
    """Sales pull forward purchases from the twelve days before, and bring some that would not have been."""
    day = trips.day.copy()
    extra = []
    love = world.kind_festival[people.kind]
    for festival in world.festivals:
        first = world.day_number(festival.first_day)
        if first < 0:
            continue
        if not festival.gifts:
            near = (day >= first - 12) & (day < first)
            pulled = near & (rng.random(len(day)) < festival.pull * love[trips.user])
            day[pulled] = first + rng.integers(0, festival.shopping_days, int(pulled.sum()))
        here = (people.registered < first) & (people.left > first)
        user = np.flatnonzero(here & (rng.random(len(people)) < 0.6 * festival.pull * love))
        user = np.repeat(user, 1 + rng.poisson(0.8, len(user)))
        wish = world.category_weight * (0.05 + world.gift_share if festival.gifts else 1.0)
        category = rng.choice(len(wish), len(user), p=wish / wish.sum())
        when = np.minimum(first + rng.integers(0, festival.shopping_days, len(user)), world.days - 1)
        extra.append(Trips(user, when, category, np.full(len(user), -1), _guests(people, user, rng)))
    moved = Trips(trips.user, np.minimum(day, world.days - 1), trips.category, trips.habit, trips.guest)
    for trip in extra:
        moved = moved.plus(trip)
    return moved


def place_orders(world: World, people: People, trips: Trips, rng: np.random.Generator) -> tuple[Orders, Ints]:
    """Trips of one person on one day become one order; also returns the order of each trip.

    What is bought without signing in is an order of its own.
    """
    key = (trips.user * world.days + trips.day) * 2 + trips.guest
    unique, order_of_trip = np.unique(key, return_inverse=True)
    guest, user_day = (unique % 2).astype(bool), unique // 2
    user, day = user_day // world.days, user_day % world.days
    count = len(unique)
    festival = world.festival_of_day[day]
    coupon = rng.random(count) < people.coupon[user]
    coupon &= ~guest
    wanted = world.kind_depth[people.kind[user]] * rng.uniform(0.75, 1.25, count)
    # Who hunts coupons buys at a deep discount or not at all, coupon or none.
    deep = people.kind[user] == COUPON_HUNTER
    depth = np.where(coupon | deep, wanted, 0.0)
    registered = (people.registered[user] * 86400).astype(np.int64) + 60
    seconds = np.maximum(day * 86400 + time_of_day(rng, count), registered)
    orders = Orders(
        user=user,
        day=day,
        guest=guest,
        seconds=np.minimum(seconds, day * 86400 + 86399),
        festival=festival,
        coupon=coupon,
        depth=depth,
        channel=rng.choice(4, count, p=[0.52, 0.24, 0.12, 0.12]),
    )
    return orders, order_of_trip


def time_of_day(rng: np.random.Generator, count: int) -> Ints:
    """Seconds since midnight, mostly around noon and in the evening."""
    evening = rng.random(count) < 0.6
    hours = np.where(evening, rng.normal(20.3, 1.5, count), rng.normal(12.5, 2.6, count))
    seconds: Ints = np.clip(hours * 3600, 0, 86399).astype(np.int64)
    return seconds


@dataclass(frozen=True)
class Basket:
    """What is put into the orders, one row each: the order and the item of the shelf."""

    order: Ints
    item: Ints


def fill_baskets(
    world: World,
    shelf: Shelf,
    people: People,
    habits: Habits,
    trips: Trips,
    orders: Orders,
    order_of_trip: Ints,
    rng: np.random.Generator,
) -> Basket:
    """One item for each trip, often the favourite, and some add-ons; no item twice in an order."""
    own_first = np.searchsorted(habits.user, np.arange(len(people)))
    own_count = np.bincount(habits.user, minlength=len(people))
    habit = np.where(trips.habit >= 0, trips.habit, own_first[trips.user])
    band, brand = people.band[trips.user], habits.brand[habit]
    explored = shelf.pick(rng, trips.category, band, brand)
    share = world.favourite_share[trips.category] * (trips.habit >= 0)
    draw = rng.random(len(habit))
    second = np.where(draw < share + 0.12 * (share > 0), habits.second[habit], explored)
    wanted = np.where(draw < share, habits.favourite[habit], second)
    add_on = np.repeat(np.arange(len(orders.user)), rng.poisson(world.kind_add_on[people.kind[orders.user]]))
    buyer = orders.user[add_on]
    own = own_first[buyer] + (rng.random(len(add_on)) * own_count[buyer]).astype(np.int64)
    popular = rng.choice(len(CONSUMABLE), len(add_on), p=world.category_weight / world.category_weight.sum())
    category = np.where(rng.random(len(add_on)) < 0.2, habits.category[own], popular)
    more = shelf.pick(rng, category, people.band[buyer], habits.brand[own])
    order = np.concatenate([order_of_trip, add_on])
    item = np.concatenate([wanted, more])
    item = shelf.on_sale(
        rng, item, orders.day[order], people.band[orders.user[order]], np.concatenate([brand, habits.brand[own]])
    )
    _, first = np.unique(order * len(shelf.category) + item, return_index=True)
    return Basket(order[first], item[first])


def price_lines(
    world: World, shelf: Shelf, people: People, orders: Orders, basket: Basket, rng: np.random.Generator
) -> Lines:
    """Baskets become order lines with list price and discount, postage lines, and later the returns."""
    order, item = basket.order, basket.item
    day, count = orders.day[order], len(order)
    category = shelf.category[item]
    quantity = np.where(CONSUMABLE[category], 1 + rng.poisson(0.45, count), 1)
    unit = shelf.price_on(item, day)
    promotion = world.promotions[category, day // 7]
    sale = np.where(orders.festival[order] >= 0, rng.uniform(0.08, 0.22, count), 0.0)
    depth = np.minimum(np.maximum(promotion, orders.depth[order]) + sale, 0.7)
    discount = (np.round(quantity * unit * depth / 10) * 10).astype(np.int64)
    sold = Lines(
        order=order,
        product=item + 1,
        quantity=quantity,
        unit_price=unit,
        discount=discount,
        seller=shelf.seller_of(item),
        seconds=orders.seconds[order],
        recorded=orders.seconds[order],
        is_return=np.zeros(count, bool),
    )
    return _record(
        world, orders, _join(sold, _postage(orders, rng), _returns(world, people, orders, sold, category, rng)), rng
    )


def _join(*parts: Lines) -> Lines:
    return Lines(*(np.concatenate(columns) for columns in zip(*(vars(p).values() for p in parts), strict=True)))


def _postage(orders: Orders, rng: np.random.Generator) -> Lines:
    """A handful of orders carry a line for postage."""
    order = np.flatnonzero(rng.random(len(orders.user)) < 0.008)
    fee, zero = rng.choice([600, 800, 1200], len(order)), np.zeros(len(order), np.int64)
    seconds = orders.seconds[order]
    return Lines(order, zero + POSTAGE, zero + 1, fee, zero, zero - 1, seconds, seconds, zero > 0)


def _returns(
    world: World, people: People, orders: Orders, sold: Lines, category: Ints, rng: np.random.Generator
) -> Lines:
    """Some lines come back whole, two to sixteen days later."""
    share = world.kind_return[people.kind[orders.user[sold.order]]] * world.return_factor[category]
    back = np.flatnonzero(rng.random(len(share)) < np.minimum(share, 0.6))
    seconds = sold.seconds[back] + (rng.uniform(2, 16, len(back)) * 86400).astype(np.int64)
    return Lines(
        sold.order[back],
        sold.product[back],
        -sold.quantity[back],
        sold.unit_price[back],
        -sold.discount[back],
        sold.seller[back],
        seconds,
        seconds,
        np.ones(len(back), bool),
    )


def _record(world: World, orders: Orders, lines: Lines, rng: np.random.Generator) -> Lines:
    """When rows reached the books: at once, but some tills report days late. What is not yet there is left out."""
    till = orders.channel[lines.order] == 3
    late = rng.random(len(till)) < np.where(till, 0.10, 0.005)
    delay = np.where(late, rng.uniform(0.5, 6, len(till)) * 86400, rng.uniform(1, 90, len(till)))
    recorded = lines.seconds + delay.astype(np.int64)
    keep = recorded < world.days * 86400
    return Lines(*(column[keep] for column in (vars(lines) | {"recorded": recorded}).values()))
