"""The second stage: what lies before a cut, what it learns, and what it does where there is too little to learn."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import recommenders
from models.recommenders.cutting import cut_before, last_days
from models.recommenders.interactions import Interactions
from models.recommenders.pair_features import names
from models.recommenders.two_stage import TwoStage
from tests.models.conftest import AS_OF, DAY, days_table
from warehouse.errors import UsageError

BOUGHT = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("wxyz"), st.integers(DAY - 40, DAY - 1)),
    min_size=1,
    max_size=40,
    unique=True,
)


@settings(max_examples=40, deadline=None)
@given(BOUGHT, st.integers(1, 40), st.integers(1, 40))
def test_a_cut_gives_what_a_file_that_ended_there_would(
    bought: list[tuple[str, str, int]], back: int, length: int
) -> None:
    held = Interactions.from_table(days_table(bought), AS_OF)
    cut = DAY - back
    full = np.full(held.shape[0], cut)
    past, (users, items) = cut_before(held, full, full + length, cut)
    before = [row for row in bought if row[2] < cut]
    expected = Interactions.from_table(days_table(before), AS_OF - timedelta(days=back))
    for name, array in expected.arrays().items():
        assert np.array_equal(past.arrays()[name], array), name
    known = {row[0] for row in before}, {row[1] for row in before}
    wanted = {(u, i) for u, i, day in bought if cut <= day < cut + length and u in known[0] and i in known[1]}
    pairs = zip(
        past.user_ids.take(pa.array(users)).to_pylist(), past.item_ids.take(pa.array(items)).to_pylist(), strict=True
    )
    assert sorted(pairs) == sorted(wanted)


def test_the_last_days_of_each_customer_by_hand() -> None:
    rows = [("a", "x", 5), ("a", "y", 5), ("a", "x", 9), ("b", "x", 7), ("c", "x", 1), ("c", "y", 2), ("c", "z", 3)]
    held = Interactions.from_table(days_table([(u, i, DAY - 10 + day) for u, i, day in rows]), AS_OF)
    assert (last_days(held, 1) - DAY + 10).tolist() == [9, 7, 3]
    assert (last_days(held, 2) - DAY + 10).tolist() == [5, 1, 2]  # b has one day: nothing lies before the first of all
    past, (users, items) = cut_before(held, last_days(held, 1), np.full(3, DAY), DAY)
    assert past.user_ids.to_pylist() == ["a", "c"]
    assert (users.tolist(), items.tolist()) == ([0], [0])  # z was not sold to anybody before


def refills(users: int, days: int, seed: int) -> list[tuple[str, str, int]]:
    """Everybody buys a fast thing every 20 days and, as often in all, slow things every 100 days, in turn."""
    rng = np.random.default_rng(seed)
    bought = set()
    for user in range(users):
        start = rng.integers(0, 100)
        for thing in range(5):
            for day in range(int(start + 20 * thing), days, 100):
                bought.add((f"u{user:03}", f"slow-{thing}", DAY - days + day))
        for day in range(int(rng.integers(0, 20)), days, 20):
            bought.add((f"u{user:03}", f"rare-{rng.integers(0, 40)}", DAY - days + day))
    return sorted(bought)


def test_it_learns_what_is_due_where_frequency_cannot() -> None:
    """Each slow thing comes every 100 days, so what is due is the one that was bought longest ago."""
    horizon, every = 20, refills(150, 420, 3)
    cut = DAY - horizon
    past = Interactions.from_table(days_table([row for row in every if row[2] < cut]), AS_OF - timedelta(days=horizon))
    later = {(u, i) for u, i, day in every if day >= cut and i.startswith("slow")}
    hits = {}
    for name, fit in {"two_stage": {"horizon": horizon, "trees": 60}, "gp_topfreq": {}}.items():
        lists = recommenders.create(name, fit).fit(past).recommend(np.arange(past.shape[0]), 1)
        first = zip(past.user_ids.to_pylist(), past.item_ids.take(pa.array(lists.items[:, 0])).to_pylist(), strict=True)
        hits[name] = np.mean([pair in later for pair in first])
    assert hits["two_stage"] > 0.8 > 2 * hits["gp_topfreq"]


def test_with_too_little_to_learn_from_frequency_orders() -> None:
    held = Interactions.from_table(days_table([("a", "x", DAY - 3), ("a", "y", DAY - 9), ("b", "y", DAY - 9)]), AS_OF)
    model = TwoStage().fit(held)
    first = recommenders.create("personal_frequency").fit(held)
    assert model.recommend([0, 1], 3).items.tolist() == first.recommend([0, 1], 3).items.tolist()


def test_it_does_not_propose_to_itself() -> None:
    with pytest.raises(UsageError, match="cannot be one of its own candidates"):
        recommenders.create("two_stage", {"candidates": "bm25, two_stage"})
    with pytest.raises(UsageError, match='There is no recommender "bm52"'):
        recommenders.create("two_stage", {"candidates": "bm52"}).fit(
            Interactions.from_table(days_table([("a", "x", DAY - 3)]), AS_OF)
        )


def test_settings_of_the_candidates_reach_them_and_variants_share_what_was_learnt() -> None:
    held = Interactions.from_table(days_table(refills(70, 200, 5)), AS_OF)
    fits = '{"tifu_knn": {"neighbours": 3}}'
    model = TwoStage("tifu_knn,popularity", horizon=20, trees=3, rows=2100, fits=fits).fit(held)
    assert model._first[0].settings()["neighbours"] == 3
    assert model._learnt_from is not None
    assert model._learnt_from.bought.sum() <= len(model._learnt_from.bought) <= 2100
    other = model.varied(objective="binary")
    assert other._learnt_from is model._learnt_from
    assert (model.objective, other.objective) == ("lambdarank", "binary")
    assert other._text != model._text
    anew = TwoStage(**other.settings()).fit(held)
    assert anew._text == other._text


def test_who_has_no_history_is_offered_nothing_alone_or_among_others() -> None:
    held = Interactions.from_table(days_table(refills(70, 200, 5)), AS_OF)
    model = TwoStage("popularity", horizon=20, trees=3).fit(held)
    assert model._text
    assert model.recommend([-1], 5).counts.tolist() == [0]
    assert model.recommend([-1, 0], 5).counts.tolist() == [0, 5]


def test_columns_have_names_and_the_future_none() -> None:
    every = refills(70, 200, 5)
    model = TwoStage(horizon=20, trees=5).fit(Interactions.from_table(days_table(every), AS_OF))
    X, _ = model._pairs(model.interactions.history(np.arange(9)), model._first, model._items)
    assert X.shape[1] == len(names(model.candidates.split(",")))
    place = names(model.candidates.split(",")).index("days_since")
    assert np.nanmin(X[:, place]) >= 1
