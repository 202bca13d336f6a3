"""Populations and labels, worked out by hand for a few customers; what is cached and what is not."""

from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from features.catalogue import by_name
from features.source import FramesSource
from training.snapshots import Sample, Snapshots, fold_of, parted
from training.targets import declared
from training.time_trial import changed_rows
from warehouse.errors import NotReadyError
from warehouse.files import write_text
from warehouse.settings import parse_settings
from warehouse.workspace import Workspace

# Ann buys on day 0 and 40, Bob on day 30, Cyd on day 50 only. The cutoff is day 35 (2024-02-05).
CUTOFF = date(2024, 2, 5)
TARGETS = {t.name: t for t in declared(parse_settings(""), {"orders"})}


@pytest.fixture(scope="module")
def people(make_orders):
    return FramesSource({"orders": make_orders([("ann", 0, 10), ("bob", 30, 10), ("ann", 40, 10), ("cyd", 50, 10)])})


@pytest.fixture(scope="module")
def few(people):
    return Snapshots(None, people)


@pytest.fixture(scope="module")
def labels(few):
    def asked(name, horizon, targets=TARGETS):
        sample = few.sample(targets[name], horizon, CUTOFF)
        return dict(zip(sample.table.column("entity_id").to_pylist(), sample.y.tolist(), strict=True))

    return asked


@pytest.mark.parametrize(
    ("name", "horizon", "expected"),
    [
        # Window [day 35, day 42): Ann's second order is in it.
        ("repurchase", 7, {"ann": 1, "bob": 0}),
        # Window [day 35, day 40): it is not.
        ("repurchase", 5, {"ann": 0, "bob": 0}),
        # Active in the 14 days before day 35: Bob alone, and he stays away.
        ("churn", 7, {"bob": 1}),
        ("churn", 30, {"ann": 0, "bob": 1}),
        ("second_order", 7, {"ann": 1, "bob": 0}),
        ("win_back", 7, {"ann": 1}),
    ],
)
def test_who_is_asked_and_what_happened(labels, name, horizon, expected):
    assert labels(name, horizon) == expected


def test_an_outcome_may_ask_for_more(labels):
    own = {t.name: t for t in declared(parse_settings("[targets.big]\nmin_amount = 11"), {"orders"})}
    assert labels("big", 7, targets=own) == {"ann": 0, "bob": 0}


def test_churn_is_the_complement_of_repurchase_on_its_population(labels):
    churn, repurchase = labels("churn", 30), labels("repurchase", 30)
    assert all(churn[who] == 1 - repurchase[who] for who in churn)


def test_nobody_in_the_population_is_told(few):
    with pytest.raises(NotReadyError, match="Nobody is in the population of win_back"):
        few.pool(TARGETS["win_back"], 90, [CUTOFF], 100)


def test_a_customer_is_in_one_fold_wherever_he_appears():
    ids = pa.chunked_array([[f"u{i}" for i in range(500)], [f"u{i}" for i in range(500)]])
    folds = fold_of(ids)
    np.testing.assert_array_equal(folds[:500], folds[500:])
    assert set(folds) == {0, 1, 2, 3, 4}
    assert np.bincount(folds).min() > 150


def test_a_pool_keeps_rows_and_labels_together(few):
    rows = few.pool(TARGETS["repurchase"], 7, [CUTOFF, date(2024, 1, 15)], 100)
    assert rows.table.column("entity_id").to_pylist() == ["ann", "bob", "ann"]
    assert rows.y.tolist() == [1, 0, 0]


@pytest.fixture
def workspace(tmp_path):
    write_text(tmp_path / "reprise.toml", "")
    return Workspace.open(tmp_path)


def test_features_are_read_back_from_disk_as_they_were(workspace, people):
    built = Snapshots(workspace, people, "a" * 20).features(CUTOFF)
    nothing = FramesSource({"orders": people.frames["orders"].slice(0, 0)})
    assert Snapshots(workspace, nothing, "a" * 20).features(CUTOFF).equals(built)


def test_training_builds_no_family_that_models_do_not_read_unless_a_rule_does(people, monkeypatch):
    monkeypatch.setattr("training.snapshots.modelled_families", lambda: ("recency", "frequency"))
    taught = Snapshots(None, people)
    assert {by_name()[name].family for name in taught.features(CUTOFF).column_names[1:]} == {"recency", "frequency"}
    assert {"amount_lifetime", "order_count_lifetime"} <= set(taught.everything(CUTOFF).column_names)
    rich = replace(TARGETS["repurchase"], population_rule="amount_lifetime >= 10 and days_since_last_order <= 20")
    assert taught.sample(rich, 7, CUTOFF).table["entity_id"].to_pylist() == ["bob"]
    assert "amount_lifetime" not in taught.sample(rich, 7, CUTOFF).table.column_names


def test_another_store_sweeps_what_was_cached(workspace, people):
    Snapshots(workspace, people, "a" * 20).features(CUTOFF)
    other = FramesSource({"orders": people.frames["orders"].slice(0, 2)})
    found = Snapshots(workspace, other, "b" * 20).features(CUTOFF)
    assert found.num_rows == 2
    assert len(list(workspace.snapshots.iterdir())) == 1


def test_counted_otherwise_it_is_counted_anew(workspace, make_orders):
    """Of amounts 10 … 100 the median parts 60 and more, the mean score of 3 parts 70 and more."""
    ten = FramesSource({"orders": make_orders([(f"u{n}", 0, 10 * n) for n in range(1, 11)])})
    for split, high in (("median", 5), ("score", 4)):
        built = Snapshots(workspace, replace(ten, rfm_split=split), "a" * 20).everything(CUTOFF)
        assert sum(kind.startswith("important") for kind in built["rfm_type"].to_pylist()) == high


def test_nothing_moves_when_later_rows_are_deleted(people, few):
    features = few.features(CUTOFF)
    assert changed_rows(people, CUTOFF, features) == (0, 2)


def test_a_planted_leak_is_found(people, few):
    """A column that was counted with Ann's later order."""
    now, later = few.features(CUTOFF), few.features(date(2024, 3, 1))
    ann = later.column("order_count_lifetime")[0]
    leaking = now.set_column(
        now.column_names.index("order_count_lifetime"), "order_count_lifetime", pa.array([ann.as_py(), 1.0])
    )
    assert changed_rows(people, CUTOFF, leaking) == (1, 2)


def test_a_target_is_part_of_the_key(snapshots, targets_by_name):
    day = date(2024, 4, 1)
    narrow = replace(targets_by_name["repurchase"], population_rule="order_count_lifetime >= 2")
    wide = snapshots.sample(targets_by_name["repurchase"], 14, day)
    assert snapshots.sample(narrow, 14, day).n < wide.n


@pytest.mark.parametrize(("kind", "judged"), [("file", ["c06", "c07"]), ("random", None)])
def test_labels_without_dates_are_parted_by_the_file_or_by_customer(kind, judged):
    """The last quarter of the lines; at random about a quarter, the same customers whatever their order."""
    count = 8 if kind == "file" else 800
    table = pa.table({"entity_id": [f"c{k:02d}" for k in range(count)]})
    sample = Sample(date(2025, 1, 1), table, np.arange(count) % 2.0)
    rest, last = parted(sample, kind)
    assert rest.n + last.n == count
    if judged is not None:
        assert last.table["entity_id"].to_pylist() == judged
    else:
        assert 150 < last.n < 250
        order = np.random.default_rng(1).permutation(count)
        again = parted(Sample(sample.as_of, table.take(pa.array(order)), sample.y[order]), kind)[1]
        assert set(again.table["entity_id"].to_pylist()) == set(last.table["entity_id"].to_pylist())
    assert (last.y == [int(i[1:]) % 2 for i in last.table["entity_id"].to_pylist()]).all()
