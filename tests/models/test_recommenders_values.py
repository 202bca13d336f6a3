"""What recommenders answer, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from models import recommenders
from tests.models.conftest import WORLDS, interactions


def test_popularity_counts_each_buyer_once_and_halves_every_30_days() -> None:
    held = interactions([("a", "x", 9, 30), ("b", "y", 1, 60), ("c", "y", 1, 60), ("d", "z", 1, 90), ("a", "w", 1, 60)])
    assert held.item_ids.to_pylist() == ["w", "x", "y", "z"]
    assert held.popularity.tolist() == [0.25, 0.5, 0.5, 0.125]
    lists = recommenders.create("popularity").fit(held).recommend([-1], 4)
    assert lists.items[0].tolist() == [1, 2, 0, 3]  # x and y tie: x has the smaller id


def test_personal_frequency_breaks_ties_by_popularity_then_id() -> None:
    held = interactions(
        [("a", "p", 1, 20), ("a", "q", 1, 20), ("a", "r", 3, 50), ("a", "s", 1, 20), ("b", "s", 1, 5)],
    )
    lists = recommenders.create("personal_frequency").fit(held).recommend([0], 9)
    assert lists.items[0, :4].tolist() == [2, 3, 0, 1]
    assert lists.strength[0, :4].tolist() == [3, 1, 1, 1]
    assert lists.counts.tolist() == [4]


def test_gp_topfreq_is_personal_then_popular() -> None:
    held = interactions([("a", "z", 2, 400), ("b", "x", 1, 5), ("c", "x", 1, 5), ("b", "y", 9, 5)])
    lists = recommenders.create("gp_topfreq").fit(held).recommend([0, -1], 3)
    assert lists.items.tolist() == [[2, 0, 1], [0, 1, 2]]
    assert lists.strength[0].tolist() == pytest.approx([3, 1, 0.5])


@pytest.mark.parametrize("name", ["als", "bm25"])
def test_collaborative_filtering_finds_the_own_world(name: str) -> None:
    lists = recommenders.create(name).fit(WORLDS).recommend(np.arange(60), 8)
    worlds = np.array([text.split("-")[0] for text in WORLDS.item_ids.to_pylist()])
    users = [text.split("-")[0] for text in WORLDS.user_ids.to_pylist()]
    for row, world in enumerate(users):
        listed = lists.items[row, : min(lists.counts[row], 8)]
        assert (worlds[listed[:7]] == world).all()
        assert len(listed) > 4  # not only what was bought


def test_bm25_keeps_repeats_that_fall_out_of_the_nearest_neighbours() -> None:
    # rare is bought once by somebody who buys hits a lot: by BM25 alone the hits are nearer to it than it is itself
    rows = [(f"u{u}", f"hit{i}", 5, 3) for u in range(20) for i in range(3)] + [("u0", "rare", 1, 3)]
    held = interactions([*rows, *((f"v{u}", f"other{u % 6}", 1, 9) for u in range(30))])
    rare = held.item_rows(["rare"])[0]
    model = recommenders.create("bm25").fit(held)
    narrow = type(model)(neighbours=1).fit(held)
    for fitted in (model, narrow):
        assert rare in fitted.recommend(held.user_rows(["u0"]), 4).items[0]
        basket = fitted.fold_in([[rare]], 4)
        assert basket.strength[0, basket.items[0] == rare] == basket.strength[0, 0]


def test_als_solves_the_equation_of_the_paper() -> None:
    model = recommenders.create("als").fit(WORLDS)
    history = WORLDS.history([5])
    Y = model.item_factors
    p = np.zeros(16)
    p[history.pattern.indices] = 1
    c = np.ones(16)
    c[history.pattern.indices] = 1 + model.alpha * history.taste().data
    left = Y.T @ (c[:, None] * Y) + model.regularization * np.eye(Y.shape[1])
    expected = Y @ np.linalg.solve(left, Y.T @ (c * p))
    lists = model.recommend([5], 16)
    count = lists.counts[0]
    assert lists.strength[0, :count] == pytest.approx(expected[lists.items[0, :count]], abs=1e-6)
    # a long history is solved in the space of factors, a short one in that of its items: the same answer
    short = type(model)(factors=3).fit(WORLDS)
    Y = short.item_factors
    left = Y.T @ (c[:, None] * Y) + short.regularization * np.eye(3)
    assert short._customers(history)[0] == pytest.approx(np.linalg.solve(left, Y.T @ (c * p)), abs=1e-9)


def test_co_purchase_neighbours_are_the_cosine_of_buyers() -> None:
    rows = [(u, i, 1, 9) for u, items in {"a": "xy", "b": "xy", "c": "xyz", "d": "z", "e": "x"}.items() for i in items]
    held = interactions(rows)
    x, y, z = held.item_rows(["x", "y", "z"])
    assert held.neighbours[x, y] == pytest.approx(3 / np.sqrt(4 * 3))
    assert held.neighbours[x, x] == 0
    assert held.neighbours[x, z] == 0  # one common buyer says nothing
