"""What implicit answers wrongly instead of raising, and what is answered here."""

from __future__ import annotations

import numpy as np
import pytest
from implicit.cpu.als import AlternatingLeastSquares
from implicit.nearest_neighbours import ItemItemRecommender
from scipy.sparse import csr_matrix

from models import recommenders
from models.recommenders.interactions import Interactions
from models.recommenders.ranking import rank
from tests.models.conftest import AS_OF, DAY, WORLDS, days_table, interactions

ITEMS = WORLDS.shape[1]
MATRIX = csr_matrix(WORLDS.everybody().pattern.astype(np.float32))
FOUR = ["als", "bm25", "bpr"]


@pytest.fixture(scope="module")
def library() -> AlternatingLeastSquares:
    model = AlternatingLeastSquares(factors=8, iterations=3, random_state=7, num_threads=1)
    model.fit(MATRIX, show_progress=False)
    return model


@pytest.fixture(scope="module", params=FOUR)
def ours(request: pytest.FixtureRequest) -> recommenders.Recommender:
    return recommenders.create(request.param).fit(WORLDS)


def test_what_was_bought_is_left_out_by_the_library_s_default(
    library: AlternatingLeastSquares, ours: recommenders.Recommender
) -> None:
    mine = set(MATRIX[0].indices.tolist())
    theirs, _ = library.recommend(0, MATRIX[0], N=4)
    assert not mine & set(theirs.tolist())
    assert set(ours.recommend([0], 4).items[0].tolist()) == mine


def test_user_minus_one_is_the_library_s_last_user(
    library: AlternatingLeastSquares, ours: recommenders.Recommender
) -> None:
    theirs, _ = library.recommend(-1, MATRIX[0], N=4, filter_already_liked_items=False)
    last, _ = library.recommend(59, MATRIX[59], N=4, filter_already_liked_items=False)
    assert theirs.tolist() == last.tolist()
    assert ours.recommend([-1], 4).counts.tolist() == [0]


def test_more_than_there_is_is_padded_by_the_library(
    library: AlternatingLeastSquares, ours: recommenders.Recommender
) -> None:
    _, padded = library.recommend(0, MATRIX[0], N=ITEMS)
    assert padded.min() < -1e38  # what was bought comes back, with the least number there is
    lists = ours.recommend([0], ITEMS + 9, exclude=[MATRIX[0].indices])
    count = lists.counts[0]
    assert not set(lists.items[0, :count].tolist()) & set(MATRIX[0].indices.tolist())
    assert (lists.items[0, count:] == -1).all()
    assert (lists.strength >= 0).all()


def test_somebody_without_a_history_gets_arbitrary_items_of_the_library(
    library: AlternatingLeastSquares, ours: recommenders.Recommender
) -> None:
    empty = MATRIX[0].multiply(0).tocsr()
    empty.eliminate_zeros()
    theirs, _ = library.recommend(0, empty, N=4, recalculate_user=True, filter_already_liked_items=False)
    assert len(theirs) == 4
    assert ours.fold_in([[]], 4).counts.tolist() == [0]


def test_item_to_item_keeps_to_the_mask_and_to_k(ours: recommenders.Recommender) -> None:
    neighbours = ItemItemRecommender(K=9, num_threads=1)
    neighbours.fit(MATRIX.astype(np.float64), show_progress=False)
    theirs, _ = neighbours.recommend(0, MATRIX[0], N=3, filter_items=[4, 5], filter_already_liked_items=False)
    assert len(theirs) == 4
    lists = ours.recommend([0], 3, exclude=[[4, 5]])
    assert lists.counts.tolist() == [3]
    assert not {4, 5} & set(lists.items[0].tolist())
    allowed = np.ones(ITEMS, bool)
    allowed[[1, 2]] = False
    lists = ours.similar_items([0], 3, allowed=allowed)
    assert lists.counts.tolist() == [3]
    assert not {0, 1, 2} & set(lists.items[0].tolist())


@pytest.mark.parametrize("name", FOUR)
def test_the_same_seed_gives_the_same_bits_though_the_library_has_threads(name: str) -> None:
    rows = [(f"u{u}", f"i{(u * n) % 97}", 1, 1 + n) for u in range(120) for n in range(1, 12)]
    held = interactions(sorted({(u, i): (u, i, 1, a) for u, i, _, a in rows}.values()))
    one, other = (recommenders.create(name).fit(held).arrays() for _ in range(2))
    assert all(np.array_equal(one[key], other[key]) for key in one)


def test_als_lists_are_those_of_its_exact_strengths() -> None:
    """The candidates are found in single precision, their strength and order in double."""
    random = np.random.default_rng(5)
    bought = {(f"u{random.integers(0, 40):02}", f"i{random.integers(0, 60):02}", DAY - 1 - int(random.integers(0, 90)))
              for _ in range(900)}  # fmt: skip
    held = Interactions.from_table(days_table(sorted(bought)), AS_OF)
    model = recommenders.create("als").fit(held)
    everybody = np.arange(held.shape[0])
    exact = model._strengths(held.history(everybody))
    expected = rank(exact, 7, held.place, rounded=True)
    found = model.recommend(everybody, 7)
    assert found.items.tolist() == expected.items.tolist()
    assert np.abs(found.strength - expected.strength).max() <= 1e-6
