"""Small tables in the schema of the store, made-up customers, and comparison of feature tables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest

from features.source import FramesSource, Relation
from warehouse.clock import instant
from warehouse.contracts import CONTRACTS

TYPES = {
    "id": pa.string(),
    "text": pa.string(),
    "time": pa.timestamp("us"),
    "money": pa.decimal128(18, 4),
    "quantity": pa.float64(),
    "number": pa.float64(),
    "year": pa.int32(),
    "flag": pa.bool_(),
    "list": pa.list_(pa.string()),
}


def utc(wall: str, zone: str, fold: int = 0) -> datetime:
    """The naive UTC instant of a wall time such as `2024-03-31 01:30`."""
    moment = datetime.fromisoformat(wall).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return moment.astimezone(ZoneInfo("UTC")).replace(tzinfo=None)


def stored(table: str, rows: Sequence[Mapping[str, Any]], zone: str) -> pa.Table:
    """Rows in the store's schema: `recorded_at` filled with the time it happened, `local_at` from the zone."""
    contract = CONTRACTS[table]
    schema = {"entity_id": pa.string(), **{column.name: TYPES[column.kind] for column in contract.columns}}
    schema |= {"recorded_at": pa.timestamp("us"), "local_at": pa.timestamp("us")}
    full = []
    for row in rows:
        happened = row.get(contract.happened) if contract.happened else None
        local = happened and happened.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        known = {"entity_id": row.get("user_id"), "recorded_at": happened, "local_at": local}
        full.append({**known, **{k: v for k, v in row.items() if v is not None}})
    return pa.table({name: pa.array([row.get(name) for row in full], kind) for name, kind in schema.items()})


def sale(user: str, at: datetime, amount: float, **more: Any) -> dict[str, Any]:
    """An order line; a negative amount is a return."""
    kind = "return" if amount < 0 else "sale"
    quantity = more.pop("quantity", -1.0 if amount < 0 else 1.0)
    discount = more.pop("discount", None)
    money = {"amount": Decimal(str(amount)), "discount": None if discount is None else Decimal(str(discount))}
    return {"user_id": user, "ordered_at": at, "kind": kind, "quantity": quantity, **money, **more}


@dataclass(frozen=True)
class World:
    """Rows of every table before they are stored, and the cutoff."""

    rows: Mapping[str, list[dict[str, Any]]]
    zone: str
    as_of: date

    def frames(self) -> dict[str, pa.Table]:
        return {table: stored(table, rows, self.zone) for table, rows in self.rows.items()}

    def source(self, **more: Any) -> FramesSource:
        return FramesSource(self.frames(), self.zone, **more)

    @property
    def customers(self) -> list[str]:
        return sorted({row["user_id"] for row in self.rows["orders"]})


ZONES = ("Europe/London", "Asia/Shanghai", "America/New_York", "UTC")


def make_world(seed: int, users: int = 25) -> World:
    """About `users` customers with ties, NULLs, midnight rows, rows exactly at the cutoff, late rows and versions."""
    rng = np.random.default_rng(seed)
    zone = ZONES[seed % len(ZONES)]
    as_of = date(2024, 3, 20) + timedelta(days=int(rng.integers(0, 400)))
    cutoff = instant(as_of, zone)

    def when() -> datetime:
        kind = rng.integers(0, 10)
        if kind == 0:
            return cutoff
        day = as_of - timedelta(days=int(rng.choice([0, 1, 7, 29, 30, 31, 90, 180, 365, 366])))
        if kind == 1:
            return instant(day, zone)
        if kind == 2:
            return instant(day, zone) - timedelta(microseconds=1)
        return cutoff - timedelta(seconds=int(rng.integers(-40 * 86400, 500 * 86400)))

    def late(at: datetime) -> datetime | None:
        pick = rng.integers(0, 6)
        # Mostly recorded when it happened; sometimes later, and by wrong clocks even earlier.
        return (
            None if pick > 1 else at + timedelta(days=float(rng.integers(-20, 60)), seconds=float(rng.integers(0, 9)))
        )

    def maybe(value: Any, share: float = 0.3) -> Any:
        return None if rng.random() < share else value

    def user() -> str:
        return f"u{int(users * rng.random() ** 2):03d}"

    def line() -> dict[str, Any]:
        amount = int(rng.choice([0, 1, 250, 999, 10_000])) / 100 + int(rng.integers(0, 3))
        at = when()
        return sale(
            user(), at, -amount if rng.random() < 0.1 and amount else amount,
            quantity=maybe(float(rng.integers(1, 5)), 0.1), discount=maybe(round(float(rng.random()), 2)),
            order_id=maybe(f"o{rng.integers(0, users * 3)}"), item_id=maybe(f"i{rng.integers(0, 12)}", 0.1),
            coupon_id=maybe("c1", 0.7), channel=maybe(str(rng.choice(["app", "web"]))), recorded_at=late(at),
        )  # fmt: skip

    def event() -> dict[str, Any]:
        at = when()
        return {
            "user_id": maybe(user(), 0.1), "device_id": "d", "occurred_at": at,
            "event": str(rng.choice(["view_item", "add_to_cart", "search", "rating"])),
            "item_id": maybe(f"i{rng.integers(0, 12)}"), "page": maybe(str(rng.choice(["home", "help"]))),
            "feature": maybe(f"f{rng.integers(0, 3)}"),
            "session_id": maybe(f"s{rng.integers(0, 40)}"), "dwell_seconds": maybe(float(rng.random() * 60)),
            "rating": maybe(float(rng.integers(1, 6)), 0.8), "recorded_at": late(at),
        }  # fmt: skip

    def person(n: int) -> dict[str, Any]:
        return {
            "user_id": f"u{n % (users + 3):03d}", "registered_at": maybe(when()),
            "region": maybe(str(rng.choice(["n", "s"]))),
            "gender": maybe("f"), "birth_year": maybe(1980), "referred_by": maybe("u001"), "recorded_at": when(),
        }  # fmt: skip

    def tag() -> dict[str, Any]:
        at = maybe(when(), 0.1)
        # Some are set ahead of their day, so that only `set_at` keeps them out.
        recorded, gone = at and (when() if rng.random() < 0.5 else late(at)), maybe(when(), 0.6)
        name = str(rng.choice(["vip", "care"]))
        return {"user_id": user(), "tag": name, "set_at": at, "expires_at": gone, "recorded_at": recorded}

    def touch() -> dict[str, Any]:
        at = when()
        arm, channel = str(rng.choice(["treated", "control"])), maybe("sms")
        return {
            "campaign_id": f"k{rng.integers(0, 3)}", "user_id": user(), "arm": arm, "touched_at": at,
            "channel": channel, "recorded_at": late(at),
        }  # fmt: skip

    def item(n: int) -> dict[str, Any]:
        return {
            "item_id": f"i{n % 12}",
            "category": maybe(f"c{rng.integers(0, 4)}", 0.1),
            "brand": maybe(f"b{n % 3}"),
            "recorded_at": when(),
        }

    rows = {
        "orders": [line() for _ in range(users * 6)],
        "events": [event() for _ in range(users * 5)],
        "users": [person(n) for n in range(users * 2)],
        "items": [item(n) for n in range(20)],
        "contacts": [touch() for _ in range(users)],
        "tags": [tag() for _ in range(users)],
    }  # fmt: skip
    return World(rows, zone, as_of)


class PartedSource(FramesSource):
    """The same tables handed out in `count` parts, as a store of so many buckets does."""

    count: int = 5

    def parts(self) -> Sequence[Mapping[str, Relation]]:
        (whole,) = super().parts()
        parts = []
        for k in range(self.count):
            part = {}
            for name, table in whole.items():
                ids = table["entity_id"].to_pylist()
                part[name] = table.filter(pa.array([i is not None and sum(i.encode()) % self.count == k for i in ids]))
            parts.append(part)
        return parts


def differences(left: pa.Table, right: pa.Table, tolerance: float = 0.0) -> list[str]:
    """Where two feature tables differ, a line each; NULL equals NULL."""
    if left.column_names != right.column_names:
        return [f"columns {set(left.column_names) ^ set(right.column_names)}"]
    if left["entity_id"] != right["entity_id"]:
        return ["customers differ"]
    found = []
    for name in left.column_names[1:]:
        pairs = zip(left["entity_id"].to_pylist(), left[name].to_pylist(), right[name].to_pylist(), strict=True)
        found += [f"{who} {name}: {a} against {b}" for who, a, b in pairs if not _equal(a, b, tolerance)]
    return found


def _equal(a: Any, b: Any, tolerance: float) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isfinite(a) and abs(a - b) <= tolerance * max(1.0, abs(a)))
    return bool(a == b)


@pytest.fixture
def one() -> Callable[..., dict[str, Any]]:
    """Builds features of a few rows and returns the one customer asked for."""
    from features.building import build_features

    def build(
        rows: Mapping[str, list[dict[str, Any]]], as_of: date, zone: str = "UTC", who: str = "u1", **more: Any
    ) -> dict[str, Any]:
        frames = {table: stored(table, list(lines), zone) for table, lines in rows.items()}
        table = build_features(FramesSource(frames, zone, **more), as_of)
        (found,) = [row for row in table.to_pylist() if row["entity_id"] == who]
        return found  # type: ignore[no-any-return]

    return build
