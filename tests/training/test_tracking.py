"""MLflow at arm's length: what is logged comes back; what is dead is told by name, and soon."""

import json
import socket
from datetime import date

import pytest

from models.baselines import Rule
from models.propensity import PropensityModel
from training.mlflow_model import _load_pyfunc
from training.tracking import Record, Tracker
from warehouse.errors import RepriseError
from warehouse.files import write_text
from warehouse.workspace import Workspace


def workspace(folder, uri=None):
    write_text(folder / "reprise.toml", f'[training]\ntracking_uri = "{uri}"\n' if uri else "")
    return Workspace.open(folder)


def record(name, files=None, **more):
    return Record("tests", name, {"a": "1"}, {"m": 0.5, "none": None, "nan": float("nan")}, model_files=files, **more)


def test_artifacts_come_back(tracker):
    logged = tracker.log(record("one", artifacts={"card.md": "# 卡片", "deep/x.json": "{}"})).result()
    assert tracker.read(logged.run_id, "card.md") == "# 卡片"
    assert tracker.read(logged.run_id, "deep/x.json") == "{}"
    assert logged.model_version is None


def test_a_model_is_registered_with_its_files(tracker, tmp_path, snapshots, targets_by_name):
    sample = snapshots.sample(targets_by_name["repurchase"], 14, date(2024, 4, 1))
    rule = Rule.fit("order_days", sample.table, sample.y, 14)
    model = PropensityModel("repurchase", 14, "v1", "rule", "order_count_lifetime >= 1", 0.2, rule=rule)
    model.save(tmp_path / "v1")
    first = tracker.log(record("v1", tmp_path / "v1", model_name="tests_14d", alias="champion")).result()
    second = tracker.log(record("v2", tmp_path / "v1", model_name="tests_14d", alias="challenger")).result()
    assert (first.model_version, second.model_version) == ("1", "2")
    tracker.alias("tests_14d", "2", "champion")
    described = tracker.read(first.run_id, "model/MLmodel")
    assert "training.mlflow_model" in described
    assert "pickle" not in described
    assert "lightgbm==" in tracker.read(first.run_id, "model/requirements.txt")
    frame = sample.table.to_pandas()
    opened = _load_pyfunc(str(tmp_path / "v1"))
    assert opened.predict(frame).tolist() == model.predict(sample.table).tolist()


def test_a_failed_job_names_the_store_and_the_next_one_works(tracker):
    with pytest.raises(RepriseError, match="MLflow at sqlite:"):
        tracker.read("no-such-run", "card.md")
    assert tracker.log(record("after")).result().run_id


def test_a_dead_server_is_told_before_any_work(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(RepriseError, match=f"127.0.0.1:{port} cannot be reached"):
        Tracker(workspace(tmp_path, f"http://127.0.0.1:{port}"))


def test_a_server_that_never_answers_is_told_within_seconds(tmp_path, monkeypatch):
    monkeypatch.setattr("training.tracking.SECONDS_FOR_SERVER", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        with pytest.raises(RepriseError, match="cannot be reached"):
            Tracker(workspace(tmp_path, f"http://127.0.0.1:{port}"))


def test_a_damaged_store_is_told_and_left_as_it_is(tmp_path):
    damaged = tmp_path / "mlflow.db"
    damaged.write_bytes(b"this is no database" * 100)
    with pytest.raises(RepriseError, match=r"mlflow\.db is no SQLite database"):
        Tracker(workspace(tmp_path))
    assert damaged.read_bytes() == b"this is no database" * 100


def test_a_run_names_its_data_and_its_model_its_columns(tracker, stored, tmp_path):
    schema = {"names": ["a", "region"], "categories": {"region": ["north"]}}
    (tmp_path / "v1").mkdir()
    write_text(tmp_path / "v1" / "model.json", json.dumps({"schema": schema}))
    logged = tracker.log(record("data", tmp_path / "v1", data="f" * 64)).result()
    described = tracker.read(logged.run_id, "model/MLmodel")
    assert "signature:" in described
    # YAML may break the line anywhere.
    told = "".join(described.split())
    assert '"type":"string","name":"region"' in told
    assert '"type":"double","name":"a"' in told
    assert stored._rows("select digest, name from datasets where digest = ?", "f" * 32) == [("f" * 32, "store")]
