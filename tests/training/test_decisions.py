"""What acting on a ranking brings, and how steady a list is: worked by hand."""

import numpy as np
import pyarrow as pa
import pytest

from training.evaluation.decisions import Prices, decision_lines, decisions, lost, stability
from warehouse.settings import ValueSettings

PRICES = Prices(margin=0.5, contact_cost=2.0, save_rate=0.2)


def test_profit_by_hand() -> None:
    table = pa.table({"average_order_value_lifetime": [100.0, 100.0, 10.0, None]})
    gone, said = np.array([1.0, 0, 1, 0]), np.array([0.5, 0.1, 1.0, 0.0])
    told = decisions(PRICES, table, gone, {"model": said})
    assert told is not None
    # An order of 100 saved with 0.2 at a margin of 0.5 is 10: 0.5 × 10 > 2, 0.1 × 10 < 2; one of 10 is 1.
    model, everybody = told["ways"]
    assert model == {"who": "model", "contacted": 1, "expected_profit": pytest.approx(3), "profit": pytest.approx(8)}
    assert everybody["profit"] == pytest.approx((10 - 2) - 2 + (1 - 2) - 2)
    assert any("everybody: 4 of 4" in line for line in decision_lines(told))


def test_knowing_the_outcome_is_never_worse_than_contacting_all() -> None:
    random = np.random.default_rng(1)
    table = pa.table({"average_order_value_lifetime": random.gamma(2, 30, 200)})
    gone = (random.random(200) < 0.3).astype(float)
    told = decisions(PRICES, table, gone, {"knows": gone, "guesses": random.random(200)})
    assert told is not None
    profit = {way["who"]: way["profit"] for way in told["ways"]}
    assert profit["knows"] >= max(0, profit["everybody"], profit["guesses"])


def test_who_is_lost_and_when_prices_are_known() -> None:
    y = np.array([1.0, 0.0])
    assert lost("sale", y).tolist() == [0, 1]
    assert lost("no_sale", y).tolist() == lost("labels", y).tolist() == [1, 0]
    assert Prices.of(ValueSettings(margin=0.3, save_rate=0.1)) is None
    assert Prices.of(ValueSettings(margin=0.3, save_rate=0.1, contact_cost=0)) == Prices(0.3, 0, 0.1)
    assert decisions(PRICES, pa.table({"x": [1]}), y[:1], {}) is None


def test_lists_are_compared_among_those_who_did_nothing() -> None:
    ids = [f"u{k:02d}" for k in range(40)]
    old = pa.table({"entity_id": ids, "days_since_last_act": [float(k) for k in range(40)]})
    since = [k + 7.0 if k < 30 else 1.0 for k in range(40)]
    new = pa.table({"entity_id": [*ids, "new"], "days_since_last_act": [*since, 1.0]})
    p = np.linspace(0.1, 0.9, 40)
    same = stability((old, p), (new, np.append(p, 0.99)), 7)
    assert same == {"days": 7, "unchanged": 30, "top": 3, "overlap": 1.0}
    turned = stability((old, p), (new, np.append(p[::-1], 0.99)), 7)
    assert turned is not None
    assert turned["overlap"] == 0
    assert stability((old.slice(0, 3), p[:3]), (new.slice(0, 3), p[:3]), 7) is None
