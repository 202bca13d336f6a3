"""A bad but valid release does not serve (F13): nights of one workspace, in their order, through the real run."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from models.propensity import PropensityModel
from pipeline import champions, nightly
from pipeline.lists import current
from serving import answers
from serving.publication import current_release
from serving.release import Release
from training.registry import Registry
from training.trainer import COMPLEMENTS_FILE
from warehouse.errors import DataProblemError
from warehouse.shop import make_shop
from warehouse.starting import init_workspace
from warehouse.workspace import Workspace

QUICK = """
[recommend]
models = ["popularity", "personal_frequency", "gp_topfreq", "als", "bm25"]
[training]
max_cutoffs = 2
max_rows = 2000
rounds = 20
bootstrap_draws = 100
[targets.repurchase]
horizons = [30]
[targets.churn]
horizons = [30]
"""
LOADED = datetime(2026, 11, 1)
DAY = timedelta(days=1)
AS_OF = date(2026, 8, 20)


@dataclass
class Shop:
    """A workspace that has had its first night, with trees for repurchase."""

    root: Path
    trees: str

    @property
    def workspace(self) -> Workspace:
        return Workspace.open(self.root)

    def night(self, day: date, **wishes: object) -> Release:
        nightly.run(self.workspace, day, loaded_at=LOADED, **wishes)  # type: ignore[arg-type]
        return current(self.workspace)

    def add(self, name: str, change: Callable[[PropensityModel], PropensityModel]) -> str:
        """A version made from the trees; returns its name."""
        registry = Registry(self.workspace)
        folder = registry.directory("repurchase", 30, self.trees)

        def write(empty: Path) -> None:
            replace(change(PropensityModel.load(folder)), version=name).save(empty)
            (empty / COMPLEMENTS_FILE).write_bytes((folder / COMPLEMENTS_FILE).read_bytes())

        registry.add("repurchase", 30, name, write)
        return name


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, tracked: None) -> Shop:
    root = tmp_path_factory.mktemp("releasing")
    made = make_shop(root / "shop", users=400, seed=5, days=170)
    files = {name: made.files[name] for name in ("orders", "events")}
    init_workspace(root / "w", files=files, tz=made.time_zone)
    settings = root / "w" / "reprise.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + QUICK, encoding="utf-8")
    workspace = Workspace.open(root / "w")
    nightly.run(workspace, AS_OF - DAY, loaded_at=LOADED)
    versions = [row for row in champions.versions(workspace) if row["target"] == "repurchase"]
    trees = next(row["version"] for row in versions if row["kind"] == "lightgbm")
    shop = Shop(root / "w", trees)
    champions.promote(workspace, trees, "so that there is a model of many columns")
    return shop


def test_another_champion_and_another_night_are_published(shop: Shop) -> None:
    first = shop.night(AS_OF)
    assert first.models["repurchase", 30].version == shop.trees
    assert first.accepted_drift == ()
    second = shop.night(AS_OF + DAY)
    assert second.previous == first.id
    assert second.accepted_drift == ()


def test_how_often_each_source_was_bought_reaches_who_asks_for_the_release(shop: Shop) -> None:
    learnt = json.loads((shop.workspace.models / "recommend.json").read_text())["card"]["sources"]
    told = answers.release_info(current(shop.workspace))["sources"]
    assert told == learnt
    assert {"personal", "popular"} & {row["source"] for row in told}
    assert all(row["rate"] == row["bought"] / row["shown"] for row in told)


def test_everybody_alike_is_refused_and_the_old_release_serves(shop: Shop) -> None:
    before, folders = current(shop.workspace), sorted(shop.workspace.releases.iterdir())
    flat = shop.add("flat", lambda model: replace(model, calibration=replace(model.calibration, low=1e-12, high=1e-12)))
    champions.promote(shop.workspace, flat, "by mistake")
    with pytest.raises(DataProblemError) as refused:
        shop.night(AS_OF + 2 * DAY)
    told = str(refused.value)
    assert f"unlike {before.id} and was not published; {before.id} goes on serving" in told
    assert "the probability of repurchase, 30 days is 0." in told
    assert "the probability of churn, 30 days is 0." in told
    assert "expected different ones" in told
    assert "reprise models rollback repurchase --horizon 30" in told
    assert '`reprise run --accept-drift "reason"`' in told
    assert current_release(shop.workspace.releases) == before.id
    assert sorted(shop.workspace.releases.iterdir()) == folders


def test_with_a_reason_it_is_published_and_the_reason_is_kept(shop: Shop) -> None:
    accepted = shop.night(AS_OF + 2 * DAY, accept_drift="a calm week")
    told = answers.release_info(accepted)["accepted_drift"]
    assert len(told) == 2
    assert all(line.startswith("a calm week: scores: the probability of ") for line in told)


def test_going_back_to_the_model_before_needs_no_reason(shop: Shop) -> None:
    champions.rollback(shop.workspace, "repurchase", 30, "everybody alike")
    back = shop.night(AS_OF + 3 * DAY)
    assert back.models["repurchase", 30].version == shop.trees
    assert back.accepted_drift == ()


def test_columns_that_the_model_needs_may_not_vanish(shop: Shop) -> None:
    """The events are no longer loaded, and nobody has trained since."""
    before = current(shop.workspace)
    path = shop.root / "reprise.toml"
    whole = path.read_text(encoding="utf-8")
    head, _, rest = whole.partition("[tables.events]")
    path.write_text(head + rest[rest.index("\n[") :], encoding="utf-8")
    with pytest.raises(DataProblemError, match="is known for nobody; expected known for some") as refused:
        nightly.score_now(shop.workspace, AS_OF + 4 * DAY, LOADED, lambda *_: None, lambda line: None)
    assert "because the model of repurchase, 30 days needs it" in str(refused.value)
    assert current_release(shop.workspace.releases) == before.id
    path.write_text(whole, encoding="utf-8")
    assert shop.night(AS_OF + 4 * DAY).previous == before.id


def test_a_release_that_cannot_be_read_stops_nobody(shop: Shop) -> None:
    folder = shop.workspace.releases / current(shop.workspace).id
    (folder / "golden.parquet").write_bytes(b"")
    told: list[str] = []
    shop.night(AS_OF + 5 * DAY, tell=told.append)
    assert any(f"not compared with {folder.name}: " in line for line in told)
