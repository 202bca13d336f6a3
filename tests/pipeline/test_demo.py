"""The demo: what it writes for its visitor, and how it names the program."""

from __future__ import annotations

import tomllib
from datetime import datetime
from pathlib import Path

import pytest

from pipeline.demo import TABLES, _adapted, _loading_time, _program
from warehouse.shop import make_shop
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace


def test_the_settings_of_the_demo_read_as_if_written_by_hand(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop", users=200, seed=1, days=120)
    files = {table: tmp_path / "shop" / name for table, name in TABLES.items()}
    init_workspace(tmp_path, files=files, tz=shop.time_zone)
    _adapted(tmp_path / "reprise.toml", shop)
    text = (tmp_path / "reprise.toml").read_text(encoding="utf-8")
    told = tomllib.loads(text)
    assert told["currency"] == shop.currency
    assert told["tables"]["orders"]["non_products"] == shop.non_products
    assert "[tables.orders]  # one order line\n" in text
    assert "assumed: currency" not in text
    assert Workspace.open(tmp_path).settings.training.max_cutoffs == 2
    assert f'non_products = "{shop.non_products}"  # Pattern' in text
    assert "max_rows = 4000  # A fit" in text
    assert text.count("[training]") == 1


def test_the_program_is_named_as_the_shell_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("sys.executable", str(Path.cwd() / ".venv/bin/python"))
    assert _program() == ".venv/bin/reprise"
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/reprise")
    assert _program() == "reprise"


def test_the_demo_loads_on_a_machine_whose_clock_stands_before_the_shop(tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "shop", users=200, seed=1, days=120)
    files = {table: tmp_path / "shop" / name for table, name in TABLES.items()}
    init_workspace(tmp_path, files=files, tz=shop.time_zone)
    _adapted(tmp_path / "reprise.toml", shop)
    store = Store(Workspace.open(tmp_path))
    store.load_new(_loading_time(datetime(2026, 1, 5), shop))
    assert store.default_as_of() == shop.end
    assert _loading_time(datetime(2030, 1, 5), shop) == datetime(2030, 1, 5)
