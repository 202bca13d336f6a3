"""A real MLflow server for tests, on a PostgreSQL: started on a free port, paused, resumed and stopped."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS_FOR_START = 180
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def absent() -> str | None:
    """Why no such server can be started here."""
    if importlib.util.find_spec("psycopg") is None:
        return "MLflow has no driver for PostgreSQL: pip install --require-hashes -r requirements/mlflow-server.txt"
    return None


class Server:
    """A running server, at `uri`."""

    def __init__(self, uri: str, process: subprocess.Popen[bytes]) -> None:
        self.uri = uri
        self._process = process

    def call(self, path: str, **body: Any) -> dict[str, Any]:
        """What the REST interface answers to a POST."""
        address = f"{self.uri}/api/2.0/mlflow/{path}"
        asked = urllib.request.Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            found: dict[str, Any] = json.load(answer)
        return found

    def get(self, path: str) -> str:
        """What the server answers to a GET."""
        with urllib.request.urlopen(f"{self.uri}/{path}", timeout=30) as answer:
            return str(answer.read().decode())

    def runs(self, experiment: str) -> list[dict[str, Any]]:
        """All runs of an experiment, the latest first."""
        found = json.loads(self.get(f"api/2.0/mlflow/experiments/get-by-name?experiment_name={experiment}"))
        ids = [found["experiment"]["experiment_id"]]
        runs: list[dict[str, Any]] = self.call("runs/search", experiment_ids=ids, max_results=1000).get("runs", [])
        return runs

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The server accepts connections and answers none, as one does that hangs."""
        os.killpg(self._process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._process.pid, signal.SIGCONT)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(database: str, artifacts: Path) -> Iterator[Server]:
    """An MLflow server that keeps its runs in that database, and what they hold in that folder."""
    port = _free_port()
    words = ["server", "--workers", "1", "--backend-store-uri", database, "--artifacts-destination", str(artifacts)]
    with (artifacts.parent / "mlflow.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "mlflow", *words, "--host", "127.0.0.1", "--port", str(port)],
            env={**os.environ, **ENVIRONMENT},
            cwd=artifacts.parent,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", process)
    try:
        for _ in range(SECONDS_FOR_START * 4):
            try:
                server.get("health")
                break
            except urllib.error.URLError:
                if process.poll() is not None:
                    raise RuntimeError((artifacts.parent / "mlflow.log").read_text(encoding="utf-8")[-2000:]) from None
                time.sleep(0.25)
        yield server
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
