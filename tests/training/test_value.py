"""Which model says what customers will spend: measures by hand, the gate, and a choice on made-up shops."""

from datetime import timedelta

import numpy as np
import pytest

from features.source import FramesSource
from models.value_trees import FORMS, ValueTrees
from tests.training.conftest import FIRST, HORIZON, UNTIL, made_up_rows, orders_table
from training.evaluation import value as metrics
from training.evaluation.intervals import Interval
from training.gates import LeakCheck
from training.recipes import tree_recipe
from training.snapshots import Snapshots
from training.value import LIFETIMES, SO_FAR, TREES, choose_value, judge, spent_after
from training.value_runs import card, markdown
from warehouse.errors import RepriseError
from warehouse.settings import parse_settings

SETTINGS = parse_settings("[training]\nmax_cutoffs = 2\nrounds = 40\nbootstrap_draws = 100\n").training


@pytest.fixture(scope="module")
def snapshots() -> Snapshots:
    return shop(200)


def shop(customers: int) -> Snapshots:
    return Snapshots(None, FramesSource({"orders": orders_table(made_up_rows(customers))}, time_zone="UTC"))


def choose(snapshots: Snapshots, horizon: int = HORIZON, settings=SETTINGS):
    recipe = tree_recipe(settings, ["orders"])
    return choose_value(snapshots, horizon, UNTIL, UNTIL, FIRST, settings, recipe)


def test_measures_by_hand() -> None:
    spent, expected = np.array([10.0] + [0.0] * 8 + [30.0]), np.array([5.0] + [1.0] * 8 + [7.0])
    found = metrics.evaluate(spent, expected)
    assert found["top_decile_share"] == pytest.approx(0.75)
    assert found["possible"] == pytest.approx(0.75)
    assert found["mean_absolute_error"] == pytest.approx((5 + 8 + 23) / 10)
    assert found["total_ratio"] == pytest.approx(20 / 40)
    tied = metrics.evaluate(spent, np.ones(10))
    assert tied["top_decile_share"] == pytest.approx(0.1)
    assert np.isnan(tied["rank_correlation"])
    assert [row["customers"] for row in metrics.deciles(spent, expected)] == [1] * 10
    assert metrics.deciles(spent, expected)[0] == {
        "decile": 1, "customers": 1, "expected_mean": 7.0, "spent_mean": 30.0, "spent_share": 0.75,
    }  # fmt: skip


def test_a_model_is_not_better_than_itself() -> None:
    random = np.random.default_rng(1)
    spent, told = random.gamma(0.3, 50, 300), random.gamma(1, 10, 300)
    same = metrics.compare(spent, {"a": told, "b": told.copy()}, "a", "b", 50, 1)
    assert all((i.value, i.low, i.high) == (0, 0, 0) for i in same.values())
    better = metrics.compare(spent, {"a": spent, "b": told}, "a", "b", 50, 1)
    assert all(i.above_zero for i in better.values())


@pytest.mark.parametrize(
    ("top", "error", "ratio", "leaks", "promoted", "said"),
    [
        (Interval(0.02, 0.01, 0.03), Interval(0, -0.004, 0.01), 1.0, (), True, "replaces"),
        (Interval(0, -0.004, 0.01), Interval(0.02, 0.01, 0.03), 1.0, (), True, "replaces"),
        (Interval(0.02, 0.01, 0.03), Interval(0, -0.01, 0.01), 1.0, (), False, "not surely better"),
        (Interval(0.02, 0.01, 0.03), Interval(0, 0, 0.01), 1.6, (), False, "1.60 times"),
        (Interval(0.02, 0.01, 0.03), Interval(0, 0, 0.01), 1.0, ("it knows.",), False, "it knows"),
    ],
)
def test_the_gate(top, error, ratio, leaks, promoted, said) -> None:
    verdict = judge(
        "new", "old", dict(zip(metrics.COMPARED, (top, error), strict=True)), (ratio, 1.0), LeakCheck(leaks)
    )
    assert verdict.promote is promoted
    assert said in verdict.why


def test_a_shop_chooses_by_judging_and_its_card_says_so(snapshots: Snapshots) -> None:
    found = choose(snapshots)
    assert card(found) == card(choose(snapshots))
    assert found.planned is not None
    assert set(found.judged) == {SO_FAR, LIFETIMES, TREES}
    assert found.judged[LIFETIMES]["mean_absolute_error"] < found.judged[SO_FAR]["mean_absolute_error"]
    assert found.name in found.why
    told = card(found)
    assert told["judged_customers"] == sum(row["customers"] for row in told["deciles"])
    assert found.name in markdown(found)
    assert told["stability"]["days"] == 7
    assert f"{told['stability']['overlap']:.0%} of the tenth" in markdown(found)
    judged = spent_after(snapshots, found.planned.judge, HORIZON)
    sold = orders_table(made_up_rows(200)).to_pandas()
    day = found.planned.judge
    inside = sold[(sold.ordered_at.dt.date >= day) & (sold.ordered_at.dt.date < day + timedelta(days=HORIZON))]
    before = set(sold[sold.ordered_at.dt.date < day].entity_id)
    assert judged.spent.sum() == pytest.approx(float(inside[inside.entity_id.isin(before)].amount.sum()))


def test_without_a_closed_window_or_customers_the_lifetimes_serve_unjudged(snapshots: Snapshots) -> None:
    for found in (choose(snapshots, 400), choose(shop(20))):
        assert (found.name, found.planned, found.trees) == (LIFETIMES, None, None)
        assert "unjudged" in found.why


@pytest.mark.parametrize("form", FORMS)
def test_trees_add_up_on_what_they_are_scaled_by_and_come_back_from_json(snapshots: Snapshots, form) -> None:
    rows = spent_after(snapshots, FIRST + timedelta(days=100), HORIZON)
    recipe = tree_recipe(replace_rounds(SETTINGS), ["orders"])
    assert recipe.trees is not None
    trees = ValueTrees.fit(form, rows.table, rows.spent, recipe.features, recipe.trees)
    assert trees.scaled(rows.table, rows.spent).predict(rows.table).sum() == pytest.approx(rows.spent.sum())
    told = trees.to_json()
    np.testing.assert_array_equal(ValueTrees.from_json(told).predict(rows.table), trees.predict(rows.table))
    with pytest.raises(RepriseError, match="damaged"):
        ValueTrees.from_json({**told, "amounts": told["amounts"][:-40]})


def replace_rounds(settings):
    return settings.model_copy(update={"rounds": 15})
