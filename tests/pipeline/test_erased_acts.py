"""Acts that a login made an erased user's leave no trace behind, also on a device that others sign in on later."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from pipeline.erasing import erase
from warehouse.settings import Settings, TableSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

EVENTS = [
    "user_id,device_id,occurred_at,event,page",
    ",tablet,2025-06-01 09:00,view,a",
    ",tablet,2025-06-01 09:00,view,b",
    "gone,tablet,2025-06-01 10:00,login,",
    ",tablet,2025-06-01 11:07,view,c",
    "stays,tablet,2025-06-01 12:00,login,",
]


@pytest.mark.parametrize("again", ["the store is deleted", "another zone", "written otherwise"])
def test_acts_that_a_login_made_theirs_do_not_come_back_as_the_next_ones(tmp_path: Path, again: str) -> None:
    """Both views at nine are of who signed in at ten; the one after eleven is of who signed in at twelve."""
    (tmp_path / "events.csv").write_text("\n".join([*EVENTS, ""]))
    workspace = shared_tablet(tmp_path)
    assert pages_of(workspace) == {"gone": ["a", "b"], "stays": ["c"]}
    assert erase(workspace, ["gone"], "asked", datetime(2026, 1, 2), yes=True).done
    assert pages_of(workspace) == {"stays": ["c"]}
    record = (tmp_path / "erasures" / "erasures.json").read_text()
    assert "tablet" not in record
    if again == "the store is deleted":
        shutil.rmtree(tmp_path / "store")
    if again == "another zone":
        workspace = shared_tablet(tmp_path, "Europe/Berlin")
    if again == "written otherwise":
        lines = [f"{line},{'note' if n == 0 else n}".replace(" 09:00", "T09:00:00Z") for n, line in enumerate(EVENTS)]
        (tmp_path / "events.csv").write_text("\n".join([*lines, ""]))
    assert pages_of(workspace) == {"stays": ["c"]}
    (source,) = Store(workspace).manifest("events").sources
    assert source.set_aside == {"erased": 3}
    assert source.balances


def shared_tablet(root: Path, zone: str = "UTC") -> Workspace:
    return Workspace(root, Settings(tables={"events": TableSettings(files=("events.csv",))}, time_zone=zone, buckets=2))


def pages_of(workspace: Workspace) -> dict[str, list[str]]:
    """The pages seen by each user once what is new has been loaded."""
    store = Store(workspace)
    store.load_new(datetime(2026, 1, 3))
    seen: dict[str, list[str]] = {}
    for bucket in range(2):
        for path in store.files("events", bucket):
            for row in pq.read_table(path).to_pylist():
                if row["page"]:
                    seen.setdefault(row["entity_id"], []).append(row["page"])
    return {user: sorted(pages) for user, pages in seen.items()}
