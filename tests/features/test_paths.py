"""Transitions between pages by hand, and the law of flows: into a page as often as out of it."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.paths import flows, item_ways, told_by
from features.source import FramesSource
from tests.features.conftest import PartedSource, make_world, sale, stored

FIRST = datetime(2024, 1, 1)
AS_OF = date(2024, 6, 1)
FEW = settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))


def at(minutes: float) -> datetime:
    return FIRST + timedelta(minutes=minutes)


def visit(who: str, minute: float, page: str | None, session: str | None = None, **more: Any) -> dict[str, Any]:
    return {"user_id": who, "device_id": "d", "occurred_at": at(minute), "event": "page_view", "page": page,
            "session_id": session, **more}  # fmt: skip


def test_sessions_and_stays_by_hand() -> None:
    """a: 31 minutes part two sessions, an event without a page ends the stay; b: one session_id over two hours."""
    rows = [visit("a", 0, "home"), visit("a", 10, "help"), visit("a", 12, None), visit("a", 43, "home"),
            visit("b", 0, "home", "s"), visit("b", 120, "help", "s", dwell_seconds=7.0)]  # fmt: skip
    found = flows(FramesSource({"events": stored("events", rows, "UTC")}), AS_OF, "page")
    told = {(row["from_node"], row["to_node"]): row["visits"] for row in found.flows.to_pylist()}
    assert told == {(None, "home"): 3, ("home", "help"): 2, ("help", None): 2, ("home", None): 1}
    assert [tuple(row.values()) for row in found.dwells.to_pylist()] == [
        ("help", 7, 1), ("help", 120, 1), ("home", 600, 1), ("home", 7200, 1),
    ]  # fmt: skip
    assert [tuple(row.values()) for row in found.nodes.to_pylist()] == [("help", 2, 2, 2), ("home", 3, 2, 5)]


def test_pages_are_told_before_features_and_features_before_events() -> None:
    """Each row is of a part of its own; what was recorded after the date names nothing."""
    page, feature, event = visit("a", 0, "home"), visit("b", 0, None, feature="scan"), visit("c", 0, None)
    late = visit("d", 0, "help", recorded_at=datetime.combine(AS_OF, datetime.min.time()))
    for rows, told in (([event, feature, page], "page"), ([event, feature, late], "feature"), ([late, event], "event")):
        source = PartedSource({"events": stored("events", rows, "UTC")}, "UTC")
        assert told_by(source, AS_OF) == told
    assert told_by(FramesSource({"events": stored("events", [late], "UTC")}), AS_OF) is None


@FEW
@given(st.integers(0, 10_000))
def test_flows_balance_in_any_order_and_in_parts(seed: int) -> None:
    source = make_world(seed).source()
    as_of = make_world(seed).as_of
    found = flows(source, as_of, "page")
    into, out, begin, end = (Counter[str]() for _ in range(4))
    for row in found.flows.to_pylist():
        before, after, n = row["from_node"], row["to_node"], row["visits"]
        (begin if before is None else out if after is not None else end)[before or after] += n
        if before is not None and after is not None:
            into[after] += n
    for row in found.nodes.to_pylist():
        node = row["node"]
        assert into[node] == out[node] + end[node] - begin[node]
        assert into[node] + begin[node] == row["visits"]
    events = source.frames["events"]
    mixed = events.take(np.random.default_rng(seed).permutation(events.num_rows))
    assert flows(PartedSource({"events": mixed}, source.time_zone), as_of, "page") == found


def test_items_by_hand() -> None:
    """a looked at x, put it into the cart and paid; looked at y and paid without the cart; b looked at x alone."""
    looks = [("a", 0, "view_item", "x"), ("a", 1, "cart", "x"), ("a", 2, "view_item", "y"), ("b", 0, "view_item", "x")]
    events = [{**visit(who, minute, None), "event": event, "item_id": item} for who, minute, event, item in looks]
    orders = [sale("a", at(9), 5, item_id=item, seller_id=seller) for item, seller in (("x", "s"), ("y", "t"))]
    frames = {"events": stored("events", events, "UTC"), "orders": stored("orders", orders, "UTC")}
    found = item_ways(PartedSource(frames), AS_OF, AS_OF, 30)
    assert found is not None
    assert found.stages == ["detail", "cart", "pay"]
    assert [tuple(row.values()) for row in found.counts.to_pylist()] == [("x", 1, 1), ("x", 3, 1), ("y", 1, 1)]
    assert [tuple(row.values()) for row in found.sellers.to_pylist()] == [("x", "s", 1), ("y", "t", 1)]
    assert item_ways(FramesSource({"orders": frames["orders"]}), AS_OF, AS_OF, 30) is None
