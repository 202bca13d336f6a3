"""Cycles and due dates put together: by hand, and against the truth of a made-up shop."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from features.source import FramesSource, StoreSource
from pipeline.cycles import LEAST_REPEATED, cycles_of, default_by, observed
from pipeline.due import due_items
from serving.schemas import DUE_ITEMS
from warehouse.errors import UsageError
from warehouse.shop import make_shop
from warehouse.shop.world import CATEGORY_NAMES, CONSUMABLE
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

FIRST, AS_OF = date(2024, 1, 1), date(2024, 6, 1)


def bought(rows: list[tuple[str, str, int]]) -> pa.Table:
    """Orders of (customer, item, day from the first)."""
    moments = pa.array([np.datetime64(FIRST + timedelta(days=day), "us") for *_, day in rows], pa.timestamp("us"))
    ids, items, _ = zip(*rows, strict=True)
    money = pa.array([5.0] * len(rows)).cast(pa.decimal128(18, 4))
    columns = {"ordered_at": moments, "recorded_at": moments, "local_at": moments, "amount": money}
    return pa.table({"entity_id": ids, "item_id": items, "kind": ["sale"] * len(rows), **columns})


def regulars(every: int, count: int, item: str = "beans") -> list[tuple[str, str, int]]:
    """Customers who buy an item every so many days, until day 149; day 151 is the last before AS_OF."""
    return [(f"u{who:02d}", item, day) for who in range(count) for day in range(who % every, 150, every)]


def test_a_cycle_by_hand() -> None:
    (cycle,) = cycles_of(FramesSource({"orders": bought(regulars(30, 25))}), AS_OF, AS_OF, "item").found
    told = cycle.payload(curve=True)
    assert (told["cycle_days"], told["repeat"]["customers"], told["customers"]) == (30, 25, 25)
    assert told["quartile_days"] == {"25": 30, "50": 30, "75": 30}
    assert told["curve"][28] == {"day": 29, "returned": 0.0, "repeat_returned": 0.0}
    assert told["curve"][29]["returned"] > 0.95


def test_no_cycle_is_told_of_few_or_of_those_who_mostly_stay_away() -> None:
    few = cycles_of(FramesSource({"orders": bought(regulars(30, LEAST_REPEATED - 1))}), AS_OF, AS_OF, "item").found[0]
    assert (few.days, few.payload()["reminder_window"]) == (None, None)
    away = [(f"u{who:02d}", "beans", day) for who in range(60) for day in ((0, 10, 20) if who < 20 else (0, 10))]
    some = cycles_of(FramesSource({"orders": bought(away)}), AS_OF, AS_OF, "item").found[0]
    assert some.days is None
    assert some.payload()["repeat"]["never_returning"] == pytest.approx(1 - 1 / 6)


def test_what_nobody_bought_is_refused() -> None:
    found = cycles_of(FramesSource({"orders": bought(regulars(30, 2))}), AS_OF, AS_OF, "item")
    with pytest.raises(UsageError, match="beans"):
        found.one("tea")


def test_due_dates_by_hand() -> None:
    """All gaps are 30 days, so the clock runs 30: customer n last bought on day 120 + n and is due on day 150 + n."""
    items = pa.table({"item_id": ["beans", "gone"], "in_stock": [True, False], "category": ["c", "c"]})
    people = pa.table({"entity_id": ["u03"], "consent_profiling": [False]})
    rows = [*regulars(30, 12), *regulars(30, 12, "gone"), ("once", "beans", 5)]
    source = FramesSource({"orders": bought(rows), "items": items, "users": people}, static=frozenset({"items"}))
    due = due_items(source, AS_OF, AS_OF)
    assert due is not None
    assert due.schema == DUE_ITEMS
    assert due["entity_id"].to_pylist() == [f"u{who:02d}" for who in range(12) if who != 3]
    told = {row["entity_id"]: row for row in due.to_pylist()}
    # AS_OF is day 152: u00 was due on 150, u02 is due today, u08 in six days, u09 in a week.
    assert {who: told[who]["status"] for who in ("u00", "u01", "u02", "u08", "u09")} == {
        "u00": "overdue", "u01": "overdue", "u02": "due", "u08": "due", "u09": "not_yet",
    }  # fmt: skip
    assert told["u02"]["due_date"] == AS_OF
    assert told["u00"]["gap_days"] == pytest.approx(30, rel=1e-3)
    assert told["u00"]["overdue_gaps"] == pytest.approx(2 / 30, rel=1e-3)


def test_nobody_who_bought_twice_is_nothing_due() -> None:
    assert due_items(FramesSource({"orders": bought([("a", "beans", 5)])}), AS_OF, AS_OF) is None
    assert due_items(FramesSource({"events": pa.table({"entity_id": ["a"]})}), AS_OF, AS_OF) is None


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StoreSource]:
    place = tmp_path_factory.mktemp("cycles")
    made = make_shop(place / "shop", users=4000, seed=11)
    tables = {name: made.files[name] for name in ("orders", "items")}
    init_workspace(place / "w", tables, tz=made.time_zone, policies={"orders": {"non_products": made.non_products}})
    store = Store(Workspace.open(place / "w"))
    store.load_new(datetime(2030, 1, 1))
    return place / "shop", StoreSource(store)


def test_the_planted_cycles_come_back(shop: tuple[Path, StoreSource]) -> None:
    """Of consumables, beside the median gap of the habits of those who stay, pauses included; others rarely told."""
    folder, source = shop
    as_of = date(2026, 9, 30)
    assert default_by(source, as_of) == "category"
    assert observed(source, as_of) <= as_of
    found = {each.thing: each.days for each in cycles_of(source, as_of, observed(source, as_of), "category").found}
    world = json.loads((folder / "truth" / "parameters.json").read_text())
    habits = pq.read_table(folder / "truth" / "habits.parquet")
    kinds = pq.read_table(folder / "truth" / "users.parquet").select(["user_id", "kind"])
    habits = habits.join(kinds, "user_id").filter(pc.field("kind") != "one_off")
    rng = np.random.default_rng(0)
    errors = []
    for category, shape, consumable in zip(CATEGORY_NAMES, world["regularity"], CONSUMABLE, strict=True):
        means = np.sort(habits.filter(pc.field("category") == category)["mean_gap_days"].to_numpy())
        gaps = rng.gamma(shape, size=(100, len(means))) / shape * means
        gaps += np.where(rng.random(gaps.shape) < world["pause_share"], rng.exponential(60, gaps.shape), 0)
        days = found[category]
        if consumable:
            assert days is not None, category
            errors.append(abs(days / np.median(gaps) - 1))
        else:
            assert days is None or days > 0.5 * np.median(gaps), category
    assert np.median(errors) < 0.1
    assert max(errors) < 0.3
