"""Real files without items, and without orders: what cannot be built is said, the rest works."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.main import call
from pipeline import lists
from serving import answers
from warehouse.workspace import Workspace

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
QUICK = (
    '\n[recommend]\nmodels = ["gp_topfreq", "bm25"]\n[training]\nmax_cutoffs = 2\nrounds = 20\nbootstrap_draws = 100\n'
)


def prepared(root: Path, file: str, *options: str) -> Path:
    """A workspace around one of the public files, its training made quick."""
    path = DATA / file
    if not path.exists():
        pytest.skip(f"{file} is not on this machine")
    assert call(["init", str(root), *options, str(path), "--yes"]) == 0
    with (root / "reprise.toml").open("a", encoding="utf-8") as settings:
        settings.write(QUICK)
    return root


def ran(root: Path, as_of: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert call(["run", "-w", str(root), "--as-of", as_of, "--json"]) == 0
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def offers_nothing(root: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    """`recommend` says it is not ready; over HTTP the answer is an empty list with the reason."""
    assert call(["-w", str(root), "recommend", "anybody"]) == 4
    assert what in capsys.readouterr().err
    answer = answers.user_suggestions(lists.current(Workspace.open(root)), "anybody", 5, ())
    assert answer["items"] == []
    assert answer["reason"]


def test_orders_without_items(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mapping = ("--map", "user_id=master_id", "--duplicates", "keep", "--orders")
    root = prepared(tmp_path / "cdnow", "cdnow/cdnow_sample.parquet", *mapping)
    report = ran(root, "1998-01-01", capsys)
    assert report["users"] == 2357
    trained = {row["model"] for row in report["trained"]}
    assert {"repurchase 30 d", "repurchase 90 d", "second_order 30 d", "win_back 90 d"} <= trained
    assert [each["needs"] for each in report["absent"] if each["what"] == "suggestions"] == ["orders with an item_id"]
    offers_nothing(root, capsys, "item")


def test_events_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = prepared(tmp_path / "games", "gamelaunch_events/gamelaunch.parquet", "--events")
    report = ran(root, "2016-05-21", capsys)
    assert "churn 7 d" in {row["model"] for row in report["trained"]}
    assert {each["what"] for each in report["absent"]} == {"repurchase", "second_order", "suggestions"}
    assert all(each["needs"] for each in report["absent"])
    offers_nothing(root, capsys, "orders")
