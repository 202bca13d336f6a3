"""Looks at what other programs answer: databases, the tracking store, Spark."""

from __future__ import annotations

import importlib.util
import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

from pipeline.findings import Finding, first_run
from training.mlflow_line import shown
from training.outbox import FOLDER, Outbox
from training.tracking import check_store
from warehouse.databases import Database
from warehouse.errors import RepriseError
from warehouse.spark import check, without_secrets
from warehouse.workspace import Workspace

_REVISION = re.compile(r"""^(revision|down_revision)(?:: [^=]+)? = ["'](\w+)["']""", re.MULTILINE)
_AWAY = "Move it away; a new one is made."


def databases(workspace: Workspace, _: datetime) -> Iterator[Finding]:
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


def tracking(workspace: Workspace, _: datetime) -> Iterator[Finding]:
    if not workspace.tracking_uri.startswith("sqlite:///"):
        yield _tracking_server(workspace)
        return
    path = workspace.tracking_uri.removeprefix("sqlite:///")
    if not os.path.exists(path):
        yield Finding("tracking", "warning", "no run has been logged yet", first_run(workspace))
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


def _tracking_server(workspace: Workspace) -> Finding:
    waiting = len(Outbox(workspace.root).waiting())
    told = f"{waiting} runs wait in {FOLDER}/" if waiting else "no run waits"
    try:
        check_store(workspace.tracking_uri)
    except RepriseError as error:
        todo = "Start it, or correct tracking_uri; until then runs wait in the workspace, and nothing is lost."
        return Finding("tracking", "warning", f"{error.message.rstrip('.')}; {told}", todo)
    if waiting:
        return Finding("tracking", "warning", f"the server answers; {told}", "reprise run")
    return Finding("tracking", "ok", f"{shown(workspace.tracking_uri)} answers; {told}")


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


def spark(workspace: Workspace, _: datetime) -> Iterator[Finding]:
    """Whether the engine could be used; no session is opened, which would take half a minute."""
    engine = workspace.settings.engine
    if engine == "duckdb":
        yield Finding("engine", "ok", "duckdb, which comes with Reprise")
        return
    try:
        told = check(engine)
    except RepriseError as error:
        yield Finding("engine", "broken", error.message, error.hint or "")
    else:
        yield Finding("engine", "ok", f"{without_secrets(engine)}: {told}")
