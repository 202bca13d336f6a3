"""What may be wrong with a workspace and its machine, found before it hurts, with what to do about it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from features import rules
from pipeline.lists import current
from serving import customers
from serving.holder import key_from_environment
from serving.publication import current_directory, current_release
from serving.release import open_release
from warehouse.errors import RepriseError
from warehouse.starting import NEEDED
from warehouse.store import Store
from warehouse.workspace import Workspace, holder

LEAST_FREE_BYTES = 2 * 2**30


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is well, and what to do where it is not."""

    what: str
    state: Literal["ok", "warning", "broken"]
    found: str
    todo: str = ""


def examine(workspace: Workspace, now: datetime) -> list[Finding]:
    """Looks at everything; a look that fails is itself a finding."""
    looks: list[tuple[str, Callable[[], Iterator[Finding]]]] = [
        ("system libraries", _libraries),
        ("disk", lambda: _disk(workspace)),
        ("folders", lambda: _folders(workspace)),
        ("files", lambda: _files(workspace)),
        ("store", lambda: _store(workspace)),
        ("release", lambda: _release(workspace)),
        ("audiences", lambda: _audiences(workspace)),
        ("tracking", lambda: _tracking(workspace)),
        ("suppression", lambda: _suppression(workspace, now)),
        ("port", lambda: _port(workspace)),
        ("lock", lambda: _lock(workspace)),
    ]
    findings: list[Finding] = []
    for what, look in looks:
        try:
            findings += look()
        except RepriseError as error:
            findings.append(Finding(what, "broken", error.message, error.hint or ""))
        except OSError as error:
            findings.append(Finding(what, "broken", str(error), "Check the owner and the rights of the workspace."))
    return findings


def _libraries() -> Iterator[Finding]:
    try:
        ctypes.CDLL("libgomp.so.1")
        yield Finding("system libraries", "ok", "libgomp is there")
    except OSError:
        yield Finding("system libraries", "broken", "libgomp is missing; LightGBM needs it", "apt-get install libgomp1")


def _disk(workspace: Workspace) -> Iterator[Finding]:
    free = shutil.disk_usage(workspace.root).free
    state: Literal["ok", "warning"] = "ok" if free >= LEAST_FREE_BYTES else "warning"
    todo = "" if state == "ok" else "Free some space; old releases and snapshots/ may be deleted."
    yield Finding("disk", state, f"{free / 2**30:.1f} GB free", todo)


def _folders(workspace: Workspace) -> Iterator[Finding]:
    workspace.check_folders()
    yield Finding("folders", "ok", "the workspace can be written")


def _files(workspace: Workspace) -> Iterator[Finding]:
    for table, settings in workspace.settings.tables.items():
        for pattern in settings.files:
            found = list(workspace.root.glob(pattern)) if not os.path.isabs(pattern) else [workspace.root / pattern]
            there = [path for path in found if path.is_file() and os.access(path, os.R_OK)]
            if there:
                yield Finding("files", "ok", f"{table}: {pattern}")
            else:
                yield Finding(
                    "files",
                    "broken",
                    f"{table}: {pattern} is not there or cannot be read",
                    "Correct files in reprise.toml.",
                )


def _store(workspace: Workspace) -> Iterator[Finding]:
    store = Store(workspace)
    if not store.tables:
        yield Finding("store", "warning", "nothing has been loaded yet", "reprise check")
        return
    for table in sorted(store.tables):
        manifest = store.manifest(table)
        until = f" to {manifest.observed_until}" if manifest.observed_until else ""
        yield Finding("store", "ok", f"{table}: {manifest.rows:,} rows{until}")


def _first_run(workspace: Workspace) -> str:
    """What to do where nothing has run yet."""
    if NEEDED & workspace.settings.tables.keys():
        return "reprise run"
    return (
        "Name files under [tables.orders], [tables.events] or [tables.labels] in reprise.toml; a run needs one of them."
    )


def _release(workspace: Workspace) -> Iterator[Finding]:
    if current_release(workspace.releases) is None:
        yield Finding("release", "warning", "nothing has been published yet", _first_run(workspace))
        return
    release = open_release(current_directory(workspace.releases), key_from_environment())
    yield Finding("release", "ok", f"{release.id} as of {release.as_of} is whole and loads")


def _audiences(workspace: Workspace) -> Iterator[Finding]:
    """Whether the rules of reprise.toml can be read, and mean fields that the release has."""
    published = current_release(workspace.releases) is not None
    fields = customers.fields(current(workspace)) if published else None
    for name, audience in workspace.settings.audiences.items():
        try:
            rule = rules.read(audience.rule)
            if fields is not None:
                rules.check(rule, fields)
        except RepriseError as error:
            told = error.message.splitlines()[0]
            yield Finding("audiences", "broken", f"{name}: {told}", "Correct its rule in reprise.toml.")
        else:
            yield Finding("audiences", "ok", f"{name}: its rule holds")


def _tracking(workspace: Workspace) -> Iterator[Finding]:
    if not workspace.tracking_uri.startswith("sqlite:///"):
        yield Finding("tracking", "ok", f"runs are logged to {workspace.tracking_uri}")
        return
    path = workspace.tracking_uri.removeprefix("sqlite:///")
    if not os.path.exists(path):
        yield Finding("tracking", "warning", "no run has been logged yet", _first_run(workspace))
        return
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=3) as connection:
            told = connection.execute("pragma quick_check").fetchone()[0]
            runs = connection.execute("select count(*) from runs").fetchone()[0]
    except sqlite3.Error as error:
        yield Finding("tracking", "broken", f"mlflow.db cannot be read ({error})", "Move it away; a new one is made.")
        return
    if told == "ok":
        yield Finding("tracking", "ok", f"{runs} runs in mlflow.db")
    else:
        yield Finding("tracking", "broken", f"mlflow.db is damaged ({told})", "Move it away; a new one is made.")


def _suppression(workspace: Workspace, now: datetime) -> Iterator[Finding]:
    settings = workspace.settings.suppression
    if settings.file is None:
        yield Finding(
            "suppression", "warning", "no suppression list is set", "Set file under [suppression], if you have one."
        )
        return
    path = workspace.root / settings.file
    if not path.is_file():
        yield Finding("suppression", "broken", f"{settings.file} is not there", "No audience is built without it.")
        return
    age = now - datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None)
    if age > timedelta(hours=settings.max_age_hours):
        yield Finding("suppression", "broken", f"{settings.file} is {age.days} days old", "Write it anew.")
    else:
        yield Finding("suppression", "ok", f"{settings.file} is fresh")


def _port(workspace: Workspace) -> Iterator[Finding]:
    serving = workspace.settings.serving
    with socket.socket() as attempt:
        attempt.settimeout(1)
        taken = attempt.connect_ex((serving.host, serving.port)) == 0
    if taken:
        yield Finding(
            "port", "warning", f"something listens on {serving.host}:{serving.port}", "Stop it, or set another port."
        )
    else:
        yield Finding("port", "ok", f"{serving.port} is free")


def _lock(workspace: Workspace) -> Iterator[Finding]:
    path = workspace.root / ".run.lock"
    if path.exists():
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield Finding("lock", "warning", f"{holder(path)} is at work here", "Wait until it has ended.")
                return
    yield Finding("lock", "ok", "nobody is at work here")
