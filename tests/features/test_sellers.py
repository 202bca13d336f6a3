"""Sellers as the customers: what they sold is theirs, whoever bought it; buyers and what these did are not there."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from features.building import build_features
from features.source import StoreSource
from insights.growth import growth
from insights.segments import segments
from warehouse.errors import DataProblemError
from warehouse.settings import Settings, TableSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

AS_OF = date(2024, 4, 1)
ORDERS = """seller_id,user_id,ordered_at,order_id,item_id,amount
acme,u1,2024-01-05 10:00,1,pen,10.00
acme,u2,2024-01-20 10:00,2,pen,20.00
beta,u1,2024-01-20 10:00,2,cup,5.00
acme,,2024-02-10 10:00,3,pen,30.00
,u3,2024-02-11 10:00,4,cup,7.00
beta,u1,2024-03-05 10:00,5,cup,6.00
gale,u4,2024-03-09 10:00,6,ink,8.00
acme,u1,2024-03-31 10:00,7,pen,-10.00
"""
EVENTS = """occurred_at,event,user_id,seller_id
2024-03-12 09:00,view,u9,acme
2024-03-12 09:30,view,u1,acme
2024-03-13 09:00,view,u9,
2024-03-14 09:00,listing,,dove
"""
USERS = """user_id,seller_id,region,registered_at,recorded_at
u1,,north,2023-01-01,2023-01-01
u2,beta,south,2023-01-01,2023-01-01
u4,,,2023-01-01,2023-01-01
"""


def store_of(root: Path, acts: str = "sales", **files: str) -> Store:
    for name, text in files.items():
        (root / f"{name}.csv").write_text(text)
    tables = {name: TableSettings(files=(f"{name}.csv",), returns="sign") for name in files}
    settings: dict[str, Any] = {"entity": "seller", "tables": tables, "buckets": 2, "activity": {"acts": acts}}
    store = Store(Workspace(root, Settings.model_validate(settings)))
    store.load_new(datetime(2026, 1, 1))
    return store


def counted(store: Store, *names: str, families: tuple[str, ...]) -> dict[str, tuple[Any, ...]]:
    table = build_features(StoreSource(store), AS_OF, families=families)
    return {row["entity_id"]: tuple(row[name] for name in names) for row in table.to_pylist()}


def test_by_hand(tmp_path: Path) -> None:
    store = store_of(tmp_path, orders=ORDERS, users=USERS)
    names = ("order_count_lifetime", "amount_lifetime", "days_since_last_order", "lifecycle_group", "rfm_type")
    found = counted(store, *names, families=("frequency", "money", "recency", "lifecycle", "rfm"))
    assert found == {
        "acme": (3.0, 60.0, 51.0, "dormant", "important_keep"),
        "beta": (2.0, 11.0, 27.0, "awakened", "ordinary_winback"),
        "gale": (1.0, 8.0, 23.0, "new", "ordinary_growth"),
    }
    assert counted(store, "region", families=("attributes",)) == {"acme": (None,), "beta": ("south",), "gale": (None,)}


def test_growth_and_segments_by_hand(tmp_path: Path) -> None:
    store = store_of(tmp_path, orders=ORDERS)
    source = StoreSource(store)
    told = growth(source, AS_OF).payload()
    groups = [{name: n for name, n in each["groups"].items() if n} for each in told["periods"]]
    assert groups == [{"new": 2}, {"last_new": 1, "dormant": 1}, {"new": 1, "awakened": 1, "dormant": 1}]
    money = told["accounting"]["money"]
    assert [float(each["amount"]) for each in money] == [35.0, 30.0, 14.0]
    types = segments(build_features(source, AS_OF, families=("rfm", "money")), AS_OF).segments[0]
    assert {each.value: each.amount for each in types.groups if each.users} == {
        "important_keep": 60.0,
        "ordinary_growth": 8.0,
        "ordinary_winback": 11.0,
    }


def test_events_are_theirs_where_they_name_a_seller(tmp_path: Path) -> None:
    store = store_of(tmp_path, "events", orders=ORDERS, events=EVENTS)
    assert store.manifest("events").counts["no seller"] == 1
    found = counted(store, "act_day_count_lifetime", "days_since_last_act", families=("activity",))
    assert found == {"acme": (1.0, 20.0), "beta": (0.0, None), "dove": (1.0, 18.0), "gale": (0.0, None)}


@pytest.mark.parametrize("table", ["orders", "events"])
def test_a_file_without_sellers_is_refused(tmp_path: Path, table: str) -> None:
    lines = {
        "orders": "user_id,ordered_at,amount\nu1,2024-01-05,1\n",
        "events": "user_id,occurred_at,event\nu1,2024-01-05,a\n",
    }
    with pytest.raises(DataProblemError) as raised:
        store_of(tmp_path, **{"orders": ORDERS, table: lines[table]})
    assert [problem.expected for problem in raised.value.problems] == ["a column seller_id"]
