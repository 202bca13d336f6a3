"""The table of value of a release: of everybody who ordered, with nothing predicted of who refused profiling."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.building import build_features
from features.catalogue import families_of
from features.source import FramesSource
from models.value import COLUMNS, BuyTillYouDie, Histories
from pipeline import valuing
from serving.schemas import VALUE
from tests.training.conftest import UNTIL, made_up_rows, orders_table
from warehouse.streamed import Streamed
from warehouse.workspace import Workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "reprise.toml").write_text("[value]\nhorizon = 60\n")
    return Workspace.open(tmp_path)


def streamed(table: pa.Table) -> Streamed:
    return Streamed(table.schema, lambda columns: iter([table.select(columns or table.column_names)]))


def test_everybody_who_ordered_has_a_value_and_nothing_is_predicted_of_who_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FramesSource({"orders": orders_table(made_up_rows(150))}, time_zone="UTC")
    table = build_features(source, UNTIL, families=families_of(COLUMNS))
    refused = table["entity_id"][3].as_py()
    monkeypatch.setattr(valuing, "refused_profiling", lambda source, as_of: frozenset({refused}))
    found = valuing.valued(workspace, source, streamed(table), UNTIL)
    assert found is not None
    assert found.table.schema == VALUE
    rows = found.table.to_pylist()
    assert [row["entity_id"] for row in rows] == table["entity_id"].to_pylist()
    theirs = next(row for row in rows if row["entity_id"] == refused)
    assert [name for name, value in theirs.items() if value is not None] == ["entity_id", *valuing.SPENT]
    others = [row for row in rows if row["entity_id"] != refused]
    assert all(row["predicted_clv"] > 0 for row in others)
    for row in others:
        if row["next_order_latest"]:
            assert UNTIL <= row["next_order_earliest"] <= row["expected_date_of_next_order"] <= row["next_order_latest"]
            assert row["next_order_latest"] <= UNTIL + timedelta(days=731)
    total = found.card["total"]
    assert total["low"] < total["expected"] < total["high"]
    assert (found.card["model"], found.card["horizon_days"], found.card["customers"]) == (
        "buy_till_you_die", 60, len(rows),
    )  # fmt: skip
    known = Histories.of(table)
    expected = BuyTillYouDie.fit(known).value(60.0, known)
    assert total["expected"] == pytest.approx(expected.sum())
    model = BuyTillYouDie.fit(known)
    assert BuyTillYouDie.from_json(json.loads(json.dumps(found.card["fit"]))) == model
    told = valuing.intervals(model, known, expected, 60)
    assert (told.low <= told.high).all()
    assert np.isfinite(told.high).all()
    assert (told.fewest <= told.most).all()
    twice = valuing.intervals(model, known, 2 * expected, 60)
    np.testing.assert_allclose(twice.high, 2 * told.high)
    np.testing.assert_array_equal(twice.most, told.most)


def test_where_nobody_ordered_there_is_none(workspace: Workspace) -> None:
    source = FramesSource({"orders": orders_table(made_up_rows(5))}, time_zone="UTC")
    table = build_features(source, UNTIL, families=families_of(COLUMNS))
    assert valuing.valued(workspace, source, streamed(table.slice(0, 0)), UNTIL) is None
    assert valuing.valued(workspace, source, streamed(table.select(["entity_id"])), UNTIL) is None
