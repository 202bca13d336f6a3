"""Of very many customers some are learnt from, known before features are built; nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from features.building import build_features
from features.outcomes import interactions, outcome_counts
from features.source import StoreSource
from models.recommenders.interactions import Interactions
from pipeline import teaching
from pipeline.opening import Loaded
from training.recommender_runs import Inputs, train
from training.snapshots import Snapshots, some
from training.targets import declared
from training.trainer import Trainer
from warehouse.files import write_text
from warehouse.settings import TargetSettings
from warehouse.store import Store
from warehouse.workspace import Workspace

CUTOFF = date(2025, 4, 1)
CUSTOMERS = 2_400
SETTINGS = """
[tables.orders]
files = ["orders.csv"]
[tables.items]
files = ["items.csv"]
[targets.repurchase]
horizons = [30]
[training]
max_customers = 1000
max_cutoffs = 2
rounds = 20
bootstrap_draws = 100
min_positives = 10
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("many")
    rng = np.random.default_rng(5)
    rows = CUSTOMERS * 6
    who = (CUSTOMERS * rng.random(rows) ** 1.6).astype(int)
    days = rng.integers(0, 180, rows)
    items, prices = rng.integers(0, 30, rows), rng.integers(1, 90, rows)
    lines = [
        f"u{w:04d},{datetime(2024, 12, 1, 10) + timedelta(days=int(d)):%Y-%m-%d %H:%M:%S},i{i:02d},1,{p}"
        for w, d, i, p in zip(who, days, items, prices, strict=True)
    ]
    write_text(folder / "orders.csv", "user_id,ordered_at,item_id,quantity,amount\n" + "\n".join(lines) + "\n")
    shelf = "".join(f"i{k:02d},c{k % 3},2024-01-01\n" for k in range(30))
    write_text(folder / "items.csv", "item_id,category,recorded_at\n" + shelf)
    write_text(folder / "reprise.toml", SETTINGS)
    made = Store(Workspace.open(folder))
    made.load_new(datetime(2025, 6, 10))
    return made


def ids(table: pa.Table) -> set[str]:
    return set(table["entity_id"].to_pylist())


def test_some_customers_have_the_features_and_labels_they_have_among_all(store: Store) -> None:
    everybody = StoreSource(store)
    part = some(everybody, 1000)
    assert part.used == 16 * 1000 // store.manifest("orders").entities
    everyones, theirs = (build_features(source, CUTOFF) for source in (everybody, part))
    assert 600 < theirs.num_rows < 1200
    kept = everyones.filter(pa.array([i in ids(theirs) for i in everyones["entity_id"].to_pylist()]))
    assert theirs.equals(kept)
    hits = [outcome_counts(source, CUTOFF, 30, "sale", TargetSettings()) for source in (everybody, part)]
    assert ids(hits[1]) & ids(everyones) == ids(hits[0]) & ids(theirs)


def test_few_customers_are_all_learnt_from(store: Store) -> None:
    source = StoreSource(store)
    assert some(source, CUSTOMERS) is source
    assert some(source, 1).used == 1


def test_samples_are_of_those_learnt_from_and_features_of_everybody(store: Store) -> None:
    source = StoreSource(store)
    part = some(source, 1000)
    held = Snapshots(store.workspace, source, store.fingerprint(), learning=part)
    (target,) = [t for t in declared(store.workspace.settings, {"orders"}) if t.name == "repurchase"]
    sample = held.sample(target, 30, CUTOFF)
    assert ids(sample.table) == ids(build_features(part, CUTOFF)) < ids(held.features(CUTOFF))
    assert held.counted(target, 30, CUTOFF) == (sample.n, sample.positives)
    again = Snapshots(store.workspace, source, store.fingerprint(), learning=part)
    assert again.learnt_from(CUTOFF).equals(held.learnt_from(CUTOFF))
    assert again.features(CUTOFF).equals(held.features(CUTOFF))


def test_a_trainer_learns_from_some_and_its_leak_check_is_clean(store: Store) -> None:
    trainer = Trainer(store.workspace, store)
    assert trainer.learning.used is not None
    (made,) = trainer.train_all(store.default_as_of(), only="repurchase").trained
    assert made.leaks.clean
    assert made.judged.n <= 1200
    assert not list((store.workspace.snapshots).rglob(f"{made.judged.protocol.judge}.parquet"))


def test_of_many_customers_some_judge_the_recommenders_and_all_are_suggested_to(store: Store) -> None:
    day, last = date(2024, 12, 1), store.default_as_of()
    asked = Inputs(store.fingerprint(), last, day, last, 30, ("gp_topfreq", "popularity"), 100, 7)
    every, part = StoreSource(store), some(StoreSource(store), 1000)
    chosen = train(every, replace(asked, max_customers=1000))
    assert chosen.model is not None
    held = Interactions.from_table(interactions(every, last), last)
    assert chosen.model.interactions.user_ids.equals(held.user_ids)
    assert chosen.metrics == train(part, asked).metrics
    assert chosen.metrics != train(every, asked).metrics
    assert Inputs.from_json(asked.to_json()) == asked
    assert train(every, replace(asked, max_customers=10_000)).metrics == train(every, asked).metrics


def test_trees_over_candidates_compete_by_default_until_there_are_very_many_customers(store: Store) -> None:
    settings = store.workspace.settings
    told = {}
    for most in (1000, 10_000):
        for models in ({}, {"models": ("gp_topfreq", "two_stage")}):
            varied = settings.model_copy(
                update={
                    "training": settings.training.model_copy(update={"max_customers": most}),
                    "recommend": type(settings.recommend)(**models),
                }
            )
            workspace = replace(store.workspace, settings=varied)
            opened = Store(workspace)
            loaded = Loaded(Trainer(workspace, opened), CUTOFF, CUTOFF - timedelta(90), CUTOFF)
            told[most, bool(models)] = "two_stage" in teaching.asked(loaded).models
    assert told == {(1000, False): False, (10_000, False): True, (1000, True): True, (10_000, True): True}
