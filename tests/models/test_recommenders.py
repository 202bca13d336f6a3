"""Laws that every recommender keeps, and the answers implicit gets wrong."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import recommenders
from models.recommenders.interactions import Interactions
from models.recommenders.ranking import Ranked
from tests.models.conftest import ALL, AS_OF, WORLDS, interactions, same, table, two_worlds
from warehouse.errors import UsageError


def check_lists(lists: Ranked, place: np.ndarray, k: int) -> None:
    assert lists.items.shape == lists.strength.shape == (len(lists), k)
    assert lists.items.dtype == np.int32
    assert lists.strength.dtype == np.float64
    assert np.isfinite(lists.strength).all()
    for items, strength, count in zip(lists.items, lists.strength, lists.counts, strict=True):
        assert (items[:count] >= 0).all()
        assert (items[count:] == -1).all()
        assert (strength[count:] == 0).all()
        assert len(set(items[:count].tolist())) == count
        keys = [(-s, place[i]) for i, s in zip(items[:count], strength[:count], strict=True)]
        assert all(a < b for a, b in pairwise(keys))


def test_models_are_found_by_listing() -> None:
    assert ALL == [
        "als",
        "bm25",
        "bpr",
        "ease",
        "gp_topfreq",
        "graph_filter",
        "next_purchase",
        "personal_decay",
        "personal_frequency",
        "popularity",
        "tifu_knn",
        "two_stage",
    ]
    with pytest.raises(UsageError, match="Known are als, bm25, bpr"):
        recommenders.create("svd")


@pytest.mark.parametrize("k", [1, 3, 16, 500])
def test_lists_are_ordered_unpadded_and_without_duplicates(model: recommenders.Recommender, k: int) -> None:
    lists = model.recommend(np.arange(WORLDS.shape[0]), k)
    check_lists(lists, WORLDS.place, k)
    assert (lists.counts <= WORLDS.shape[1]).all()
    assert (lists.counts >= 1).all()


def test_user_minus_one_is_nobody_and_not_the_last_user(model: recommenders.Recommender) -> None:
    nobody = model.recommend([-1], 5)
    assert same(nobody, model.fold_in([[]], 5))
    if model.sources[1] == "popular":
        popular = recommenders.create("popularity").fit(WORLDS).recommend([-1], 5)
        assert np.array_equal(nobody.items, popular.items)
    else:
        assert nobody.counts.tolist() == [0]


def test_rows_that_do_not_exist_are_refused(model: recommenders.Recommender) -> None:
    for row in (-2, WORLDS.shape[0]):
        with pytest.raises(IndexError, match="user rows are"):
            model.recommend([row], 5)


def test_what_was_bought_is_offered_again(model: recommenders.Recommender) -> None:
    if model.name == "popularity":
        pytest.skip("popularity does not look at the customer")
    lists = model.recommend(np.arange(60), 4)
    for row in range(60):
        bought = set(WORLDS.history([row]).pattern.indices.tolist())
        assert bought == set(lists.items[row].tolist())


def test_somebody_who_has_bought_everything_still_gets_all_of_it(model: recommenders.Recommender) -> None:
    held = interactions([("all", f"i{n}", n + 1, 5) for n in range(4)] + [("one", "i0", 1, 5), ("two", "i1", 1, 5)])
    lists = recommenders.create(model.name).fit(held).recommend(held.user_rows(["all"]), 10)
    check_lists(lists, held.place, 10)
    assert set(lists.items[0, : lists.counts[0]].tolist()) == {0, 1, 2, 3}


def test_only_allowed_items_and_none_of_the_excluded(model: recommenders.Recommender) -> None:
    allowed = np.zeros(WORLDS.shape[1], bool)
    allowed[::2] = True
    rows = np.arange(60)
    exclude = [[0, 2] if row % 2 else [] for row in rows]
    lists = model.recommend(rows, 5, allowed=allowed, exclude=exclude)
    check_lists(lists, WORLDS.place, 5)
    for row, items, count in zip(rows, lists.items, lists.counts, strict=True):
        assert allowed[items[:count]].all()
        assert not set(items[:count].tolist()) & set(exclude[row])
    # leaving items out leaves the rest as it was
    whole = model.recommend(rows, WORLDS.shape[1])
    for row in rows:
        kept = [i for i in whole.items[row].tolist() if i >= 0 and allowed[i] and i not in exclude[row]]
        assert lists.items[row, : lists.counts[row]].tolist() == kept[:5]


def test_nothing_allowed_is_an_empty_list(model: recommenders.Recommender) -> None:
    lists = model.recommend([0, 1], 3, allowed=np.zeros(WORLDS.shape[1], bool))
    assert lists.counts.tolist() == [0, 0]
    assert (lists.items == -1).all()
    with pytest.raises(ValueError, match="one truth value per item"):
        model.recommend([0], 3, allowed=np.ones(3, bool))


def test_a_list_does_not_hang_on_who_else_is_asked(model: recommenders.Recommender) -> None:
    rows = np.arange(60)[::-1]
    together = model.recommend(rows, 6)
    for place in (0, 17, 59):
        alone = model.recommend(rows[place : place + 1], 6)
        assert np.array_equal(alone.items[0], together.items[place])
        assert np.array_equal(alone.strength[0], together.strength[place])


def test_fitting_twice_gives_the_same_bits(model: recommenders.Recommender) -> None:
    again = recommenders.create(model.name).fit(two_worlds())
    assert same(again.recommend(np.arange(60), 9), model.recommend(np.arange(60), 9))


def test_the_order_of_the_rows_of_the_table_does_not_matter(model: recommenders.Recommender) -> None:
    rows = table([("b", "y", 2, 4), ("a", "x", 1, 3), ("a", "y", 1, 3), ("c", "x", 5, 9), ("b", "z", 1, 1)])
    mixed = rows.take(np.random.default_rng(3).permutation(rows.num_rows))
    one, other = (
        recommenders.create(model.name).fit(Interactions.from_table(t, AS_OF)).recommend([0, 1, 2], 3)
        for t in (rows, mixed)
    )
    assert same(one, other)


def test_a_session_is_a_customer_of_today(model: recommenders.Recommender) -> None:
    held = interactions([("a", "x", 3, 0 + 1), ("a", "y", 1, 1), ("b", "y", 1, 1), ("b", "z", 1, 1), ("c", "x", 1, 1)])
    fitted = recommenders.create(model.name).fit(held)
    session = fitted.fold_in([[0, 1, -1, 0]], 3, weights=[[2, 1, 9, 1]])
    check_lists(session, held.place, 3)
    assert session.items[0].tolist() == fitted.recommend(held.user_rows(["a"]), 3).items[0].tolist()


def test_similar_items_are_others_of_the_same_world(model: recommenders.Recommender) -> None:
    lists = model.similar_items(np.arange(-1, 16), 5)
    check_lists(lists, WORLDS.place, 5)
    assert lists.counts[0] == 0
    worlds = [text.split("-")[0] for text in WORLDS.item_ids.to_pylist()]
    for item in range(16):
        listed = lists.items[item + 1, : lists.counts[item + 1]].tolist()
        assert item not in listed
        assert len(listed) >= 3
        assert {worlds[i] for i in listed} == {worlds[item]}


def test_item_to_users_is_the_same_strength_the_other_way_round(model: recommenders.Recommender) -> None:
    users, strength = model.score_users(3)
    assert (np.diff(strength) <= 0).all()
    lists = model.recommend(np.arange(60), 16)
    expected = {u: s for u in range(60) for i, s in zip(lists.items[u], lists.strength[u], strict=True) if i == 3}
    assert dict(zip(users.tolist(), strength.tolist(), strict=True)) == expected
    assert all(a < b for a, b in pairwise(zip(-strength, users, strict=True)))
    assert model.score_users(-1)[0].size == 0


@pytest.mark.parametrize("name", ALL)
def test_no_sales_at_all_give_empty_lists(name: str) -> None:
    held = interactions([])
    fitted = recommenders.create(name).fit(held)
    assert fitted.recommend([-1, -1], 3).counts.tolist() == [0, 0]
    assert fitted.similar_items([-1, 0], 3).counts.tolist() == [0, 0]
    assert type(fitted).from_arrays(fitted.arrays()).recommend([-1], 3).counts.tolist() == [0]


@settings(max_examples=15, deadline=None)
@given(
    pairs=st.dictionaries(
        st.tuples(st.integers(0, 7), st.integers(0, 9)), st.tuples(st.integers(1, 4), st.integers(1, 90)), min_size=1
    ),
    k=st.integers(1, 14),
    seed=st.integers(0, 99),
)
def test_any_sales_give_lawful_lists(pairs: dict[tuple[int, int], tuple[int, int]], k: int, seed: int) -> None:
    held = interactions([(f"u{u}", f"i{i}", *values) for (u, i), values in sorted(pairs.items())])
    allowed = np.random.default_rng(seed).random(held.shape[1]) < 0.7
    rows = np.arange(-1, held.shape[0])
    for name in ALL:
        lists = recommenders.create(name).fit(held).recommend(rows, k, allowed=allowed)
        check_lists(lists, held.place, k)
        listed = lists.items[lists.items >= 0]
        assert allowed[listed].all()
        if recommenders.create(name).sources[1] == "popular":
            assert (lists.counts == min(k, allowed.sum())).all()
