"""A made-up shop, small enough to train on in seconds: customers differ in how often they buy, and some have left."""

import sqlite3
from contextlib import closing
from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from features.source import FramesSource
from training.recipes import tree_recipe
from training.snapshots import Snapshots
from training.targets import declared
from training.tracking import Tracker
from warehouse.files import write_text
from warehouse.settings import parse_settings
from warehouse.workspace import Workspace

FIRST = date(2024, 1, 1)
UNTIL = FIRST + timedelta(days=170)
HORIZON = 14
MONEY = pa.decimal128(18, 4)
SETTINGS = """
[training]
max_cutoffs = 2
rounds = 60
bootstrap_draws = 100
min_positives = 20
threads = 2
[targets.repurchase]
horizons = [14]
[targets.churn]
horizons = [14]
[targets.second_order]
horizons = [14]
[targets.win_back]
horizons = [14]
"""


def orders_table(rows):
    """The store's orders from (customer, day, amount)."""
    people, days, amounts = zip(*rows, strict=True)
    moments = [datetime(2024, 1, 1, 10) + timedelta(days=int(day)) for day in days]
    times = pa.array(moments, pa.timestamp("us"))
    return pa.table(
        {
            "entity_id": pa.array(people),
            "user_id": pa.array(people),
            "ordered_at": times,
            "order_id": pa.array([f"o{i}" for i in range(len(rows))]),
            "item_id": pa.array([f"i{int(a) % 7}" for a in amounts]),
            "quantity": pa.array([Decimal(1)] * len(rows), MONEY),
            "amount": pa.array([Decimal(f"{a:.2f}") for a in amounts], MONEY),
            "kind": pa.array(["sale"] * len(rows)),
            "recorded_at": times,
            "local_at": times,
        }
    )


def made_up_rows(customers=700, days=170, seed=3):
    """(customer, day, amount) of sales: a rate of one's own while one is alive."""
    generator = np.random.default_rng(seed)
    rows = []
    for k in range(customers):
        day, rate, leaves = generator.integers(0, 90), generator.gamma(1.2, 0.05), generator.exponential(150)
        start = day
        while day < min(days, start + leaves):
            rows.append((f"u{k:04d}", int(day), float(generator.gamma(2, 20)) + 1))
            day += max(1, generator.exponential(1 / max(rate, 0.004)))
    return rows


@pytest.fixture(scope="session")
def shop():
    return parse_settings(SETTINGS)


@pytest.fixture(scope="session")
def source():
    return FramesSource({"orders": orders_table(made_up_rows())})


@pytest.fixture(scope="session")
def snapshots(source):
    return Snapshots(None, source)


@pytest.fixture(scope="session")
def targets_by_name(shop):
    return {target.name: target for target in declared(shop, {"orders"}, 170)}


@pytest.fixture(scope="session")
def recipe(shop):
    return tree_recipe(shop.training, {"orders"})


@pytest.fixture(scope="session")
def tracker(tmp_path_factory):
    """One tracking store for all tests: making its database takes seconds."""
    folder = tmp_path_factory.mktemp("tracked")
    write_text(folder / "reprise.toml", "")
    with Tracker(Workspace.open(folder)) as opened:
        yield opened


class Stored:
    """What is in a tracking store, read from its database without MLflow."""

    def __init__(self, uri):
        self.path = uri.removeprefix("sqlite:///")

    def _rows(self, statement, *values):
        with closing(sqlite3.connect(self.path)) as database:
            return database.execute(statement, values).fetchall()

    def params(self, run):
        return dict(self._rows("select key, value from params where run_uuid = ?", run))

    def metrics(self, run):
        return dict(self._rows("select key, value from latest_metrics where run_uuid = ?", run))

    def runs(self, name):
        """The ids of the runs of that name."""
        return [run for (run,) in self._rows("select run_uuid from runs where name = ?", name)]

    def with_alias(self, model, alias):
        """The run whose registered version carries the alias."""
        found = self._rows(
            "select v.run_id from registered_model_aliases a join model_versions v using (name, version) "
            "where a.name = ? and a.alias = ?", model, alias,
        )  # fmt: skip
        return found[0][0]


@pytest.fixture(scope="session")
def stored(tracker):
    return Stored(tracker.uri)


@pytest.fixture(scope="session")
def make_orders():
    """(customer, day, amount) → the store's orders."""
    return orders_table


@pytest.fixture(scope="session")
def make_rows():
    """Sales of a made-up shop."""
    return made_up_rows
