"""The lock of a workspace: one holder, known by process and time; a kill leaves nothing to clean up."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from warehouse.errors import RepriseError, UsageError
from warehouse.settings import Settings
from warehouse.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pathlib import Path
from warehouse.settings import Settings
from warehouse.workspace import Workspace
with Workspace(Path(sys.argv[1]), Settings()).lock("run"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that holds the lock `run` until it ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


def test_a_second_holder_is_refused_and_told_who_and_since_when(tmp_path: Path) -> None:
    again = Workspace(tmp_path, Settings()).lock("run")
    with held_by_another(tmp_path) as process, pytest.raises(RepriseError) as told, again:
        raise AssertionError("two holders")
    assert re.search(rf"\(run, process {process.pid} since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)", told.value.message)
    assert told.value.exit_code == 1


def test_other_locks_are_free(tmp_path: Path) -> None:
    with held_by_another(tmp_path), Workspace(tmp_path, Settings()).lock("store"):
        pass


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    with held_by_another(tmp_path) as process:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert f"process {process.pid} since" in (tmp_path / ".run.lock").read_text()
        with Workspace(tmp_path, Settings()).lock("run"):
            assert f"process {os.getpid()} since" in (tmp_path / ".run.lock").read_text()


def test_a_lock_that_cannot_be_written_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / ".run.lock").mkdir()
    told = pytest.raises(RepriseError, match=re.escape(str(tmp_path / ".run.lock")))
    with told, Workspace(tmp_path, Settings()).lock("run"):
        pass


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "", ".hidden", "a..b", "x\0", "x" * 101])
def test_a_name_cannot_leave_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        Workspace(tmp_path, Settings()).inside(tmp_path, name)


@pytest.mark.parametrize("folder", ["store", "snapshots", "models", "releases", "audiences", "runs"])
def test_a_file_in_place_of_a_folder_is_told_before_work_starts(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).write_text("x")
    told = pytest.raises(RepriseError, match=f"{re.escape(str(tmp_path / folder))} is a file, and must be a folder")
    with told, Workspace(tmp_path, Settings()).lock("run"):
        raise AssertionError("work has started")


def test_a_folder_of_somebody_else_is_told_before_work_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "store").mkdir()
    monkeypatch.setattr(os, "access", lambda path, mode, **how: Path(path).name != "store")
    told = pytest.raises(RepriseError, match=f"{re.escape(str(tmp_path / 'store'))} cannot be written")
    with told, Workspace(tmp_path, Settings()).lock("run"):
        raise AssertionError("work has started")


def test_a_file_named_as_workspace_is_told(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("x")
    with pytest.raises(RepriseError, match=r"reprise\.toml: a file stands in place of a folder"):
        Workspace.open(tmp_path / "orders.csv")
