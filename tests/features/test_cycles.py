"""Intervals between purchases and what follows what: by hand, by other means, and the laws of time and parts."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features import cycles, sorting
from features import source as source_module
from features.cycles import By, clock_counts, interval_counts, successions
from features.source import FramesSource, Source
from tests.features.conftest import PartedSource, World, make_world, sale, stored, utc
from tests.features.test_laws import other_future
from warehouse.clock import instant
from warehouse.errors import NotReadyError

SEEDS = st.integers(0, 10_000)
FEW = settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
FIRST = date(2024, 1, 1)


def source_of(bought: Mapping[str, list[tuple[int, str, float]]], zone: str = "UTC") -> FramesSource:
    """A source in which each customer bought (day from the first, item, quantity); item `x1` is of category `x`."""
    rows = [
        sale(who, utc(f"{FIRST + timedelta(days=day)} 12:00", zone), 5, item_id=item, quantity=float(quantity))
        for who, purchases in bought.items()
        for day, item, quantity in purchases
    ]
    known = sorted({row["item_id"] for row in rows})
    early = utc("2020-01-01 00:00", zone)
    items = [{"item_id": item, "category": item[0], "recorded_at": early} for item in known]
    return FramesSource({"orders": stored("orders", rows, zone), "items": stored("items", items, zone)}, zone)


def test_few_things_at_a_time_and_each_of_them_whole() -> None:
    source = source_of({f"u{n}": [(n + more, f"{x}1", 1) for more in (0, 9) for x in "wxyz"] for n in range(4)})
    with patch.object(sorting, "ROWS_AT_ONCE", 3):
        things = [
            set(t["thing"].to_pylist())
            for t in interval_counts(source, FIRST + timedelta(30), FIRST + timedelta(30), "item")
        ]
    assert len(things) > 1
    assert sum(map(len, things)) == len(set.union(*things)) == 4


def intervals(source: Source, as_of: date, until: date, by: By) -> pa.Table:
    """The intervals of all things."""
    return pa.concat_tables(interval_counts(source, as_of, until, by))


def test_intervals_by_hand() -> None:
    """a buys x on days 0 (twice), 10 and 30, b on day 25; known until day 40: 10, 20 and 10 open, and 15 open."""
    source = source_of({"a": [(0, "x1", 1), (0, "x2", 1), (10, "x1", 1), (30, "x1", 1)], "b": [(25, "x1", 1)]})
    as_of = FIRST + timedelta(days=40)
    rows = intervals(source, as_of, as_of, "category").to_pylist()
    told = [(r["days"], r["returned"], r["interval_count"], round(float(r["weight"]), 6)) for r in rows]
    assert told == [(10, 0, 1, 0.333333), (10, 1, 1, 0.333333), (15, 0, 1, 1.0), (20, 1, 1, 0.333333)]
    assert [float(r["repeat_weight"]) for r in rows] == [0.5, 0.0, 0.0, 0.5]
    assert sum(r["customer_count"] for r in rows) == 2
    assert sum(r["repeat_customer_count"] for r in rows) == 1


def test_what_is_known_may_end_before_the_cutoff() -> None:
    source = source_of({"a": [(0, "x1", 1), (10, "x1", 1), (30, "x1", 1)]})
    rows = intervals(source, FIRST + timedelta(days=90), FIRST + timedelta(days=20), "item").to_pylist()
    assert [(r["days"], r["returned"]) for r in rows] == [(10, 0), (10, 1)]


def test_sums_of_the_clock_by_hand() -> None:
    """Gaps of e^2 and e^4 rounded to days (7 and 55) that began with 1 and 2 units."""
    source = source_of({"a": [(0, "x1", 1), (7, "x1", 2), (62, "x1", 3)], "b": [(3, "x1", 1)]})
    as_of = FIRST + timedelta(days=70)
    sums, pairs = clock_counts(source, as_of, as_of)
    (row,) = sums.to_pylist()
    gaps, units = np.log([7, 55]), np.log([1, 2])
    assert (row["thing"], row["category"], row["pair_count"], row["gap_count"]) == ("x1", "x", 1, 2)
    assert float(row["gap_sum"]) == pytest.approx(gaps.sum(), abs=1e-5)
    assert float(row["gap_squares"]) == pytest.approx((gaps**2).sum(), abs=1e-4)
    assert float(row["products"]) == pytest.approx((gaps * units).sum(), abs=1e-4)
    assert float(row["gap_between"]) == pytest.approx(gaps.sum() ** 2 / 2, abs=1e-4)
    assert float(row["product_between"]) == pytest.approx(gaps.sum() * units.sum() / 2, abs=1e-4)
    (pair,) = pairs.to_pylist()
    assert pair["last_quantity"] == pytest.approx(np.log(3), abs=1e-5)
    assert pair["last_day"] == (FIRST + timedelta(days=62) - date(1970, 1, 1)).days


def test_what_follows_by_hand() -> None:
    """Within 10 days: after a's two purchases of x only the first is followed by y, after b's one none."""
    source = source_of({"a": [(0, "x1", 1), (4, "y1", 1), (6, "y1", 1), (30, "x1", 1)], "b": [(1, "x1", 1)]})
    as_of = FIRST + timedelta(days=60)
    found = successions(source, as_of, as_of, "item", 10)
    assert found.follow_days.to_pylist() == [{"thing": "x1", "next_thing": "y1", "days": 4, "follow_count": 1}]
    (sums,) = found.follow_sums.to_pylist()
    assert [int(sums[name]) for name in ("follow_count", "follow_squares", "products")] == [1, 1, 2]
    starts = [r for r in found.start_weeks.to_pylist() if r["thing"] == "x1"]
    assert [int(r["start_count"]) for r in starts] == [2, 1]
    assert sum(int(r["count_squares"]) for r in starts) == 2**2 + 1
    # 2024-01-01 is a Monday. Bought in the first week: a on days 0, 4 and 6, b on day 1; y follows a's 0 and 4.
    assert found.buyer_weeks["day_count"].to_pylist() == [4, 1]
    (week,) = [r for r in found.week_followers.to_pylist() if r["thing"] == "y1"]
    assert week["follow_count"] == 2


def test_a_window_that_is_not_over_is_not_judged() -> None:
    source = source_of({"a": [(0, "x1", 1), (50, "x1", 1), (55, "y1", 1)]})
    as_of = FIRST + timedelta(days=60)
    found = successions(source, as_of, as_of, "item", 10)
    assert found.follow_days.num_rows == 0
    assert found.start_weeks["start_count"].to_pylist() == [1]


def test_without_orders_it_says_what_it_needs() -> None:
    with pytest.raises(NotReadyError, match="no orders"):
        intervals(FramesSource({"events": stored("events", [], "UTC")}), FIRST, FIRST, "item")


def recounted(world: World) -> dict[tuple[str, int, int], list[float]]:
    """Intervals of items from the raw rows, in Python."""
    cutoff = instant(world.as_of, world.zone)
    days: dict[tuple[str, str], set[date]] = defaultdict(set)
    orders = stored("orders", world.rows["orders"], world.zone).to_pylist()
    for row in orders:
        seen = row["ordered_at"] < cutoff and row["recorded_at"] < cutoff and row["entity_id"] is not None
        if seen and row["kind"] == "sale" and row["amount"] > 0 and row["item_id"] is not None:
            days[row["entity_id"], row["item_id"]].add(row["local_at"].date())
    found: dict[tuple[str, int, int], list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
    for (_, item), when in days.items():
        ordered = [*sorted(when), world.as_of]
        for place, (a, b) in enumerate(pairwise(ordered)):
            told = found[item, (b - a).days, int(place + 1 < len(when))]
            told[0] += 1
            told[1] += 1 / len(when)
            told[2] += 1 / (len(when) - 1) if place else 0.0
    return dict(found)


@FEW
@given(SEEDS)
def test_intervals_are_those_of_the_raw_rows(seed: int) -> None:
    world = make_world(seed)
    rows = intervals(world.source(), world.as_of, world.as_of, "item").to_pylist()
    found = {
        (r["thing"], r["days"], r["returned"]): [float(r[n]) for n in ("interval_count", "weight", "repeat_weight")]
        for r in rows
    }
    expected = recounted(world)
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert found[key] == pytest.approx(values, abs=1e-6)


def everything(source: Source, as_of: date) -> list[dict[str, Any]]:
    """All that is counted, as plain rows."""
    tables: list[pa.Table] = [intervals(source, as_of, as_of, by) for by in ("item", "category")]
    sums, pairs = clock_counts(source, as_of, as_of)
    tables += [sums, pairs.sort_by([("entity_id", "ascending"), ("thing", "ascending")])]
    tables += vars(successions(source, as_of, as_of, "item", 30)).values()
    return [table.to_pylist() for table in tables]


@FEW
@given(SEEDS)
def test_what_happened_or_was_recorded_later_changes_nothing(seed: int) -> None:
    world = make_world(seed)
    assert everything(world.source(), world.as_of) == everything(other_future(world, seed + 1).source(), world.as_of)


def test_a_planted_leak_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = source_module.visible_of

    def leaky(*arguments: Any) -> str:
        return re.sub(r"and recorded_at < timestamp '[^']+' and", "and", honest(*arguments))

    monkeypatch.setattr(source_module, "visible_of", leaky)
    worlds = [(world, other_future(world, 5)) for world in map(make_world, range(3))]
    assert any(everything(w.source(), w.as_of) != everything(o.source(), w.as_of) for w, o in worlds)


@FEW
@given(SEEDS, st.integers(2, 7))
def test_the_number_of_parts_changes_nothing(seed: int, parts: int) -> None:
    world = make_world(seed)
    parted = PartedSource(world.frames(), world.zone)
    object.__setattr__(parted, "count", parts)
    whole = everything(world.source(), world.as_of)
    assert whole == everything(parted, world.as_of)
    with patch.object(cycles, "ROWS_HELD", 0), patch.object(sorting, "ROWS_AT_ONCE", 3):
        assert whole == everything(parted, world.as_of)
