"""The columns that are tried beside those models read: fitted to what was known on the cutoff, and to nothing later."""

from __future__ import annotations

from datetime import datetime, time, timedelta

import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.gain import columns, with_clock, with_lifetimes
from features.building import build_features
from features.catalogue import families_of
from features.source import FramesSource
from models.value import COLUMNS
from tests.training.conftest import UNTIL, made_up_rows, orders_table

CUTOFF = UNTIL - timedelta(days=40)
ORDERS = orders_table(made_up_rows(120))


def tried(orders: pa.Table) -> pa.Table:
    source = FramesSource({"orders": orders}, time_zone="UTC")
    every = build_features(source, CUTOFF, families=families_of(COLUMNS))
    return with_clock(with_lifetimes(every, 30), source, CUTOFF)


def test_what_came_after_the_cutoff_changes_nothing() -> None:
    found = tried(ORDERS)
    assert {*columns(["lifetimes", "due"])} <= {*found.column_names}
    assert all(found[name].null_count < found.num_rows for name in columns(["lifetimes", "due"]))
    before = ORDERS.filter(pc.less(ORDERS["ordered_at"], datetime.combine(CUTOFF, time())))
    assert before.num_rows < ORDERS.num_rows
    assert tried(before).equals(found)
