"""Versions known at a cutoff, parts of a real store, and the raw file's future that is never seen."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from features import build
from features.building import build_features, write_features
from features.source import FramesSource, StoreSource, versions
from tests.features.conftest import PartedSource, World, differences, make_world, sale, stored
from tests.features.test_laws import other_future
from warehouse.contracts import CONTRACTS
from warehouse.errors import NotReadyError, SettingsError, UsageError
from warehouse.settings import Settings, TableSettings
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

AS_OF = date(2024, 7, 1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_the_first_version_serves_rules_where_none_is_old_enough() -> None:
    users = stored(
        "users",
        [
            {"user_id": "a", "region": "old", "recorded_at": at("2024-01-01")},
            {"user_id": "a", "region": "new", "recorded_at": at("2024-06-01")},
            {"user_id": "a", "region": "future", "recorded_at": at("2024-07-01")},
            {"user_id": "b", "region": "second", "recorded_at": at("2024-08-01")},
            {"user_id": "b", "region": "first", "recorded_at": at("2024-07-01")},
        ],
        "UTC",
    )
    users = users.append_column("shoe", [["1", "2", "3", "4", "5"]])
    found = versions(FramesSource({"users": users}), "users", AS_OF).to_pylist()
    assert [(row["region"], row["shoe"], row["point_in_time"]) for row in found] == [
        ("new", "2", True),
        ("first", "5", False),
    ]


def test_versions_are_sorted_by_their_keys_over_all_parts() -> None:
    world = make_world(2, 40)
    source = PartedSource(world.frames(), world.zone)
    for table, key in (("users", ["entity_id"]), ("items", ["item_id"]), ("tags", ["entity_id", "tag"])):
        keys = [tuple(row.values()) for row in versions(source, table, world.as_of).select(key).to_pylist()]
        assert len(keys) > 5
        assert all(one < two for one, two in pairwise(keys))


def test_registered_users_are_customers_once_known() -> None:
    users = [
        {"user_id": "known", "registered_at": at("2024-06-01"), "recorded_at": at("2024-06-01")},
        {"user_id": "told_later", "registered_at": at("2024-06-01"), "recorded_at": at("2024-07-01")},
        {"user_id": "registers_later", "registered_at": at("2024-07-01"), "recorded_at": at("2024-06-01")},
    ]
    source = FramesSource({"users": stored("users", users, "UTC")})
    assert build_features(source, AS_OF)["entity_id"].to_pylist() == ["known"]


def test_what_cannot_be_built_is_told() -> None:
    with pytest.raises(NotReadyError, match="no orders, events or users"):
        build_features(FramesSource({}), AS_OF)
    orders = stored("orders", [sale("a", at("2024-06-01"), 5)], "UTC")
    with pytest.raises(UsageError, match='no feature family "frequencies"'):
        build_features(FramesSource({"orders": orders}), AS_OF, families=["frequencies"])


# --- through files and the store --------------------------------------------------------------------------------------


def write_csv(path: Path, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    names = [name for name in CONTRACTS[table].names if any(row.get(name) is not None for row in rows)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in rows:
            values = [row.get(name) for name in names]
            writer.writerow(
                ["" if v is None else f"{v:%Y-%m-%dT%H:%M:%S.%fZ}" if isinstance(v, datetime) else v for v in values]
            )


def load(folder: Path, world: World, buckets: int = 4) -> Workspace:
    """A workspace whose store was loaded from raw files of that world."""
    folder.mkdir()
    tables = {}
    for table, rows in world.rows.items():
        if rows:
            write_csv(folder / f"{table}.csv", table, rows)
            tables[table] = TableSettings.model_validate(
                {"files": [f"{table}.csv"], "duplicates": "keep", "on_problem": "quarantine", "max_bad_ratio": 0.5}
            )
    settings = Settings.model_validate({"tables": tables, "buckets": buckets, "time_zone": world.zone})
    workspace = Workspace(folder, settings)
    Store(workspace).load_new(datetime(2030, 1, 1), accept_drift="made up")
    return workspace


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    return iter(tmp_path / str(n) for n in range(10))


def test_from_raw_files_the_future_changes_nothing_and_buckets_neither(folders: Iterator[Path]) -> None:
    world = make_world(1, 60)
    # Files of tags do not say when a tag was recorded.
    tags = [{name: value for name, value in row.items() if name != "recorded_at"} for row in world.rows["tags"]]
    world = replace(world, rows={**world.rows, "tags": tags})
    now = build_features(StoreSource(Store(load(next(folders), world))), world.as_of)
    later = StoreSource(Store(load(next(folders), other_future(world, 1), buckets=7)), part_rows=1)
    assert len(later.parts()) == 7
    assert now.num_rows > 40
    assert differences(now, build_features(later, world.as_of)) == []


def test_the_file_and_the_pandas_door_hold_the_same_rows(folders: Iterator[Path], tmp_path: Path) -> None:
    world = make_world(5, 40)
    workspace = load(next(folders), world)
    source = StoreSource(Store(workspace), part_rows=1)
    table = build_features(source, world.as_of)
    told: list[tuple[float, float | None]] = []
    rows = write_features(
        source, world.as_of, tmp_path / "f.parquet", lambda label, done, total=None: told.append((done, total))
    )
    assert rows == table.num_rows
    assert told[0] == (0, 4)
    assert told[-1] == (4, 4)
    assert pq.read_table(tmp_path / "f.parquet").equals(table)
    frame = build(workspace, world.as_of)
    assert (frame.index.name, list(frame.index)) == ("user_id", table["entity_id"].to_pylist())
    assert np.array_equal(frame["order_count_lifetime"].to_numpy(), table["order_count_lifetime"].to_numpy())


def test_the_pandas_door_takes_a_folder_and_a_date_as_text(tmp_path: Path) -> None:
    orders = tmp_path / "orders.csv"
    orders.write_text("user_id,ordered_at,amount\n007,2024-05-01,3\n007,2024-06-20,4\n8,2024-06-30,5\n")
    init_workspace(tmp_path / "shop", {"orders": orders}, tz="UTC", ask=None)
    frame = build(tmp_path / "shop", "2024-07-01")
    assert frame["amount_30d"].to_dict() == {"007": 4.0, "8": 5.0}
    assert build(str(tmp_path / "shop"), pd.Timestamp("2024-07-01")).equals(frame)
    with pytest.raises(UsageError, match="whole day"):
        build(tmp_path / "shop", pd.Timestamp("2024-07-01 12:00"))
    with pytest.raises(SettingsError):
        build(tmp_path, "2024-07-01")
