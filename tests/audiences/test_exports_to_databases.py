"""A list as a table of a real database: whole or as it was, and told by what changed."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as postgresql
import adbc_driver_sqlite.dbapi as sqlite
import pyarrow as pa
import pytest

from audiences.exports import export_to_database
from warehouse.databases import Database
from warehouse.errors import DataProblemError, RepriseError, UsageError

Ask = Callable[[str], list[tuple[Any, ...]]]
KEY = ("user_id", "target", "horizon_days")
ROOT = Path(__file__).resolve().parents[2]


def scores(*rows: tuple[str, float | None], release: str = "r1") -> pa.Table:
    return pa.table(
        {
            "user_id": pa.array([user for user, _ in rows], pa.string()),
            "target": pa.array(["churn"] * len(rows), pa.string()).dictionary_encode(),
            "horizon_days": pa.array([30] * len(rows), pa.int32()),
            "probability": pa.array([value for _, value in rows], pa.float64()),
            "as_of": pa.array([date(2025, 3, 1)] * len(rows), pa.date32()),
            "release": pa.array([release] * len(rows), pa.string()),
        }
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Database, Ask]]:
    """A database without a table of scores, and a way to ask it."""
    if request.param == "sqlite":
        database = Database.at("sqlite:///crm.db", tmp_path)

        def ask(query: str) -> list[tuple[Any, ...]]:
            with closing(sqlite3.connect(tmp_path / "crm.db")) as connection, connection:
                return connection.execute(query).fetchall()

        yield database, ask
        return
    database = Database.at(request.getfixturevalue("postgres"), tmp_path)

    def query(text: str) -> list[tuple[Any, ...]]:
        with postgresql.connect(database.uri) as connection, connection.cursor() as cursor:
            cursor.execute(text)
            found = [tuple(row) for row in cursor.fetchall()] if cursor.description else []
            connection.commit()
            return found

    query("drop table if exists scores")
    yield database, query


FIRST = scores(("007", 0.25), ("7", None), ("张三", float("nan")))
READ = "select user_id, target, horizon_days, probability, as_of, release from scores order by user_id"


def told(report: Any) -> tuple[int, int, int, int]:
    return report.added, report.removed, report.changed, report.unchanged


def test_added_removed_changed_and_the_same_again(place: tuple[Database, Ask]) -> None:
    database, ask = place
    report = export_to_database(FIRST, database, "scores", KEY)
    assert (report.created, told(report)) == (True, (3, 0, 0, 0))
    day = "2025-03-01" if database.kind == "sqlite" else date(2025, 3, 1)
    assert ask(READ) == [
        ("007", "churn", 30, 0.25, day, "r1"),
        ("7", "churn", 30, None, day, "r1"),
        ("张三", "churn", 30, None, day, "r1"),
    ]
    again = export_to_database(FIRST, database, "scores", KEY)
    assert (again.created, told(again)) == (False, (0, 0, 0, 3))
    assert "nothing was written" in again.lines()[0]
    later = export_to_database(scores(("007", 0.5), ("7", None), ("8", 0.75)), database, "scores", KEY)
    assert told(later) == (1, 1, 1, 1)
    assert [row[0] for row in ask(READ)] == ["007", "7", "8"]
    assert ask("select probability from scores where user_id = '007'") == [(0.5,)]
    assert told(export_to_database(scores(), database, "scores", KEY)) == (0, 3, 0, 0)


def test_the_key_is_the_primary_key_of_the_table(place: tuple[Database, Ask]) -> None:
    database, ask = place
    export_to_database(FIRST, database, "scores", KEY)
    with pytest.raises(Exception, match=r"(?i)unique"):
        ask("insert into scores select * from scores")
    with pytest.raises(DataProblemError, match="same key"):
        export_to_database(scores(("a", 1), ("a", 2)), database, "scores", KEY)
    with pytest.raises(DataProblemError, match="no value in the key"):
        export_to_database(scores(("a", None)), database, "scores", ("user_id", "probability"))


def test_a_table_of_somebody_else_is_left_alone(place: tuple[Database, Ask]) -> None:
    database, ask = place
    ask("create table scores (game text)")
    with pytest.raises(UsageError, match="other columns: game"):
        export_to_database(FIRST, database, "scores", KEY)
    assert ask("select count(*) from scores") == [(0,)]


def test_a_connection_that_breaks_before_the_end_changes_nothing(place: tuple[Database, Ask]) -> None:
    """The server ends it; SQLite has none, so there somebody else is writing."""
    database, ask = place
    export_to_database(FIRST, database, "scores", KEY)
    before = ask(READ)

    def broken(label: str, done: float, total: float | None = None) -> None:
        if label == "comparing":
            others = "from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'"
            ask(f"select pg_terminate_backend(pid) {others}")

    if database.kind == "sqlite":
        # By the same library: two copies of it in one process do not see each other's locks.
        with sqlite.connect(database.uri) as connection, connection.cursor() as other:
            other.execute("insert into scores select 'z', target, horizon_days, 0, as_of, release from scores limit 1")
            with pytest.raises(RepriseError, match="database is locked"):
                export_to_database(scores(("9", 1)), database, "scores", KEY)
    else:
        with pytest.raises(RepriseError) as failed:
            export_to_database(scores(("9", 1)), database, "scores", KEY, broken)
        assert "could not be written" in str(failed.value)
        assert "rolled back" in str(failed.value)
    assert ask(READ) == before
    assert told(export_to_database(scores(("9", 1)), database, "scores", KEY)) == (1, 3, 0, 0)


KILLED = """
import os, signal, sys
import pyarrow.parquet as pq
from pathlib import Path
from audiences.exports import export_to_database
from warehouse.databases import Database

def progress(label, done, total=None):
    if label == sys.argv[3]:
        os.kill(os.getpid(), signal.SIGKILL)

export_to_database(pq.read_table(sys.argv[2]), Database.at(sys.argv[1], Path("/")), "scores",
                   ("user_id", "target", "horizon_days"), progress)
"""


@pytest.mark.parametrize("step", ["comparing", "writing"])
def test_a_kill_leaves_the_old_list(place: tuple[Database, Ask], tmp_path: Path, step: str) -> None:
    database, ask = place
    export_to_database(FIRST, database, "scores", KEY)
    before = ask(READ)
    pa.parquet.write_table(scores(("9", 1)), tmp_path / "new.parquet")
    address = database.uri if database.kind == "postgresql" else f"sqlite:///{database.uri}"
    words = [sys.executable, "-c", KILLED, address, str(tmp_path / "new.parquet"), step]
    done = subprocess.run(words, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert ask(READ) == before
    assert told(export_to_database(scores(("9", 1)), database, "scores", KEY)) == (1, 3, 0, 0)


def test_two_at_once_end_as_one_after_the_other(postgres: str, tmp_path: Path) -> None:
    database = Database.at(postgres, tmp_path)
    with database.session() as cursor:
        cursor.execute("drop table if exists scores")
    export_to_database(FIRST, database, "scores", KEY)
    lists = [scores(("a", 0.1)), scores(("b", 0.2))]
    threads = [threading.Thread(target=export_to_database, args=(rows, database, "scores", KEY)) for rows in lists]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.session() as cursor:
        cursor.execute("select user_id from scores")
        assert cursor.fetchall() in ([("a",)], [("b",)])
