"""Two trainings beside each other: with itself nothing differs; differences are those of the metrics."""

import json
from datetime import date, timedelta

import numpy as np
import pytest

from training import cards, comparing, protocol
from training.comparing import Side, compare
from training.evaluation.propensity import auc
from training.judgements import Judgement, forget
from training.propensity import train_target
from training.recipes import changed, tree_settings
from warehouse.errors import UsageError

UNTIL = date(2024, 1, 1) + timedelta(days=170)


def side(name, snapshots, target, settings, recipe, until=UNTIL):
    planned = protocol.plan(until, until, date(2024, 1, 1), 14, 2)
    made = train_target(snapshots, target, 14, planned, settings, recipe, until)
    card = json.loads(json.dumps(cards.card(made)))
    inputs = json.loads(json.dumps(made.inputs))
    return Side(name, card, inputs, Judgement.of(made.judged, target, cards.shown(made, made.candidate)))


@pytest.fixture(scope="module")
def sides(snapshots, targets_by_name, shop, recipe):
    target = targets_by_name["repurchase"]
    other = changed(recipe, tree_settings({"num_leaves": 3, "start": "none"}))
    return (
        side("one", snapshots, target, shop.training, recipe),
        side("two", snapshots, target, shop.training, other),
        side("earlier", snapshots, target, shop.training, recipe, UNTIL - timedelta(days=20)),
    )


def test_with_itself_nothing_differs(sides):
    found = compare(sides[0], sides[0], 100, 7)
    assert found["changed"] == {"data": None, "features_added": [], "features_left_out": [], "settings": {}}
    for d in found["paired"]["differences"].values():
        assert (d["value"], d["low"], d["high"]) == (0, 0, 0)
    assert "nothing was changed in settings" in comparing.lines(found)


def test_differences_are_second_minus_first_and_turn_round(sides):
    one, two, _ = sides
    found, turned = compare(one, two, 100, 7), compare(two, one, 100, 7)
    a, b = one.judgement.both(two.judgement)
    d = found["paired"]["differences"]["auc"]
    assert d["value"] == pytest.approx(auc(b.y, b.p) - auc(a.y, a.p), abs=1e-12)
    assert d["low"] <= d["value"] <= d["high"]
    back = turned["paired"]["differences"]["auc"]
    assert (back["value"], back["low"]) == pytest.approx((-d["value"], -d["high"]), abs=1e-9)
    assert found["changed"]["settings"]["recipe.trees.num_leaves"] == {"first": 6, "second": 3}
    assert found["changed"]["settings"]["recipe.start"]["second"] is None
    assert {"one_order", "active"} & set(found["paired"]["slices"])
    assert len(found["first"]["deciles"]) == 10


def test_other_dates_have_no_pairs_and_say_so(sides):
    found = compare(sides[0], sides[2], 100, 7)
    assert found["paired"] is None
    assert "different dates" in found["unpaired_because"]
    assert any("different dates" in line for line in comparing.lines(found))


def test_customers_of_one_side_only_are_counted(sides):
    one = sides[0]
    some = one.judgement.where(np.arange(one.judgement.y.size) % 3 > 0)
    found = compare(one, Side("part", one.card, one.inputs, some), 100, 7)["paired"]
    assert (found["n"], found["only_second"]) == (some.y.size, 0)
    assert found["only_first"] == one.judgement.y.size - some.y.size


def test_another_question_is_refused(sides):
    other = Side("x", {**sides[0].card, "target": "churn"}, {}, None)
    with pytest.raises(UsageError, match="different questions"):
        compare(sides[0], other, 100, 7)


def test_the_file_of_a_judgement_comes_back_and_names_nobody(sides, tmp_path, snapshots):
    held = sides[0].judgement
    held.write(tmp_path / "judged" / "v.parquet")
    back = Judgement.read(tmp_path / "judged" / "v.parquet")
    a, b = back.both(held)
    assert a.y.size == held.y.size
    assert (a.y == b.y).all()
    assert (a.p == b.p).all()
    assert all((a.slices[name] == b.slices[name]).all() for name in held.slices)
    ids = set(snapshots.features(UNTIL).column("entity_id").to_pylist())
    assert not ids & set(back.customers.tolist())


def test_who_is_to_be_forgotten_leaves_the_judgements_and_nobody_else(sides, tmp_path, snapshots):
    held = sides[0].judgement
    held.write(tmp_path / "v.parquet")
    gone = snapshots.features(UNTIL).column("entity_id").to_pylist()[::7]
    forget(tmp_path, gone)
    left = Judgement.read(tmp_path / "v.parquet")
    assert 0 < held.y.size - left.y.size <= len(gone)
    forget(tmp_path, gone)
    assert Judgement.read(tmp_path / "v.parquet").y.size == left.y.size
    mine, theirs = held.both(left)
    assert (mine.p == theirs.p).all()
    assert mine.y.size == left.y.size
