"""An erased store is the store that files without the erased would have made, and no later load brings them back."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from warehouse.erasing import check_settings, erase, find
from warehouse.erasures import Erasure, Tombstones
from warehouse.errors import NotReadyError, RepriseError
from warehouse.settings import Settings, TableSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

LOADED_AT = datetime(2026, 1, 1)
GONE = "canary-7f3a"
FILES = {
    "orders": [
        "user_id,ordered_at,order_id,amount,note",
        "u1,2025-06-01,o1,1,",
        f"{GONE},2025-06-02,o2,2,",
        f"{GONE},2025-06-02,o2,2,",
        "u2,2025-06-03,o3,3,",
        f"{GONE},soon,o4,3,",
    ],
    "events": [
        "event_id,user_id,device_id,occurred_at,event",
        f"e1,{GONE},d-only,2025-06-01,view",
        f"e2,{GONE},d-shared,2025-06-01,view",
        "e3,u1,d-shared,2025-06-01,view",
        "e4,,d-only,2025-06-02,view",
        "e5,,d-shared,2025-06-02,view",
        "e6,,d-other,2025-06-02,view",
        "e7,,d-listed,2025-06-02,view",
    ],
    "users": [
        "user_id,referrer,region,phone,recorded_at",
        f"{GONE},u1,north,13900007777,2025-06-01",
        f"u1,{GONE},south,1,2025-06-01",
        "u1,,south,1,2025-06-01",
        "u2,u1,south,2,2025-06-01",
    ],
    "identities": ["user_id,kind,value", f"{GONE},phone,13900007777", f"{GONE},device,d-listed", "u1,phone,1"],
    "items": ["item_id,name", "i1,tea"],
}
POLICIES = {
    "orders": {"on_problem": "quarantine", "max_bad_ratio": 1},
    "users": {"columns": {"referred_by": "referrer"}},
}


def _store(root: Path, buckets: int = 2, **policies: object) -> Store:
    tables = {
        name: TableSettings.model_validate({"files": (f"{name}*.csv",), **POLICIES.get(name, {}), **policies})
        for name in FILES
    }
    return Store(Workspace(root, Settings(tables=tables, buckets=buckets)))


def _loaded(root: Path, without: bool = False) -> Store:
    """A store of the files; `without` leaves out of them what an erasure is to take away."""
    root.mkdir(exist_ok=True)
    for name, lines in FILES.items():
        kept = [line for line in lines if not (without and _theirs(line))]
        text = "\n".join(line.replace(f"u1,{GONE},", "u1,,") if without else line for line in kept)
        (root / f"{name}.csv").write_text(text + "\n")
    store = _store(root)
    store.load_new(LOADED_AT)
    return store


def _theirs(line: str) -> bool:
    return f"u1,{GONE}" not in line and (GONE in line or ",,d-only" in line or ",,d-listed" in line)


def _erased(root: Path) -> Store:
    store = _loaded(root)
    found = find(store, [GONE, "nobody"])
    assert found.users == {GONE}
    assert (found.devices, found.shared_devices, found.mentions) == (("d-listed", "d-only"), 1, 1)
    stones = Tombstones(root)
    hashes = [stones.hash_of("device", one) for one in found.devices]
    stones.add(Erasure("2026-01-02T00:00:00", "asked", (stones.hash_of("user", GONE),), tuple(hashes)))
    erase(store, found.users, found.devices)
    return _store(root)


def _event_ids(store: Store) -> list[str]:
    version = store.manifest("events").version
    path = store.workspace.store / "events" / version / "event-ids.parquet"
    return sorted(pq.read_table(path).column("event_id").to_pylist())


def test_the_store_is_that_of_files_without_them(tmp_path: Path) -> None:
    erased, never = _erased(tmp_path / "erased"), _loaded(tmp_path / "never", without=True)
    assert erased.fingerprint() == never.fingerprint()
    for table in FILES:
        of, without = erased.manifest(table), never.manifest(table)
        assert replace(of, version="", sources=(), erased=0) == replace(without, version="", sources=())
    assert _event_ids(erased) == _event_ids(never) == ["e3", "e5", "e6"]


def test_every_row_stays_accounted_for(tmp_path: Path) -> None:
    before = _loaded(tmp_path / "before").manifest("orders").counts
    after = _erased(tmp_path / "erased").manifest("orders")
    assert before == {"read": 5, "accepted": 3, "rejected": 1, "duplicates": 1, "duplicates_kept": 0}
    assert after.counts == {**before, "accepted": 2, "erased": 1}
    assert after.counts["accepted"] == after.rows


@pytest.mark.parametrize("how", ["the settings change", "the store is deleted", "the rows come again"])
def test_no_load_brings_them_back(tmp_path: Path, how: str) -> None:
    """Read anew, the lines of the erased are set aside before they are judged: also the one that was rejected."""
    erased = _erased(tmp_path / "erased")
    root, before = erased.workspace.root, erased.fingerprint()
    if how == "the store is deleted":
        shutil.rmtree(root / "store")
    if how == "the rows come again":
        for name, lines in FILES.items():
            (root / f"{name}-again.csv").write_text("\n".join([lines[0], *filter(_theirs, lines)]) + "\n")
        (root / "orders-again.csv").write_text(f"user_id,ordered_at,order_id,amount\n {GONE} ,2025-06-09,o9,1\n")
        (root / "items-again.csv").unlink()
    store = _store(root, buckets=3 if how == "the settings change" else 2)
    report = store.load_new(LOADED_AT)
    assert report.changed
    told = {source.path: source for _, source in report.files}
    assert all(source.balances for source in told.values())
    if how == "the rows come again":
        assert store.fingerprint() == before
        assert told["orders-again.csv"].set_aside == {"erased": 1}
        assert told["events-again.csv"].set_aside == {"erased": 4}
        return
    assert told["orders.csv"].set_aside == {"erased": 3}
    assert (told["orders.csv"].rejected, told["orders.csv"].duplicates) == (0, 0)
    assert not (root / "store" / "rejects").exists()
    if how == "the store is deleted":
        assert store.fingerprint() == before


def test_nothing_of_them_is_left_on_disk(tmp_path: Path) -> None:
    root = _erased(tmp_path / "erased").workspace.root
    inputs = {root / f"{name}.csv" for name in FILES}
    assert all((root / f"{name}.csv").read_text().splitlines() == lines for name, lines in FILES.items())
    for path in set(root.rglob("*")) - inputs:
        if path.is_file():
            content = path.read_bytes()
            if path.suffix == ".parquet":
                content += str(pq.read_table(path).to_pylist()).encode()
            assert not any(word in content for word in (GONE.encode(), b"13900007777", b"d-only", b"e1\x00")), path
    assert sorted(path.name for path in (root / "store" / "orders").iterdir()) == ["000002"]


def test_a_phone_of_two_users_stays_with_the_other(tmp_path: Path) -> None:
    """Nor does a device that somebody else used too go: whose acts those were is not known."""
    store = _erased(tmp_path / "erased")
    assert pq.read_table(store.anonymous("events")).column("device_id").to_pylist() == ["d-other", "d-shared"]


def test_tombstones_know_an_id_by_its_hash_alone(tmp_path: Path) -> None:
    stones = Tombstones(tmp_path)
    stones.add(Erasure("2026-01-02T00:00:00", "asked", (stones.hash_of("user", "007"),)))
    again = Tombstones(tmp_path)
    ids = pa.chunked_array([["007", "7", " 007\u200b", "", None, "0070"]])
    assert again.hit("user", ids).tolist() == [True, False, True, False, False, False]
    assert not again.hit("device", ids).any()
    assert '"007"' not in (tmp_path / "erasures" / "erasures.json").read_text()
    assert again.hash_of("user", "007") != Tombstones(tmp_path / "other").hash_of("user", "007")
    (tmp_path / "erasures" / "erasures.json").write_text("{}")
    with pytest.raises(RepriseError, match="damaged"):
        Tombstones(tmp_path)


def test_changed_settings_are_refused(tmp_path: Path) -> None:
    store = _loaded(tmp_path / "w")
    check_settings(store)
    with pytest.raises(NotReadyError, match="settings of events have changed"):
        check_settings(_store(store.workspace.root, buckets=3))
