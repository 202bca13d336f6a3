"""The service owes MLflow nothing: it answers while the tracking server hangs, and once it is dead (F15–F17)."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from serving.runner import serve
from warehouse.workspace import Workspace

QUESTIONS = (
    ("GET", "/readyz", None),
    ("GET", "/v1/release", None),
    ("GET", "/v1/users/007/scores", None),
    ("GET", "/v1/users/007/suggestions", None),
    ("GET", "/v1/items/item1/similar", None),
    ("POST", "/v1/audience", {"rule": "everyone"}),
    ("POST", "/v1/score", {"as_of": "2024-06-01"}),
)


@pytest.fixture
def hanging() -> Iterator[socket.socket]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def test_nobody_asks_the_tracking_server(
    releases: Path, tmp_path: Path, hanging: socket.socket, free_port: int
) -> None:
    shutil.copytree(releases, tmp_path / "releases")
    uri = f"http://127.0.0.1:{hanging.getsockname()[1]}"
    (tmp_path / "reprise.toml").write_text(f'[training]\ntracking_uri = "{uri}"\n', encoding="utf-8")
    (tmp_path / "mlflow.db").write_bytes(b"no database")
    environment = {**os.environ, "MLFLOW_TRACKING_URI": uri}
    running = serve(Workspace.open(tmp_path), port=free_port, bare=True, environment=environment)
    try:
        running.wait_ready()
        with httpx.Client(base_url=running.url, timeout=30) as asking:
            while_it_hangs = [asking.request(method, path, json=body).status_code for method, path, body in QUESTIONS]
            with pytest.raises(BlockingIOError):
                hanging.accept()
            hanging.close()
            after = [asking.request(method, path, json=body).status_code for method, path, body in QUESTIONS]
    finally:
        running.stop()
    assert while_it_hangs == after == [200] * len(QUESTIONS)
