"""Predicted against realised, counted by hand: ten customers, two releases, two horizons."""

from __future__ import annotations

import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from features.source import FramesSource
from pipeline.realised import review
from serving.schemas import SCORES
from training.targets import declared
from warehouse.settings import parse_settings
from warehouse.workspace import Workspace

MAY, JUNE = date(2026, 5, 1), date(2026, 6, 1)
SETTINGS = parse_settings("[targets.repurchase]\nhorizons = [30, 60]\n[targets.churn]\nhorizons = [30]\n")
TARGETS = [t for t in declared(SETTINGS, {"orders"}, 100) if t.name in ("repurchase", "churn")]
BUYERS = {"u0": "2026-05-01 00:00", "u1": "2026-05-30 23:59", "u2": "2026-05-31 00:00", "u3": "2026-04-30 23:59"}
"""u0 and u1 bought within the 30 days from May 1st, u2 on the first day after them, u3 on the last before."""


@pytest.fixture
def source() -> FramesSource:
    moments = pa.array([datetime.fromisoformat(at) for at in BUYERS.values()], pa.timestamp("us"))
    n = len(BUYERS)
    money = pa.array([Decimal(1)] * n, pa.decimal128(18, 4))
    return FramesSource(
        {
            "orders": pa.table(
                {
                    "entity_id": list(BUYERS), "user_id": list(BUYERS), "ordered_at": moments, "recorded_at": moments,
                    "local_at": moments, "order_id": [f"o{k}" for k in range(n)], "item_id": ["i"] * n,
                    "quantity": money, "amount": money, "kind": ["sale"] * n,
                }
            )
        }
    )  # fmt: skip


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Releases of May and June: u0 … u9 with p = .9, .8, …, .0; for churn 1 − p, of u0 … u4 alone."""
    for day in (MAY, JUNE):
        folder = tmp_path / "releases" / f"{day:%Y%m%d}-x"
        folder.mkdir(parents=True)
        (folder / "release.json").write_text(json.dumps({"as_of": day.isoformat()}))
        rows = [_row(day, "repurchase", h, k, 0.9 - k / 10) for h in (30, 60) for k in range(10)]
        rows += [_row(day, "churn", 30, k, 0.1 + k / 10 if k < 5 else None) for k in range(10)]
        pq.write_table(pa.Table.from_pylist(rows, schema=SCORES), folder / "scores.parquet")
    return Workspace(tmp_path, SETTINGS)


def _row(day: date, target: str, horizon: int, k: int, p: float | None) -> dict[str, object]:
    told = {"user_id": f"u{k}", "target": target, "horizon_days": horizon, "probability": p, "as_of": day}
    return {name: told.get(name) for name in SCORES.names} | {"state": "", "model_version": "v", "release": "r"}


def test_what_came_true_is_counted_in_the_window_alone(workspace: Workspace, source: FramesSource) -> None:
    found = {(r.target, r.horizon_days): r for r in review(workspace, source, TARGETS, MAY + timedelta(days=30)).found}
    assert set(found) == {("repurchase", 30), ("churn", 30)}
    bought, left = found["repurchase", 30], found["churn", 30]
    assert (bought.as_of, bought.customers) == (MAY, 10)
    assert bought.predicted == pytest.approx(0.45)
    assert bought.realised == pytest.approx(0.2)
    assert bought.top_share == pytest.approx(0.5)
    assert left.customers == 5
    assert left.predicted == pytest.approx(0.3)
    assert left.realised == pytest.approx(3 / 5)


def test_a_window_that_is_not_over_is_not_told(workspace: Workspace, source: FramesSource) -> None:
    past = review(workspace, source, TARGETS, MAY + timedelta(days=29))
    assert past.found == []
    assert past.lines(MAY, TARGETS) == [
        "predicted against realised: the first prediction made here comes due on 2026-05-31"
    ]


def test_the_latest_closed_prediction_of_each_is_told_and_the_newest_first(
    workspace: Workspace, source: FramesSource
) -> None:
    past = review(workspace, source, TARGETS, JUNE + timedelta(days=30))
    found = past.found
    assert [(r.target, r.horizon_days, r.as_of) for r in found] == [
        ("repurchase", 30, JUNE), ("churn", 30, JUNE), ("repurchase", 60, MAY),
    ]  # fmt: skip
    assert found[0].realised == 0
    assert found[0].top_share is None
    assert found[2].realised == pytest.approx(0.3)
    assert past.lines(JUNE, TARGETS)[2] == (
        "2026-05-01 repurchase 60 d: predicted 45.0%, realised 30.0% of 10 customers; the top 10 % held 33% of them"
    )


def test_equal_probabilities_at_the_edge_count_by_their_mean(workspace: Workspace, source: FramesSource) -> None:
    path = workspace.releases / "20260501-x" / "scores.parquet"
    table = pq.read_table(path).to_pylist()
    pq.write_table(pa.Table.from_pylist([row | {"probability": 0.4} for row in table], schema=SCORES), path)
    found = review(workspace, source, TARGETS[:1], MAY + timedelta(days=30)).found
    assert found[0].top_share == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("release.json", b"{"),
        ("release.json", b'{"release": "x"}'),
        ("release.json", b"[]"),
        ("release.json", b"\xff"),
        ("scores.parquet", b"PAR1 and nothing more"),
        ("scores.parquet", None),
    ],
)
def test_a_damaged_release_is_left_out_by_name_and_the_others_are_compared(
    workspace: Workspace, source: FramesSource, file: str, content: bytes | None
) -> None:
    path = workspace.releases / "20260601-x" / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    past = review(workspace, source, TARGETS, JUNE + timedelta(days=30))
    assert past.damaged == ["20260601-x"]
    assert {r.as_of for r in past.found} == {MAY}
    assert len(past.found) == 3
    assert past.lines(JUNE, TARGETS)[3:] == ["predicted against realised: 20260601-x is damaged and was left out"]


def test_where_every_release_is_damaged_that_is_all_there_is_to_tell(
    workspace: Workspace, source: FramesSource
) -> None:
    for path in workspace.releases.glob("*/release.json"):
        path.write_text("")
    told = review(workspace, source, TARGETS, JUNE).lines(JUNE, TARGETS)
    assert told[0].endswith("comes due on 2026-07-01")
    assert len(told) == 3
