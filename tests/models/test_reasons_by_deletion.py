"""Reasons by deletion: what is named speaks for the suggestion, and the formulas say what trying says."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models import recommenders
from models.recommenders import deletion
from models.recommenders.interactions import Interactions
from models.recommenders.ladder import OWN, climb
from models.recommenders.reasons import sentences
from models.recommenders.recommender import Recommender
from models.recommenders.suggesting import suggest
from models.recommenders.takers import Takers
from tests.models.conftest import ALL, AS_OF, DAY, days_table, interactions

SMALL = {
    "two_stage": {"candidates": "personal_decay,bm25", "windows": 2, "trees": 10, "customers": 60},
    **{name: {"factors": 8} for name in ("als", "bpr", "graph_filter")},
}
BY_FORMULA = [name for name in ALL if name not in ("tifu_knn", "two_stage", "graph_filter", "popularity")]


@cache
def shop() -> Interactions:
    """120 customers with eight favourites each among 60 items, and a chance purchase on each of their days."""
    draw, bought = np.random.default_rng(3), set()
    for user in range(120):
        favourites = draw.choice(60, 8, replace=False)
        for ago in np.unique(draw.integers(1, 300, draw.integers(2, 14))):
            for item in (*draw.choice(favourites, 3), draw.integers(0, 60)):
                bought.add((f"u{user:03}", f"i{item:02}", DAY - int(ago)))
    return Interactions.from_table(days_table(sorted(bought)), AS_OF)


@cache
def fitted(name: str) -> Recommender:
    return recommenders.create(name, SMALL.get(name)).fit(shop())


def strength_of(model: Recommender, history: object, items: np.ndarray) -> np.ndarray:
    """The strength of one item for each row of a history, −inf where it is not suggested at all."""
    found = model._strengths(history)  # type: ignore[arg-type]
    cells = np.asarray(found[np.arange(len(items)), items], dtype=float).ravel()
    return cells if isinstance(found, np.ndarray) else np.where(cells != 0, cells, -np.inf)


@pytest.mark.parametrize("name", ALL)
def test_removing_what_is_named_never_raises_the_strength_of_a_thousand_suggestions(name: str) -> None:
    model, held = fitted(name), shop()
    assert name != "two_stage" or model._text  # type: ignore[attr-defined]
    told = suggest(model, held.user_ids.slice(0, 50), 20)
    assert told.num_rows == 1000
    rows = [row for row in told.to_pylist() if row["reason"] != "popular"]
    if name == "popularity":
        assert rows == []
        return
    users, items, named = (
        held.user_rows([row["user_id"] for row in rows]),
        held.item_rows([row["item_id"] for row in rows]),
        held.item_rows([row["reason_item_id"] or row["item_id"] for row in rows]),
    )
    assert (held.entries(users, named) >= 0).all()
    history = held.history(users)
    before = strength_of(model, history, items)
    after = strength_of(model, history.without(np.arange(len(users)), named), items)
    on_own_rung = np.isfinite(before) & (before != 0)
    assert on_own_rung.sum() >= 500
    assert (after[on_own_rung] <= before[on_own_rung]).all()


@pytest.mark.parametrize("name", BY_FORMULA)
def test_the_formula_of_each_model_says_what_folding_in_without_the_item_says(name: str) -> None:
    model, history = fitted(name), shop().history(np.arange(12))
    entries = climb(model, np.arange(12), 6)
    own = entries.rung == OWN
    rows, items, strength = entries.asked[own], entries.item[own], entries.strength[own]
    told = model.drops(history, rows, items, strength)
    every = history.with_values(np.ones(len(history.order_days)))[rows].tocsr()
    tried = deletion.tried(model._of_pairs, every, history, rows, items, strength)
    expected, found = tried.toarray(), told.toarray()
    gone = np.isinf(expected)  # not suggested at all any more: the whole strength, or more than any number
    assert (found[gone] >= 0.99 * np.broadcast_to(strength[:, None], gone.shape)[gone]).all()
    assert np.allclose(found[~gone], expected[~gone], rtol=2e-4, atol=2e-5)


def test_the_walk_of_the_graph_filter_is_the_same_for_the_items_it_looks_at() -> None:
    model, history = fitted("graph_filter"), shop().history(np.arange(12))
    lists = model.recommend(np.arange(12), 5)
    rows, items, strength = np.repeat(np.arange(12), 5), lists.items.ravel().astype(np.int64), lists.strength.ravel()
    told = model.drops(history, rows, items, strength)
    looked_at = told.copy()
    looked_at.data[:] = 1
    tried = deletion.tried(model._of_pairs, looked_at, history, rows, items, strength)
    assert told.nnz > 100
    assert np.allclose(told.toarray(), tried.toarray(), rtol=1e-4, atol=1e-5)


def test_a_customer_costs_three_histories_however_much_is_suggested() -> None:
    history = shop().history(np.arange(4))
    rows, items = np.repeat(np.arange(4), 60), np.tile(np.arange(60), 4)
    likely = deletion.alike(shop(), history, rows, items)
    kept = deletion.shared(likely, rows, deletion.TRIED, shop().place)
    assert all(1 <= len(np.unique(kept[60 * k : 60 * k + 60].indices)) <= 3 for k in range(4))
    assert (kept.toarray() <= likely.toarray()).all()


@pytest.mark.parametrize("name", ["bm25", "als", "ease", "bpr"])
def test_no_other_item_of_the_history_would_lower_it_more(name: str) -> None:
    model, history = fitted(name), shop().history([5])
    lists = model.recommend([5], 10)
    items, strength = lists.items[0].astype(np.int64), lists.strength[0]
    rows = np.zeros(10, np.int64)
    named = deletion.named(model.drops(history, rows, items, strength), items, strength)
    for item, best in zip(items, named, strict=True):
        if best < 0:
            continue
        own = history.pattern.indices.astype(np.int64)
        alone = strength_of(model, history.without(np.zeros(len(own), np.int64), own), np.full(len(own), item))
        assert alone[own == best][0] <= alone.min() + 1e-5


def test_a_history_without_an_item_is_that_of_whoever_never_bought_it() -> None:
    with_saw = interactions([("ann", "saw", 2, 5), ("ann", "tea", 3, 1), ("bob", "cup", 1, 4)])
    less = with_saw.history([0]).without(np.array([0]), with_saw.item_rows(["saw"]))
    never = interactions([("ann", "tea", 3, 1), ("bob", "cup", 1, 4)])
    kept = never.history([0])
    assert with_saw.item_ids.take(less.pattern.indices).to_pylist() == ["tea"]
    assert (less.order_days.tolist(), less.each_ago.tolist()) == (kept.order_days.tolist(), kept.each_ago.tolist())
    nothing = with_saw.history([1]).without(np.array([0]), with_saw.item_rows(["cup"]))
    assert nothing.pattern.nnz == 0


def test_by_hand_the_taste_for_a_neighbour_decides() -> None:
    # Tea and cups are bought by the same five, tea and spoons by two of them: of Fay's cup and spoon the cup says more.
    sales = [(f"u{n}", item, 1, 30) for n in range(5) for item in ("cup", "tea")]
    sales += [(f"u{n}", "spoon", 1, 30) for n in range(2)] + [("fay", "cup", 2, 9), ("fay", "spoon", 1, 9)]
    model = recommenders.create("personal_frequency").fit(interactions(sales))
    told = suggest(model, ["fay"], 3)
    assert told["item_id"].to_pylist() == ["cup", "spoon", "tea"]
    assert told["reason"].to_pylist() == ["bought_before", "bought_before", "bought_other"]
    assert told["reason_item_id"].to_pylist() == [None, None, "cup"]
    assert told["reason_gap_days"].to_pylist() == [1, None, None]
    assert sentences(told) == [
        "Bought every day, last 9 days ago",
        "Bought once, 9 days ago",
        "Because cup was bought 9 days ago",
    ]


def test_the_gap_is_the_mean_of_those_between_the_days_of_the_item() -> None:
    # Bought 79, 55 and 31 days ago: every 24 days.
    held = Interactions.from_table(days_table([("ann", "beans", DAY - ago) for ago in (31, 55, 79)]), AS_OF)
    told = suggest(recommenders.create("gp_topfreq").fit(held), ["ann"], 1)
    assert sentences(told, "en") == ["Bought every 24 days, last 31 days ago"]
    assert sentences(told, "zh") == ["平均每 24 天购买一次，上次在 31 天前"]


def test_of_what_nothing_speaks_for_the_many_are_named() -> None:
    drops = np.zeros((2, 3))
    drops[1] = [-1.0, 1e-9, 0.0]
    assert deletion.named(csr_matrix(drops), np.array([0, 0]), np.array([1.0, 1.0])).tolist() == [-1, -1]
    assert deletion.named(csr_matrix((0, 3)), np.empty(0, np.int64), np.empty(0)).tolist() == []


def test_of_equals_the_suggested_item_comes_first_then_the_first_by_id() -> None:
    draw = np.random.default_rng(11)
    drops = draw.integers(-1, 3, (300, 6)).astype(float)
    items, strength = draw.integers(0, 6, 300), draw.choice([1.0, 1500.0], 300)
    expected = []
    for row, item, whole in zip(drops, items, strength, strict=True):
        enough = [i for i in np.flatnonzero(row == row.max()) if row[i] > whole / 1000]
        expected.append(item if item in enough else enough[0] if enough else -1)
    assert {-1, 0, 5} <= set(expected)
    assert deletion.named(csr_matrix(drops), items, strength).tolist() == expected


def test_whom_an_item_suits_is_explained_by_what_found_them() -> None:
    # An item keeps its fifty most alike of sixty: that A is like B does not say that B is like A.
    held = shop()
    takers = Takers(held, None)
    likeness = takers._evidence.likeness
    assert (likeness != likeness.T).nnz > 100
    for item in range(held.shape[1]):
        found = takers.of(item, 200)
        named, rows = takers.evidence(found, item), np.arange(len(found.user_rows))
        assert (named >= 0).all()
        history = held.history(found.user_rows)
        left = history.without(rows, named).taste() @ likeness[[item]].toarray().ravel()
        parts = history.taste().multiply(likeness[[item]].toarray()).tocsr()
        assert np.allclose(found.strength - left, parts.max(axis=1).toarray().ravel(), rtol=1e-9)
