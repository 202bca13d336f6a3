"""From a plan to a model: protocols and fallbacks, gates, the same bytes again."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from features.catalogue import FEATURES
from features.source import FramesSource
from models.calibration import Calibration
from models.propensity import PropensityModel
from training import protocol
from training.candidates import Matrix, with_rounds
from training.gates import LeakCheck
from training.judging import CHAMPION, TREES, judge
from training.propensity import in_words, train_target
from training.recipes import Recipe, rule_recipe, tree_recipe
from training.snapshots import Snapshots
from training.tracking import Record

FIRST, HORIZON = date(2024, 1, 1), 14
UNTIL = FIRST + timedelta(days=170)
ASK = """
import json, sys, mlflow.pyfunc
from mlflow.models import Model
path = sys.argv[1]
described = Model.load(path)
example = described.load_input_example(path)
told = mlflow.pyfunc.load_model(path).predict(example).tolist()
marked = described.metadata["input_example"]
print(json.dumps({"marked": marked, "columns": list(example.columns), "probability": told}))
"""


def planned(latest=UNTIL, horizon=HORIZON, first=FIRST):
    return protocol.plan(latest, UNTIL, first, horizon, 2)


def train(snapshots, target, shop, recipe, champion=None, plan=None, unchanged=None):
    return train_target(
        snapshots, target, HORIZON, plan or planned(), shop.training, recipe, UNTIL, champion, unchanged
    )


@pytest.fixture(scope="module")
def trained(snapshots, targets_by_name, shop, recipe):
    return train(snapshots, targets_by_name["repurchase"], shop, recipe)


def test_a_full_protocol_judges_every_rule_and_the_trees(trained):
    judged = trained.judged
    assert judged.protocol.kind == "full"
    assert set(judged.contenders) == {
        "days_since_last_order", "order_days", "order_days_minus_recency", "rfm_sum", "bg_nbd", TREES,
    }  # fmt: skip
    assert judged.intervals[TREES]["auc"].value > 0.6
    assert trained.leaks.clean


def test_the_model_is_about_its_population_and_gives_probabilities(trained, snapshots):
    model = trained.model
    assert (model.target, model.horizon_days, model.kind) == ("repurchase", 14, "lightgbm")
    assert model.version.startswith("repurchase-14d-20240619-")
    p = model.predict(snapshots.features(UNTIL))
    assert ((p > 0) & (p < 1)).all()


def test_the_refit_is_calibrated_on_customers_it_has_not_seen(trained, snapshots, targets_by_name):
    """Over all closed cutoffs the mean prediction is near the base rate, without having been fitted to it."""
    rows = snapshots.pool(targets_by_name["repurchase"], HORIZON, trained.judged.protocol.closed, 100_000)
    assert trained.model.predict(rows.table).mean() == pytest.approx(trained.model.base_rate, abs=0.02)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_data_and_seed_give_the_same_bytes(
    trained, snapshots, targets_by_name, shop, recipe, tmp_path, threads
):
    again = train(
        snapshots, targets_by_name["repurchase"], shop, replace(recipe, trees=replace(recipe.trees, threads=threads))
    )
    trained.model.save(tmp_path / "first")
    again.model.save(tmp_path / "again")
    for name in ("model.json", "model.txt"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_model_started_from_a_rule_is_saved_and_explained_whole(trained, snapshots, tmp_path):
    trained.model.save(tmp_path)
    restored = PropensityModel.load(tmp_path)
    few = snapshots.features(UNTIL).slice(0, 50)
    np.testing.assert_array_equal(restored.predict(few), trained.model.predict(few))
    _, amounts, start = restored.contributions(few)
    odds = np.log(restored.predict(few)) - np.log1p(-restored.predict(few))
    np.testing.assert_allclose(amounts.sum(axis=1) + start, odds, atol=1e-9)


def test_the_judged_scores_do_not_depend_on_what_happens_after(source, targets_by_name, shop, recipe):
    """Rows after the judged window are altered: features, scores and labels of the judgement stay."""
    plan = planned(UNTIL - timedelta(days=20))
    orders = source.frames["orders"]
    cut = (plan.known_from - FIRST).days
    days = np.array([(moment.date() - FIRST).days for moment in orders.column("local_at").to_pylist()])
    earlier = FramesSource({"orders": orders.filter(pa.array(days < cut))})
    found = [
        judge(Snapshots(None, rows), targets_by_name["repurchase"], HORIZON, plan, shop.training, recipe)
        for rows in (source, earlier)
    ]
    np.testing.assert_array_equal(found[0].p(TREES), found[1].p(TREES))
    np.testing.assert_array_equal(found[0].sample.y, found[1].sample.y)


def test_without_a_champion_either_the_trees_or_the_named_rule_serve(trained):
    assert trained.serves is not None
    assert trained.serves.model.kind == ("lightgbm" if trained.promoted else "rule")
    assert trained.why.startswith("LightGBM")


def test_the_champions_own_recipe_is_refreshed(snapshots, targets_by_name, shop, recipe):
    again = train(snapshots, targets_by_name["repurchase"], shop, recipe, champion=recipe)
    if again.judged.intervals[TREES]["shape_error"].value <= 0.04:
        assert again.promoted
        assert again.serves == again.candidate
        assert "own recipe" in again.why
    else:
        assert again.serves is None
        assert "shape error" in again.why


def test_a_leak_keeps_a_challenger_out(snapshots, targets_by_name, shop, recipe):
    leak = LeakCheck(("3 of 700 scores change.",))
    caught = train(snapshots, targets_by_name["repurchase"], shop, recipe, unchanged=leak)
    assert not caught.promoted
    assert "3 of 700 scores change" in caught.why
    assert caught.serves is not None
    assert caught.serves.model.kind == "rule"
    kept = train(snapshots, targets_by_name["repurchase"], shop, recipe, champion=recipe, unchanged=leak)
    assert kept.serves is None


def test_a_rule_that_is_champion_is_compared_and_refitted_as_that_rule(snapshots, targets_by_name, shop, recipe):
    weak = replace(recipe, trees=replace(recipe.trees, rounds=10, num_leaves=2), features=("days_since_first_order",))
    found = train(snapshots, targets_by_name["repurchase"], shop, weak, champion=rule_recipe("rfm_sum"))
    assert CHAMPION in found.judged.contenders
    np.testing.assert_array_equal(found.judged.p(CHAMPION), found.judged.p("rfm_sum"))
    if not found.promoted:
        assert found.serves is not None
        assert found.serves.recipe.rule == "rfm_sum"


def test_another_tree_recipe_is_refitted_beside_the_challenger(snapshots, targets_by_name, shop, recipe):
    champion = replace(recipe, name="earlier", trees=replace(recipe.trees, num_leaves=4))
    found = train(snapshots, targets_by_name["repurchase"], shop, recipe, champion=champion)
    assert CHAMPION in found.judged.differences
    assert found.serves is not None
    assert found.serves.recipe.name == ("default" if found.promoted else "earlier")


def test_short_history_is_cross_fitted(snapshots, targets_by_name, shop, recipe):
    plan = planned(FIRST + timedelta(days=75))
    assert plan.kind == "short"
    found = train(snapshots, targets_by_name["repurchase"], shop, recipe, plan=plan)
    assert found.judged.protocol.kind == "short"
    assert found.model.kind == "lightgbm"


def test_too_short_a_history_names_the_rule_that_serves(snapshots, targets_by_name, shop, recipe):
    plan = planned(FIRST + timedelta(days=50))
    assert plan.kind == "too_short"
    found = train(snapshots, targets_by_name["repurchase"], shop, recipe, plan=plan)
    assert TREES not in found.judged.contenders
    assert found.model.kind == "rule"
    assert found.serves == found.candidate
    assert found.judged.named_rule in found.why
    assert "no LightGBM" in found.why


def test_too_short_leaves_a_champion_of_trees_alone(snapshots, targets_by_name, shop, recipe):
    found = train(
        snapshots, targets_by_name["repurchase"], shop, recipe, champion=recipe,
        plan=planned(FIRST + timedelta(days=50)),
    )  # fmt: skip
    assert found.serves is None


def test_one_class_at_the_judge_is_counted_and_a_rule_serves(targets_by_name, shop, recipe, make_rows, make_orders):
    """F21: everybody buys before day 90 and nobody after."""
    rows = [row for row in make_rows(200) if row[1] < 90]
    silent = Snapshots(None, FramesSource({"orders": make_orders(rows)}))
    found = train(silent, targets_by_name["repurchase"], shop, recipe)
    assert found.model.kind == "rule"
    assert found.judged.protocol.kind == "too_short"
    skipped = {s.as_of: s.positives for s in found.judged.skipped}
    assert skipped[found.judged.protocol.judge] == 0
    assert "0 are positive" in found.why
    p = found.model.predict(silent.features(UNTIL))
    assert (p < 0.05).all()


def test_a_cutoff_with_too_few_positives_is_skipped_and_counted(snapshots, targets_by_name, shop, recipe):
    """F22: with more positives demanded than the earlier cutoffs have, the next protocol is taken."""
    full = planned()
    positives = {c: snapshots.sample(targets_by_name["repurchase"], HORIZON, c).positives for c in full.closed}
    demanded = positives[full.judge]
    fewer = [c for c in full.closed if positives[c] < demanded]
    strict = shop.training.model_copy(update={"min_positives": demanded})
    judged = judge(snapshots, targets_by_name["repurchase"], HORIZON, full, strict, recipe)
    assert [s.as_of for s in judged.skipped] == fewer
    assert judged.protocol == protocol.without(full, frozenset(fewer))


def test_many_rows_are_sampled_and_the_level_is_brought_back(snapshots, targets_by_name, shop, recipe):
    rows = snapshots.pool(targets_by_name["repurchase"], HORIZON, planned().closed, 100_000)
    few = Matrix(rows, with_rounds(replace(recipe, max_rows=int(2 * rows.y.sum())), 30), HORIZON)
    raw = few.out_of_fold(30)
    p = Calibration.fit(raw, rows.y).apply(raw)
    assert p.mean() == pytest.approx(rows.y.mean(), abs=0.02)
    # Trees alone have the level of all rows, too, though they saw as many positives as negatives.
    assert Calibration().apply(raw).mean() == pytest.approx(rows.y.mean(), abs=0.03)


def test_a_recipe_is_what_its_json_says(recipe, shop):
    assert Recipe.from_json(recipe.to_json(), shop.training) == recipe
    other = shop.training.model_copy(update={"seed": 8, "threads": 1})
    assert Recipe.from_json(recipe.to_json(), other).same_as(recipe)
    assert not recipe.same_as(replace(recipe, max_rows=7))


def test_protected_and_excluded_features_and_segments_stay_out(shop):
    tables = {"orders", "users"}
    assert not {"gender", "birth_year"} & set(tree_recipe(shop.training, tables).features)
    assert not {f.name for f in FEATURES if f.is_segment} & set(tree_recipe(shop.training, tables).features)
    asked = shop.training.model_copy(update={"use_protected": True, "exclude_families": ("recency",)})
    features = tree_recipe(asked, tables).features
    assert {"gender", "birth_year"} <= set(features)
    assert "days_since_last_order" not in features


def test_features_are_told_in_words():
    assert in_words("days_since_last_order") != "days_since_last_order"
    assert in_words("days_since_last_order", "zh") != in_words("days_since_last_order")


def test_dates_of_a_training_are_those_of_the_plan(trained):
    assert trained.inputs["planned"] == planned().to_json()
    assert protocol.Protocol.from_json(trained.inputs["planned"]) == planned()
    assert date.fromisoformat(trained.inputs["as_of"]) == UNTIL


@pytest.mark.parametrize("seed", range(4))
def test_a_rule_that_tells_nobody_apart_is_not_chosen(shop, targets_by_name, recipe, make_orders, seed):
    """Whether somebody buys again is chance here, so that any rule may look worse than one that is the same for all."""
    generator = np.random.default_rng(seed)
    rows = [(f"u{k}", int(day), 5.0) for k, day in enumerate(generator.integers(0, 150, 300))]
    rows += [(name, day + int(generator.integers(1, 60)), 5.0) for name, day, _ in rows if generator.random() < 0.5]
    made, target = Snapshots(None, FramesSource({"orders": make_orders(rows)})), targets_by_name["second_order"]
    for plan in (planned(), planned(latest=FIRST + timedelta(days=2 * HORIZON))):
        judged = judge(made, target, HORIZON, plan, shop.training, recipe)
        assert judged.named_rule != "order_days"


def test_an_example_is_shown_with_its_model_and_predicts(tracker, trained, tmp_path):
    """MLflow itself opens the model, in a process of its own, and asks it about its example."""
    made = trained.candidate
    (tmp_path / "v1").mkdir()
    made.write(tmp_path / "v1", trained.inputs)
    logged = tracker.log(Record("tests", "example", {}, {}, model_files=tmp_path / "v1")).result()
    (tmp_path / "model").mkdir()
    tracker.fetch(logged.run_id, "model", tmp_path / "model")
    words = [sys.executable, "-W", "ignore", "-c", ASK, str(tmp_path / "model")]
    asked = subprocess.run(words, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2])
    told = json.loads(asked.stdout.splitlines()[-1])
    assert told["marked"].startswith("Made up, nobody's row")
    assert told["columns"] == sorted(made.example)
    row = pa.table({name: [value] for name, value in made.example.items()})
    assert told["probability"] == made.model.predict(row).tolist()
