"""What devices did before a login joins the user, from the moment on at which the login is known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.erasing import erase
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
    assert store.manifest("events").anonymous_rows == 7
    assert store.manifest("events").rows == 13


def test_without_acts_of_nobody_or_if_not_wanted_nothing_is_joined(make_workspace: MakeWorkspace) -> None:
    signed_in = EVENTS + "ann,d1,2025-06-03,login,\n"
    assert not loaded(make_workspace(events=signed_in)).manifest("events").joined
    text, off = signed_in + ",d1,2025-06-01,view,\n", {"events": {"join_devices": False}}
    assert not loaded(make_workspace(events=text, policies=off)).manifest("events").joined
    before = Store(make_workspace(events=text, policies=off)).fingerprint()
    store = loaded(make_workspace(events=text))
    assert store.manifest("events").joined
    assert store.fingerprint() != before


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["", "", "ann", "bob"]),
        st.sampled_from(["d1", "d2", ""]),
        st.integers(0, 6),
        st.integers(0, 4),
    ),
    min_size=1,
    max_size=14,
)


def _written(root: Path, name: str, acts: list[tuple[int, tuple[str, str, int, int]]]) -> None:
    lines = [
        f"{user},{device},{datetime(2025, 6, 1 + day)},e{n},{datetime(2025, 6, 1 + day + late)}"
        for n, (user, device, day, late) in acts
        if user or device
    ]
    (root / name).write_text(EVENTS + "\n".join([*lines, "zoe,d9,2025-06-30,login,", ""]))


def _by_hand(acts: list[tuple[str, str, int, int]]) -> list[tuple[Any, ...]]:
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


@given(ACTS, st.integers(0, 14))
@settings(deadline=None, max_examples=15)
def test_however_the_files_are_cut_every_act_has_the_owner_found_by_hand(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, str, int, int]], cut: int
) -> None:
    root = tmp_path_factory.mktemp("law")
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
