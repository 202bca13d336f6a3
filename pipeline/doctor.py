"""What may be wrong with a workspace and its machine, found before it hurts, with what to do about it."""

from __future__ import annotations

import ctypes
import fcntl
import importlib.util
import os
import re
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

from audiences.suppression import read_list
from features import rules
from pipeline import journal
from pipeline.lists import current
from serving import customers
from serving.holder import key_from_environment
from serving.manifest import SIGNATURE
from serving.publication import current_directory, current_release, history
from serving.release import open_release
from warehouse.databases import Database
from warehouse.erasures import Tombstones
from warehouse.errors import RepriseError
from warehouse.manifest import ANEW
from warehouse.starting import NEEDED
from warehouse.store import Store
from warehouse.workspace import Workspace, holder

LEAST_FREE_BYTES = 2 * 2**30
_REVISION = re.compile(r"""^(revision|down_revision)(?:: [^=]+)? = ["'](\w+)["']""", re.MULTILINE)
_AWAY = "Move it away; a new one is made."
STALE = timedelta(days=7)
_CLOCK_ALLOWANCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at: whether it is well, and what to do where it is not."""

    what: str
    state: Literal["ok", "warning", "broken"]
    found: str
    todo: str = ""


@dataclass(frozen=True)
class Look:
    """One thing that is looked at, and what can be found wrong with it."""

    what: str
    finds: str
    look: Callable[[Workspace, datetime], Iterator[Finding]]


def examine(workspace: Workspace, now: datetime) -> list[Finding]:
    """Looks at everything; a look that fails is itself a finding. `now` is a naive UTC instant."""
    findings: list[Finding] = []
    for each in looks():
        try:
            findings += each.look(workspace, now)
        except RepriseError as error:
            told = "; ".join([error.message, *map(str, getattr(error, "problems", ()))])
            findings.append(Finding(each.what, "broken", told, error.hint or ""))
        except OSError as error:
            told = "Check the owner and the rights of the workspace."
            findings.append(Finding(each.what, "broken", str(error), told))
    return findings


def looks() -> tuple[Look, ...]:
    """All that is looked at, in the order in which it is told."""
    return (
        Look("system libraries", "libgomp is missing, without which no model is learnt", _libraries),
        Look("disk", "less than 2 GB are free", _disk),
        Look("folders", "a folder that cannot be written, or a file in place of one", _folders),
        Look("clock", "something was made later than this machine says it is now", _clock),
        Look("files", "files that reprise.toml names and that are not there, or cannot be read", _files),
        Look(
            "databases",
            "a source that cannot be reached or read, or whose secret is not in the environment",
            _databases,
        ),
        Look("store", "a torn pointer or manifest, a damaged file, a format of another version", _store),
        Look("stale data", f"nothing newer than {STALE.days} days", _stale),
        Look("erasures", "an erasure that was interrupted, a damaged list of the erased", _erasures),
        Look(
            "release", "a torn pointer, a damaged or unsigned release, another key, no key for a signed one", _release
        ),
        Look("runs", "a damaged note of a finished run", _runs),
        Look("audiences", "a rule that cannot be read, or names a field the release lacks", _audiences),
        Look("tracking", "mlflow.db locked, damaged, or of an older or newer version of MLflow", _tracking),
        Look("suppression", "a list that is missing, empty, too old, from the future, or cannot be read", _suppression),
        Look("port", "the port of the service is taken", _port),
        Look("lock", "another command is at work here", _lock),
        Look("leftovers", "unfinished files of commands that were killed", _leftovers),
    )


def documented() -> list[str]:
    """What is looked at as the lines of a table in Markdown, as docs/doctor.md holds it."""
    return ["| looked at | found |", "|---|---|", *(f"| {each.what} | {each.finds} |" for each in looks())]


def _libraries(_: Workspace, __: datetime) -> Iterator[Finding]:
    try:
        ctypes.CDLL("libgomp.so.1")
        yield Finding("system libraries", "ok", "libgomp is there")
    except OSError:
        yield Finding("system libraries", "broken", "libgomp is missing; LightGBM needs it", "apt-get install libgomp1")


def _disk(workspace: Workspace, _: datetime) -> Iterator[Finding]:
    free = shutil.disk_usage(workspace.root).free
    state: Literal["ok", "warning"] = "ok" if free >= LEAST_FREE_BYTES else "warning"
    todo = "" if state == "ok" else "Free some space; old releases and snapshots/ may be deleted."
    yield Finding("disk", state, f"{free / 2**30:.1f} GB free", todo)


def _folders(workspace: Workspace, _: datetime) -> Iterator[Finding]:
    workspace.check_folders()
    yield Finding("folders", "ok", "the workspace can be written")


def _clock(workspace: Workspace, now: datetime) -> Iterator[Finding]:
    """Nothing that was made here can be newer than now."""
    made = [datetime.fromisoformat(line["at"]).astimezone(UTC).replace(tzinfo=None)
            for line in history(workspace.releases)]  # fmt: skip
    store = Store(workspace)
    made += [store.manifest(table).loaded_at for table in store.tables]
    latest = max(made, default=now)
    if latest > now + _CLOCK_ALLOWANCE:
        yield Finding(
            "clock",
            "broken",
            f"something was made here at {latest:%Y-%m-%d %H:%M} UTC, after now",
            "Set the clock right.",
        )
    else:
        yield Finding("clock", "ok", f"it is {now:%Y-%m-%d %H:%M} UTC")


def _databases(workspace: Workspace, _: datetime) -> Iterator[Finding]:
    for table, settings in workspace.settings.tables.items():
        if settings.source is None:
            continue
        try:
            with Database.at(settings.source, workspace.root).session(read_only=True) as cursor:
                cursor.execute("select 1")
        except RepriseError as error:
            yield Finding("databases", "broken", f"{table}: {error.message}", error.hint or "")
        else:
            yield Finding("databases", "ok", f"{table}: {settings.source} answers")


def _files(workspace: Workspace, _: datetime) -> Iterator[Finding]:
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


def _store(workspace: Workspace, _: datetime) -> Iterator[Finding]:
    store = Store(workspace)
    if not store.tables:
        yield Finding("store", "warning", "nothing has been loaded yet", "reprise check")
        return
    for table in sorted(store.tables):
        manifest = store.manifest(table)
        until = f" to {manifest.observed_until}" if manifest.observed_until else ""
        if damaged := store.damaged(table):
            yield Finding("store", "broken", f"{table}: {damaged[0]} is damaged or missing", ANEW)
        else:
            yield Finding("store", "ok", f"{table}: {manifest.rows:,} rows{until}")


def _stale(workspace: Workspace, now: datetime) -> Iterator[Finding]:
    store = Store(workspace)
    until = [
        told for table in ("orders", "events") if store.has(table) and (told := store.manifest(table).observed_until)
    ]
    if not until:
        return
    latest = max(until)
    if now - datetime.combine(latest, datetime.min.time()) > STALE:
        todo = "Check that new files arrive, and run `reprise run`."
        yield Finding("stale data", "warning", f"the last order or event is of the day before {latest}", todo)
    else:
        yield Finding("stale data", "ok", f"there are orders or events up to {latest}")


def _erasures(workspace: Workspace, _: datetime) -> Iterator[Finding]:
    begun = Tombstones(workspace.root).erasures
    open_ones = [each for each in begun if each.finished is None]
    if open_ones:
        told = f"the erasure of {open_ones[0].at} was interrupted before all was removed"
        yield Finding("erasures", "broken", told, "Run the same `reprise erase` again; it goes on where it stopped.")
    else:
        yield Finding("erasures", "ok", f"{len(begun)} erasures, all of them done")


def _first_run(workspace: Workspace) -> str:
    """What to do where nothing has run yet."""
    if NEEDED & workspace.settings.tables.keys():
        return "reprise run"
    return (
        "Name files under [tables.orders], [tables.events] or [tables.labels] in reprise.toml; a run needs one of them."
    )


def _release(workspace: Workspace, _: datetime) -> Iterator[Finding]:
    if current_release(workspace.releases) is None:
        yield Finding("release", "warning", "nothing has been published yet", _first_run(workspace))
        return
    folder, key = current_directory(workspace.releases), key_from_environment()
    release = open_release(folder, key)
    yield Finding("release", "ok", f"{release.id} as of {release.as_of} is whole and loads")
    if key is None and (folder / SIGNATURE).exists():
        told = "Set REPRISE_RELEASE_KEY, here and for the service."
        yield Finding("release", "warning", f"{release.id} is signed, but no key is set to check it", told)


def _runs(workspace: Workspace, _: datetime) -> Iterator[Finding]:
    notes = sorted(workspace.runs.glob("????-??-??.json"))
    for path in notes:
        journal.finished(workspace, date.fromisoformat(path.stem))
    yield Finding("runs", "ok", f"{len(notes)} finished runs are noted")


def _audiences(workspace: Workspace, _: datetime) -> Iterator[Finding]:
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


def _tracking(workspace: Workspace, _: datetime) -> Iterator[Finding]:
    if not workspace.tracking_uri.startswith("sqlite:///"):
        yield Finding("tracking", "ok", f"runs are logged to {workspace.tracking_uri}")
        return
    path = workspace.tracking_uri.removeprefix("sqlite:///")
    if not os.path.exists(path):
        yield Finding("tracking", "warning", "no run has been logged yet", _first_run(workspace))
        return
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=3)) as connection:
            told = connection.execute("pragma quick_check").fetchone()[0]
            version = connection.execute("select version_num from alembic_version").fetchone()[0]
            runs = connection.execute("select count(*) from runs").fetchone()[0]
    except sqlite3.Error as error:
        locked = "locked" in str(error)
        todo = "Wait until the other process has ended." if locked else _AWAY
        yield Finding("tracking", "broken", f"mlflow.db cannot be read ({error})", todo)
        return
    if told != "ok":
        yield Finding("tracking", "broken", f"mlflow.db is damaged ({told})", _AWAY)
        return
    latest, known = _tracking_versions()
    if version not in known:
        yield Finding("tracking", "broken", "mlflow.db is of a newer version of MLflow", "Install that version again.")
    elif version != latest:
        todo = f"Copy mlflow.db, then run `mlflow db upgrade {workspace.tracking_uri}`."
        yield Finding("tracking", "broken", "mlflow.db is of an older version of MLflow", todo)
    else:
        yield Finding("tracking", "ok", f"{runs} runs in mlflow.db")


def _tracking_versions() -> tuple[str, frozenset[str]]:
    """The version of the database that the installed MLflow writes, and those it can bring up to it.

    Its migrations are read as text: to import them takes seconds.
    """
    found = importlib.util.find_spec("mlflow")
    folders = [Path(folder) for folder in (found.submodule_search_locations if found else None) or ()]
    after: dict[str, str | None] = {}
    for folder in folders:
        for path in (folder / "store" / "db_migrations" / "versions").glob("*.py"):
            told = dict(_REVISION.findall(path.read_text(encoding="utf-8")))
            if "revision" in told:
                after[told["revision"]] = told.get("down_revision")
    latest = after.keys() - set(after.values())
    return next(iter(latest), ""), frozenset(after)


def _suppression(workspace: Workspace, now: datetime) -> Iterator[Finding]:
    settings = workspace.settings.suppression
    if settings.file is None:
        yield Finding(
            "suppression", "warning", "no suppression list is set", "Set file under [suppression], if you have one."
        )
        return
    listed = read_list(workspace.root / settings.file, now, settings.max_age_hours)
    yield Finding("suppression", "ok", f"{settings.file} is fresh and lists {len(listed.ids):,}")


def _port(workspace: Workspace, _: datetime) -> Iterator[Finding]:
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


def _lock(workspace: Workspace, _: datetime) -> Iterator[Finding]:
    path = workspace.root / ".run.lock"
    if path.exists():
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield Finding("lock", "warning", f"{holder(path)} is at work here", "Wait until it has ended.")
                return
    yield Finding("lock", "ok", "nobody is at work here")


def _leftovers(workspace: Workspace, _: datetime) -> Iterator[Finding]:
    """What commands that were killed have left; a command at work has such files too."""
    patterns = (".writing-*", "*/.writing-*", "*/*/.writing-*")
    left = [path for pattern in patterns for path in workspace.root.glob(pattern)]
    if left:
        todo = "If no command is at work here, delete it; nothing reads it."
        yield Finding("leftovers", "warning", f"{len(left)} unfinished, such as {left[0]}", todo)
    else:
        yield Finding("leftovers", "ok", "nothing unfinished lies about")
