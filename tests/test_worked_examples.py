"""The worked examples of the docs: the files they show, the commands they tell to type, and what these answer."""

import csv
import os
import re
import shlex
import sqlite3
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import adbc_driver_postgresql.dbapi as postgresql
import openpyxl
import pytest

from cli.main import call
from features import rules
from features.catalogue import FEATURES, fields
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
    if kind == "sql" and not name.endswith(".sql"):
        database(name, text, folder)
    elif kind == "xlsx":
        workbook(path, text)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
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


def test_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("devices.md", tmp_path, capfd)
    with (tmp_path / "devices.csv").open(encoding="utf-8-sig", newline="") as file:
        devices = {row["entity_id"]: row for row in csv.DictReader(file)}
    signed_in = {one: float(row["users_signed_in"]) for one, row in devices.items()}
    assert signed_in == {"laptop": 0, "phone": 1, "tablet": 1}
    laptop = devices["laptop"]
    assert (laptop["preferred_page"], laptop["preferred_app_feature"]) == ("/cups", "wishlist")


def test_sellers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("sellers.md", tmp_path, capfd)
    page = (tmp_path / "sellers.html").read_text(encoding="utf-8")
    assert "of 3 customers were active" in page


def test_levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("levels.md", tmp_path, capfd)


def test_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("stages.md", tmp_path, capfd)


def kinds_of_customers(path: Path) -> None:
    """Orders of three kinds of customers: weekly and small, monthly and large, and those gone for half a year."""
    path.mkdir()
    lines, order = [], 0
    for n in range(180):
        kind = n % 3
        every, amount, last = [(7, 10, 1), (30, 120, 10), (40, 25, 200)][kind]
        for k in range([14, 6, 3][kind] + n % 4):
            order += 1
            day = date(2024, 12, 30) - timedelta(days=last + every * k + (n * 7 + k * 3) % 5)
            paid = amount + (n * 13 + k * 5) % (amount // 2)
            lines.append(f"u{n:03d},{order},{day}T10:00:00,tea{(n + k) % 6},{1 + kind % 2 * 3 + (n + k) % 2},{paid}")
    (path / "orders.csv").write_text("user_id,order_id,ordered_at,item_id,quantity,amount\n" + "\n".join(lines) + "\n")


def test_clusters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    kinds_of_customers(tmp_path / "clusters")
    monkeypatch.chdir(tmp_path)
    follow("clusters.md", tmp_path, capfd)


def test_growth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("growth.md", tmp_path, capfd)


def test_cycles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    make_shop(tmp_path / "shop", users=2000, seed=7)
    monkeypatch.chdir(tmp_path)
    follow("cycles.md", tmp_path, capfd)


def tea_shop(path: Path) -> None:
    """Orders of independent items, but for cups, which follow teapots and come with more beans."""
    lines = ["user_id,ordered_at,order_id,item_id,quantity,amount"]
    for n in range(900):
        held = {
            "teapot": n % 4 == 0,
            "cup": (n % 4 == 0 and n % 3 > 0) or n % 23 == 0,
            "beans": n % 11 < 5,
            "filters": n % 7 < 3,
            "mug": n % 5 == 0,
            "napkins": n % 13 < 5,
        }
        bags = 3 if n % 4 == 0 and n % 3 > 0 else 1
        for item in (item for item, there in held.items() if there):
            units = bags if item == "beans" else 1
            day = date(2024, 1, 1) + timedelta(days=n // 10)
            lines.append(f"u{n % 299:03d},{day},o{n},{item},{units},{5 * units}")
    path.write_text("\n".join(lines), encoding="utf-8")


def test_bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    tea_shop(tmp_path / "orders.csv")
    monkeypatch.chdir(tmp_path)
    follow("bundles.md", tmp_path, capfd)


def test_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("segments.md", tmp_path, capfd)


def test_preferences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("preferences.md", tmp_path, capfd)
    with (tmp_path / "features.csv").open(encoding="utf-8-sig", newline="") as file:
        built = {row["entity_id"]: row for row in csv.DictReader(file)}
    page = (DOCS / "preferences.md").read_text(encoding="utf-8")
    names, _, *rows = (
        line[2:-2].split(" | ") for line in re.findall(r"^\| entity_id .*?\n\n", page, re.M | re.S)[0].split("\n")[:-2]
    )
    assert [[built[row[0]][name] for name in names] for row in rows] == rows
    assert set(built) == {row[0] for row in rows}


def test_rules_that_are_not_run_can_be_asked() -> None:
    """A shell told as `bash` needs more than its page shows; its rules must hold all the same."""
    told = [
        line
        for page in sorted(DOCS.glob("*.md"))
        for kind, text in blocks(page.name)
        if kind == "bash"
        for line in text.splitlines()
        if line.startswith("reprise ")
    ]
    known = fields(FEATURES) | {name: rules.Field(name, "number") for name in ("due_item_count",)}
    asked = [
        words[words.index(option) + 1]
        for words in map(shlex.split, told)
        for option in ("--rule", "--flag")
        if option in words
    ]
    assert len(asked) >= 4
    for rule in asked:
        rules.check(rules.parse(rule), known)


def test_benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("benchmarks.md", tmp_path, capfd)


def test_matching(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("matching.md", tmp_path, capfd)


def test_exposures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("exposures.md", tmp_path, capfd)


def test_funnels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    follow("funnels.md", tmp_path, capfd)
