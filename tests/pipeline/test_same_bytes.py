"""The same data, settings and seed give the same bytes (F42): two fresh workspaces, with one thread and with two."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from features.source import StoreSource
from pipeline import nightly
from tests.pipeline.conftest import QUICK
from training.recommender_runs import reproduce
from training.tracking import Tracker
from warehouse.files import sha256
from warehouse.shop import make_shop
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

TABLES = ("orders", "users", "items")


@dataclass(frozen=True)
class Night:
    """One run in a workspace of its own."""

    workspace: Workspace
    release: str

    @property
    def folder(self) -> Path:
        return self.workspace.releases / self.release


def hashes(root: Path) -> dict[str, str]:
    """SHA-256 of every file under a folder, by its path there."""
    return {str(path.relative_to(root)): sha256(path) for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory, tracked: None) -> list[Night]:
    root = tmp_path_factory.mktemp("same")
    shop = make_shop(root / "shop", users=250, seed=5, days=170)
    made = []
    for threads, loaded_at in ((1, datetime(2026, 11, 1)), (2, datetime(2026, 11, 2))):
        home = root / f"threads{threads}"
        init_workspace(home, files={name: shop.files[name] for name in TABLES}, tz=shop.time_zone)
        settings = home / "reprise.toml"
        quick = f"{QUICK}threads = {threads}\n"
        settings.write_text(settings.read_text(encoding="utf-8") + quick, encoding="utf-8")
        workspace = Workspace.open(home)
        made.append(Night(workspace, nightly.run(workspace, date(2026, 8, 20), loaded_at=loaded_at).release))
    return made


def differing(one: dict[str, str], two: dict[str, str]) -> set[str]:
    return {name for name in one.keys() | two.keys() if one.get(name) != two.get(name)}


def test_every_version_of_every_model_has_the_same_bytes(nights: list[Night]) -> None:
    one, two = (hashes(night.workspace.models) for night in nights)
    assert any(name.endswith("model.txt") for name in one)
    # Who promoted what, and when.
    assert {Path(name).name for name in differing(one, two)} <= {"history.json"}


def test_every_file_of_the_release_has_the_same_bytes(nights: list[Night]) -> None:
    one, two = nights
    assert one.release == two.release
    first, second = hashes(one.folder), hashes(two.folder)
    assert {"scores.parquet", "suggestions.parquet", "features.parquet", "recommender.npz"} <= set(first)
    assert differing(first, second) == set()
    assert pq.read_table(one.folder / "scores.parquet").equals(pq.read_table(two.folder / "scores.parquet"))


def test_the_night_logged_what_makes_its_recommender_again(nights: list[Night], tracker: Tracker) -> None:
    with closing(sqlite3.connect(tracker.uri.removeprefix("sqlite:///"))) as database:
        runs = database.execute(
            "select run_uuid from runs r join experiments e using (experiment_id) where e.name = 'recommend'"
        ).fetchall()
    for night in nights:
        store = Store(night.workspace)
        mine = [
            run
            for (run,) in runs
            if json.loads(tracker.read(run, "inputs.json"))["data_fingerprint"] == store.fingerprint()
        ]
        assert len(mine) == len(nights)
        assert reproduce(tracker, mine[0], StoreSource(store), store.fingerprint())
