"""Measures of suggestion lists worked by hand, and the choice of the recommender that serves."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import recommenders
from models.recommenders.interactions import Interactions
from models.recommenders.ranking import Ranked
from training.evaluation.recommendation import (
    bootstrap_means,
    coverage,
    interval,
    judge_lists,
    read_test_items,
)
from training.recommendation import Judged, _gate, evaluate_recommenders, train_recommender

AS_OF = date(2011, 6, 11)
EPOCH = date(1970, 1, 1)


def sales_table(sales: list[tuple[str, str, date]]) -> pa.Table:
    """(user, item, day) of single sales as a table of interactions."""
    times = Counter((user, item, (day - EPOCH).days) for user, item, day in sales)
    return pa.table(
        {
            "user_id": pa.array([user for user, _, _ in times], pa.string()),
            "item_id": pa.array([item for _, item, _ in times], pa.string()),
            "day": pa.array([day for _, _, day in times], pa.int32()),
            "quantity": pa.array(list(times.values()), pa.float64()),
            "amount": pa.array([2.0 * n for n in times.values()], pa.float64()),
        }
    )


def pairs_table(pairs: list[tuple[str, str]]) -> pa.Table:
    users, items = zip(*pairs, strict=True) if pairs else ((), ())
    return pa.table({"user_id": pa.array(users, pa.string()), "item_id": pa.array(items, pa.string())})


def held_before() -> Interactions:
    """ann bought a and b, bob a, cid a and d; items a b d are rows 0 1 2."""
    day = AS_OF - timedelta(days=7)
    bought = {"ann": "ab", "bob": "a", "cid": "ad"}
    return Interactions.from_table(sales_table([(u, i, day) for u, items in bought.items() for i in items]), AS_OF)


BOUGHT_AFTER = [
    ("ann", "a"),
    ("ann", "d"),
    ("ann", "new"),
    ("ann", "a"),
    ("bob", "d"),
    ("eve", "a"),
    ("eve", "d"),
]


def lists_of(*lists: list[int], k: int = 3) -> Ranked:
    items = np.full((len(lists), k), -1, np.int32)
    for row, rows in enumerate(lists):
        items[row, : len(rows)] = rows
    return Ranked(items, np.zeros((len(lists), k)), np.array([len(rows) for rows in lists], np.int32))


# ---- measures -------------------------------------------------------------------------------------------------------


def test_test_items_are_those_of_known_customers_and_never_seen_items_count() -> None:
    test = read_test_items(held_before(), pairs_table(BOUGHT_AFTER))
    assert test.user_rows.tolist() == [0, 1]
    assert test.counts["both"].tolist() == [3, 1]
    assert test.counts["repeat"].tolist() == [1, 0]
    assert test.counts["explore"].tolist() == [2, 1]
    assert test.unknown_users == 1


def test_of_many_customers_some_are_judged_with_all_their_items() -> None:
    past = creatures_of_habit()
    cutoff = AS_OF - timedelta(days=30)
    held = Interactions.from_table(past.interactions_at(cutoff), cutoff)
    whole, some = (read_test_items(held, past.purchases_at(cutoff), most) for most in (None, 10))
    assert len(whole) == 80
    assert len(some) == 10
    assert some.counts["both"].tolist() == [3.0] * 10
    assert len(some.keys) == 30


def test_measures_worked_by_hand() -> None:
    held = held_before()
    test = read_test_items(held, pairs_table(BOUGHT_AFTER))
    # ann (test a, d, new; a is a repeat) is shown b, a, d; bob (test d) is shown a only
    judged = judge_lists(held, test, lists_of([1, 0, 2], [0]), 3)
    gain = 1 / np.log2([2, 3, 4])
    assert judged["recall@3"] == pytest.approx([2 / 3, 0])
    assert judged["repeat_recall@3"] == pytest.approx([1, np.nan], nan_ok=True)
    assert judged["explore_recall@3"] == pytest.approx([1 / 2, 0])
    assert judged["ndcg@3"] == pytest.approx([(gain[1] + gain[2]) / gain.sum(), 0])
    assert judged["repeat_ndcg@3"] == pytest.approx([gain[1] / gain[0], np.nan], nan_ok=True)
    assert judged["explore_ndcg@3"] == pytest.approx([gain[2] / gain[:2].sum(), 0])
    assert judged["hit_rate@3"].tolist() == [1, 0]
    # buyers of a, b, d: 3, 1, 1 of 3 customers
    assert judged["novelty@3"] == pytest.approx([2 * np.log2(3) / 3, 0])
    assert coverage(held, lists_of([1, 0, 2], [0]), 3) == 1
    assert coverage(held, lists_of([1, 0, 2], [0]), 1) == pytest.approx(2 / 3)


def test_ndcg_is_ideal_over_the_smaller_of_k_and_the_test_items() -> None:
    held = held_before()
    test = read_test_items(held, pairs_table(BOUGHT_AFTER))
    judged = judge_lists(held, test, lists_of([0, 2, 1], [2]), 2)
    assert judged["ndcg@2"] == pytest.approx([1, 1])  # ann has three test items, but only two places
    assert judged["recall@2"] == pytest.approx([2 / 3, 1])


def test_an_empty_list_has_no_novelty_and_no_hits() -> None:
    held = held_before()
    test = read_test_items(held, pairs_table(BOUGHT_AFTER))
    judged = judge_lists(held, test, lists_of([], []), 3)
    assert np.isnan(judged["novelty@3"]).all()
    assert judged["recall@3"].tolist() == [0, 0]
    assert coverage(held, lists_of([], []), 3) == 0


def test_nobody_who_bought() -> None:
    held = held_before()
    test = read_test_items(held, pairs_table([("eve", "a")]))
    assert len(test) == 0
    assert judge_lists(held, test, lists_of(), 3)["recall@3"].shape == (0,)
    assert evaluate_recommenders(held, pairs_table([]), draws=5)[0]["recall@10"] is None


@settings(max_examples=30)
@given(st.integers(0, 10_000))
def test_repeat_and_explore_hits_add_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    day = AS_OF - timedelta(days=3)
    sales = [(f"u{u}", f"i{i}", day) for u in range(6) for i in range(8) if rng.random() < 0.4]
    held = Interactions.from_table(sales_table([*sales, ("u0", "i0", day)]), AS_OF)
    test = read_test_items(
        held, pairs_table([(f"u{u}", f"i{i}") for u in range(7) for i in range(10) if rng.random() < 0.4])
    )
    lists = recommenders.create("gp_topfreq").fit(held).recommend(test.user_rows, 5)
    judged = judge_lists(held, test, lists, 5)
    both, repeat, explore = (
        np.nan_to_num(judged[f"{p}recall@5"]) * test.counts[c]
        for p, c in (("", "both"), ("repeat_", "repeat"), ("explore_", "explore"))
    )
    assert repeat + explore == pytest.approx(both)
    for name, values in judged.items():
        if "novelty" not in name:
            assert ((values[~np.isnan(values)] >= 0) & (values[~np.isnan(values)] <= 1 + 1e-12)).all()


# ---- intervals ------------------------------------------------------------------------------------------------------


def test_draws_are_shared_so_that_equal_vectors_differ_by_nothing() -> None:
    values = np.random.default_rng(1).random(50)
    means = bootstrap_means([values, values + 1, np.full(50, 0.25)], 200)
    assert means[:, 1] - means[:, 0] == pytest.approx(np.ones(200))
    assert interval(means[:, 2]) == (0.25, 0.25)


def test_the_interval_is_as_wide_as_theory_says() -> None:
    values = np.random.default_rng(2).normal(size=400)
    low, high = interval(bootstrap_means([values], 4000)[:, 0])
    assert (high - low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.08)
    assert low < values.mean() < high


def test_a_customer_without_the_measure_is_left_out() -> None:
    means = bootstrap_means([np.array([1.0, np.nan, np.nan, 1.0])], 50)
    assert set(np.unique(means[~np.isnan(means)])) == {1.0}


# ---- the choice -----------------------------------------------------------------------------------------------------


class History:
    """Sales of a made-up past; the two callables that training asks for."""

    def __init__(self, sales: list[tuple[str, str, date]]) -> None:
        self.sales = sales
        self.first_day = min(day for _, _, day in sales)

    def interactions_at(self, cutoff: date) -> pa.Table:
        return sales_table([sale for sale in self.sales if sale[2] < cutoff])

    def purchases_at(self, cutoff: date) -> pa.Table:
        until = cutoff + timedelta(days=30)
        return pairs_table(sorted({(u, i) for u, i, day in self.sales if cutoff <= day < until}))


def creatures_of_habit(users: int = 80) -> History:
    """Everybody buys the same three items every ten days: nothing beats personal frequency."""
    days = [AS_OF - timedelta(days=n) for n in range(5, 125, 10)]
    return History([(f"u{u:03}", f"i{(7 * u + n) % 40:02}", d) for u in range(users) for n in range(3) for d in days])


def fashion_followers(users: int = 80) -> History:
    """Everybody takes each month's four new items once, some one month, all the month's: only popularity knows them."""
    sales = []
    for month in range(5):
        for user in range(users):
            for item in range(4):
                day = AS_OF - timedelta(days=30 * (month + 1) - 3 - (user * 7) % 27)
                sales.append((f"u{user:03}", f"m{month + (user + item) % 2}-{item}", day))
    return History(sales)


def train(past: History, as_of: date = AS_OF, **more: object) -> object:
    return train_recommender(past.interactions_at, past.purchases_at, as_of, as_of, past.first_day, draws=200, **more)


def test_where_habit_rules_gp_topfreq_serves_and_the_sentence_has_the_figures() -> None:
    trained = train(creatures_of_habit())
    assert trained.name == "gp_topfreq"
    assert trained.why.startswith("GP-TopFreq serves")
    assert "Recall@10" in trained.why
    assert trained.absent is None
    assert {(row["role"], row["as_of"]) for row in trained.metrics} == {
        ("choose", "2011-04-12"),
        ("judge", "2011-05-12"),
    }
    best = next(row for row in trained.metrics if row["name"] == "gp_topfreq" and row["role"] == "judge")
    assert best["recall@10"] == 1


def test_the_model_that_serves_knows_the_sales_until_the_cutoff() -> None:
    past = creatures_of_habit()
    late = History([*past.sales, ("late", "only-late", AS_OF - timedelta(days=1))])
    trained = train(late)
    assert "only-late" in trained.model.interactions.item_ids.to_pylist()
    assert trained.model.interactions.as_of == AS_OF


def test_nothing_after_the_cutoff_moves_the_choice() -> None:
    past = creatures_of_habit()
    later = History([*past.sales, *((f"u{n:03}", "future", AS_OF + timedelta(days=n % 20)) for n in range(80))])
    one, other = train(past), train(later)
    assert (one.name, one.why, one.metrics) == (other.name, other.why, other.metrics)


def test_what_is_to_be_beaten_is_judged_even_where_it_was_not_asked_for() -> None:
    trained = train(creatures_of_habit(), names=["bm25"])
    assert trained.name == "gp_topfreq"
    assert {row["name"] for row in trained.metrics} == {"bm25", "gp_topfreq"}


def test_a_challenger_that_is_surely_better_serves() -> None:
    trained = train(fashion_followers(), names=["popularity", "gp_topfreq"])
    judged = {row["name"]: row for row in trained.metrics if row["role"] == "judge"}
    assert judged["popularity"]["recall@10"] > judged["gp_topfreq"]["recall@10"]
    assert trained.name == "popularity"
    assert "better than GP-TopFreq" in trained.why


@pytest.mark.parametrize(
    ("recall", "ndcg", "wins"),
    [
        ([0.2, 0.3, 0.25, 0.2], [0.1, 0.2, 0.1, 0.2], True),
        ([0.2, 0.3, 0.25, 0.2], [0.0, 0.0, 0.0, 0.0], True),
        ([0.2, 0.3, 0.25, 0.2], [-0.1, 0.1, -0.2, 0.1], False),  # more hits, but maybe further down
        ([0.03, -0.028, 0.03, -0.028], [0.03, -0.028, 0.03, -0.028], False),  # not surely better
        ([0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], False),
    ],
)
def test_the_gate_asks_for_a_sure_gain_and_no_loss(recall: list[float], ndcg: list[float], wins: bool) -> None:
    base = {"recall@10": np.full(200, 0.4), "ndcg@10": np.full(200, 0.4)}
    gain = {"recall@10": np.tile(recall, 50), "ndcg@10": np.tile(ndcg, 50)}
    challenger = Judged("bm25", {}, {name: base[name] + gain[name] for name in base})
    name, why = _gate(challenger, Judged("gp_topfreq", {}, base))
    assert name == ("bm25" if wins else "gp_topfreq")
    assert "Recall@10" in why


def test_too_few_customers_popularity_serves_and_says_so() -> None:
    trained = train(creatures_of_habit(users=20))
    assert trained.name == "popularity"
    assert "fewer than 50" in trained.why
    assert trained.metrics == []


def test_one_closed_window_is_not_used_to_choose_and_judge() -> None:
    past = creatures_of_habit()
    recent = History([sale for sale in past.sales if sale[2] >= AS_OF - timedelta(days=50)])
    trained = train(recent)
    assert trained.name == "gp_topfreq"
    assert "one closed window" in trained.why
    assert {row["role"] for row in trained.metrics} == {"judge"}


def test_without_items_there_is_no_model_but_a_line_that_says_what_is_needed() -> None:
    past = creatures_of_habit()

    def nameless(cutoff: date) -> pa.Table:
        table = past.interactions_at(cutoff)
        return table.set_column(1, "item_id", pa.nulls(table.num_rows, pa.string()))

    trained = train_recommender(nameless, past.purchases_at, AS_OF, AS_OF, past.first_day)
    assert trained.model is None
    assert trained.absent == {
        "what": "suggestions",
        "why": "no sale before the cutoff names an item",
        "needs": "orders with an item_id",
    }


def test_rows_are_plain_and_hold_every_recommender() -> None:
    past = creatures_of_habit()
    cutoff = AS_OF - timedelta(days=30)
    held = Interactions.from_table(past.interactions_at(cutoff), cutoff)
    rows = evaluate_recommenders(held, past.purchases_at(cutoff), k=(5,), draws=50)
    assert [row["name"] for row in rows] == recommenders.names()
    for row in rows:
        assert all(value is None or isinstance(value, str | int | float) for value in row.values())
        assert row["recall@5_low"] <= row["recall@5"] <= row["recall@5_high"]
