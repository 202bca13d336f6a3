"""Made-up histories, and the lifecycle told a second time: per customer, by its definition, in plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from features.lifecycle import GROUPS
from features.periods import Grain
from tests.features.conftest import World, sale, utc

DATA = Path(__file__).parents[3] / "shared" / "data"
ZONES = ("Asia/Shanghai", "UTC", "Europe/London", "America/New_York")
BASES = {
    "retention": ("active", "last_new", "awakened", "returned"),
    "new_retention": ("new",),
    "awakening": ("dormant",),
    "return": ("lapsed",),
}
RATED = {"retention": "active", "new_retention": "last_new", "awakening": "awakened", "return": "returned"}


def named(day: date, grain: Grain) -> str:
    if grain == "month":
        return f"{day.year}-{day.month:02d}"
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02d}"


def names_between(first: date, last: date, grain: Grain) -> list[str]:
    """Names of all periods from that of `first` to that of `last`, both days included."""
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    return list(dict.fromkeys(named(day, grain) for day in days))


def group_at(active: Sequence[int], t: int, lapsed_after: int) -> str | None:
    """The group of a customer active in these periods, at period t; straight from the definition."""
    past = [p for p in active if p <= t]
    if not past:
        return None
    first, last = min(past), max(past)
    if last == t:
        if first == t:
            return "new"
        if first == t - 1:
            return "last_new"
        if t - 1 in past:
            return "active"
        silent = t - max(p for p in past if p < t) - 1
        return "awakened" if silent < lapsed_after else "returned"
    return "dormant" if t - last < lapsed_after else "lapsed"


@dataclass(frozen=True)
class Told:
    """What `Growth.payload()` says of one period, told again."""

    groups: dict[str, int]
    flows: dict[tuple[str, str], int]


def retold(acts: Mapping[str, set[date]], as_of: date, grain: Grain, lapsed_after: int) -> dict[str, Told]:
    """The groups and flows of every period, from the local days on which each customer acted."""
    acts = {who: {day for day in days if day < as_of} for who, days in acts.items()}
    names = names_between(min(d for days in acts.values() for d in days), as_of - timedelta(days=1), grain)
    place = {name: n for n, name in enumerate(names)}
    groups: list[Counter[str]] = [Counter() for _ in names]
    flows: list[Counter[tuple[str, str]]] = [Counter() for _ in names]
    for days in acts.values():
        active = sorted({place[named(day, grain)] for day in days})
        path = [group_at(active, t, lapsed_after) for t in range(len(names))]
        for t, group in enumerate(path):
            if group is not None:
                groups[t][group] += 1
            if t and path[t - 1] is not None and group is not None:
                flows[t][path[t - 1], group] += 1
    return {name: Told({g: groups[n][g] for g in GROUPS}, dict(flows[n])) for name, n in place.items()}


def history(seed: int, users: int = 30, weeks: int = 40) -> World:
    """Customers who come, pause and return, with acts at midnight, late in the evening and over the turn of a year."""
    rng = np.random.default_rng(seed)
    zone = ZONES[seed % len(ZONES)]
    as_of = date(2021, 1, 4) + timedelta(days=int(rng.integers(0, 60)))
    orders, events, people = [], [], []
    for n in range(users):
        who = f"u{n:03d}"
        start = int(rng.integers(1, weeks * 7))
        rhythm = float(rng.choice([3, 9, 30, 80]))
        ago = start
        while ago > -10:
            day = as_of - timedelta(days=ago)
            clock = str(rng.choice(["00:00", "23:59", "12:00", "07:30", "23:30"]))
            at = utc(f"{day} {clock}", zone)
            shown = float(rng.choice([0, 5, 5, 20])) / 2
            line = {
                "order_id": f"{who}-{ago}", "item_id": f"i{rng.integers(0, 5)}", "quantity": float(rng.integers(1, 4)),
                "channel": str(rng.choice(["app", "web"])), "discount": float(rng.choice([0, 0, 2])),
            }  # fmt: skip
            orders += [sale(who, at, shown, **line) for _ in range(int(rng.integers(1, 3)))]
            if rng.random() < 0.2:
                orders.append(sale(who, at, -5, **{**line, "quantity": -1.0}))
            if rng.random() < 0.5:
                events.append({"user_id": who, "device_id": f"d{n}", "occurred_at": at, "event": "view_item"})
            ago -= 1 + int(rng.exponential(rhythm))
        if rng.random() < 0.8:
            registered = utc(f"{as_of - timedelta(days=start + int(rng.integers(0, 40)))} 08:00", zone)
            people.append({"user_id": who, "registered_at": registered, "recorded_at": registered})
    for n in range(6):
        registered = utc(f"{as_of - timedelta(days=int(rng.integers(-20, 200)))} 08:00", zone)
        people.append({"user_id": f"never{n}", "registered_at": registered, "recorded_at": registered})
    items = [
        {"item_id": f"i{n}", "category": None if n == 4 else f"c{n % 2}", "recorded_at": datetime(2019, 1, 1)}
        for n in range(5)
    ]
    return World({"orders": orders, "events": events, "users": people, "items": items}, zone, as_of)


def local_day(moment: datetime, zone: str) -> date:
    from zoneinfo import ZoneInfo

    return moment.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone)).date()


def act_days(world: World, acts: str = "sales") -> dict[str, set[date]]:
    """The local days of each customer's acts, read from the rows as they are."""
    found: dict[str, set[date]] = {}
    if acts == "sales":
        rows: list[tuple[Any, datetime]] = [
            (row["user_id"], row["ordered_at"])
            for row in world.rows["orders"]
            if row["kind"] == "sale" and row["amount"] > 0
        ]
    else:
        rows = [(row["user_id"], row["occurred_at"]) for row in world.rows["events"]]
    for who, moment in rows:
        day = local_day(moment, world.zone)
        if day < world.as_of:
            found.setdefault(who, set()).add(day)
    return found
