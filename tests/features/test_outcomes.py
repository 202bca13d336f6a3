"""What happened in the window after a cutoff, and who bought what before it."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from features.outcomes import Outcome, interactions, item_acts, outcome_counts, purchases
from features.source import FramesSource
from tests.features.conftest import PartedSource, make_world, sale, stored, utc
from warehouse.clock import local_day
from warehouse.settings import TargetSettings

AS_OF = date(2024, 7, 1)
PLAIN = TargetSettings.model_validate({})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def source(zone: str = "UTC", acts: Any = "sales", **rows: list[dict[str, Any]]) -> FramesSource:
    return FramesSource({table: stored(table, lines, zone) for table, lines in rows.items()}, zone, acts)


def hits(
    src: FramesSource, outcome: Outcome = "sale", settings: TargetSettings = PLAIN, days: int = 30
) -> dict[str, int]:
    table = outcome_counts(src, AS_OF, days, outcome, settings)
    assert table["entity_id"].to_pylist() == sorted(table["entity_id"].to_pylist())
    return dict(zip(table["entity_id"].to_pylist(), table["hits"].to_pylist(), strict=True))


ORDERS = [
    sale("a", at("2024-07-01 00:00"), 5, order_id="1", item_id="tea", channel="app"),
    sale("a", at("2024-07-01 00:00"), 6, order_id="1", item_id="cup", channel="app"),
    sale("a", at("2024-07-30 23:59"), 5, order_id="2", item_id="tea", channel="web"),
    sale("b", at("2024-06-30 23:59"), 5, order_id="3", item_id="tea"),
    sale("c", at("2024-07-31 00:00"), 5, order_id="4", item_id="tea"),
    sale("d", at("2024-07-05 00:00"), -5, order_id="5", item_id="tea"),
    sale("e", at("2024-07-05 00:00"), 0, order_id="6", item_id="tea"),
    sale("f", at("2024-07-05 00:00"), 1, item_id="pot", recorded_at=at("2025-01-01")),
]
ITEMS = [
    {"item_id": "tea", "category": "food", "recorded_at": at("2024-01-01")},
    {"item_id": "pot", "category": "home", "recorded_at": at("2030-01-01")},
]


def test_sales_of_the_window_are_counted_by_order_and_returns_never() -> None:
    assert hits(source(orders=ORDERS)) == {"a": 2, "f": 1}
    assert hits(source(orders=ORDERS), "no_sale") == {"a": 2, "f": 1}


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"items": ["cup"]}, {"a": 1}),
        ({"categories": ["food"]}, {"a": 2}),
        ({"categories": ["home"]}, {"f": 1}),
        ({"channels": ["web"]}, {"a": 1}),
        ({"items": ["tea"], "channels": ["app"]}, {"a": 1}),
        ({"min_amount": 16}, {"a": 2}),
        ({"min_amount": 16.01}, {}),
    ],
)
def test_filters_narrow_what_counts(chosen: dict[str, Any], expected: dict[str, int]) -> None:
    assert hits(source(orders=ORDERS, items=ITEMS), settings=TargetSettings.model_validate(chosen)) == expected


def test_acts_are_sales_or_the_chosen_events() -> None:
    events = [
        {"user_id": "a", "occurred_at": at("2024-07-02"), "event": "play"},
        {"user_id": "a", "occurred_at": at("2024-07-03"), "event": "open"},
        {"user_id": "g", "occurred_at": at("2024-07-03"), "event": "open"},
        {"device_id": "x", "occurred_at": at("2024-07-03"), "event": "open"},
    ]
    rows = {"orders": ORDERS, "events": events}
    assert hits(source(**rows), "act") == {"a": 2, "f": 1}
    assert hits(source(acts="events", **rows), "no_act") == {"a": 2, "g": 1}
    assert hits(source(acts=("play",), **rows), "act") == {"a": 1}
    assert hits(source(events=events), "act") == {"a": 2, "g": 1}


def test_the_window_is_of_local_days() -> None:
    rows = [
        sale("in", utc("2024-07-01 00:00", "Asia/Shanghai"), 5),
        sale("out", utc("2024-06-30 23:59", "Asia/Shanghai"), 5),
        sale("last", utc("2024-07-07 23:59", "Asia/Shanghai"), 5),
        sale("after", utc("2024-07-08 00:00", "Asia/Shanghai"), 5),
    ]
    assert hits(source("Asia/Shanghai", orders=rows), days=7) == {"in": 1, "last": 1}


def test_interactions_are_sales_before_the_cutoff() -> None:
    rows = [
        sale("a", at("2024-06-01 10:00"), 5, item_id="tea", quantity=2.0),
        sale("a", at("2024-06-01 11:00"), 5, item_id="tea", quantity=1.0),
        sale("a", at("2024-06-03"), 7, item_id="tea", quantity=0.5),
        sale("a", at("2024-06-04"), -7, item_id="tea"),
        sale("a", at("2024-06-05"), 7, item_id="late", recorded_at=at("2024-07-01")),
        sale("a", at("2024-06-05"), 7),
    ]
    first, last = ((date(2024, 6, n) - date(1970, 1, 1)).days for n in (1, 3))
    assert interactions(source(orders=rows), AS_OF).to_pylist() == [
        {"user_id": "a", "item_id": "tea", "day": first, "quantity": 3.0, "amount": 10.0},
        {"user_id": "a", "item_id": "tea", "day": last, "quantity": 0.5, "amount": 7.0},
    ]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_counts_agree_with_plain_python_and_with_any_number_of_parts(seed: int) -> None:
    world = make_world(seed)
    horizon = timedelta(days=30)
    orders: dict[str, set[Any]] = {}
    pairs = set()
    for row in world.rows["orders"]:
        day = local_day(row["ordered_at"], world.zone)
        if row["kind"] == "sale" and row["amount"] > 0 and world.as_of <= day < world.as_of + horizon:
            orders.setdefault(row["user_id"], set()).add(row.get("order_id") or day)
            pairs.add((row["user_id"], row.get("item_id")))
    for src in (world.source(), PartedSource(world.frames(), world.zone)):
        table = outcome_counts(src, world.as_of, 30, "sale", PLAIN)
        assert {r["entity_id"]: r["hits"] for r in table.to_pylist()} == {who: len(o) for who, o in orders.items()}
        bought = {(r["user_id"], r["item_id"]) for r in purchases(src, world.as_of, 30).to_pylist()}
        assert bought == {pair for pair in pairs if pair[1] is not None}


def test_acts_on_items_are_counted_by_day_and_known_before_the_cutoff() -> None:
    def act(event: str, when: str, item: str | None = "tea", dwell: float | None = None, **more: Any) -> dict[str, Any]:
        return {
            "user_id": "a",
            "event": event,
            "occurred_at": at(when),
            "item_id": item,
            "dwell_seconds": dwell,
            **more,
        }

    events = [
        act("view", "2024-06-29 16:00", dwell=20.0),
        act("view", "2024-06-30 15:59", dwell=2.5),  # the same day in Shanghai
        act("view", "2024-06-30 15:59"),
        act("view", "2024-06-30 16:00"),  # at the cutoff
        act("view", "2024-06-01 12:00", recorded_at=at("2024-07-05")),
        act("cart", "2024-06-01 12:00"),
        act("search", "2024-06-01 12:00"),
        act("view", "2024-06-01 12:00", item=None),
    ]
    found = item_acts(source("Asia/Shanghai", events=events), AS_OF, ["cart", "view", "never"]).to_pylist()
    day = (date(2024, 6, 30) - date(1970, 1, 1)).days
    assert found == [
        {"user_id": "a", "item_id": "tea", "day": day - 29, "event": "cart", "dwell_seconds": None},
        {"user_id": "a", "item_id": "tea", "day": day, "event": "view", "dwell_seconds": 22.5},
    ]
