"""A made-up shop and its workspace with a release, made over the command line once for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.main import call
from warehouse.shop import make_shop

QUICK = "\n[training]\nmax_cutoffs = 2\nmax_rows = 2000\nrounds = 10\nbootstrap_draws = 100\n"
LEVELS = "[levels]\n[levels.steps]\nmember = 0\nsilver = 60\ngold = 200\n"
ONE = "".join(f"[targets.{name}]\nhorizons = [30]\n" for name in ("repurchase", "churn", "second_order", "win_back"))


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a made-up shop, and beside it a workspace whose file is wrong."""
    folder = tmp_path_factory.mktemp("json")
    shop = make_shop(folder / "shop", users=400, seed=3, days=160)
    (folder / "orders.csv").write_bytes(shop.files["orders"].read_bytes())
    (folder / "wrong.csv").write_text("user_id,ordered_at,amount\nu1,2020-01-01,12\nu2,yesterday,3\n")
    (folder / "typo").mkdir()
    (folder / "typo" / "reprise.toml").write_text("[training]\nround = 9\n")
    (folder / "wrong").mkdir()
    (folder / "wrong" / "reprise.toml").write_text('[tables.orders]\nfiles = ["../wrong.csv"]\nreturns = "sign"\n')
    (folder / "empty").mkdir()
    (folder / "empty" / "reprise.toml").write_text('time_zone = "UTC"\n')
    return folder


@pytest.fixture(scope="session")
def shop(place: Path) -> str:
    """A workspace with a release, made over the command line."""
    folder = str(place / "shop-workspace")
    (place / "labels.csv").write_text("target,user_id,y\ncontract,u1,1\n")
    tables = ["--orders", str(place / "orders.csv"), "--labels", str(place / "labels.csv")]
    assert call(["init", folder, *tables, "--tz", "UTC", "--yes"]) == 0
    settings = Path(folder, "reprise.toml")
    settings.write_text(settings.read_text(encoding="utf-8") + QUICK + LEVELS + ONE, encoding="utf-8")
    assert call(["-w", folder, "run"]) == 0
    return folder
