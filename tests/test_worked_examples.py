"""The worked examples of the docs: the files they show, the commands they tell to type, and what these answer."""

import os
import re
import shlex
import sqlite3
from contextlib import closing
from pathlib import Path

import adbc_driver_postgresql.dbapi as postgresql
import openpyxl
import pytest

from cli.main import call
from warehouse.shop import make_shop

DOCS = Path(__file__).resolve().parent.parent / "docs"


def blocks(page: str) -> list[tuple[str, str]]:
    """Every fenced block as what stands behind its fence, and its text."""
    return re.findall(r"^```([^\n]+)\n(.*?)^```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def workbook(path: Path, text: str) -> None:
    book = openpyxl.Workbook()
    for line in text.splitlines():
        book.active.append([cell.removeprefix("'") or None for cell in line.split(",")])
    book.save(path)


def database(name: str, text: str, folder: Path) -> None:
    """Runs the statements in a file of SQLite, or in the PostgreSQL whose address the environment variable holds."""
    if name.endswith(".db"):
        with closing(sqlite3.connect(folder / name)) as connection:
            connection.executescript(text)
        return
    with postgresql.connect(os.environ[name]) as connection, connection.cursor() as cursor:
        for statement in text.split(";\n"):
            if statement.strip():
                cursor.execute(statement)
        connection.commit()


def made(kind: str, name: str, text: str, folder: Path) -> None:
    path = folder / name
    if kind == "sql":
        database(name, text, folder)
    elif kind == "xlsx":
        workbook(path, text)
    else:
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def follow(page: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Makes the files (`text NAME`, `xlsx NAME`, `sql NAME` …), runs the commands (`sh`), looks for their answers."""
    told = ""
    for kind, text in blocks(page):
        if " " in kind:
            made(*kind.split(" ", 1), text, folder)
        elif kind == "sh":
            told = ""
            for line in text.splitlines():
                words = shlex.split(line, comments=True)
                code = call(words[1:])
                said = capfd.readouterr()
                assert code == 0, f"{line}\n{said.out}\n{said.err}"
                told += said.out
        elif kind == "console":
            for line in text.splitlines():
                assert line in told.splitlines(), f"{line}\nis not in\n{told}"


def test_presets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("presets.md", tmp_path, capfd)


def test_planner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("planner.md", tmp_path, capfd)


def test_sources(
    tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SHOP_DB", postgres)
    follow("sources.md", tmp_path, capfd)


def test_growth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("growth.md", tmp_path, capfd)


def test_cycles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    make_shop(tmp_path / "shop", users=2000, seed=7)
    monkeypatch.chdir(tmp_path)
    follow("cycles.md", tmp_path, capfd)


def test_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("segments.md", tmp_path, capfd)
