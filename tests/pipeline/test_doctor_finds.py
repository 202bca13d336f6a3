"""The doctor against real faults: each is made, found, and told with what to do; without it all is well."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.doctor import documented, examine
from pipeline.findings import Finding
from training.outbox import Outbox
from training.tracking import TEMPLATE
from warehouse.erasures import Erasure, Tombstones
from warehouse.errors import RepriseError
from warehouse.store import Store
from warehouse.workspace import Workspace

NOW = datetime(2024, 5, 3)
DOCUMENT = Path(__file__).parents[2] / "docs" / "doctor.md"
SETTINGS = """time_zone = "UTC"
buckets = 1
[tables.orders]
files = ["orders.csv"]
[tables.users]
source = "sqlite:///users.db"
query = "select user_id from users"
[suppression]
file = "opt-outs.csv"
[serving]
port = {port}
"""


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tracking store of MLflow's own making."""
    path = tmp_path_factory.mktemp("tracked") / "mlflow.db"
    if TEMPLATE.is_file():
        shutil.copyfile(TEMPLATE, path)
    else:
        made = f"import mlflow; mlflow.MlflowClient('sqlite:///{path}').search_experiments()"
        subprocess.run([sys.executable, "-c", made], check=True, capture_output=True)
    return path


@pytest.fixture
def well(tmp_path: Path, tracked: Path) -> Path:
    """A workspace with which nothing is wrong."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        (tmp_path / "reprise.toml").write_text(SETTINGS.format(port=free.getsockname()[1]))
    (tmp_path / "orders.csv").write_text("user_id,ordered_at,amount\nu1,2024-05-01,10\nu2,2024-05-02,3\n")
    (tmp_path / "opt-outs.csv").write_text("user_id\nu9\n")
    os.utime(tmp_path / "opt-outs.csv", (NOW.timestamp(), NOW.timestamp()))
    with closing(sqlite3.connect(tmp_path / "users.db")) as users:
        users.executescript("create table users (user_id text); insert into users values ('u1'), ('u2');")
    (tmp_path / "mlflow.db").write_bytes(tracked.read_bytes())
    Store(Workspace.open(tmp_path)).load_new(NOW)
    return tmp_path


def told(root: Path, now: datetime = NOW) -> dict[str, Finding]:
    """What is not well, by what was looked at."""
    found = examine(Workspace.open(root), now)
    return {each.what: each for each in found if each.state != "ok" and each.what not in ("disk", "release")}


def _file_of(root: Path, table: str) -> Path:
    return next((root / "store" / table).rglob("bucket-0000.parquet"))


def _edit(root: Path, before: str, after: str) -> None:
    path = root / "reprise.toml"
    path.write_text(path.read_text().replace(before, after))


def _sql(root: Path, statement: str) -> None:
    with closing(sqlite3.connect(root / "mlflow.db")) as connection:
        connection.execute(statement)
        connection.commit()


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _leave(path: Path) -> None:
    path.mkdir()


FAULTS: dict[str, tuple[Callable[[Path], object], str, str, str]] = {
    "torn pointer": (
        lambda r: _truncate(r / "store" / "current.json"), "store", "current.json is damaged", "made anew"),
    "torn manifest": (
        lambda r: _truncate(next((r / "store" / "orders").rglob("manifest.json"))),
        "store", "manifest.json is damaged", "made anew"),
    "lost version": (
        lambda r: next((r / "store" / "orders").rglob("manifest.json")).unlink(), "store", "is missing", "made anew"),
    "damaged file": (lambda r: _truncate(_file_of(r, "orders")), "store", "orders: bucket-0000", "made anew"),
    "format of a later version": (
        lambda r: (p := next((r / "store" / "orders").rglob("manifest.json"))).write_text(
            p.read_text().replace('"format": 1', '"format": 9')),
        "store", "format 9", "made anew"),
    "files gone": (lambda r: (r / "orders.csv").unlink(), "files", "orders.csv is not there", "reprise.toml"),
    "folder is a file": (lambda r: (r / "models").write_text(""), "folders", "is a file", "Move it away"),
    "database gone": (lambda r: (r / "users.db").unlink(), "databases", "users: sqlite:///users.db", "address"),
    "secret missing": (
        lambda r: _edit(r, "sqlite:///users.db", "postgresql://me:${REPRISE_NO_SUCH}@127.0.0.1/shop"),
        "databases", "REPRISE_NO_SUCH", ""),
    "server not there": (
        lambda r: _edit(r, "sqlite:///users.db", "postgresql://127.0.0.1:1/shop"),
        "databases", "cannot be reached", "Check the address"),
    "erasure interrupted": (
        lambda r: Tombstones(r).add(Erasure("2024-05-02T00:00:00Z", "asked", ("x",))),
        "erasures", "was interrupted", "again"),
    "list of the erased torn": (
        lambda r: (Tombstones(r).add(Erasure("2024-05-02T00:00:00Z", "asked", ("x",))),
                   _truncate(next(r.rglob("erasures.json")))),
        "erasures", "is damaged", "from a copy"),
    "note of a run torn": (
        lambda r: ((r / "runs").mkdir(), (r / "runs" / "2024-05-02.json").write_text('{"as_of"')),
        "runs", "2024-05-02.json is damaged", "Delete it"),
    "tracking damaged": (
        lambda r: (r / "mlflow.db").write_bytes(b"no database at all"), "tracking", "cannot be read", "Move it away"),
    "tracking older": (
        lambda r: _sql(r, "update alembic_version set version_num = '451aebb31d03'"),
        "tracking", "older version", "mlflow db upgrade"),
    "tracking newer": (
        lambda r: _sql(r, "update alembic_version set version_num = 'ffffffffffff'"),
        "tracking", "newer version", "Install that version"),
    "opt-outs gone": (lambda r: (r / "opt-outs.csv").unlink(), "suppression", "cannot be read", "Put it there"),
    "opt-outs empty": (
        lambda r: ((r / "opt-outs.csv").write_text("user_id\n"), os.utime(r / "opt-outs.csv", (NOW.timestamp(),) * 2)),
        "suppression", "holds no user", "allow an empty list"),
    "opt-outs old": (
        lambda r: os.utime(r / "opt-outs.csv", (NOW.timestamp() - 90_000,) * 2), "suppression", "25 hours", "anew"),
    "opt-outs ahead": (
        lambda r: os.utime(r / "opt-outs.csv", (NOW.timestamp() + 9_000,) * 2), "suppression", "future", "clock"),
    "leftovers": (lambda r: _leave(r / "store" / ".writing-0123-x"), "leftovers", "1 unfinished", "delete it"),
}  # fmt: skip


def test_with_nothing_wrong_nothing_is_told(well: Path) -> None:
    assert told(well) == {}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_and_told_with_what_to_do(well: Path, fault: str) -> None:
    make, what, found, todo = FAULTS[fault]
    make(well)
    finding = told(well)[what]
    assert found in finding.found
    assert todo in finding.todo


@pytest.fixture
def held(well: Path) -> Iterator[Path]:
    """A workspace at whose tracking store somebody writes."""
    with closing(sqlite3.connect(well / "mlflow.db", isolation_level=None)) as writer:
        writer.execute("begin exclusive")
        yield well


def test_a_locked_tracking_store_is_not_to_be_moved_away(held: Path) -> None:
    finding = told(held)["tracking"]
    assert "locked" in finding.found
    assert finding.todo == "Wait until the other process has ended."


def _engine(root: Path, engine: str) -> Path:
    settings = root / "reprise.toml"
    settings.write_text(f'engine = "{engine}"\n' + settings.read_text())
    return root


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of something that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_spark_that_cannot_be_had_is_told(well: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark", reason="pyspark is not installed: pip install -e .[spark]")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    finding = told(_engine(well, "local-cluster[1,1,1024]"))["engine"]
    assert "needs Java, and there is none" in finding.found
    assert "Install Java 17 or 21" in finding.todo
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert 'pip install "reprise-crm[spark]"' in told(well)["engine"].todo


@pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas >= 3:FutureWarning")
def test_servers_that_never_answer_are_told(well: Path, silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyspark", reason="pyspark is not installed: pip install -e .[spark]")
    monkeypatch.setattr("warehouse.spark._ANSWER_SECONDS", 0.5)
    monkeypatch.setattr("training.tracking.SECONDS_FOR_SERVER", 0.5)
    tracked = f'[training]\ntracking_uri = "http://127.0.0.1:{silent}"\n[serving]'
    _edit(_engine(well, f"sc://127.0.0.1:{silent}"), "[serving]", tracked)
    Outbox(well).keep({"key": "0123456789", "model_files": None})
    found = told(well)
    assert f"127.0.0.1:{silent} is no Spark server" in found["engine"].found
    assert (found["tracking"].state, found["engine"].state) == ("warning", "broken")
    assert "timed out; 1 runs wait in mlflow-waiting/" in found["tracking"].found


def test_a_taken_port_and_a_command_at_work_are_told(well: Path) -> None:
    with socket.socket() as server, (well / ".run.lock").open("w") as lock:
        server.bind(("127.0.0.1", Workspace.open(well).settings.serving.port))
        server.listen()
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert told(well).keys() == {"port", "lock"}


def test_a_lock_whose_holder_was_killed_is_none(well: Path) -> None:
    (well / ".run.lock").write_text("process 99999999 since 2024-05-02T00:00:00Z")
    assert told(well) == {}


def test_data_that_no_longer_arrive_and_a_clock_that_is_behind(well: Path) -> None:
    later = told(well, datetime(2024, 5, 11))
    assert "day before 2024-05-03" in later["stale data"].found
    earlier = told(well, datetime(2024, 5, 2))
    assert earlier["clock"].todo == "Set the clock right."


def test_a_torn_store_is_told_by_other_commands_too(well: Path) -> None:
    _truncate(well / "store" / "current.json")
    with pytest.raises(RepriseError, match=r"current\.json is damaged"):
        Store(Workspace.open(well)).load_new(NOW)


def test_what_is_looked_at_is_documented() -> None:
    assert "\n".join(documented()) in DOCUMENT.read_text(encoding="utf-8")
