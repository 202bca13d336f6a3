"""Ways along ordered steps: by hand, as a slow reading of the definition finds them, and whatever the order of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.funnels import Asked, funnel_counts, parse_step, referral_counts
from features.source import FramesSource
from tests.features.conftest import PartedSource, make_world, sale, stored
from warehouse.errors import UsageError

FIRST = datetime(2024, 1, 1)
AS_OF = date(2024, 6, 1)
HAPPENED = {"events": "occurred_at", "orders": "ordered_at"}
FEW = settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))


def at(days: float) -> datetime:
    return FIRST + timedelta(days=days)


def source_of(
    events: Sequence[tuple[str | None, float, str]], orders: Sequence[tuple[str, float]] = (), **more: Any
) -> FramesSource:
    rows = [{"user_id": who, "occurred_at": at(day), "event": event, "device_id": "d"} for who, day, event in events]
    frames = {"events": stored("events", rows, "UTC")}
    if orders:
        sales = [sale(who, at(day), 5, order_id=f"{who}{day}") for who, day in orders]
        frames["orders"] = stored("orders", sales, "UTC")
    return FramesSource(frames | more, "UTC")


def asked(*steps: str, window: int | None = 30, as_of: date = AS_OF) -> Asked:
    return Asked([parse_step(step) for step in steps], window, as_of, as_of)


def furthest(source: FramesSource, question: Asked) -> dict[str, int]:
    ways = funnel_counts(source, question, keep_ways=True).ways
    return {row["user_id"]: row["furthest"] for row in ways.to_pylist()}


def test_ways_by_hand() -> None:
    """a goes straight; b's first view is too old for its cart, the later one is not; c put in the cart before the view;
    d orders after the window; e's view is so late that nobody knows."""
    events = [("a", 0, "view"), ("a", 1, "cart"), ("b", 0, "view"), ("b", 40, "cart"), ("b", 39.5, "view"),
              ("c", 0, "cart"), ("c", 1, "view"), ("d", 0, "view"), ("d", 1, "cart"), ("e", 140, "view")]  # fmt: skip
    source = source_of(events, [("a", 2), ("b", 41), ("c", 2), ("d", 31)])
    found = funnel_counts(source, asked("event:view", "event:cart", "order"), keep_ways=True)
    assert [tuple(row.values()) for row in found.ways.to_pylist()] == [("a", 3), ("b", 3), ("c", 1), ("d", 2)]
    assert found.open == 1
    half, day = 43_200, 86_400
    assert [(row["step"], row["seconds"], row["users"]) for row in found.times.to_pylist()] == [
        (2, half, 1), (2, day, 2), (3, day, 2),
    ]  # fmt: skip
    assert [row["users"] for row in found.ever.to_pylist()] == [5, 4, 4]


def test_one_act_is_not_two_steps() -> None:
    """Of one moment acts stand in the order of the steps; the same act twice is one, another later one is not."""
    same = [("a", 0, "view"), ("a", 0, "cart"), ("b", 0, "view"), ("b", 0, "view"), ("c", 0, "view"), ("c", 1, "view")]
    assert furthest(source_of(same), asked("event:view", "event:cart")) == {"a": 2, "b": 1, "c": 1}
    assert furthest(source_of(same), asked("event:view", "event:view")) == {"a": 1, "b": 1, "c": 2}
    either = asked("event:view|cart", "event:cart|view")
    assert furthest(source_of(same), either) == {"a": 2, "b": 1, "c": 2}


def slow(acts: Sequence[tuple[float, str]], steps: Sequence[str], window: int) -> int:
    """The furthest step by trying every way, of acts at different moments."""
    best = 0
    for start, what in acts:
        if what == steps[0]:
            place, moment = 1, start
            while place < len(steps):
                later = [t for t, name in acts if name == steps[place] and moment < t <= start + window]
                if not later:
                    break
                place, moment = place + 1, min(later)
            best = max(best, place)
    return best


@FEW
@given(st.integers(0, 10_000))
def test_ways_are_those_of_the_definition_in_any_order_and_in_parts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    acts = {f"u{n}": [(float(day), str(rng.choice(["x", "y", "z"]))) for day in rng.permutation(40)[:12]]
            for n in range(12)}  # fmt: skip
    rows = [(who, day, event) for who, told in acts.items() for day, event in told]
    steps, window = ["x", "y", "x", "z"], int(rng.integers(3, 30))
    question = asked(*(f"event:{step}" for step in steps), window=window)
    expected = {who: found for who, told in acts.items() if (found := slow(told, steps, window))}
    assert furthest(source_of(rows), question) == expected
    mixed = source_of([rows[k] for k in rng.permutation(len(rows))])
    one, other = (funnel_counts(source, question) for source in (mixed, PartedSource(mixed.frames, "UTC")))
    assert one == other == funnel_counts(source_of(rows), question)


@FEW
@given(st.integers(0, 10_000))
def test_counts_never_rise_and_nothing_later_changes_them(seed: int) -> None:
    world = make_world(seed)
    question = Asked(
        [parse_step(step) for step in ("acquired", "activated", "retained", "referred", "order")],
        None, world.as_of, world.as_of,
    )  # fmt: skip
    counts = funnel_counts(world.source(), question).counts.to_pylist()
    reached = [sum(row["users"] for row in counts if row["furthest"] >= n) for n in range(1, 6)]
    assert all(a >= b for a, b in pairwise(reached))
    day = world.as_of - timedelta(days=42)
    later = pa.scalar(datetime.combine(day + timedelta(days=1), datetime.min.time()))
    past = {
        name: table.filter(pc.less(table[happened], later)) if (happened := HAPPENED.get(name)) else table
        for name, table in world.frames().items()
    }
    earlier = replace(question, as_of=day, until=day)
    assert funnel_counts(FramesSource(past, world.zone), earlier) == funnel_counts(world.source(), earlier)


def test_devices_on_which_nobody_signed_in_enter_where_people_register() -> None:
    users = [{"user_id": "a", "registered_at": at(1), "recorded_at": at(1)}]
    events = [{"user_id": who, "device_id": device, "occurred_at": at(day), "event": "download"}
              for who, device, day in (("a", "1", 0), (None, "2", 0), (None, "2", 1), (None, "1", 2))]  # fmt: skip
    frames = {"events": stored("events", events, "UTC"), "users": stored("users", users, "UTC")}
    found = funnel_counts(FramesSource(frames, "UTC"), asked("event:download", "registered"))
    assert found.devices == 1
    assert [(row["furthest"], row["users"]) for row in found.counts.to_pylist()] == [(1, 1), (2, 1)]


def test_referrals_by_hand() -> None:
    """a brings b within the 30 days and c after them; b bought for 5, a and c nothing in theirs."""
    people = [("a", 0, None), ("b", 10, "a"), ("c", 50, "a")]
    users = [{"user_id": who, "registered_at": at(day), "recorded_at": at(day), "referred_by": by}
             for who, day, by in people]  # fmt: skip
    orders = [sale("b", at(12), 5), sale("a", at(60), 7)]
    frames = {"orders": stored("orders", orders, "UTC"), "users": stored("users", users, "UTC")}
    found = referral_counts(PartedSource(frames, "UTC"), AS_OF, FIRST.date(), AS_OF, 30)
    assert found is not None
    assert [tuple(row.values()) for row in found.brought.to_pylist()] == [(0, 2), (1, 1)]
    assert [tuple(row.values()) for row in found.values.to_pylist()] == [(0, 1, 0, 0.0, 0.0), (1, 2, 1, 5.0, 25.0)]


@pytest.mark.parametrize("text", ["view", "event:", "event:a|", "order:app", "orders"])
def test_what_is_no_step_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="no step of a funnel"):
        parse_step(text)
