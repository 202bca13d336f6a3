"""Runs on a real MLflow server with a real PostgreSQL: what arrives there, and that its failing costs nothing."""

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import datetime
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as postgresql
import pytest

from cli.main import call
from pipeline import nightly, teaching
from tests import mlflow_server
from tests.mlflow_server import Server
from tests.pipeline.conftest import QUICK
from training.mlflow_process import KEY
from training.outbox import Outbox
from training.tracking import Record, Tracker
from warehouse.progress import silent
from warehouse.shop import make_shop
from warehouse.starting import init_workspace
from warehouse.workspace import Workspace

LOADED = datetime(2026, 11, 1)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with tests is no server that is down."""
    monkeypatch.setattr("training.mlflow_line.SECONDS_FOR_START", 900)
    monkeypatch.setattr("training.mlflow_line.SECONDS_FOR_ANSWER", 300)
    monkeypatch.setattr("training.tracking.SECONDS_FOR_SERVER", 30)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")


@pytest.fixture(scope="module")
def server(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if why := mlflow_server.absent():
        pytest.skip(why)
    # A database of its own: MLflow has tables such as `tags` too.
    with postgresql.connect(postgres, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute("create database mlflow")
    database = postgres.rpartition("/")[0] + "/mlflow"
    with mlflow_server.running(database, tmp_path_factory.mktemp("mlflow") / "artifacts") as started:
        yield started


@pytest.fixture(scope="module")
def workspace(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("served")
    made = make_shop(root / "shop", users=400, seed=5, days=170)
    init_workspace(root / "w", files={"orders": made.files["orders"]}, tz=made.time_zone)
    settings = root / "w" / "reprise.toml"
    more = f'min_positives = 20\ntracking_uri = "{server.uri}"\n'
    settings.write_text(settings.read_text(encoding="utf-8") + QUICK + more, encoding="utf-8")
    return Workspace.open(root / "w")


def reprise(workspace: Workspace, *words: str) -> dict[str, Any]:
    told = io.StringIO()
    with redirect_stdout(told):
        assert call(["-w", str(workspace.root), "--json", *words]) == 0
    answer: dict[str, Any] = json.loads(told.getvalue())
    return answer


def tags(run: dict[str, Any]) -> dict[str, str]:
    return {each["key"]: each["value"] for each in run["data"].get("tags", [])}


def record(name: str, **more: Any) -> Record:
    return Record("tests", name, {"a": "1"}, {"m": 0.5}, artifacts={"card.md": "# 卡片"}, **more)


def test_a_model_goes_to_the_server_and_is_promoted_from_there(server: Server, workspace: Workspace) -> None:
    attempt = reprise(workspace, "train", "repurchase", "--experiment", "leaves", "--set", "num_leaves=3")
    run = attempt["trained"][0]["mlflow_run"]
    (found,) = server.runs("leaves")
    assert (found["info"]["run_id"], found["info"]["status"]) == (run, "FINISHED")
    assert {"key": "recipe.num_leaves", "value": "3"} in found["data"]["params"]
    assert "# repurchase" in server.get(f"get-artifact?path=card.md&run_id={run}")
    version = attempt["trained"][0]["version"]
    # As if the model had been made elsewhere: only the server still holds it.
    kept = workspace.models / "repurchase_30d" / version
    kept.rename(workspace.root / "elsewhere")
    promoted = reprise(workspace, "models", "promote", "--run", run, "--reason", "agreed on Monday")
    assert (promoted["version"], promoted["run"]) == (version, run)
    assert (kept / "model.json").read_bytes() == (workspace.root / "elsewhere" / "model.json").read_bytes()
    champion = server.get("api/2.0/mlflow/registered-models/alias?name=repurchase_30d&alias=champion")
    assert json.loads(champion)["model_version"]["run_id"] == run


def test_trials_are_nested_in_the_run_of_their_study(server: Server, workspace: Workspace) -> None:
    tuned = reprise(workspace, "tune", "repurchase", "--trials", "2")
    runs = server.runs("tuning")
    assert {run["info"]["status"] for run in runs} == {"FINISHED"}
    trials = [run for run in runs if tags(run).get("mlflow.parentRunId") == tuned["mlflow_run"]]
    assert (len(trials), len(runs)) == (tuned["trials"], tuned["trials"] + 1)


def test_training_without_its_server_ends_well_and_is_logged_later(server: Server, workspace: Workspace) -> None:
    lines: list[str] = []
    with server.paused(), pytest.MonkeyPatch.context() as patched:
        patched.setattr("training.tracking.SECONDS_FOR_SERVER", 0.5)
        lesson = nightly.train_now(workspace, "repurchase", None, LOADED, silent, lines.append)
    waiting = Outbox(workspace.root).waiting()
    assert lesson.rows[0]["serves"]
    assert waiting
    assert any(f"{len(waiting)} runs wait in mlflow-waiting/" in line and "cannot be reached" in line for line in lines)
    teaching.send_waiting(workspace, lines.append)
    assert lines[-1].endswith(f"with {len(waiting)} runs that had waited")
    assert not Outbox(workspace.root).waiting()
    keys = [tags(run)[KEY] for run in server.runs("propensity")]
    assert len(keys) == len(set(keys)) == len(waiting)


def test_an_answer_that_got_lost_makes_no_second_run(server: Server, workspace: Workspace) -> None:
    recipe = {"model_name": "tests_recipe", "model_texts": {"recipe.json": "{}"}}
    with Tracker(workspace) as tracker:
        logged = tracker.log(record("lost", **recipe)).result()
    (run,) = server.runs("tests")
    sent = record("lost", **recipe).to_json() | {"at": 0, "again": False, "key": tags(run)[KEY]}
    Outbox(workspace.root).keep(sent)
    with Tracker(workspace) as tracker:
        pass
    assert "with 1 runs that had waited" in tracker.told()
    (again,) = server.runs("tests")
    assert again["info"]["run_id"] == logged.run_id
    versions = json.loads(server.get("api/2.0/mlflow/registered-models/get?name=tests_recipe"))
    assert versions["registered_model"]["latest_versions"][0]["version"] == "1"


def test_a_server_that_dies_at_work_costs_no_record(server: Server, workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "v1").mkdir()
    (tmp_path / "v1" / "model.json").write_text('{"schema": null}', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
        with Tracker(workspace) as tracker:
            assert tracker.log(record("before")).result().run_id
            with server.paused():
                dying = [tracker.log(record(f"dying {k}", model_files=tmp_path / "v1")) for k in range(3)]
                assert [each.result().run_id for each in dying] == [None] * 3
    assert tracker.told().startswith("3 runs wait in mlflow-waiting/")
    kept = [Outbox(workspace.root).read(each) for each in Outbox(workspace.root).waiting()]
    assert [each["run_name"] for each in kept] == ["dying 0", "dying 1", "dying 2"]
    assert all((Path(each["model_files"]) / "model.json").exists() for each in kept)
    with Tracker(workspace):
        pass
    names = [run["info"]["run_name"] for run in server.runs("tests")]
    assert sorted(name for name in names if name.startswith("dying")) == ["dying 0", "dying 1", "dying 2"]
