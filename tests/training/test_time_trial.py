"""The check that rows from the cutoff on change no feature, on a store."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from features.building import build_features
from features.source import StoreSource
from training.time_trial import changed_rows
from warehouse.settings import Settings, TableSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

ORDERS = ["user_id,ordered_at,amount", *(f"u{n},2025-03-0{1 + n % 9},{n + 1}" for n in range(20))]
EVENTS = ["user_id,device_id,occurred_at,event"]
EVENTS += [f",d{n},2025-03-0{1 + n % 9},view" for n in range(20)]
EVENTS += [f"u{n},d{n},2025-03-1{n % 9},login" for n in range(20)]


def test_acts_before_a_login_are_tried_with_their_bucket(tmp_path: Path) -> None:
    """Tables of one part differ in the number of their files where logins made acts somebody's."""
    for name, lines in (("orders", ORDERS), ("events", EVENTS)):
        (tmp_path / f"{name}.csv").write_text("\n".join([*lines, ""]))
    tables = {name: TableSettings(files=(f"{name}.csv",)) for name in ("orders", "events")}
    store = Store(Workspace(tmp_path, Settings(tables=tables, buckets=3)))
    store.load_new(datetime(2026, 1, 1))
    source = StoreSource(store)
    (part,) = source.parts()
    assert len(part["events"]) > len(part["orders"])
    as_of = date(2025, 3, 15)
    assert changed_rows(source, as_of, build_features(source, as_of)) == (0, 20)
