"""Where sellers are the customers they are erased as users are elsewhere; a user of the same id is somebody else."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.erasing import erase
from warehouse.erasures import Person
from warehouse.errors import DataProblemError, UsageError
from warehouse.settings import Settings, TableSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

AT = datetime(2026, 1, 2)
FILES = {
    "orders": [
        "seller_id,user_id,ordered_at,order_id,amount",
        "17,u1,2025-06-01,o1,1",
        "17,,2025-06-02,o2,2",
        "18,17,2025-06-03,o3,3",
        "18,u1,2025-06-04,o4,4",
    ],
    "events": ["seller_id,user_id,device_id,occurred_at,event", "17,u1,d,2025-06-01,view", "18,17,d,2025-06-01,view"],
    "users": [
        "user_id,seller_id,referred_by,recorded_at",
        "u7,17,,2025-01-01",
        "u8,18,17,2025-01-01",
        "u1,,,2025-01-01",
        "17,,,2025-01-01",
    ],
    "tags": ["user_id,tag,set_at", "17,vip,2025-06-01", "18,vip,2025-06-01"],
}


def market(root: Path, entity: str = "seller") -> Workspace:
    for name, lines in FILES.items():
        (root / f"{name}.csv").write_text("\n".join([*lines, ""]))
    tables = {name: TableSettings(files=(f"{name}.csv",)) for name in FILES}
    settings = Settings.model_validate({"tables": tables, "buckets": 2, "entity": entity})
    return Workspace(root, settings)


def rows_of(workspace: Workspace) -> dict[str, list[str]]:
    """Seller and user of every row, by table, once what is new has been loaded."""
    store = Store(workspace)
    store.load_new(datetime(2026, 1, 3))
    found: dict[str, list[str]] = {}
    for table in sorted(store.tables):
        for bucket in range(workspace.settings.buckets):
            rows = [row for path in store.files(table, bucket) for row in pq.read_table(path).to_pylist()]
            found.setdefault(table, []).extend(f"{row['entity_id']} {row['user_id']}" for row in rows)
    return {table: sorted(rows) for table, rows in found.items()}


EVERY = {
    "orders": ["17 None", "17 u1", "18 17", "18 u1"],
    "events": ["17 u1", "18 17"],
    "users": ["17 u7", "18 u8"],
    "tags": ["17 17", "18 18"],
}


@pytest.mark.parametrize(
    ("of", "left"),
    [
        ("seller", {"orders": ["18 17", "18 u1"], "events": ["18 17"], "users": ["18 u8"], "tags": ["18 18"]}),
        ("user", EVERY | {"orders": ["17 None", "17 u1", "18 u1"], "events": ["17 u1"]}),
    ],
)
def test_a_seller_goes_with_what_they_sold_and_does_not_come_back(
    tmp_path: Path, of: Person, left: dict[str, list[str]]
) -> None:
    workspace = market(tmp_path)
    assert rows_of(workspace) == EVERY
    report = erase(workspace, ["17"], "asked", AT, yes=True, of=of)
    assert report.lines()[0] == f"erased 1 {of} (asked)"
    others = of == "user"  # of whom the table of users has a row that is no seller's
    assert sum(report.plan.rows.values()) == sum(map(len, EVERY.values())) - sum(map(len, left.values())) + others
    assert rows_of(workspace) == left
    shutil.rmtree(tmp_path / "store")
    assert rows_of(workspace) == left
    assert erase(workspace, ["17"], "again", AT, yes=False, of=of).plan.before == 1


def test_of_whom_an_export_speaks(tmp_path: Path) -> None:
    """An export of ours lists the customers, sellers; a file that is not ours may list either, and is only named."""
    workspace = market(tmp_path)
    rows_of(workspace)
    (tmp_path / "list.csv").write_text("user_id,as_of,release\n17,2025-07-01,r\n18,2025-07-01,r\n")
    (tmp_path / "mine.csv").write_text("user_id,note\n17,called\n")
    told = erase(workspace, ["17"], "asked", AT, yes=True, of="user").plan
    assert (told.exports, told.untouched) == ((), ("mine.csv",))
    told = erase(workspace, ["17"], "asked", AT, yes=True, of="seller").plan
    assert (told.exports, told.untouched) == (("list.csv",), ("mine.csv",))
    assert (tmp_path / "list.csv").read_text() == "user_id,as_of,release\n18,2025-07-01,r\n"


def test_sellers_are_erased_where_they_are_the_customers(tmp_path: Path) -> None:
    workspace = market(tmp_path)
    rows_of(workspace)
    with pytest.raises(DataProblemError) as told:
        erase(workspace, ["18"], "asked", AT, yes=True)
    assert "--seller" in str(told.value.hint)
    with pytest.raises(UsageError, match="customers of this workspace are users"):
        erase(market(tmp_path, entity="user"), ["18"], "asked", AT, yes=True, of="seller")
