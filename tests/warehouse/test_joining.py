"""What devices did before a login joins the user, from the moment on at which the login is known."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from warehouse.erasing import erase, find
from warehouse.settings import Settings, TableSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

LOADED_AT = datetime(2026, 1, 1)
MakeWorkspace = Callable[..., Workspace]
EVENTS = "user_id,device_id,occurred_at,event,recorded_at\n"


def joined(store: Store) -> list[tuple[Any, ...]]:
    """What became somebody's: the user, what they did, and the day and hour at which that was known."""
    found = []
    for k in range(store.buckets):
        for path in store.files("events", k)[1:]:
            found += pq.read_table(path).to_pylist()
    assert all(row["entity_id"] == row["user_id"] for row in found)
    return sorted((row["user_id"], row["event"], f"{row['recorded_at']:%d %H}") for row in found)


def loaded(workspace: Workspace) -> Store:
    store = Store(workspace)
    store.load_new(LOADED_AT)
    return store


def test_a_table_by_hand(make_workspace: MakeWorkspace) -> None:
    lines = """
,d1,2025-06-01,before the first login,
,d1,2025-06-02,late to arrive,2025-06-09
ann,d1,2025-06-03 01:00,login,
,d1,2025-06-04,between two logins,
bob,d1,2025-06-05 02:00,login,2025-06-06 03:00
,d1,2025-06-07,after the last login,
,d2,2025-06-01,never a login,
,d3,2025-06-01,at the moment of the login,
cat,d3,2025-06-01,login,
,d4,2025-06-01,first login arrives last,
ann,d4,2025-06-02,login,2025-06-20
bob,d4,2025-06-03,login,
dan,,2025-06-03,no device,
"""
    store = loaded(make_workspace(events=EVENTS + lines.lstrip(), buckets=3))
    assert joined(store) == [
        ("ann", "before the first login", "03 01"),
        ("ann", "late to arrive", "09 00"),
        ("bob", "between two logins", "06 03"),
        ("bob", "first login arrives last", "03 00"),
        ("cat", "at the moment of the login", "01 00"),
    ]
    manifest = store.manifest("events")
    assert (manifest.rows, manifest.anonymous_rows, manifest.joined_rows) == (13, 7, 5)


def test_without_acts_of_nobody_or_if_not_wanted_nothing_is_joined(make_workspace: MakeWorkspace) -> None:
    signed_in = EVENTS + "ann,d1,2025-06-03,login,\n"
    assert not loaded(make_workspace(events=signed_in)).manifest("events").joined
    text, off = signed_in + ",d1,2025-06-01,view,\n", {"events": {"join_devices": False}}
    assert not loaded(make_workspace(events=text, policies=off)).manifest("events").joined
    before = Store(make_workspace(events=text, policies=off)).fingerprint()
    store = Store(make_workspace(events=text))
    said = "events: 1 of 1 acts of nobody are those of users who signed in on the device later (join_devices)"
    assert store.load_new(LOADED_AT).notes[-1] == said
    assert store.manifest("events").joined
    assert store.fingerprint() != before


Act = tuple[str, str, int, int]


def _made_up(seed: int) -> list[Act]:
    """A few acts each on many devices: by nobody or one of two users, some recorded late."""
    rng = random.Random(seed)
    acts = [
        (rng.choice(["", "", "ann", "bob"]), f"d{device}", rng.randint(0, 6), rng.randint(0, 4))
        for device in range(60)
        for _ in range(rng.randint(1, 7))
    ]
    acts += [(user, "", day, 0) for user in ("", "ann") for day in range(3)]
    rng.shuffle(acts)
    return acts


def _written(root: Path, name: str, acts: list[tuple[int, Act]]) -> None:
    lines = [
        f"{user},{device},{datetime(2025, 6, 1 + day)},e{n},{datetime(2025, 6, 1 + day + late)}"
        for n, (user, device, day, late) in acts
        if user or device
    ]
    (root / name).write_text(EVENTS + "\n".join([*lines, "zoe,d,2025-06-30,login,", ""]))


def _by_hand(acts: list[Act]) -> list[tuple[Any, ...]]:
    """Of the logins at the act or later the one known first, else the earliest, else the least name."""
    found = []
    for n, (user, device, day, late) in enumerate(acts):
        if user or not device:
            continue
        later = [(d + k, d, u) for u, other, d, k in acts if u and other == device and d >= day]
        if later:
            known, _, owner = min(later)
            known_at = datetime(2025, 6, 1) + timedelta(days=max(known, day + late))
            found.append((owner, f"e{n}", f"{known_at:%d %H}"))
    return sorted(found)


@pytest.mark.parametrize(("seed", "cut"), [(1, 50), (2, 200)])
def test_however_the_files_are_cut_every_act_has_the_owner_found_by_hand(tmp_path: Path, seed: int, cut: int) -> None:
    root, acts = tmp_path, _made_up(seed)
    told = list(enumerate(acts))
    workspace = Workspace(root, Settings(tables={"events": TableSettings(files=("events*.csv",))}, buckets=2))
    _written(root, "events1.csv", told[:cut])
    Store(workspace).load_new(LOADED_AT)
    _written(root, "events2.csv", told[cut:])
    Store(workspace).load_new(LOADED_AT, accept_drift="a law")
    in_two = Store(workspace)
    assert joined(in_two) == _by_hand(acts)
    (root / "whole").mkdir()
    _written(root / "whole", "events1.csv", told)
    whole = loaded(Workspace(root / "whole", workspace.settings))
    assert whole.manifest("events").joined == in_two.manifest("events").joined


def test_an_erased_user_is_in_no_joined_file(make_workspace: MakeWorkspace) -> None:
    text = EVENTS + ",d1,2025-06-01,view,\nann,d1,2025-06-02,login,\n,d2,2025-06-01,view,\nbob,d2,2025-06-02,login,\n"
    store = loaded(make_workspace(events=text))
    erase(store, {"ann"}, {"d1"})
    after = Store(store.workspace)
    assert joined(after) == [("bob", "view", "02 00")]
    assert after.damaged("events") == []


def test_acts_that_were_the_erased_users_become_nobody_elses(make_workspace: MakeWorkspace) -> None:
    text = """
,d1,2025-06-01,of ann
ann,d1,2025-06-02,login
,d1,2025-06-03,of bob
bob,d1,2025-06-04,login
,d1,2025-06-05,of nobody
"""
    store = loaded(make_workspace(events="user_id,device_id,occurred_at,event" + text))
    assert [(user, event) for user, event, _ in joined(store)] == [("ann", "of ann"), ("bob", "of bob")]
    assert find(store, ["ann"]).rows == {"events": 2}
    erase(store, {"ann"}, set())
    after = Store(store.workspace)
    assert [(user, event) for user, event, _ in joined(after)] == [("bob", "of bob")]
    assert pq.read_table(after.anonymous("events"))["event"].to_pylist() == ["of bob", "of nobody"]
