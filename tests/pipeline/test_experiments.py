"""Experiments change nothing that serves; what they made can be compared, and made to serve by hand with a reason."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline import champions, comparisons, experiments, nightly
from tests.pipeline.conftest import QUICK
from training.registry import Registry
from training.tracking import Tracker
from warehouse.errors import UsageError
from warehouse.progress import silent
from warehouse.shop import make_shop
from warehouse.starting import init_workspace
from warehouse.workspace import Workspace

LOADED = datetime(2026, 11, 1)
AS_OF = date(2026, 8, 20)


class Shared:
    """One tracking store for all workspaces of these tests, never closed by them."""

    def __init__(self, tracker: Tracker) -> None:
        self.tracker = tracker

    def __call__(self, workspace: Workspace, patient: bool = False) -> "Shared":
        return self

    def __enter__(self) -> Tracker:
        return self.tracker

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, tracker: Tracker) -> Iterator[SimpleNamespace]:
    """A workspace with champions, and two experiments of repurchase."""
    root = tmp_path_factory.mktemp("experiments")
    made = make_shop(root / "shop", users=400, seed=5, days=170)
    init_workspace(root / "w", files={"orders": made.files["orders"]}, tz=made.time_zone)
    settings = root / "w" / "reprise.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + QUICK + "min_positives = 20\n", encoding="utf-8")
    workspace = Workspace.open(root / "w")
    with pytest.MonkeyPatch.context() as patched:
        for module in (experiments, comparisons, experiments.teaching):
            patched.setattr(module, "prepare", Shared(tracker))
        nightly.train_now(workspace, "repurchase", AS_OF, LOADED, silent, lambda line: None)
        tried = [
            experiments.train(workspace, "repurchase", said, "leaves", AS_OF, LOADED, silent, lambda line: None)
            for said in (["num_leaves=3"], ["num_leaves=12", "start=none"])
        ]
        yield SimpleNamespace(workspace=workspace, tried=tried, tracker=tracker)


def serving(workspace: Workspace) -> str | None:
    return Registry(workspace).champion_version("repurchase", 30)


def test_an_experiment_promotes_nothing_and_keeps_what_it_made(shop: SimpleNamespace) -> None:
    history = champions.history(shop.workspace)
    assert [entry["by"] for entry in history] == ["gate"]
    rows = [attempt.rows[0] for attempt in shop.tried]
    assert {row["version"] for row in rows} <= {each["version"] for each in champions.versions(shop.workspace)}
    assert serving(shop.workspace) not in {row["version"] for row in rows}
    told = shop.tracker.describe(rows[0]["mlflow_run"])
    assert (told["status"], told["experiment"], told["tags"]["promoted"]) == ("FINISHED", "leaves", "false")
    assert told["params"]["recipe.num_leaves"] == "3"


def test_settings_that_mean_nothing_are_refused(shop: SimpleNamespace) -> None:
    for said, told in ((["leaves=3"], "no setting of trees"), (["num_leaves"], "KEY=VALUE")):
        with pytest.raises(UsageError, match=told):
            experiments.train(shop.workspace, "repurchase", said, "x", AS_OF, LOADED, silent, lambda line: None)
    with pytest.raises(UsageError, match="no trees to set"):
        experiments.train(shop.workspace, "recommend", [], "x", AS_OF, LOADED, silent, lambda line: None)


def test_runs_are_compared_by_run_or_by_version(shop: SimpleNamespace) -> None:
    first, second = (attempt.rows[0] for attempt in shop.tried)
    by_run = comparisons.compare(shop.workspace, first["mlflow_run"], second["mlflow_run"])
    by_version = comparisons.compare(shop.workspace, first["version"], second["version"])
    assert by_run.payload["paired"] == by_version.payload["paired"] is not None
    changed = by_run.payload["changed"]["settings"]
    assert changed["recipe.trees.num_leaves"] == {"first": 3, "second": 12}
    assert any("num_leaves: 3, then 12" in line for line in by_run.lines())


def test_what_is_no_training_is_told(shop: SimpleNamespace) -> None:
    version = shop.tried[0].rows[0]["version"]
    for unknown in ("0" * 32, "nothing"):
        with pytest.raises(UsageError, match=unknown):
            comparisons.compare(shop.workspace, version, unknown)


def test_a_run_is_promoted_by_hand_and_rolled_back_and_all_is_written_down(shop: SimpleNamespace) -> None:
    before, row = serving(shop.workspace), shop.tried[0].rows[0]
    comparisons.promote_run(shop.workspace, row["mlflow_run"], "smaller trees, agreed on Monday")
    assert serving(shop.workspace) == row["version"]
    card = champions.card(shop.workspace, row["version"])
    last = card["history"][-1]
    assert (last["by"], last["run"], last["reason"]) == ("hand", row["mlflow_run"], "smaller trees, agreed on Monday")
    assert last["who"]
    assert "agreed on Monday" in champions.told(last)
    champions.rollback(shop.workspace, "repurchase", 30, "not on a Friday")
    assert serving(shop.workspace) == before
    assert [(e["action"], e["by"]) for e in champions.history(shop.workspace, "repurchase")] == [
        ("promote", "gate"), ("promote", "hand"), ("rollback", "hand"),
    ]  # fmt: skip


def test_a_run_of_another_workspace_is_fetched(shop: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "reprise.toml").write_text("")
    other, row = Workspace.open(tmp_path), shop.tried[1].rows[0]
    comparisons.promote_run(other, row["mlflow_run"], "tried on the other machine")
    assert serving(other) == row["version"]
    one, two = (Registry(w).directory("repurchase", 30, row["version"]) / "model.txt" for w in (shop.workspace, other))
    assert one.read_bytes() == two.read_bytes()


def nested(tracker: Tracker, parent: str) -> list[Any]:
    with closing(sqlite3.connect(tracker.uri.removeprefix("sqlite:///"))) as database:
        return database.execute(
            "select run_uuid from tags where key = 'mlflow.parentRunId' and value = ?", (parent,)
        ).fetchall()


def test_a_search_is_continued_logged_in_one_run_and_writes_no_settings(shop: SimpleNamespace) -> None:
    settings = (shop.workspace.root / "reprise.toml").read_bytes()

    def once(trials: int) -> experiments.Tuned:
        return experiments.tune(shop.workspace, "repurchase", 30, trials, AS_OF, LOADED, silent)

    first, second = once(1), once(2)
    assert (first.trials, second.trials) == (1, 3)
    assert first.judged is None
    assert (first.study, first.run) == (second.study, second.run)
    # Asked after everything that was queued.
    assert shop.tracker.describe(second.run or "")["status"] == "FINISHED"
    assert len(nested(shop.tracker, second.run or "")) == 3
    assert (shop.workspace.root / "reprise.toml").read_bytes() == settings
    with pytest.raises(UsageError, match="made no model: it is of study"):
        comparisons.promote_run(shop.workspace, second.run or "", "no")
    with pytest.raises(UsageError, match="Tune repurchase"):
        experiments.tune(shop.workspace, "churn", 30, 1, AS_OF, LOADED, silent)


def test_recommenders_are_searched_too(shop: SimpleNamespace) -> None:
    found = experiments.tune(shop.workspace, "recommend", None, 3, AS_OF, LOADED, silent)
    assert {found.default.settings["model"]} <= {"als", "bm25"}
    assert found.trials == 3
    if found.better:
        assert found.to_write[0] == f"[recommend.{found.best.settings['model']}]"
        assert set((found.judged or {})["differences"]) == {"recall@10", "ndcg@10"}
