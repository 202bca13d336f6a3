"""A big shop written in pieces: order lines as CSV, events as Parquet, users and items, as fast as numpy and Arrow can.

Customers differ in how often they buy (heavy tail), join and leave, like some items, look around before they buy, and
buy more before the new year, so that models have something to learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

START = date(2024, 6, 1)
DAYS = 540
END = date(2025, 11, 23)
CUSTOMERS_AT_ONCE = 10_000
_EVENTS = np.array(["view_item", "page_view", "add_to_cart", "search"])
_CHANNELS = np.array(["app", "web", "store"])
_LIKED = 6
_SELLERS = 200


@dataclass(frozen=True)
class Size:
    """How many rows of each kind are made, over all pieces."""

    users: int
    lines: int
    events: int

    @property
    def items(self) -> int:
        return int(np.clip(self.users // 50, 200, 20_000))

    def until(self, done: int) -> tuple[int, int]:
        """Lines and events of the first `done` customers."""
        return self.lines * done // self.users, self.events * done // self.users


@dataclass(frozen=True)
class _Customers:
    """A piece of the customers: when each joins and leaves (days), how often each buys, what each likes."""

    number: Ints
    joined: Floats
    left: Floats
    rate: Floats
    liked: Ints

    def drawn(self, rng: np.random.Generator, count: int, weight: Floats) -> Ints:
        """Customers of `count` rows, by weight."""
        share = np.cumsum(weight)
        found = np.searchsorted(share, rng.random(count) * share[-1], side="right")
        return np.asarray(np.minimum(found, len(weight) - 1))

    def moments(self, rng: np.random.Generator, who: Ints) -> Floats:
        """Days while each is there, more of them when the season is high."""
        low, high = _season(self.joined[who]), _season(self.left[who])
        return np.asarray(np.interp(low + rng.random(len(who)) * (high - low), _SEASON, _GRID))


_GRID = np.linspace(0, DAYS, DAYS + 1)
_SEASON = np.r_[0, np.cumsum(1 + 0.35 * np.sin(2 * np.pi * (_GRID[1:] - 90) / 365) + 0.2 * (_GRID[1:] % 7 > 4.5))]


def _season(day: Floats) -> Floats:
    """How much season there has been until a day."""
    return np.asarray(np.interp(day, _GRID, _SEASON))


def make(
    folder: Path, size: Size, seed: int = 7, progress: Callable[[str, float, float], None] = lambda *_: None
) -> None:
    """Writes `orders.csv`, `events.parquet`, `users.csv` and `items.csv`; the same arguments give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    pacsv.write_csv(_items(size, seed), folder / "items.csv")
    with ExitStack() as stack:
        writers: dict[str, Any] = {}
        for first in range(0, size.users, CUSTOMERS_AT_ONCE):
            for name, table in _piece(size, seed, first):
                if name not in writers:
                    kind = pq.ParquetWriter if name.endswith(".parquet") else pacsv.CSVWriter
                    writers[name] = stack.enter_context(kind(str(folder / name), table.schema))
                writers[name].write_table(table)
            progress("making", min(first + CUSTOMERS_AT_ONCE, size.users), size.users)


def _piece(size: Size, seed: int, first: int) -> Iterator[tuple[str, pa.Table]]:
    rng = np.random.default_rng([seed, first])
    last = min(first + CUSTOMERS_AT_ONCE, size.users)
    (lines, events), (lines_before, events_before) = size.until(last), size.until(first)
    customers = _customers(size, rng, first, last - first)
    who, when, bought, orders = _orders(customers, size, rng, lines - lines_before, lines_before)
    yield "users.csv", _users(customers)
    yield "orders.csv", orders
    yield "events.parquet", _events(customers, size, rng, events - events_before, (who, when, bought))


def _customers(size: Size, rng: np.random.Generator, first: int, count: int) -> _Customers:
    joined = DAYS * rng.random(count) ** 1.5 - 60
    left = np.minimum(joined + 20 + rng.exponential(400, count), DAYS)
    return _Customers(
        number=first + np.arange(count),
        joined=np.maximum(joined, 0),
        left=np.maximum(left, 1),
        rate=rng.lognormal(0, 1.1, count),
        liked=_popular(rng, size, (count, _LIKED)),
    )


def _orders(
    customers: _Customers, size: Size, rng: np.random.Generator, lines: int, before: int
) -> tuple[Ints, Floats, Ints, pa.Table]:
    """Who, when and what of every line, and the lines as a table: 2.5 an order, in order of time."""
    count = max(1, lines * 2 // 5)
    stay = np.maximum(customers.left - customers.joined, 0)
    buyer = customers.drawn(rng, count, customers.rate * stay)
    moment = np.sort(customers.moments(rng, buyer))  # in order of time, as a shop exports them
    order = np.sort(np.r_[np.arange(min(count, lines)), rng.integers(0, count, max(lines - count, 0))])
    who, when = buyer[order], moment[order]
    habit = rng.random(lines) < 0.6
    item = np.where(habit, customers.liked[who, rng.integers(0, _LIKED, lines)], _popular(rng, size, lines))
    quantity = 1 + rng.poisson(0.4, lines)
    cents = quantity * _cents(item)
    discount = np.where(rng.random(lines) < 0.25, cents // 10, 0)
    table = pa.table(
        {
            "user_id": _ids("U", customers.number[who], 8),
            "ordered_at": _times(when),
            "order_id": _ids("", before + order, 9),
            "item_id": _ids("I", item, 5),
            "quantity": quantity,
            "amount": (cents - discount) / 100,
            "discount": discount / 100,
            "channel": pa.array(_CHANNELS).take(pa.array(order % 3)),
            "seller_id": _ids("s", _seller(item), 3),
        }
    )
    return who, when, item, table


def _popular(rng: np.random.Generator, size: Size, shape: int | tuple[int, int]) -> Ints:
    """Items, few of them often."""
    return np.asarray(size.items * rng.random(shape) ** 4).astype(np.int64)


def _cents(item: Ints) -> Ints:
    """The price of an item in cents."""
    return 500 + item * 7919 % 20_000


def _seller(item: Ints) -> Ints:
    """The one who sells an item, of whatever category it is."""
    return item * 31 % _SELLERS


def _events(
    customers: _Customers, size: Size, rng: np.random.Generator, count: int, lines: tuple[Ints, Floats, Ints]
) -> pa.Table:
    """Two of five acts lead to a purchase within three days; the others are looks."""
    near = rng.integers(0, len(lines[0]), count * 2 // 5)
    looks = count - len(near)
    looker = customers.drawn(rng, looks, np.sqrt(customers.rate) * np.maximum(customers.left - customers.joined, 0))
    who = np.r_[lines[0][near], looker]
    when = np.r_[lines[1][near] - rng.exponential(0.5, len(near)).clip(max=3), customers.moments(rng, looker)].clip(0)
    item = np.r_[lines[2][near], _popular(rng, size, looks)]
    kind = rng.choice(len(_EVENTS), count, p=[0.6, 0.2, 0.12, 0.08])
    order = np.argsort(when, kind="stable")
    who, when, item, kind = who[order], when[order], item[order], kind[order]
    of_item = (kind == 0) | (kind == 2)
    return pa.table(
        {
            "occurred_at": _times(when),
            "event": pa.array(_EVENTS).take(pa.array(kind)),
            "user_id": _ids("U", customers.number[who], 8),
            "item_id": pc.if_else(pa.array(of_item), _ids("I", item, 5), pa.scalar(None, pa.string())),
            "session_id": _ids("s", customers.number[who] * 1000 + when.astype(np.int64), 11),
            "dwell_seconds": np.round(rng.lognormal(3, 0.8, count), 1),
        }
    )


def _users(customers: _Customers) -> pa.Table:
    return pa.table(
        {
            "user_id": _ids("U", customers.number, 8),
            "registered_at": _times(customers.joined),
            "region": pa.array(["north", "south", "east", "west"]).take(pa.array(customers.number % 4)),
            "recorded_at": _times(customers.joined),
        }
    )


def _items(size: Size, seed: int) -> pa.Table:
    item = np.arange(size.items)
    return pa.table(
        {
            "item_id": _ids("I", item, 5),
            "name": _ids("Item ", item, 5),
            "category": _ids("c", np.random.default_rng(seed).integers(0, 24, size.items), 2),
            "price": _cents(item) / 100,
            "recorded_at": _times(np.zeros(size.items)),
        }
    )


def _ids(prefix: str, number: Ints, width: int) -> pa.Array:
    digits = pc.utf8_lpad(pa.array(number).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, digits, "") if prefix else digits


def _times(days: Floats) -> pa.Array:
    seconds = (days * 86_400).astype(np.int64).clip(0, DAYS * 86_400 - 1)
    return pa.array(np.datetime64(START, "s") + seconds.astype("timedelta64[s]"))
