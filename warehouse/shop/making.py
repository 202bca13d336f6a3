"""Writes the made-up shop, one chunk of users after the other."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from warehouse.errors import UsageError
from warehouse.files import atomic_file, write_text
from warehouse.progress import Progress, silent
from warehouse.shop.browsing import browse, events_table
from warehouse.shop.campaigns import campaign_truth, contacts_table, run_campaigns
from warehouse.shop.people import (
    Habits,
    draw_habits,
    draw_people,
    identities_table,
    people_truth,
    seller_ids,
    tags_table,
    user_ids,
    users_table,
)
from warehouse.shop.planted import planted_events, truth
from warehouse.shop.purchases import (
    Lines,
    Orders,
    bend_to_festivals,
    bend_to_week,
    fill_baskets,
    place_orders,
    price_lines,
    renew,
)
from warehouse.shop.sellers import Selling, draw_looks, draw_selling, known_pairs, planted_rows
from warehouse.shop.shelf import Shelf, draw_shelf, item_ids, items_table
from warehouse.shop.text import chosen, numbered, times
from warehouse.shop.world import CATEGORY_NAMES, Floats, World, draw_world

CHUNK = 2000
"""Users drawn together, from a seed of their own: the first users are the same however many there are."""
TIME_ZONE = "Asia/Shanghai"
CURRENCY = "CNY"
NON_PRODUCTS = "^POSTAGE$"
_FILES = ("orders.csv", "events.parquet", "users.csv", "items.csv", "contacts.csv", "tags.csv", "identities.csv")
_COUPONS = tuple(f"CP{depth * 5:02d}" for depth in range(21))
_CHANNELS = ("app", "web", "mini_program", "store")


@dataclass(frozen=True)
class ShopReport:
    """What was written: `files` by table, `rows` by table, and what a workspace needs to know to read them.

    Times in the files are wall times of `time_zone` without a zone; `non_products` is the pattern of item ids
    that are no products. Data end before 00:00 of `end`.
    """

    directory: Path
    users: int
    seed: int
    first_day: date
    end: date
    files: dict[str, Path]
    rows: dict[str, int]
    time_zone: str = TIME_ZONE
    currency: str = CURRENCY
    non_products: str = NON_PRODUCTS


def make_shop(
    directory: Path | str,
    users: int = 20000,
    seed: int = 7,
    days: int = 540,
    end: date = date(2026, 9, 30),
    progress: Progress = silent,
    behaviours: bool = False,
    sellers: bool = False,
) -> ShopReport:
    """Makes up a shop of `users` users over the `days` days before `end` and writes its tables as files.

    The same arguments give the same bytes. The first users of a larger shop are those of a smaller one. What is
    true (kinds of people, when they left, effects of campaigns) goes to `truth/`, for tests to compare with.
    `behaviours` adds events of features that go with staying, with leaving or with nothing (`planted`); no other
    row moves. `sellers` adds looks and order lines of theirs that say how well each seller sells (`sellers`).
    Raises `UsageError` for sizes that make no shop and `RepriseError` where files cannot be written.
    """
    _check_sizes(users, seed, days)
    target = Path(directory)
    world = draw_world(seed, end - timedelta(days=days), days)
    shelf = draw_shelf(world)
    selling = draw_selling(world, shelf) if sellers else None
    with _Files(target) as files:
        files.write("items.csv", items_table(world, shelf))
        for first in range(0, users, CHUNK):
            tables = _chunk(world, shelf, first, min(CHUNK, users - first), behaviours, selling)
            for name, table in tables.items():
                files.write(name, table)
            progress("Making the shop", min(first + CHUNK, users), users)
        if behaviours:
            write_text(target / "truth" / "behaviours.json", json.dumps(truth(), indent=1))
        if selling is not None:
            write_text(target / "truth" / "sellers.json", json.dumps(selling.truth(shelf), indent=1))
        write_text(target / "truth" / "parameters.json", json.dumps(world.parameters(), ensure_ascii=False, indent=1))
        rows = files.rows
    return ShopReport(
        directory=target,
        users=users,
        seed=seed,
        first_day=world.start,
        end=end,
        files={name.partition(".")[0]: target / name for name in _FILES},
        rows={name.partition(".")[0]: rows[name] for name in _FILES},
    )


def _check_sizes(users: int, seed: int, days: int) -> None:
    allowed = {"users": (users, 1, 5_000_000), "seed": (seed, 0, 2**31 - 1), "days": (days, 90, 3650)}
    for name, (value, low, high) in allowed.items():
        if not low <= value <= high:
            raise UsageError(f"{name} is {value}.", hint=f"Give {name} a whole number from {low} to {high}.")


def _chunk(
    world: World, shelf: Shelf, first: int, count: int, behaviours: bool, selling: Selling | None
) -> dict[str, pa.Table]:
    """All tables of one chunk. It is drawn whole and then cut, so that its users are the same at any size."""
    number = first // CHUNK
    streams = iter(range(100))

    def stream() -> np.random.Generator:
        """The next generator of this chunk; each step has its own, so that one does not disturb another."""
        return np.random.default_rng([world.seed, 1, number, next(streams)])

    people = draw_people(world, stream(), first, CHUNK)
    habits = draw_habits(world, shelf, people, stream())
    trips = renew(world, people, habits, stream())
    trips = bend_to_week(people, trips, world, stream())
    trips = bend_to_festivals(world, people, trips, stream())
    trips, touched = run_campaigns(world, people, habits, trips, stream())
    orders, order_of_trip = place_orders(world, people, trips, stream())
    basket = fill_baskets(world, shelf, people, habits, trips, orders, order_of_trip, stream())
    lines = price_lines(world, shelf, people, orders, basket, stream())
    acts = browse(world, shelf, people, habits, orders, lines, stream())
    ids = user_ids(people)
    kept = _first_users(ids, count)
    tables = {
        "users.csv": kept(users_table(world, people, ids, stream())),
        "contacts.csv": kept(contacts_table(world, people, touched, ids, stream())),
        "tags.csv": kept(tags_table(world, people, ids, stream())),
        "identities.csv": kept(identities_table(people, ids, stream())),
        "orders.csv": _orders_table(world, shelf, orders, lines, ids, number, stream(), count),
        "events.parquet": events_table(world, people, acts, ids, number, stream(), count),
        "truth/users.parquet": kept(people_truth(world, people, ids)),
        "truth/habits.parquet": kept(_habits_truth(habits, ids)),
        "truth/contacts.parquet": kept(campaign_truth(world, touched, ids)),
        "truth/guests.parquet": kept(_guests_truth(orders, ids, number)),
    }
    if behaviours:
        events = tables["events.parquet"]
        own = np.random.default_rng([world.seed, 2, number])
        more = planted_events(world, people, _first_days(world, tables, ids), ids, events.schema, own)
        tables["events.parquet"] = pa.concat_tables([events, kept(more)])
    if selling is not None:
        touched_items = (acts.person, acts.item), (orders.user[lines.order], lines.product - 1)
        known = known_pairs(len(shelf.category), *touched_items)
        own = np.random.default_rng([world.seed, 3, number])
        looks = draw_looks(world, shelf, people, selling, known, own)
        schemas = tables["events.parquet"].schema, tables["orders.csv"].schema
        more_acts, more_lines = planted_rows(world, shelf, looks, ids, number, *schemas, own)
        tables["events.parquet"] = pa.concat_tables([tables["events.parquet"], kept(more_acts)])
        tables["orders.csv"] = pa.concat_tables([tables["orders.csv"], kept(more_lines)])
    return tables


def _first_days(world: World, tables: Mapping[str, pa.Table], ids: pa.Array) -> Floats:
    """The day of each person's first event or order line in the tables; infinite where there is none."""
    first = np.full(len(ids), np.inf)
    for name, happened in (("events.parquet", "occurred_at"), ("orders.csv", "ordered_at")):
        known = tables[name].filter(pa.compute.is_valid(tables[name]["user_id"]))
        person = pa.compute.index_in(known["user_id"], value_set=ids).to_numpy()
        moments = known[happened].cast(pa.timestamp("us")).to_numpy()
        np.minimum.at(first, person, (moments - np.datetime64(world.start)) / np.timedelta64(1, "D"))
    return first


def _first_users(ids: pa.Array, count: int) -> Callable[[pa.Table], pa.Table]:
    """Cuts a table to the rows of the chunk's first `count` users."""
    if count == len(ids):
        return lambda table: table
    wanted = ids.slice(0, count)
    return lambda table: table.filter(pa.compute.is_in(table["user_id"], wanted))


def _order_ids(orders: Orders, chunk: int) -> pa.Array:
    return numbered("", chunk * 10**6 + np.arange(len(orders.user)), 10)


def _orders_table(
    world: World,
    shelf: Shelf,
    orders: Orders,
    lines: Lines,
    ids: pa.Array,
    chunk: int,
    rng: np.random.Generator,
    count: int,
) -> pa.Table:
    """Order lines in the columns of the contract, in the order in which they reached the books, some of them twice."""
    twice = np.flatnonzero(rng.random(len(lines.order)) < 0.002)
    rows = np.concatenate([np.arange(len(lines.order)), twice])
    rows = rows[np.lexsort((rows, lines.recorded[rows]))]
    rows = rows[orders.user[lines.order[rows]] < count]
    order, product = lines.order[rows], lines.product[rows]
    quantity, unit, discount = lines.quantity[rows], lines.unit_price[rows], lines.discount[rows]
    back = lines.is_return[rows]
    sold = product > 0
    products = pa.concat_arrays([pa.array(["POSTAGE"]), item_ids(np.arange(len(shelf.category)))])
    depth = np.round(orders.depth[order] * 20).astype(np.int64)
    return pa.table(
        {
            "order_id": chosen(_order_ids(orders, chunk), order),
            "user_id": chosen(ids, orders.user[order], ~orders.guest[order]),
            "ordered_at": times(world.start, lines.seconds[rows]),
            "item_id": chosen(products, product),
            "quantity": quantity,
            "unit_price": unit / 100,
            "amount": (quantity * unit - discount) / 100,
            "discount": pa.array(discount / 100, mask=back),
            "coupon_id": chosen(_COUPONS, depth, orders.coupon[order] & ~back & sold),
            "channel": chosen(_CHANNELS, orders.channel[order]),
            "seller_id": chosen(seller_ids(), np.maximum(lines.seller[rows], 0), sold),
            "kind": chosen(["sale", "return"], back.astype(np.int64)),
            "recorded_at": times(world.start, lines.recorded[rows]),
        }
    )


def _habits_truth(habits: Habits, ids: pa.Array) -> pa.Table:
    return pa.table(
        {
            "user_id": chosen(ids, habits.user),
            "category": chosen(CATEGORY_NAMES, habits.category),
            "mean_gap_days": habits.mean_gap,
            "favourite_item": item_ids(habits.favourite),
            "second_item": item_ids(habits.second),
        }
    )


def _guests_truth(orders: Orders, ids: pa.Array, chunk: int) -> pa.Table:
    order = np.flatnonzero(orders.guest)
    return pa.table({"user_id": chosen(ids, orders.user[order]), "order_id": chosen(_order_ids(orders, chunk), order)})


@dataclass
class _Files:
    """The files of the shop while they are written; each appears whole at the end, or not at all."""

    directory: Path
    rows: dict[str, int] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)
    _writers: dict[str, Any] = field(default_factory=dict)

    def __enter__(self) -> _Files:
        self._stack.__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._stack.__exit__(*failure)

    def write(self, name: str, table: pa.Table) -> None:
        if name not in self._writers:
            temporary = self._stack.enter_context(atomic_file(self.directory / name))
            make = pq.ParquetWriter if name.endswith(".parquet") else pacsv.CSVWriter
            self._writers[name] = self._stack.enter_context(make(str(temporary), table.schema))
        self._writers[name].write_table(table)
        self.rows[name] = self.rows.get(name, 0) + table.num_rows
