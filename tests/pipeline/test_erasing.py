"""A user erased from a workspace that has done everything: nothing of them is left, and nobody else notices."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from cli.main import call
from models.recommenders.plain_arrays import read_arrays
from pipeline import journal
from pipeline.rebuilding import rebuild_audience
from serving.runner import Running, serve
from tests.pipeline.conftest import QUICK
from tests.pipeline.rows_of_files import read_rows, write_rows
from warehouse.shop import make_shop
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

USER, DEVICE, PHONE, NAME = "canary-user-7f3a", "canary-device-9d", "13912345678", "Canary Nameless"
WORDS = (USER, DEVICE, PHONE, NAME)
FIRST, SECOND = date(2026, 8, 13), date(2026, 8, 20)
Row = dict[str, Any]


@dataclass(frozen=True)
class Before:
    """A workspace that has done everything, the answers about others, and where the canaries were."""

    workspace: Workspace
    others: tuple[str, ...]
    answers: dict[str, bytes]
    inputs: dict[Path, bytes]
    held: frozenset[str]


def _renamed(rows: list[Row], names: dict[str, str]) -> list[Row]:
    return [{column: names.get(str(value), value) for column, value in row.items()} for row in rows]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A made-up shop in which one good customer bears canaries, and mentions, devices and bad rows are theirs, too."""
    root = tmp_path_factory.mktemp("files")
    shop = make_shop(root / "shop", users=300, seed=5, days=170)
    tables = {name: read_rows(path) for name, path in shop.files.items() if name != "contacts"}
    orders: dict[str, list[str]] = {}
    for row in tables["orders"]:
        orders.setdefault(row["user_id"], []).append(row["ordered_at"])
    regular = [user for user, at in orders.items() if user and sum(a < "2026-08-01" for a in at) > 5]
    user = next(one for one in regular if any(row["user_id"] == one for row in tables["events"]))
    devices = {row["device_id"] for row in tables["events"] if row["user_id"] == user}
    names = {user: USER, **{device: DEVICE for device in devices if device}}
    tables = {name: _renamed(rows, names) for name, rows in tables.items()}
    last = max(row["occurred_at"] for row in tables["events"] if row["device_id"] == DEVICE)
    tables["events"].append({"occurred_at": last, "event": "page_view", "device_id": DEVICE, "recorded_at": last})
    for row in tables["users"]:
        row |= {"name": NAME, "phone": PHONE} if row["user_id"] == USER else {"name": "Someone Else", "phone": "1"}
    friend = next(row for row in tables["users"] if row["user_id"] == regular[-1])
    friend["referred_by"] = USER
    tables["identities"].append({"user_id": USER, "kind": "phone", "value": PHONE})
    tables["tags"].append({"user_id": USER, "tag": "vip", "set_at": "2026-07-01 00:00:00", "value": NAME})
    bad = next(row for row in tables["orders"] if row["user_id"] == USER)
    tables["orders"].append({**bad, "order_id": "bad", "amount": "much"})
    return {name: write_rows(root / f"{name}.csv", rows) for name, rows in tables.items()}


@pytest.fixture(scope="module")
def before(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Before:
    root = tmp_path_factory.mktemp("erased") / "w"
    init_workspace(root, files=files, tz="Asia/Shanghai", policies={"orders": {"on_problem": "quarantine"}})
    settings = root / "reprise.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + QUICK, encoding="utf-8")
    w = ["-w", str(root)]
    for day in (FIRST, SECOND):
        assert call([*w, "run", "--as-of", str(day)]) == 0
        assert call([*w, "audience", "build", "all", "--rule", "order_count_lifetime >= 1"]) == 0
    assert call([*w, "export", "scores", "--out", str(root / "scores.csv"), "--format", "wide"]) == 0
    assert call([*w, "export", "suggestions", "--out", str(root / "mine" / "s.jsonl")]) == 0
    assert call([*w, "export", "features", "--out", str(root / "f.parquet")]) == 0
    (root / "notes.csv").write_text(f"user_id,note\n{USER},called\n")
    workspace = Workspace.open(root)
    release = workspace.releases / str((workspace.releases / "CURRENT").read_text().strip())
    scored = sorted(set(pq.read_table(release / "scores.parquet")["user_id"].to_pylist()) - {USER})
    inputs = {path: path.read_bytes() for path in files.values()}
    return Before(workspace, tuple(scored[::5]), {}, inputs, frozenset(_holding(root)))


def _text(path: Path) -> Iterator[bytes]:
    """What a file holds: its bytes, and what is packed in them."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        yield str(pq.read_table(path).to_pylist()).encode()
        yield str(pq.read_metadata(path).to_dict()).encode()
    if path.suffix == ".npz":
        yield from (array.tobytes() for array in read_arrays(path).values())
    if path.suffix == ".db":
        with sqlite3.connect(path) as connection:
            yield from (line.encode() for line in connection.iterdump())


def _holding(root: Path) -> dict[str, list[str]]:
    """The files under a folder that hold a canary, by their paths, with the canaries they hold."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.name != "notes.csv":
            parts = list(_text(path))
            if words := [word for word in WORDS if any(word.encode() in part for part in parts)]:
                found[path.relative_to(root).as_posix()] = words
    return found


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url) as response:
        return bytes(response.read())


def _answers(running: Running, users: Iterable[str]) -> dict[str, bytes]:
    paths = [f"/v1/users/{user}/{what}" for user in users for what in ("scores", "suggestions?k=7")]
    return {path: _get(f"{running.url}{path}") for path in paths}


@pytest.fixture(scope="module")
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _until(happens: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not happens():
        assert time.monotonic() < limit
        time.sleep(0.05)


def test_without_yes_nothing_is_touched(before: Before, capfd: pytest.CaptureFixture[str]) -> None:
    root = before.workspace.root
    there = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file() and path.suffix != ".lock"}
    capfd.readouterr()
    assert call(["-w", str(root), "erase", USER, "--reason", "asked on 1 September"]) == 0
    told = capfd.readouterr().out
    assert "would erase 1 user" in told
    assert "add --yes" in told
    assert "not touched, because it is not ours: notes.csv" in told
    assert {path: path.stat().st_mtime_ns for path in there} == there
    assert not (root / "erasures").exists()
    # The grep that is to find nothing later finds what there is.
    for place in ("store/rejects", "store/orders", "releases", "snapshots", "audiences", "scores.csv", "f.parquet"):
        assert any(path.startswith(place) for path in before.held), place


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["nobody-at-all", "--reason", "x", "--yes"], 3, "1 of 1 ids are in no table"),
        ([USER, "--reason", f"{USER} asked", "--yes"], 2, "The reason names one of the users"),
        (["--reason", "x", "--yes"], 2, "Whom to erase is not said"),
    ],
)
def test_slips(before: Before, arguments: list[str], code: int, told: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(["-w", str(before.workspace.root), "erase", *arguments]) == code
    assert told in capfd.readouterr().err


def test_the_erased_is_unknown_and_nobody_else_notices(before: Before, port: int) -> None:
    workspace, root = before.workspace, before.workspace.root
    with serve(workspace, port=port, bare=True) as running:
        running.wait_ready()
        answers = _answers(running, before.others)
        assert json.loads(_get(f"{running.url}/v1/users/{USER}/scores"))["known"]
        unknown = json.loads(_get(f"{running.url}/v1/users/never-seen/scores"))
        assert call(["-w", str(root), "erase", USER, "--reason", "asked", "--yes"]) == 0
        _until(lambda: not json.loads(_get(f"{running.url}/v1/users/{USER}/scores"))["known"])
        assert json.loads(_get(f"{running.url}/v1/users/{USER}/scores")) == {**unknown, "user_id": USER}
        assert _answers(running, before.others) == answers
    assert _holding(root) == {}
    assert {path: path.read_bytes() for path in before.inputs} == before.inputs
    assert (root / "notes.csv").read_text() == f"user_id,note\n{USER},called\n"


def test_the_erasure_is_recorded_without_the_id(before: Before) -> None:
    told = json.loads((before.workspace.root / "erasures" / "erasures.json").read_text())
    (erasure,) = told["erasures"]
    assert erasure["reason"] == "asked"
    assert erasure["finished"] == erasure["at"]
    assert len(erasure["users"]) == 1
    assert erasure["removed"]["store/orders"] > 5


def test_exports_and_audiences_keep_everybody_else(before: Before) -> None:
    root = before.workspace.root
    for path in (root / "scores.csv", root / "f.parquet"):
        told = json.loads(path.with_name(f"{path.name}.manifest.json").read_text())
        rows = read_rows(path)
        assert told["rows"] == len(rows) > 200
    lines = (root / "mine" / "s.jsonl").read_text().splitlines()
    assert all(json.loads(line)["user_id"] for line in lines)
    for day in (FIRST, SECOND):
        folder = root / "audiences" / "all" / str(day)
        told = json.loads((folder / "manifest.json").read_text())
        assert told["counts"]["erased"] == 1
        assert (
            told["counts"]["left"]
            == len(read_rows(folder / "audience.csv"))
            == len(read_rows(folder / "audience.parquet"))
        )
        assert rebuild_audience(before.workspace, "all", day, root / f"again-{day}").rebuilt.identical


def test_no_run_is_due_because_of_it(before: Before) -> None:
    entry = journal.finished(before.workspace, SECOND)
    assert entry is not None
    assert entry.data == Store(before.workspace).fingerprint()


def _contents(workspace: Workspace) -> dict[str, dict[str, str]]:
    """The hashes of all files but those of contact points, which carry no time but that of loading."""
    store = Store(workspace)
    return {table: store.manifest(table).contents for table in store.tables - {"identities"}}


def test_the_store_made_anew_keeps_them_out(before: Before, capfd: pytest.CaptureFixture[str]) -> None:
    root = before.workspace.root
    kept = _contents(before.workspace)
    shutil.rmtree(root / "store")
    assert call(["-w", str(root), "check"]) == 0
    assert "erased" in capfd.readouterr().out
    assert _contents(before.workspace) == kept
    assert call(["-w", str(root), "run", "--as-of", str(SECOND)]) == 0
    assert _holding(root) == {}


def test_erased_again_says_so(before: Before, capfd: pytest.CaptureFixture[str]) -> None:
    assert call(["-w", str(before.workspace.root), "erase", USER, "--reason", "again", "--yes"]) == 0
    assert "1 of them were erased before" in capfd.readouterr().out
