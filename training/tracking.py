"""MLflow, at arm's length: a process of its own imports it, makes the database and logs, while models are trained.

Importing MLflow and creating its database take seconds, a dead server hangs it for longer, and it warns and prints as
it likes: none of that reaches the caller. What crosses the line is JSON (`mlflow_process`).
"""

from __future__ import annotations

import errno
import json
import math
import os
import selectors
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from warehouse.errors import RepriseError
from warehouse.files import atomic_file, explained
from warehouse.workspace import Workspace

Alias = Literal["champion", "challenger"]
SECONDS_FOR_START = 120.0
SECONDS_FOR_ANSWER = 60.0
SECONDS_FOR_SERVER = 3.0
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}

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
    """Where a record went."""

    run_id: str
    model_version: str | None


class Tracker:
    """A connection to the tracking store of a workspace. Opening it returns at once; the first answer may take
    seconds. Use it as a context manager: leaving it waits until everything is logged, and raises what went wrong.

    Every failure is a `RepriseError` that names the URI. A server that cannot be reached is told within seconds.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.uri = workspace.tracking_uri
        self._check_store()
        _from_template(self.uri)
        local = workspace.root / "mlflow-artifacts" if self.uri.startswith("sqlite:") else None
        self._told = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        roots = [str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "training.mlflow_process", self.uri, str(local or "")],
            env={**os.environ, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, roots))},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._told,
            text=True,
            encoding="utf-8",
        )
        self._line = ThreadPoolExecutor(1, "mlflow")
        self._ready = self._line.submit(self._answer, SECONDS_FOR_START)
        self._waiting: list[Future[Any]] = [self._ready]

    def log(self, record: Record) -> Future[Logged]:
        """Queues a record; the future gives where it went."""
        asked = self._line.submit(self._logged, record.to_json())
        self._waiting.append(asked)
        return asked

    def _logged(self, record: dict[str, Any]) -> Logged:
        return Logged(**self._ask({"do": "log", "record": record}))

    def alias(self, model_name: str, model_version: str, alias: Alias) -> None:
        """Moves an alias of a registered model to one of its versions."""
        job = {"do": "alias", "name": model_name, "version": model_version, "alias": alias}
        self._line.submit(self._ask, job).result()

    def read(self, run_id: str, artifact: str) -> str:
        """The text of one artifact of a run."""
        return str(
            self._line.submit(self._ask, {"do": "read", "run_id": run_id, "artifact": artifact}).result()["text"]
        )

    def describe(self, run_id: str) -> dict[str, Any]:
        """A run's `status`, `experiment`, `params`, `metrics`, `tags`, and `versions`: [name, number] of its models."""
        found: dict[str, Any] = self._line.submit(self._ask, {"do": "describe", "run_id": run_id}).result()
        return found

    def fetch(self, run_id: str, artifact: str, folder: Path) -> None:
        """Copies a folder of a run's artifacts into `folder`, which is there already."""
        job = {"do": "fetch", "run_id": run_id, "artifact": artifact, "folder": str(folder)}
        self._line.submit(self._ask, job).result()

    def close(self) -> None:
        """Waits until everything is logged and ends the process; raises the first failure."""
        try:
            for waiting in self._waiting:
                waiting.result()
        finally:
            self._end()

    def _end(self) -> None:
        self._line.shutdown(wait=False, cancel_futures=True)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                pipe.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._told.close()

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._process.kill()
            self._end()

    def _ask(self, job: dict[str, Any]) -> dict[str, Any]:
        self._ready.result()
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(job) + "\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError) as error:
            raise self._failure("its process ended") from error
        return self._answer(SECONDS_FOR_ANSWER)

    def _answer(self, seconds: float) -> dict[str, Any]:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            if not waiting.select(seconds):
                self._process.kill()
                raise self._failure(f"no answer within {seconds:.0f} seconds")
        line = self._process.stdout.readline()
        if not line:
            raise self._failure("its process ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise self._failure(str(answer["error"]))
        return answer

    def _failure(self, why: str) -> RepriseError:
        self._told.seek(0)
        last = [line for line in self._told.read().splitlines() if line.strip() and " INFO " not in line][-1:]
        told = f" It said: {last[0].strip()}" if last and "ended" in why else ""
        if "disk is full" in why or "No space left" in why:
            return explained(OSError(errno.ENOSPC, why), Path(self.uri.removeprefix("sqlite:///")))
        return RepriseError(
            f"MLflow at {self.uri} failed: {why}.{told}",
            hint="Check [training] tracking_uri in reprise.toml. Published releases are served without MLflow.",
        )

    def _check_store(self) -> None:
        """Tells a damaged local store, or a dead or hanging server, before any work is done for it."""
        if self.uri.startswith("sqlite:///"):
            _check_database(Path(self.uri.removeprefix("sqlite:///")))
        if not self.uri.startswith(("http://", "https://")):
            return
        try:
            urllib.request.urlopen(self.uri, timeout=SECONDS_FOR_SERVER).close()
        except urllib.error.HTTPError:
            return
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise RepriseError(
                f"MLflow at {self.uri} cannot be reached: {reason}.",
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


def prepare(workspace: Workspace) -> Tracker:
    """Starts the tracking process, which imports MLflow and makes the database beside other work."""
    return Tracker(workspace)
