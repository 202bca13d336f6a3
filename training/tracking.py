"""MLflow, at arm's length: a process of its own imports it, makes the database and logs, while models are trained.

Importing MLflow and creating its database take seconds, a dead server hangs it for longer, and it warns and prints as
it likes: none of that reaches the caller. What crosses the line is JSON (`mlflow_process`).
"""

from __future__ import annotations

import math
import shutil
import sqlite3
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from training.mlflow_line import USER, Line, RefusedError, shown
from training.outbox import FOLDER, Outbox
from warehouse.errors import RepriseError
from warehouse.files import atomic_file
from warehouse.workspace import Workspace

Alias = Literal["champion", "challenger"]
SECONDS_FOR_SERVER = 3.0

TEMPLATE = Path(sys.prefix) / "mlflow-empty.db"
"""An empty store of the installed MLflow, where the installation has made one (`requirements/install.sh`)."""


@dataclass(frozen=True)
class Record:
    """What one run leaves on the tracking server.

    `artifacts` are texts by their path inside the run; `model_files` is a folder that is logged as the run's model
    and registered as a new version of `model_name`, which then carries `alias`. Instead of a folder that
    `mlflow.pyfunc.load_model` opens, `model_texts` may hold a recipe to be read. Nothing in it may name a customer.

    `run_id` names a run that the record is added to, if it is still there; `running` leaves the run open. `data` is the
    fingerprint of the store it was made from.
    """

    experiment: str
    run_name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float | None]
    tags: Mapping[str, str] = field(default_factory=dict)
    artifacts: Mapping[str, str] = field(default_factory=dict)
    model_name: str | None = None
    model_files: Path | None = None
    alias: Alias | None = None
    model_texts: Mapping[str, str] = field(default_factory=dict)
    run_id: str | None = None
    running: bool = False
    data: str | None = None

    def to_json(self) -> dict[str, Any]:
        """What crosses to the MLflow process; metrics that are not finite stay here."""
        metrics = {k: float(v) for k, v in self.metrics.items() if v is not None and math.isfinite(v)}
        return {**asdict(self), "metrics": metrics, "model_files": str(self.model_files) if self.model_files else None}


@dataclass(frozen=True)
class Logged:
    """Where a record went; nowhere yet where the server did not take it and it waits."""

    run_id: str | None
    model_version: str | None


class Tracker:
    """A connection to the tracking store of a workspace. Opening it returns at once; the first answer may take
    seconds. Use it as a context manager: leaving it waits until everything is logged, and raises what went wrong.

    Every failure is a `RepriseError` that names the URI; a server that cannot be reached is told within seconds. What a
    server does not take is kept in the workspace (`outbox`), so that its failing costs no run: it is sent, before
    anything else, the next time a tracker is opened. A `patient` tracker of a dead server keeps everything.
    """

    def __init__(self, workspace: Workspace, patient: bool = False) -> None:
        self.uri = workspace.tracking_uri
        self._workspace = workspace
        local = self.uri.startswith("sqlite:")
        self._outbox = None if local else Outbox(workspace.root)
        self._away: RepriseError | None = None
        self._why: RepriseError | None = None
        self._sent = 0
        try:
            check_store(self.uri)
        except RepriseError as error:
            if not patient or self._outbox is None:
                raise
            self._away = self._why = error
        _from_template(self.uri)
        self._line = ThreadPoolExecutor(1, "mlflow")
        self._waiting: list[Future[Any]] = []
        self._process: Line | None = None
        if self._away is None:
            self._process = Line(self.uri, workspace.root / "mlflow-artifacts" if local else None)
            self._waiting.append(self._line.submit(self._begin, self._process))

    def log(self, record: Record) -> Future[Logged]:
        """Queues a record; the future gives where it went."""
        job = record.to_json() | {"at": int(time.time() * 1000), "again": False}
        asked = self._line.submit(self._logged, job | {"key": uuid.uuid4().hex if self._outbox else None})
        self._waiting.append(asked)
        return asked

    def told(self) -> str:
        """Where everything went, in one line for people; to be asked after leaving the tracker."""
        waiting = len(self._outbox.waiting()) if self._outbox else 0
        logged = "logged to MLflow" + (f", with {self._sent} runs that had waited" if self._sent else "")
        if not waiting:
            return logged
        why = self._why.message if self._why else "another command is sending them."
        return f"{waiting} runs wait in {FOLDER}/ for MLflow, and are sent by the next training or run: {why}"

    def alias(self, model_name: str, model_version: str, alias: Alias) -> None:
        """Moves an alias of a registered model to one of its versions."""
        self._do({"do": "alias", "name": model_name, "version": model_version, "alias": alias})

    def read(self, run_id: str, artifact: str) -> str:
        """The text of one artifact of a run."""
        return str(self._do({"do": "read", "run_id": run_id, "artifact": artifact})["text"])

    def describe(self, run_id: str) -> dict[str, Any]:
        """A run's `status`, `experiment`, `params`, `metrics`, `tags`, and `versions`: [name, number] of its models."""
        return self._do({"do": "describe", "run_id": run_id})

    def fetch(self, run_id: str, artifact: str, folder: Path) -> None:
        """Copies a folder of a run's artifacts into `folder`, which is there already."""
        self._do({"do": "fetch", "run_id": run_id, "artifact": artifact, "folder": str(folder)})

    def close(self) -> None:
        """Waits until everything is logged and ends the process; raises the first failure."""
        try:
            for waiting in self._waiting:
                waiting.result()
        finally:
            self._end()

    def _end(self) -> None:
        self._line.shutdown(wait=False, cancel_futures=True)
        if self._process is not None:
            self._process.end()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            if self._process is not None:
                self._process.kill()
            self._end()

    def _begin(self, process: Line) -> None:
        """Waits for the process, then sends what waits from earlier."""
        try:
            process.ready()
        except RepriseError as error:
            self._away = self._why = error
            if self._outbox is None:
                raise
            return
        if self._outbox is not None and self._outbox.waiting():
            # Refused where another command is sending just these.
            with suppress(RepriseError), self._workspace.lock("tracking"):
                self._send(self._outbox)

    def _send(self, outbox: Outbox) -> None:
        for kept in outbox.waiting():
            try:
                record = outbox.read(kept)
            except RepriseError as error:
                self._why = error
                continue
            if self._take(record) is not None:
                outbox.drop(kept)
                self._sent += 1

    def _logged(self, record: dict[str, Any]) -> Logged:
        # A run that is left open cannot wait: others are to be nested in it.
        if self._outbox is None or record["running"]:
            return Logged(**self._ask({"do": "log", "record": record}))
        if (logged := self._take(record)) is not None:
            return logged
        self._outbox.keep(record)
        return Logged(None, None)

    def _take(self, record: dict[str, Any]) -> Logged | None:
        """Where the server put a record; None where it did not, or is known not to answer."""
        try:
            return Logged(**self._ask({"do": "log", "record": record}))
        except RefusedError as error:
            self._why = error
        except RepriseError as error:
            self._away = self._why = error
        return None

    def _do(self, job: dict[str, Any]) -> dict[str, Any]:
        return self._line.submit(self._ask, job).result()

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        if self._away is not None or self._process is None:
            raise self._away or RepriseError(f"MLflow at {shown(self.uri)} was not opened.")
        return self._process.ask(job)


def check_store(uri: str) -> None:
    """Tells a damaged local store, or a dead or hanging server, before any work is done for it."""
    if uri.startswith("sqlite:///"):
        _check_database(Path(uri.removeprefix("sqlite:///")))
    if not uri.startswith(("http://", "https://")):
        return
    try:
        urllib.request.urlopen(USER.sub("//", uri), timeout=SECONDS_FOR_SERVER).close()
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise RepriseError(
            f"MLflow at {shown(uri)} cannot be reached: {reason}.",
            hint="Start it, or correct [training] tracking_uri in reprise.toml. "
            "Published releases are served without MLflow.",
        ) from error


def _check_database(path: Path) -> None:
    """`RepriseError` where the file is there and is no SQLite database; it is only read."""
    if not path.exists():
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            database.execute("pragma schema_version").fetchone()
    except sqlite3.Error as error:
        raise RepriseError(
            f"{path} is no SQLite database that can be read ({error}).",
            hint="Move it away to begin a new tracking store; models and releases do not depend on it.",
        ) from error


def _from_template(uri: str) -> None:
    """Starts a new sqlite store as a copy of the empty one made at installation; its migrations take seconds."""
    target = Path(uri.removeprefix("sqlite:///"))
    if uri.startswith("sqlite:///") and TEMPLATE.is_file() and not target.exists() and target.parent.is_dir():
        with atomic_file(target) as temporary:
            shutil.copyfile(TEMPLATE, temporary)


def prepare(workspace: Workspace, patient: bool = False) -> Tracker:
    """Starts the tracking process, which imports MLflow and makes the database beside other work."""
    return Tracker(workspace, patient)
