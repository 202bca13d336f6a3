"""The real service: BentoML in a process of its own, asked over HTTP, swapped while it answers.

The tracking server it is told of hangs from the start and then dies (F15–F17): the service owes MLflow nothing.
"""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from serving import wire
from serving.publication import publish
from serving.release import Release, ReleaseContents, write_release
from serving.runner import Running, serve
from warehouse.workspace import Workspace

LINE = {"user_id": "u1", "ordered_at": "2024-05-01T10:00:00Z", "amount": 3}
JSON = {"content-type": "application/json"}
CANARY = "canary-4711"


@pytest.fixture(scope="module")
def tracking() -> Iterator[socket.socket]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        hanging.setblocking(False)
        yield hanging


@pytest.fixture(scope="module")
def workspace(releases: Path, tracking: socket.socket, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("served")
    shutil.copytree(releases, root / "releases")
    uri = f"http://127.0.0.1:{tracking.getsockname()[1]}"
    (root / "reprise.toml").write_text(f'[training]\ntracking_uri = "{uri}"\n', encoding="utf-8")
    (root / "mlflow.db").write_bytes(b"no database")
    return Workspace.open(root)


@pytest.fixture(scope="module")
def running(workspace: Workspace, free_port: int) -> Iterator[Running]:
    environment = {**os.environ, "MLFLOW_TRACKING_URI": workspace.tracking_uri}
    started = serve(workspace, port=free_port, output=workspace.root / "service.log", environment=environment)
    try:
        started.wait_ready()
        yield started
        assert started.stop() == 0
    finally:
        started.stop()


@pytest.fixture(scope="module")
def http(running: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=running.url, timeout=60) as asking:
        yield asking


def test_nobody_asks_the_tracking_server(http: httpx.Client, tracking: socket.socket) -> None:
    def statuses() -> set[int]:
        gets = ("/readyz", "/v1/release", "/v1/users/7/scores", "/v1/users/7/suggestions", "/v1/items/item1/similar")
        posts = {"/v1/audience": {"rule": "everyone"}, "/v1/score": {"as_of": "2024-06-01", "orders": [LINE]}}
        answers = [http.get(path) for path in gets] + [http.post(path, json=body) for path, body in posts.items()]
        return {answer.status_code for answer in answers}

    assert statuses() == {200}
    with pytest.raises(BlockingIOError):
        tracking.accept()
    tracking.close()
    assert statuses() == {200}


@pytest.mark.parametrize("user", ["007", "a/b", "小明", "nobody"])
def test_get_equals_the_release(http: httpx.Client, release: Release, user: str) -> None:
    told = http.get(f"/v1/users/{quote(user, safe='')}/scores").json()
    assert told["user_id"] == user
    mine = sorted(release.scores.of(user) or (), key=lambda score: (score["target"], score["horizon_days"]))
    assert told["scores"] == mine or not told["known"]


def test_all_bodies_are_understood(http: httpx.Client, workspace: Workspace) -> None:
    scored = http.post("/v1/score", json={"as_of": "2024-06-01", "orders": [LINE]})
    assert [user.user_id for user in wire.LineScores.model_validate_json(scored.content).users] == ["u1"]
    wire.Audience.model_validate_json(http.post("/v1/audience", json={"rule": "everyone"}).content)
    shown = {"suggestion_id": "s1", "user_id": "u1", "item_id": "i1", "shown_at": "2024-06-01T10:00:00Z"}
    kept = http.post("/v1/exposures", json={"exposures": [shown]})
    assert wire.KeptExposures.model_validate_json(kept.content).kept == 1
    assert (workspace.exposures / "open.csv").read_text().count("\n") == 2


@pytest.mark.parametrize(
    ("method", "path", "more", "status"),
    [
        ("GET", "/nothing", {}, 404),
        ("GET", "/docs.json", {}, 404),
        ("GET", "/v1/users/007/suggestions?k=0", {}, 422),
        ("GET", "/v1/users/007/suggestions?k=101", {}, 422),
        ("DELETE", "/v1/release", {}, 405),
        ("GET", "/v1/score", {}, 405),
        ("POST", "/v1/score", {"content": b"{}", "headers": {"content-type": "text/plain"}}, 415),
        ("POST", "/v1/score", {"content": b"\x80", "headers": {"content-type": "application/vnd.bentoml+pickle"}}, 415),
        ("POST", "/v1/score", {"content": b'{"as_of": NaN}', "headers": JSON}, 400),
        ("POST", "/v1/score", {"json": {"as_of": "2024-06-01", "x": CANARY}}, 422),
        ("POST", "/v1/score", {"json": {"as_of": "2024-06-01", "orders": [{**LINE, "amount": CANARY}]}}, 422),
        ("POST", "/v1/score", {"json": {"as_of": "2024-06-01", "orders": [LINE] * 1001}}, 422),
        ("POST", "/v1/audience", {"json": {"rule": "nothing > 3"}}, 422),
        ("POST", "/v1/exposures", {"json": {"exposures": [{"user_id": CANARY}]}}, 422),
        ("POST", "/v1/exposures", {"json": {"exposures": []}, "headers": {"content-type": "text/csv"}}, 415),
    ],
)
def test_every_error_is_a_problem(http: httpx.Client, method: str, path: str, more: Any, status: int) -> None:
    response = http.request(method, path, **more)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert wire.Problem.model_validate_json(response.content).status == status
    assert CANARY not in response.text


def test_a_body_of_40_megabytes_is_refused_unread(http: httpx.Client) -> None:
    with suppress(httpx.WriteError, httpx.ReadError):  # the connection may be reset while we still send
        assert http.post("/v1/score", content=b" " * 40_000_000, headers=JSON).status_code == 413
    assert http.get("/livez").status_code == 200


def test_pages_are_ours(http: httpx.Client) -> None:
    for path in ("/", "/docs"):
        page = http.get(path).text
        assert "Reprise" in page
        assert "://" not in page
        assert "<script" not in page
    assert http.get("/v1/openapi.json").json()["info"]["title"] == "Reprise"


def test_a_release_published_meanwhile_is_served(
    http: httpx.Client, workspace: Workspace, contents: ReleaseContents
) -> None:
    write_release(workspace.releases / "r2", replace(contents, release="r2", previous="r1"))
    publish(workspace.releases, "r2")
    seen, deadline = set(), time.monotonic() + 120
    while "r2" not in seen and time.monotonic() < deadline:
        response = http.get("/v1/users/007/scores")
        assert response.status_code == 200
        seen.add(response.json()["release"])
    assert {"r2"} <= seen <= {"r1", "r2"}
    assert http.get("/v1/release").json()["previous"] == "r1"


def test_no_id_and_no_value_reaches_log_or_metrics(http: httpx.Client, workspace: Workspace) -> None:
    http.get(f"/v1/users/{CANARY}/scores")
    http.post("/v1/score", json={"as_of": "2024-06-01", "orders": [{**LINE, "user_id": f" {CANARY}"}]})
    assert CANARY not in http.get("/metrics").text
    assert CANARY not in (workspace.root / "service.log").read_text()
