"""Value on past dates: nothing of what came is known, rules by hand, totals that add up."""

from datetime import datetime, time, timedelta

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest

from features.source import FramesSource
from models.baselines import Rule
from models.value import Histories
from tests.training.conftest import FIRST, HORIZON, UNTIL, made_up_rows, orders_table
from training.evaluation import value as metrics
from training.recipes import tree_recipe
from training.snapshots import Snapshots
from training.value import LIFETIMES, SO_FAR, TREES, spent_after
from training.value_backtest import COUNTS, ReplayedValue, replay_value, to_json
from warehouse.errors import NotReadyError
from warehouse.settings import parse_settings

SETTINGS = parse_settings("[training]\nmax_cutoffs = 2\nrounds = 15\nbootstrap_draws = 100\n").training
DAY = UNTIL - timedelta(days=HORIZON + 10)
ORDERS = orders_table(made_up_rows(150))


def snapshots(orders) -> Snapshots:
    return Snapshots(None, FramesSource({"orders": orders}, time_zone="UTC"))


def replay(shop: Snapshots, *days, serves: str = LIFETIMES) -> list[ReplayedValue]:
    recipe = tree_recipe(SETTINGS, ["orders"])
    return replay_value(shop, HORIZON, serves, SETTINGS, recipe, UNTIL, FIRST, days)


@pytest.fixture(scope="module")
def shop() -> Snapshots:
    return snapshots(ORDERS)


@pytest.fixture(scope="module")
def found(shop: Snapshots) -> list[ReplayedValue]:
    return replay(shop, DAY, DAY - timedelta(days=HORIZON))


def test_what_is_expected_knows_nothing_of_what_came(found: list[ReplayedValue]) -> None:
    until_then = ORDERS.filter(pc.less(ORDERS["ordered_at"], datetime.combine(DAY, time())))
    blind = replay(snapshots(until_then), DAY)[0]
    assert not blind.spent.any()
    assert "nobody spent anything" in blind.sentence()
    assert set(blind.expected) == {SO_FAR, LIFETIMES, TREES, COUNTS, "rfm_sum"}
    for name, told in found[1].expected.items():
        np.testing.assert_array_equal(told, blind.expected[name], err_msg=name)


def test_rules_by_hand(shop: Snapshots, found: list[ReplayedValue]) -> None:
    table = spent_after(shop, DAY, HORIZON).table
    known = Histories.of(table)
    mean = np.sum(known.mean_amount * (known.x + 1)) / np.sum(known.x + 1)
    wanted = (known.x + 1) / np.maximum(known.T, 30) * HORIZON * mean
    np.testing.assert_allclose(found[1].expected[COUNTS], wanted)
    before = spent_after(shop, DAY - timedelta(days=HORIZON), HORIZON)
    rule = Rule.fit("rfm_sum", before.table, (before.spent > 0).astype(float), HORIZON)
    means = pd.Series(before.spent).groupby(rule.score(before.table)).mean()
    scores = pd.Series(rule.score(table))
    there = scores.isin(means.index)
    assert there.mean() > 0.9
    np.testing.assert_allclose(found[1].expected["rfm_sum"][there], means[scores[there]])


def test_the_shape_of_a_replayed_target_and_totals_that_add_up(found: list[ReplayedValue]) -> None:
    told = to_json(found, LIFETIMES)
    assert told.keys() == {"target", "horizon_days", "protocol", "cutoffs", "pooled", "champion"}
    assert [cutoff["as_of"] for cutoff in told["cutoffs"]] == [str(DAY - timedelta(days=HORIZON)), str(DAY)]
    mine = [next(m for m in cutoff["models"] if m["name"] == LIFETIMES) for cutoff in told["cutoffs"]]
    expected = [m["total_ratio"] * cutoff["spent"] for m, cutoff in zip(mine, told["cutoffs"], strict=True)]
    assert told["pooled"]["expected"] == pytest.approx(sum(expected))
    assert told["pooled"]["total_ratio"] == pytest.approx(sum(expected) / told["pooled"]["spent"])
    last = told["cutoffs"][-1]
    assert set(last["differences"]) == {f"{LIFETIMES} - {other}" for other in found[1].expected if other != LIFETIMES}
    assert sum(row["customers"] for row in last["deciles"]) == last["n"]
    top = metrics.evaluate(found[1].spent, found[1].expected[LIFETIMES])["top_decile_share"]
    assert f"held {top:.0%} of the money" in last["sentence"]
    assert last["stability"]["days"] == 7
    assert 0 < last["stability"]["unchanged"] < last["n"]
    assert 0.5 < last["stability"]["overlap"] <= 1


def test_the_model_that_serves_is_told_of_where_it_can_be_learnt(shop: Snapshots) -> None:
    assert replay(shop, DAY, serves=TREES)[0].model == TREES
    early = FIRST + timedelta(days=35)
    [first] = replay(shop, early, serves=TREES)
    assert (first.model, first.planned.kind, set(first.expected)) == (
        LIFETIMES,
        "too_short",
        {SO_FAR, LIFETIMES, COUNTS},
    )


def test_dates_that_cannot_be_replayed(shop: Snapshots) -> None:
    with pytest.raises(NotReadyError, match="not over"):
        replay(shop, UNTIL - timedelta(days=HORIZON - 1))
    with pytest.raises(NotReadyError, match="50 customers"):
        replay(snapshots(orders_table(made_up_rows(20))), DAY)
