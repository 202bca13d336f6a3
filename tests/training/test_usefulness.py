"""A family is worth what the ranking loses when all its columns are shuffled together."""

from datetime import date, timedelta

import numpy as np
import pytest

from training import protocol, usefulness
from training.tuning import Search
from training.usefulness import _family, _shuffled, grouped, lines

FIRST = date(2024, 1, 1)
UNTIL = FIRST + timedelta(days=170)


@pytest.fixture(scope="module")
def found(snapshots, targets_by_name, shop, recipe):
    planned = protocol.plan(UNTIL, UNTIL, FIRST, 14, 2)
    search = Search(snapshots, targets_by_name["repurchase"], 14, planned, FIRST, shop.training, recipe)
    return search, usefulness.usefulness(search)


def test_every_column_is_in_one_family(recipe):
    families = grouped((*recipe.features, "mine"))
    assert sorted(c for columns in families.values() for c in columns) == sorted((*recipe.features, "mine"))
    assert families["mine"] == ["mine"]
    assert len(families) < len(recipe.features) / 2


def test_columns_are_shuffled_together_and_others_stay(snapshots):
    table = snapshots.features(UNTIL)
    names = ["days_since_last_order", "order_count_lifetime"]
    moved = _shuffled(table, names, 1)
    rows = lambda t: list(zip(*(t.column(n).to_pylist() for n in names), strict=True))  # noqa: E731
    assert sorted(rows(moved)) == sorted(rows(table)) != rows(table)
    assert rows(moved) != rows(table)
    assert moved.drop_columns(names).equals(table.drop_columns(names))


def test_the_loss_is_the_mean_over_dates():
    family = _family("x", ["a"], [np.array([0.1, 0.3]), np.array([-0.1, -0.1])])
    assert (family.loss, family.by_date) == (pytest.approx(0.05), (pytest.approx(0.2), pytest.approx(-0.1)))
    assert family.useful


def test_buying_tells_more_than_chance_and_dates_come_before_the_judge(found):
    search, told = found
    assert told.families[0].loss > 0.01
    assert [f.loss for f in told.families] == sorted((f.loss for f in told.families), reverse=True)
    assert all(date.fromisoformat(day) + timedelta(days=14) <= search.judge_day for day in told.dates)
    assert told.whole == pytest.approx(search.value(search.defaults[0])[0], abs=1e-9)
    assert len(lines(told.to_json())) >= len(told.families) + 2
    assert (told.without is None) == (not told.useless)
