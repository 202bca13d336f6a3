"""Tables and queries of real databases come in through the same door as files."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as postgresql
import pyarrow.parquet as pq
import pytest

from warehouse.databases import Database, table_name
from warehouse.errors import DataProblemError, RepriseError, SettingsError, UsageError
from warehouse.settings import parse_settings
from warehouse.store import LoadReport, Store
from warehouse.workspace import Workspace

LOADED_AT = datetime(2026, 1, 1)
NOBODY = "postgresql://127.0.0.1:1/shop"
Run = Callable[[str], None]
ORDERS = "create table orders (id integer primary key, who text, at {time}, item text, amount {money}, note text)"
LINES = """insert into orders values
    (1, '007', '2025-03-01 10:00:00', 'A', 10.50, null), (2, '7', '2025-03-02 10:00:00', 'B', 3, null),
    (3, null, '2025-03-02 10:00:00', 'B', 4, null)"""
COLUMNS = '[tables.orders.columns]\nuser_id = "who"\nordered_at = "at"\nitem_id = "item"\nevent_id = "id"\n'


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Run]]:
    """The address of a database with a table of orders, and a way to run statements there."""
    if request.param == "sqlite":
        path = tmp_path / "shop.db"

        def run(statement: str) -> None:
            with closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(statement)

        run(ORDERS.format(time="text", money="real"))
        run(LINES)
        yield "sqlite:///shop.db", run
        return
    address = request.getfixturevalue("postgres")

    def execute(statement: str) -> None:
        with postgresql.connect(address) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            connection.commit()

    execute("drop table if exists orders")
    execute(ORDERS.format(time="timestamptz", money="numeric(12, 2)"))
    execute(LINES)
    yield address, execute


def workspace(folder: Path, address: str, more: str = 'table = "orders"') -> Workspace:
    (folder / "reprise.toml").write_text(f'[tables.orders]\nsource = "{address}"\n{more}\n{COLUMNS}', encoding="utf-8")
    return Workspace.open(folder)


def load(folder: Path, address: str, more: str = 'table = "orders"') -> tuple[Store, LoadReport]:
    store = Store(workspace(folder, address, more))
    return store, store.load_new(LOADED_AT)


def rows(store: Store) -> list[tuple[Any, ...]]:
    tables = [pq.read_table(store.bucket("orders", k)).to_pylist() for k in range(store.buckets)]
    return sorted((row["user_id"], row["item_id"], row["amount"], row["ordered_at"]) for t in tables for row in t)


FIRST = [
    ("007", "A", Decimal("10.5000"), datetime(2025, 3, 1, 10)),
    ("7", "B", Decimal("3.0000"), datetime(2025, 3, 2, 10)),
]
LATER = ("8", "C", Decimal("1.2500"), datetime(2025, 3, 3, 10))
INSERT = "insert into orders values (4, '8', '2025-03-03 10:00:00', 'C', 1.25, 'late text')"


def test_a_table(tmp_path: Path, shop: tuple[str, Run]) -> None:
    address, run = shop
    store, report = load(tmp_path, address)
    assert rows(store) == FIRST
    ((table, source),) = report.files
    assert (table, source.read, source.accepted, source.set_aside) == ("orders", 3, 2, {"guests": 1})
    assert source.balances
    assert source.path == f"{address}#orders"
    assert not load(tmp_path, address)[1].changed
    run(INSERT)
    store, report = load(tmp_path, address)
    assert rows(store) == [*FIRST, LATER]
    assert "changed since it was loaded" in report.notes[0]
    run("update orders set amount = 11 where id = 1")
    run("delete from orders where id = 2")
    store, _ = load(tmp_path, address)
    assert rows(store) == [(*FIRST[0][:2], Decimal("11.0000"), FIRST[0][3]), LATER]


def test_a_cursor_fetches_only_what_is_new(tmp_path: Path, shop: tuple[str, Run]) -> None:
    address, run = shop
    more = 'table = "orders"\ncursor = "id"'
    store, _ = load(tmp_path, address, more)
    assert not load(tmp_path, address, more)[1].changed
    run(INSERT)
    store, report = load(tmp_path, address, more)
    ((_, source),) = report.files
    assert (source.read, source.accepted) == (1, 1)
    assert source.path.endswith("#orders until 4")
    assert rows(store) == [*FIRST, LATER]
    before = store.fingerprint()
    # Other settings: everything is fetched anew, as if for the first time, and the store is the same.
    store, report = load(tmp_path, address, f'{more}\nunpriced = "set_aside"')
    assert [source.read for _, source in report.files] == [4]
    assert store.fingerprint() == before
    assert not load(tmp_path, address, f'{more}\nunpriced = "set_aside"')[1].changed


def test_a_query(tmp_path: Path, shop: tuple[str, Run]) -> None:
    address, _ = shop
    query = "query = \"select id, who, at, item, amount from orders where item <> 'A'\""
    store, report = load(tmp_path, address, query)
    assert rows(store) == FIRST[1:]
    assert report.files[0][1].path == f"{address}#query"


@pytest.mark.parametrize("query", ["delete from orders", "select 1 as a; delete from orders", "select * from nowhere"])
def test_a_source_is_only_read(tmp_path: Path, shop: tuple[str, Run], query: str) -> None:
    address, _ = shop
    with pytest.raises(RepriseError, match="could not be read"):
        load(tmp_path, address, f'query = "{query}"')
    assert rows(load(tmp_path, address)[0]) == FIRST


def test_not_even_a_function_writes(tmp_path: Path, postgres: str) -> None:
    with Database.at(postgres, tmp_path).session() as cursor:
        cursor.execute("create sequence if not exists counted")
    with pytest.raises(RepriseError, match="read-only transaction"):
        load(tmp_path, postgres, "query = \"select nextval('counted') as id\"")


def test_wrong_rows_are_told_by_row_and_column(tmp_path: Path, shop: tuple[str, Run]) -> None:
    address, run = shop
    run("update orders set who = ' 7' where id = 2")
    with pytest.raises(DataProblemError) as refused:
        load(tmp_path, address)
    assert re.search(r"orders.parquet, line \d: who \(user_id\)", str(refused.value))


def test_text_after_many_rows_without(tmp_path: Path) -> None:
    """SQLite has no types of columns, and its driver looks at the first rows only."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("create table orders (id, who, at, item, amount, note)")
        lines = [(i, i if i < 3000 else "x", "2025-03-01", None if i < 3000 else "A", i, None) for i in range(1, 3002)]
        connection.executemany("insert into orders values (?, ?, ?, ?, ?, ?)", lines)
    store, report = load(tmp_path, "sqlite:///shop.db")
    assert report.files[0][1].accepted == 3001
    assert ("x", "A", Decimal("3001.0000"), datetime(2025, 3, 1)) in rows(store)


def test_no_database_there(tmp_path: Path) -> None:
    with pytest.raises(RepriseError, match=r"sqlite:///none.db cannot be reached"):
        load(tmp_path, "sqlite:///none.db")
    assert not (tmp_path / "none.db").exists()
    with pytest.raises(RepriseError, match=r"cannot be reached.*Connection refused"):
        load(tmp_path, "postgresql://who@127.0.0.1:1/shop")


def test_the_password_is_in_the_environment(tmp_path: Path) -> None:
    place = {"PASSWORD": "p@ss/word", "ALL": "postgresql://a:b@host/db"}
    found = Database.at("postgresql://ann:${PASSWORD}@host/db", tmp_path, place)
    assert found.uri == "postgresql://ann:p%40ss%2Fword@host/db"
    assert "ss" not in found.shown
    assert Database.at("${ALL}", tmp_path, place).uri == place["ALL"]
    with pytest.raises(UsageError, match="PASSWORD is not set"):
        Database.at("postgresql://ann:${PASSWORD}@host/db", tmp_path, {})


@pytest.mark.parametrize(
    "line",
    [
        'source = "postgresql://ann:secret@host/db"',
        'source = "postgresql://ann@host/db?password=secret"',
        'source = "secret"',
    ],
)
def test_a_password_in_the_settings_is_refused_and_not_repeated(line: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse_settings(f'[tables.orders]\n{line}\ntable = "orders"\n')
    assert "line 2" in str(refused.value)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "lines",
    [
        'source = "sqlite:///a.db"',
        'files = ["a.csv"]\ntable = "a"',
        'source = "sqlite:///a.db"\nfiles = ["a"]\ntable = "a"',
    ],
)
def test_files_or_one_table_or_one_query(lines: str) -> None:
    with pytest.raises(SettingsError):
        parse_settings(f"[tables.orders]\n{lines}\n")


def test_names_of_tables() -> None:
    assert table_name("public.orders") == '"public"."orders"'
    with pytest.raises(UsageError):
        table_name('a"; drop table b')


def test_a_database_that_accepts_and_never_answers_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "2")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgresql://reprise@127.0.0.1:{silent.getsockname()[1]}/shop"
        with (
            pytest.raises(RepriseError, match=r"cannot be reached.*timeout expired"),
            Database.at(address, tmp_path).session(),
        ):
            pass


def test_without_a_wish_a_connection_is_waited_for_ten_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGCONNECT_TIMEOUT", "")
    monkeypatch.delenv("PGCONNECT_TIMEOUT")
    with pytest.raises(RepriseError, match="cannot be reached"), Database.at(NOBODY, tmp_path).session():
        pass
    assert os.environ["PGCONNECT_TIMEOUT"] == "10"
