"""What may be wrong with a workspace and its machine, found before it hurts, with what to do about it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from audiences.suppression import list_named
from features import rules
from pipeline import journal
from pipeline.findings import Finding, Look, first_run
from pipeline.lists import current
from pipeline.outside import databases, spark, tracking
from serving import customers
from serving.holder import key_from_environment
from serving.manifest import SIGNATURE
from serving.publication import current_directory, current_release, history
from serving.release import open_release
from serving.stock import read_stock
from warehouse.erasures import Tombstones
from warehouse.errors import RepriseError
from warehouse.manifest import ANEW
from warehouse.store import Store
from warehouse.workspace import Workspace, holder

LEAST_FREE_BYTES = 2 * 2**30
STALE = timedelta(days=7)
_CLOCK_ALLOWANCE = timedelta(minutes=5)


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
            databases,
        ),
        Look("store", "a torn pointer or manifest, a damaged file, a format of another version", _store),
        Look("engine", "Spark that cannot be used: no pyspark, no Java 17 or 21, a server that does not answer", spark),
        Look("stale data", f"nothing newer than {STALE.days} days", _stale),
        Look("erasures", "an erasure that was interrupted, a damaged list of the erased", _erasures),
        Look(
            "release", "a torn pointer, a damaged or unsigned release, another key, no key for a signed one", _release
        ),
        Look("runs", "a damaged note of a finished run", _runs),
        Look("audiences", "a rule that cannot be read, or names a field the release lacks", _audiences),
        Look(
            "tracking",
            "mlflow.db locked, damaged, or of another version of MLflow; a server that does not answer, runs that wait",
            tracking,
        ),
        Look("suppression", "a list that is missing, empty, too old, from the future, or cannot be read", _suppression),
        Look("stock", "a stock file that is missing, empty, too old, or cannot be read", _stock),
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


def _release(workspace: Workspace, _: datetime) -> Iterator[Finding]:
    if current_release(workspace.releases) is None:
        yield Finding("release", "warning", "nothing has been published yet", first_run(workspace))
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


def _suppression(workspace: Workspace, now: datetime) -> Iterator[Finding]:
    settings = workspace.settings.suppression
    listed = list_named(settings, workspace.root, now)
    if listed is None:
        yield Finding(
            "suppression", "warning", "no suppression list is set", "Set file under [suppression], if you have one."
        )
        return
    yield Finding("suppression", "ok", f"{settings.file} is fresh and lists {len(listed.ids):,}")


def _stock(workspace: Workspace, now: datetime) -> Iterator[Finding]:
    settings = workspace.settings.serving
    if settings.stock_file is None:
        return
    stock = read_stock(workspace.root / settings.stock_file)
    hours = settings.stock_max_age_hours
    if now - stock.changed_at > timedelta(hours=hours):
        yield Finding("stock", "warning", f"{settings.stock_file} is older than {hours} hours, and counts for nothing",
                      "Write it anew, or raise stock_max_age_hours under [serving].")  # fmt: skip
    else:
        yield Finding("stock", "ok", f"{settings.stock_file} has {len(stock.items):,} items in stock")


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
