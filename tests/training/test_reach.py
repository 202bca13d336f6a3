"""Which labels were closed on a day depends on nothing that happened, or was recorded, from that day on."""

import csv
from datetime import date, datetime

import pytest

from training.trainer import Trainer
from warehouse.errors import NotReadyError
from warehouse.files import write_text
from warehouse.store import Store
from warehouse.workspace import Workspace

AS_OF = date(2024, 6, 10)
KNOWN = [
    ("a", "2024-01-02T10:00:00", "2024-01-02T10:00:00"),
    ("b", "2024-03-05T10:00:00", "2024-03-06T10:00:00"),
    ("a", "2024-06-06T23:59:59", "2024-06-07T00:00:01"),
]
LATER = [
    ("a", "2024-06-10T00:00:00", "2024-06-10T00:00:00"),
    ("b", "2024-06-09T10:00:00", "2024-06-10T00:00:00"),
    ("b", "2024-05-20T10:00:00", "2024-06-11T00:00:00"),
    ("c", "2021-06-09T10:00:00", "2024-06-11T00:00:00"),
]


@pytest.fixture
def trained_on(tmp_path):
    def opened(rows):
        root = tmp_path / str(len(rows))
        root.mkdir()
        with (root / "orders.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["user_id", "ordered_at", "recorded_at", "order_id", "amount"])
            writer.writerows([who, at, recorded, f"o{k}", "5.00"] for k, (who, at, recorded) in enumerate(rows))
        write_text(root / "reprise.toml", 'time_zone = "UTC"\nbuckets = 2\n[tables.orders]\nfiles = ["orders.csv"]\n')
        workspace = Workspace.open(root)
        Store(workspace).load_new(datetime(2024, 12, 1))
        return Trainer(workspace)

    return opened


def test_later_rows_move_no_date_of_a_protocol(trained_on):
    known, all_rows = trained_on(KNOWN), trained_on([*KNOWN, *LATER])
    target = known.target("repurchase", AS_OF)
    assert known.reach(target, AS_OF) == (date(2024, 1, 2), date(2024, 6, 7))
    assert all_rows.reach(target, AS_OF) == known.reach(target, AS_OF)
    assert all_rows.plan(target, 30, AS_OF) == known.plan(target, 30, AS_OF)
    assert known.plan(target, 30, AS_OF).judge == date(2024, 5, 8)


def test_labels_of_a_training_hold_only_what_had_been_recorded(trained_on):
    trainer = trained_on([*KNOWN, *LATER])
    target = trainer.target("repurchase", AS_OF)
    cutoff = date(2024, 5, 8)
    assert trainer.snapshots.sample(target, 30, cutoff).y.tolist() == [1, 1]
    assert trainer.snapshots.as_known(AS_OF).sample(target, 30, cutoff).y.tolist() == [1, 0]


def test_without_a_day_all_rows_count(trained_on):
    trainer = trained_on([*KNOWN, *LATER])
    assert trainer.reach_of("orders") == (date(2021, 6, 9), date(2024, 6, 11))


def test_a_day_before_every_row_is_told(trained_on):
    with pytest.raises(NotReadyError, match="before 2024-01-02"):
        trained_on(KNOWN).reach_of("orders", date(2024, 1, 2))
