"""Tables too large for memory are parted on disk; what is published is the same, byte for byte."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from warehouse import merging, spooling
from warehouse.settings import Settings, TableSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

LOADED_AT = datetime(2026, 1, 1)


def _loaded(root: Path) -> tuple[str, str]:
    """The fingerprint after two loads with copies within and between them, guests among the devices."""
    root.mkdir()
    tables = {name: TableSettings(files=(f"{name}*.csv",)) for name in ("events", "items")}
    store = Store(Workspace(root, Settings(tables=tables, buckets=5)))
    for part in range(2):
        acts = [f"e{i},{'' if i % 7 == 0 else f'u{i % 11}'},d{i % 3},2025-06-{1 + i % 20:02d},view" for i in range(60)]
        lines = [*acts[part * 25 : part * 25 + 35], acts[part * 25]]
        (root / f"events{part}.csv").write_text("\n".join(["event_id,user_id,device_id,occurred_at,event", *lines, ""]))
        (root / f"items{part}.csv").write_text(f"item_id,name\ni1,a\ni2,b{part}\n")
        store.load_new(LOADED_AT, accept_drift="a law needs no calm")
    assert store.manifest("events").counts["duplicates"] == 12
    assert store.manifest("events").entities == 11
    assert store.manifest("events").anonymous_rows == 9
    manifest = store.manifest("events").to_json() + store.manifest("items").to_json()
    return store.fingerprint(), manifest


@pytest.mark.parametrize(("held", "at_once"), [(0, 600_000), (2_000, 20), (0, 1), (1 << 20, 1)])
def test_little_memory_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held: int, at_once: int
) -> None:
    usual = _loaded(tmp_path / "usual")
    monkeypatch.setattr(spooling, "_IN_MEMORY", held)
    monkeypatch.setattr(merging, "_AT_ONCE", at_once)
    assert _loaded(tmp_path / "little") == usual
