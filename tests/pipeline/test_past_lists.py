"""A list of the past, rebuilt after late rows, opt-outs and other releases: the same people, to the byte."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import lists, nightly
from pipeline.opening import load
from pipeline.rebuilding import rebuild_audience
from pipeline.suggestions import suggest_all
from serving.release import open_release
from serving.scoring import score
from tests.pipeline.conftest import QUICK
from tests.pipeline.rows_of_files import read_rows, write_rows
from warehouse.errors import NotReadyError
from warehouse.progress import silent
from warehouse.shop import make_shop
from warehouse.starting import init_workspace
from warehouse.workspace import Workspace

pytestmark = pytest.mark.usefixtures("tracked")

AS_OF = date(2026, 8, 20)
FIRST, LATER = datetime(2026, 8, 21), datetime(2026, 9, 5)
RULE = "repurchase_probability in top 60 % and order_count_lifetime >= 1"
Row = dict[str, str]


@dataclass(frozen=True)
class Past:
    """A workspace where a list was built for `AS_OF`, and much has been loaded since."""

    workspace: Workspace
    release: str
    people: frozenset[str]


def _before(rows: list[Row], column: str, day: date) -> Callable[[bool], list[Row]]:
    return lambda wanted: [row for row in rows if (row[column][:10] < day.isoformat()) == wanted]


def _suppress(path: Path, users: list[str], at: datetime) -> None:
    path.write_text("user_id\n" + "".join(f"{user}\n" for user in users))
    os.utime(path, (at.timestamp() - 3_600,) * 2)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Past:
    root = tmp_path_factory.mktemp("past")
    shop = make_shop(root / "shop", users=300, seed=5, days=170)
    orders = [{**row, "recorded_at": row["ordered_at"]} for row in read_rows(shop.files["orders"])]
    at = _before(orders, "ordered_at", AS_OF)
    people = sorted({row["user_id"] for row in orders if row["user_id"]})
    consents = [{"user_id": user, "consent_sms": "true", "recorded_at": "2026-03-01"} for user in people]
    write_rows(root / "orders-1.csv", at(True))
    write_rows(root / "users-1.csv", consents)
    init_workspace(
        root / "w", files={"orders": root / "orders-1.csv", "users": root / "users-1.csv"}, tz=shop.time_zone
    )
    settings = root / "w" / "reprise.toml"
    text = settings.read_text(encoding="utf-8").replace("orders-1.csv", "orders-*.csv")
    settings.write_text(text.replace("users-1.csv", "users-*.csv") + QUICK, encoding="utf-8")
    _suppress(root / "w" / "stop.csv", people[:1], FIRST)
    with settings.open("a", encoding="utf-8") as file:
        file.write('\n[suppression]\nfile = "stop.csv"\nmax_age_hours = 100000\n')
        file.write(f"\n[audiences.back]\nrule = '{RULE}'\nchannel = \"sms\"\n")
    workspace = Workspace.open(root / "w")
    report = nightly.run(workspace, AS_OF, loaded_at=FIRST)
    built = lists.build_audience_now(workspace, "back", None, None, False, FIRST, silent)
    chosen = pq.read_table(built.report.folder / "audience.parquet")["user_id"].to_pylist()

    # What comes later: new sales, sales of before that nobody knew of, and everybody's change of mind.
    late = [
        {**row, "order_id": f"late-{n}", "recorded_at": "2026-08-25 10:00:00"} for n, row in enumerate(at(True)[::7])
    ]
    new = [row for row in at(False) if row["ordered_at"] < "2026-09-03"]
    write_rows(root / "orders-2.csv", new + late)
    opted_out = [{"user_id": user, "consent_sms": "false", "recorded_at": "2026-08-30"} for user in chosen[::2]]
    write_rows(root / "users-2.csv", opted_out)
    (root / "w" / "stop-old.csv").write_bytes((root / "w" / "stop.csv").read_bytes())
    _suppress(root / "w" / "stop.csv", people[:9], LATER)
    nightly.run(workspace, AS_OF + timedelta(days=9), loaded_at=LATER, accept_drift="a law needs no calm")
    return Past(workspace, report.release, frozenset(chosen))


def test_the_list_is_rebuilt_to_the_byte(past: Past, tmp_path: Path) -> None:
    report = rebuild_audience(past.workspace, "back", AS_OF, tmp_path / "again", past.workspace.root / "stop-old.csv")
    assert report.rebuilt.identical
    assert report.past.release == past.release
    there = past.workspace.audiences / "back" / AS_OF.isoformat()
    for name in ("audience.csv", "audience.parquet"):
        assert (tmp_path / "again" / name).read_bytes() == (there / name).read_bytes()
    assert len(past.people) > 50


def test_built_today_it_would_be_another_list(past: Past) -> None:
    """So the rebuilt one cannot have come about by reading what is known today."""
    report = lists.build_audience_now(past.workspace, "back", None, None, False, LATER, silent)
    people = set(pq.read_table(report.report.folder / "audience.parquet")["user_id"].to_pylist())
    assert report.report.folder.name != AS_OF.isoformat()
    assert len(past.people - people) >= len(past.people) // 2


def test_without_the_suppression_list_of_then_nothing_is_claimed(past: Past, tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="The suppression list of then"):
        rebuild_audience(past.workspace, "back", AS_OF, tmp_path / "again")
    with pytest.raises(NotReadyError, match=f"There are: {AS_OF}"):
        rebuild_audience(past.workspace, "back", date(2026, 1, 1), tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_the_release_of_then_follows_from_the_rows_recorded_before_its_date(past: Past) -> None:
    """With the models it keeps, the store of today gives the same features, scores and suggestions."""
    loaded, _ = load(past.workspace, AS_OF, LATER, silent)
    folder = past.workspace.releases / past.release
    features = loaded.snapshots.everything(AS_OF)
    assert features.equals(pq.read_table(folder / "features.parquet").cast(features.schema))
    models = open_release(folder, canary=False).models
    scores = score(models, features, as_of=AS_OF, release=past.release)
    assert scores.to_pylist() == pq.read_table(folder / "scores.parquet").to_pylist()
    suggested = suggest_all(
        past.workspace, loaded.source, AS_OF, past.release, features.column("entity_id"), silent
    ).suggestions
    assert suggested is not None
    written = pq.read_table(folder / "suggestions.parquet").to_pylist()
    assert pa.concat_tables(suggested.chunks()).to_pylist() == written
