"""What rules of suggestions cost on the judged window, against the measures of the choice itself."""

import json
from dataclasses import replace
from datetime import date, datetime

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from features.source import FramesSource
from tests.features.conftest import stored
from training import rule_costs
from training.recommendation import BENCHMARK, train_recommender
from training.recommender_runs import Inputs, markdown, train

AS_OF = date(2024, 6, 10)
RULES = {"not_bought_within_days": 400, "per_category": 1, "boost_brands": {"nobody": 2.0}, "pin": ["never sold"]}
ASKED = Inputs("the data", AS_OF, date(2024, 1, 1), AS_OF, 30, ("gp_topfreq", "popularity"), 50, 7, rules=RULES)


@pytest.fixture(scope="module")
def source(make_orders, make_rows):
    return FramesSource({"orders": make_orders(make_rows(200))})


@pytest.fixture(scope="module")
def trained(source):
    return train(source, ASKED)


@pytest.fixture(scope="module")
def judged(source, trained):
    return rule_costs.with_costs(source, ASKED, trained)


def test_a_rule_that_changes_nothing_has_the_measures_of_the_choice(trained, judged):
    assert trained.name == BENCHMARK
    [chosen] = [row for row in trained.metrics if row["role"] == "judge" and row["name"] == trained.name]
    rows = {row["rule"]: row for row in judged.card["rules"]}
    assert list(rows) == ["not_bought_within_days", "per_category", "pin", "boost_brands", "all rules"]
    for rule in ("pin", "boost_brands", "per_category"):  # without an items table there are no categories
        for measure in ("ndcg@10", "recall@10"):
            told = [rows[rule][f"{measure}{part}"] for part in ("", "_cost", "_low", "_high")]
            assert told == pytest.approx([chosen[measure], 0, 0, 0])
        assert rows[rule]["n"] == chosen["n"]


def test_leaving_out_all_that_was_bought_costs_what_is_bought_again(trained, judged):
    [chosen] = [row for row in trained.metrics if row["role"] == "judge" and row["name"] == trained.name]
    for row in (judged.card["rules"][0], judged.card["rules"][-1]):
        assert row["recall@10_cost"] == pytest.approx(chosen["recall@10"] - row["recall@10"])
        assert row["recall@10_low"] <= row["recall@10_cost"] <= row["recall@10_high"]
        assert row["recall@10_cost"] > 0


def test_they_are_told_and_on_the_card(judged):
    lines = rule_costs.lines(judged.card)
    assert len(lines) == 5
    assert lines[0].startswith("rule not_bought_within_days on the judged window: ndcg@10 0.")
    assert "## What the rules cost on the judged window" in markdown(judged)
    json.dumps(judged.card, allow_nan=False)


def test_without_rules_nothing_is_computed_or_said(source, trained):
    plain = replace(ASKED, rules={})
    assert rule_costs.with_costs(source, plain, trained) is trained
    assert "rules" not in plain.to_json()
    assert Inputs.from_json(ASKED.to_json()) == ASKED
    assert Inputs.from_json(plain.to_json()) == plain
    assert "rules" not in markdown(trained)
    assert rule_costs.lines(trained.card) == []


def test_where_nothing_was_judged_there_is_no_cost():
    empty = pa.table({name: pa.array([], pa.string()) for name in ("user_id", "item_id")})
    for name in ("day", "quantity", "amount"):
        empty = empty.append_column(name, pa.array([], pa.float64()))
    nothing = train_recommender(lambda day: empty, lambda day: empty, AS_OF, AS_OF, ASKED.first_day)
    assert rule_costs.with_costs(FramesSource({}), ASKED, nothing) is nothing


def test_a_boost_by_the_level_of_sellers_costs_what_one_by_a_brand_of_the_same_items_does(source, trained):
    orders = source.frames["orders"]
    orders = orders.append_column("seller_id", pc.utf8_slice_codeunits(orders["item_id"], -1))  # the last digit
    start = datetime(2024, 1, 1)
    sellers = [{"user_id": f"seller {n}", "seller_id": str(n), "recorded_at": start} for n in range(10)]
    posts = [{"user_id": f"seller {n}", "event": "post", "occurred_at": start} for n in range(5) for _ in range(3)]
    brands = [{"item_id": item, "brand": "star" if int(item[-1]) < 5 else "none", "recorded_at": start}
              for item in pc.unique(orders["item_id"]).to_pylist()]  # fmt: skip
    frames = {"users": sellers, "events": posts, "items": brands}
    both = FramesSource({"orders": orders, **{name: stored(name, rows, "UTC") for name, rows in frames.items()}})
    asked = replace(ASKED, levels={"steps": {"none": 0, "some": 1, "star": 20}, "events": {"post": 10}})
    assert Inputs.from_json(asked.to_json()) == asked
    assert "levels" not in ASKED.to_json()
    factors = {"star": 0.01, "none": 3.0}
    by_level, by_brand = (
        rule_costs.with_costs(both, replace(asked, rules={rule: factors}), trained).card["rules"][0]
        for rule in ("boost_seller_levels", "boost_brands")
    )
    assert by_level["ndcg@10_cost"] != 0
    assert by_level == by_brand | {"rule": "boost_seller_levels"}
