"""Kills and full disks in the middle of a load: what was published stays, and the next load completes."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from warehouse import spooling
from warehouse.errors import RepriseError
from warehouse.files import sha256
from warehouse.store import Store
from warehouse.workspace import Workspace

LOADED_AT = datetime(2026, 1, 1)
ROOT = Path(__file__).parents[2]
KILLED = """
import os, signal, sys
from datetime import datetime
from warehouse import store
calls = 0
CHANGES = ("os.rename", "os.mkdir", "os.remove", "os.rmdir")
def kill(event, args):
    global calls
    if event in CHANGES or event == "open" and str(args[0]).startswith(sys.argv[1]):
        calls += 1
        if calls == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
workspace = store.Workspace.open(sys.argv[1])
sys.addaudithook(kill)
store.Store(workspace).load_new(datetime(2026, 1, 1))
print(calls)
"""
"""A load that kills itself when it touches the file system for the n-th time, where files appear and disappear."""


def _orders(amount: int, users: int = 20) -> str:
    lines = [f"u{i},2025-06-{1 + i % 20:02d},{amount}" for i in range(users)]
    return "\n".join(["user_id,ordered_at,amount", *lines, ""])


def _workspace(root: Path) -> Workspace:
    root.mkdir(exist_ok=True)
    tables = "".join(f'[tables.{name}]\nfiles = ["{name}.csv"]\n' for name in ("orders", "users"))
    (root / "reprise.toml").write_text(f'time_zone = "UTC"\nbuckets = 1\n{tables}')
    (root / "users.csv").write_text("user_id\n" + "".join(f"u{i}\n" for i in range(20)))
    return Workspace.open(root)


def _load_killed_at(root: Path, call: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KILLED, str(root), str(call)], cwd=ROOT, capture_output=True, text=True, check=False
    )


def _readable(store: Store) -> bool:
    """Whether every file that the pointer names is there with the bytes its manifest tells."""
    return all(
        sha256(store._folder(table) / name) == digest
        for table in ("orders", "users")
        for name, digest in store.manifest(table).contents.items()
    )


def test_a_load_killed_anywhere_leaves_what_was_published_and_the_next_completes(tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for root in (whole, killed):
        workspace = _workspace(root)
        (root / "orders.csv").write_text(_orders(1))
        Store(workspace).load_new(LOADED_AT)
        (root / "orders.csv").write_text(_orders(2))
        (root / "users.csv").write_text("user_id\n" + "".join(f"u{i}\n" for i in range(21)))
    before = Store(Workspace.open(killed)).fingerprint()
    done = _load_killed_at(whole, -1)
    assert done.returncode == 0, done.stderr
    calls, after = int(done.stdout), Store(Workspace.open(whole)).fingerprint()
    assert calls > 20
    assert before != after
    for call in range(2, calls, calls // 4):
        assert _load_killed_at(killed, call).returncode == -signal.SIGKILL
        store = Store(Workspace.open(killed))
        assert store.fingerprint() in (before, after)
        assert _readable(store)
    store = Store(Workspace.open(killed))
    store.load_new(LOADED_AT)
    assert store.fingerprint() == after
    assert not list((killed / "store").rglob(".writing-*"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB; skipped where this user may not mount one."""
    libc = ctypes.CDLL(None, use_errno=True)
    place = tmp_path / "disk"
    place.mkdir()
    if libc.mount(b"none", str(place).encode(), b"tmpfs", 0, b"size=3m") != 0:
        pytest.skip(f"a small disk cannot be mounted here: {os.strerror(ctypes.get_errno())}")
    yield place
    libc.umount2(str(place).encode(), 2)


@pytest.mark.parametrize(("free_kb", "held"), [(4, 1 << 20), (40, 1 << 20), (400, 1 << 20), (40, 0)])
def test_a_full_disk_is_told_and_nothing_is_lost(
    small_disk: Path, monkeypatch: pytest.MonkeyPatch, free_kb: int, held: int
) -> None:
    monkeypatch.setattr(spooling, "_IN_MEMORY", held)
    workspace = _workspace(small_disk)
    (small_disk / "orders.csv").write_text(_orders(1))
    Store(workspace).load_new(LOADED_AT)
    before = Store(workspace).fingerprint()
    (small_disk / "orders.csv").write_text(_orders(2, users=20_000))
    (small_disk / "users.csv").write_text("user_id\n" + "".join(f"u{i}\n" for i in range(20_000)))
    free = os.statvfs(small_disk)
    filler = small_disk / "filler"
    filler.write_bytes(b"\0" * (free.f_bavail * free.f_bsize - free_kb * 1024))
    with pytest.raises(RepriseError, match="disk is full while"):
        Store(workspace).load_new(LOADED_AT)
    assert Store(workspace).fingerprint() == before
    assert _readable(Store(workspace))
    assert not list(small_disk.rglob(".writing-*"))
    filler.unlink()
    Store(workspace).load_new(LOADED_AT)
    assert Store(workspace).manifest("orders").rows == 20_000


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_disk_that_fails_is_told_and_nothing_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    workspace = _workspace(tmp_path)
    (tmp_path / "orders.csv").write_text(_orders(1))
    Store(workspace).load_new(LOADED_AT)
    before = Store(workspace).fingerprint()
    (tmp_path / "orders.csv").write_text(_orders(2))

    def fails(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        with pytest.raises(RepriseError, match=r"[Ww]riting .* failed: Input/output error"):
            Store(workspace).load_new(LOADED_AT)
    assert Store(workspace).fingerprint() == before
    assert _readable(Store(workspace))
