"""Targets of the labels table without orders: how they are parted, what they may read, what gives them away."""

from datetime import date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from training.cards import card
from training.trainer import Trainer
from warehouse.store import Store
from warehouse.workspace import Workspace

HILLSTROM = Path(__file__).resolve().parents[3] / "shared" / "data" / "hillstrom_email" / "hillstrom.parquet"
LOADED = datetime(2025, 6, 1)
QUICK = "[training]\nrounds = 30\nbootstrap_draws = 100\nmin_positives = 20\n"


def trained(root, table, told="", **others):
    """A target "left" of these labels, trained as of the day the workspace says."""
    pacsv.write_csv(table, root / "labels.csv")
    sections = ""
    for name, rows in others.items():
        pacsv.write_csv(rows, root / f"{name}.csv")
        sections += f'[tables.{name}]\nfiles = ["{name}.csv"]\n'
    (root / "reprise.toml").write_text(
        f'time_zone = "UTC"\nbuckets = 2\n{QUICK}{sections}[tables.labels]\nfiles = ["labels.csv"]\n{told}'
    )
    workspace = Workspace.open(root)
    store = Store(workspace)
    store.load_new(LOADED)
    trainer = Trainer(workspace, store)
    day = store.default_as_of()
    return trainer.train(trainer.target("left", day), 30, day)


def people(n=900, seed=1):
    """Customers of two kinds; the second half of the file leaves for other reasons than the first."""
    rng = np.random.default_rng(seed)
    seats, plan = rng.integers(1, 50, n), rng.choice(["basic", "pro"], n)
    early = np.arange(n) < n // 2
    chance = np.where(early, 0.15 + 0.6 * (plan == "basic"), 0.15 + 0.6 * (plan == "pro"))
    y = (rng.random(n) < chance).astype(int)
    return pa.table(
        {"target": ["left"] * n, "user_id": [f"u{k:04d}" for k in range(n)], "seats": seats, "plan": plan, "y": y}
    )


def test_a_static_table_is_parted_at_random_or_in_the_order_of_its_file(tmp_path):
    """What a random split promises, the order in time does not keep: here the world turns over half way."""
    at_random, by_file = tmp_path / "random", tmp_path / "file"
    for folder in (at_random, by_file):
        folder.mkdir()
    loose = trained(at_random, people())
    strict = trained(by_file, people(), 'time_order = "file"\n')
    assert (loose.judged.protocol.kind, strict.judged.protocol.kind) == ("random", "file")
    assert strict.judged.sample.table["entity_id"].to_pylist() == [f"u{k:04d}" for k in range(675, 900)]
    assert strict.judged.intervals["lightgbm"]["auc"].value < 0.4 < loose.judged.intervals["lightgbm"]["auc"].value
    assert loose.judged.named_rule == strict.judged.named_rule == "base_rate"
    assert set(loose.model.columns) == {"seats", "plan"}
    assert any("judged at random it looks better" in note for note in card(loose)["notes"])
    assert card(strict)["judged"]["protocol"] == "file"


def test_a_column_that_knows_the_outcome_is_caught(tmp_path):
    table = people()
    told = trained(tmp_path, table.append_column("refund", pa.array(table["y"].to_numpy() * 7 + 1)))
    assert not told.promoted
    assert "the feature refund alone ranks with AUC 1.000" in told.why


def test_beside_labels_without_dates_no_order_is_read(tmp_path):
    table = people(300)
    days = [date(2025, 1 + k % 4, 1 + k % 28).isoformat() for k in range(600)]
    ids = [f"u{k % 300:04d}" for k in range(600)]
    orders = pa.table({"user_id": ids, "ordered_at": days, "amount": [5.0] * 600})
    told = trained(tmp_path, table, orders=orders)
    assert set(told.model.columns) <= {"seats", "plan"}


def test_rows_without_y_teach_nothing(tmp_path):
    table = people()
    y = [None if k % 3 == 0 else int(v) for k, v in enumerate(table["y"].to_pylist())]
    told = trained(tmp_path, table.set_column(table.column_names.index("y"), "y", pa.array(y)))
    asked = told.judged.sample.table["entity_id"].to_pylist()
    assert asked
    assert all(int(who[1:]) % 3 for who in asked)


@pytest.mark.skipif(not HILLSTROM.exists(), reason="the data of the e-mail test are not here")
def test_the_e_mail_test_as_a_static_table(tmp_path):
    """MineThatData: 64,000 customers, no dates, no ids: who visits after a mail. A rule of one column ranks at .59."""
    table = pq.read_table(HILLSTROM).slice(0, 16_000)
    columns = ("recency", "history", "mens", "womens", "zip_code", "newbie", "channel", "segment")
    ids = [f"h{k:05d}" for k in range(table.num_rows)]
    labels = pa.table(
        {"target": ["left"] * len(ids), "user_id": ids, **{name: table[name] for name in columns}, "y": table["visit"]}
    )
    told = trained(tmp_path, labels)
    assert told.judged.protocol.kind == "random"
    assert told.leaks.clean
    assert told.promoted
    assert 0.58 < told.judged.intervals["lightgbm"]["auc"].value < 0.68
