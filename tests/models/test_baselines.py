import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from models.baselines import RULES, Rule, basis_of
from models.logistic import Logistic
from warehouse.errors import DataProblemError, UsageError


def _customers(n: int, seed: int = 0) -> pa.Table:
    """Customers of whom the active buy more: age, order days, recency, money; the last has never ordered."""
    generator = np.random.default_rng(seed)
    age = generator.integers(30, 300, n).astype(float)
    count = 1 + generator.poisson(generator.gamma(0.6, 3.0, n))
    recency = np.where(count == 1, age, np.floor(age * generator.beta(1, 2, n))).clip(1)
    columns = [recency, count.astype(float), age, count * generator.lognormal(3, 1, n)]
    names = ["days_since_last_order", "order_day_count_lifetime", "days_since_first_order", "amount_lifetime"]
    for column in columns:
        column[-1] = np.nan
    return pa.table([pa.array(c, from_pandas=True) for c in columns], names=names)


def _labels(table: pa.Table, seed: int = 1) -> np.ndarray:
    recency = np.nan_to_num(table["days_since_last_order"].to_numpy(), nan=300)
    count = np.nan_to_num(table["order_day_count_lifetime"].to_numpy())
    chance = expit(0.4 * count - recency / 60 - 0.5)
    return (np.random.default_rng(seed).random(table.num_rows) < chance).astype(float)


TABLE = _customers(800)
Y = _labels(TABLE)


@pytest.mark.parametrize("name", RULES)
def test_every_rule_ranks_keeps_the_level_and_survives_json(name: str) -> None:
    rule = Rule.fit(name, TABLE, Y, 30)
    p = rule.predict(TABLE)
    assert ((p > 0) & (p < 1)).all()
    assert p.mean() == pytest.approx(Y.mean(), abs=1e-3)
    assert p[Y == 1].mean() > p[Y == 0].mean() + 0.05
    restored = Rule.from_json(json.loads(json.dumps(rule.to_json())))
    assert restored == rule
    np.testing.assert_array_equal(restored.predict(TABLE.select(TABLE.column_names[::-1])), p)
    np.testing.assert_array_equal(restored.predict(TABLE.select(rule.columns)), p)


@pytest.mark.parametrize("name", RULES)
def test_the_opposite_outcome_turns_the_rule_around(name: str) -> None:
    rule, opposite = Rule.fit(name, TABLE, Y, 30), Rule.fit(name, TABLE, 1 - Y, 30)
    np.testing.assert_allclose(opposite.predict(TABLE), 1 - rule.predict(TABLE), atol=1e-6)
    np.testing.assert_array_equal(opposite.score(TABLE), -rule.score(TABLE))
    assert rule.score(TABLE)[Y == 1].mean() > rule.score(TABLE)[Y == 0].mean()


@pytest.mark.parametrize("name", RULES)
def test_active_days_serve_where_there_are_no_orders(name: str) -> None:
    renamed = TABLE.rename_columns(
        ["days_since_last_act", "act_day_count_lifetime", "days_since_first_act", "something_else"]
    )
    rule = Rule.fit(name, renamed, Y, 7)
    assert rule.basis == "acts"
    assert rule.predict(renamed)[Y == 1].mean() > rule.predict(renamed)[Y == 0].mean()


def test_scores_by_hand() -> None:
    rule = Rule.fit("order_days_minus_recency", TABLE, Y, 30)
    row = pa.table({"days_since_last_order": [40], "order_day_count_lifetime": [3]})
    assert rule.score(row)[0] == pytest.approx(3 - 0.040)
    assert Rule.fit("days_since_last_order", TABLE, Y, 30).score(row)[0] == -40


def test_rfm_sum_by_hand() -> None:
    # Ten customers, quintile edges (lower) of recency 10 … 100: 20, 40, 60, 80; all bought once but the last two.
    table = pa.table(
        {
            "days_since_last_order": [10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
            "order_day_count_lifetime": [1, 1, 1, 1, 1, 1, 1, 1, 2, 9],
            "days_since_first_order": [100] * 10,
        }
    )
    rule = Rule.fit("rfm_sum", table, [1, 1, 1, 1, 0, 1, 0, 0, 0, 0], 30)
    # R = 5 5 4 4 3 3 2 2 1 1; F: ties at 1 are all in the lowest bin, above every edge (1, 1, 1, 1) is 5.
    assert rule.score(table).tolist() == [6, 6, 5, 5, 4, 4, 3, 3, 6, 6]


def test_bg_nbd_prefers_the_fresh_over_the_silent() -> None:
    rule = Rule.fit("bg_nbd", TABLE, Y, 30)
    rows = pa.table(
        {
            "days_since_last_order": [5, 180],
            "order_day_count_lifetime": [6, 6],
            "days_since_first_order": [200, 200],
        }
    )
    fresh, silent = rule.score(rows)
    assert fresh > silent


def test_who_never_ordered_counts_as_the_least_active() -> None:
    for name in RULES:
        score = Rule.fit(name, TABLE, Y, 30).score(TABLE)
        assert score[-1] == score.min()


def test_one_class_gives_its_smoothed_rate() -> None:
    rule = Rule.fit("order_days", TABLE, np.zeros(800), 30)
    np.testing.assert_allclose(rule.predict(TABLE), 0.5 / 801)


def test_mistakes_are_told() -> None:
    with pytest.raises(UsageError, match="rfm_sum"):
        Rule.fit("magic", TABLE, Y, 30)
    with pytest.raises(DataProblemError, match="800 rows"):
        Rule.fit("order_days", TABLE, Y[:-1], 30)
    with pytest.raises(DataProblemError, match="act_day_count_lifetime"):
        basis_of(pa.table({"x": [1]}))


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.floats(-1000, 1000), st.floats(0.01, 1000))
def test_logistic_agrees_with_sklearn_whatever_the_scale(seed: int, offset: float, scale: float) -> None:
    generator = np.random.default_rng(seed)
    z = generator.normal(size=200)
    y = (generator.random(200) < expit(z - 0.5)).astype(float)
    x = offset + scale * z
    fitted = Logistic.fit(x, y)
    standard = ((z - z.mean()) / z.std())[:, None]
    oracle = LogisticRegression(C=1.0, tol=1e-10).fit(standard, y).decision_function(standard)
    np.testing.assert_allclose(fitted.log_odds(x), oracle, atol=1e-4)


def test_classes_that_part_give_a_finite_slope() -> None:
    fitted = Logistic.fit([0, 1, 2, 3], [0, 0, 1, 1])
    assert np.isfinite([fitted.intercept, fitted.slope]).all()
    with pytest.raises(DataProblemError):
        Logistic.fit([0, np.nan], [0, 1])
