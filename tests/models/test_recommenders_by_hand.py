"""Decay, groups of baskets, rules over days, closed forms and graph filters, worked by hand or by the plain formula."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm
from scipy.sparse import csr_matrix

from models import recommenders
from models.recommenders import ranking
from models.recommenders.bpr import BPR
from models.recommenders.ease import EASE
from models.recommenders.graph_filter import GraphFilter, strongest_directions
from models.recommenders.interactions import Interactions
from models.recommenders.next_purchase import NextPurchase
from models.recommenders.personal_decay import PersonalDecay
from models.recommenders.popularity import Popularity
from models.recommenders.ranking import Ranked, rank
from models.recommenders.recommender import Recommender
from models.recommenders.tifu_knn import TifuKNN
from tests.models.conftest import AS_OF, DAY, WORLDS, days_table
from warehouse.errors import UsageError


def bought(*rows: tuple[str, str, int]) -> Interactions:
    """(user, item, days ago) of single purchases."""
    return Interactions.from_table(days_table([(user, item, DAY - ago) for user, item, ago in rows]), AS_OF)


def strengths(model: Recommender, lists: Ranked, row: int = 0) -> dict[str, float]:
    ids = model.interactions.item_ids.to_pylist()
    count = lists.counts[row]
    return {ids[i]: s for i, s in zip(lists.items[row, :count], lists.strength[row, :count], strict=True)}


def test_personal_decay_halves_every_purchase_and_keeps_popularity_behind() -> None:
    held = bought(("a", "x", 10), ("a", "x", 20), ("a", "y", 5), ("b", "z", 60), ("b", "z", 40), ("c", "z", 30))
    model = PersonalDecay(half_life_days=10).fit(held)
    found = strengths(model, model.recommend(held.user_rows(["a"]), 9))
    assert found == pytest.approx(
        {"x": 1 + 0.5 + 0.25, "y": 1 + 0.5**0.5, "z": held.popularity[2] / held.popularity.max()}
    )
    assert list(found) == ["x", "y", "z"]


def test_popularity_has_a_half_life_and_a_segment() -> None:
    held = bought(("a", "x", 10), ("b", "x", 20), ("c", "y", 10), ("d", "y", 10), ("c", "z", 1))
    model = Popularity(half_life_days=10).fit(held)
    assert strengths(model, model.recommend([-1], 3)) == pytest.approx({"y": 1, "z": 0.5**0.1, "x": 0.75})
    segment = model.among(held.user_rows(["a", "b", "nobody"]))
    assert strengths(segment, segment.recommend([-1], 1)) == pytest.approx({"x": 0.75})


def test_tifu_vectors_are_those_of_the_paper() -> None:
    # five days of a in two groups: (50, 40, 30) and (20, 10); one day of b is a group
    held = bought(
        ("a", "x", 50), ("a", "y", 40), ("a", "x", 30), ("a", "x", 20), ("a", "z", 10), ("b", "z", 7), ("b", "w", 7)
    )
    model = TifuKNN(neighbours=1, groups=2, within_decay=0.5, group_decay=0.1, alpha=0.25).fit(held)
    w, x, y, z = range(4)
    a = np.zeros(4)
    a[x] = 0.1 / 2 * (0.25 + 1) / 3 + 1 / 2 * 0.5 / 2
    a[y] = 0.1 / 2 * 0.5 / 3
    a[z] = 1 / 2 * 1 / 2
    b = np.array([1.0, 0, 0, 1])
    assert model._vectors.toarray() == pytest.approx(np.stack([a, b]))
    # the nearest of each is the one with the same vector, of a session with w and y that is b
    lists = model.recommend([0, -1], 4)
    assert strengths(model, lists) == pytest.approx({"x": a[x], "y": a[y], "z": a[z]}, abs=1e-6)
    assert lists.counts[1] == 0
    session = model.fold_in([held.item_rows(["w", "y"])], 4)
    assert strengths(model, session) == pytest.approx({"w": 0.25 + 0.75, "y": 0.25, "z": 0.75})
    assert w == 0


def test_tifu_groups_differ_in_size_by_one_at_most() -> None:
    held = bought(*(("a", f"i{n}", 10 - n) for n in range(7)))
    model = TifuKNN(groups=3, within_decay=1.0, group_decay=0.1).fit(held)
    shares = model._vectors.toarray()[0] * 3
    assert sorted(np.round(1 / shares[:3] * 0.01).tolist()) == [3, 3, 3]
    assert np.round(shares, 6).tolist() == pytest.approx([0.01 / 3] * 3 + [0.1 / 2] * 2 + [0.5] * 2, abs=1e-6)


def test_rules_count_what_followed_within_the_days() -> None:
    # x is followed by y within ten days for a and b, not for c; d's occasion is too young to be known
    held = bought(
        ("a", "x", 40), ("a", "y", 35), ("b", "x", 50), ("b", "y", 40), ("c", "x", 60), ("c", "y", 49), ("d", "x", 9),
        ("d", "y", 5), ("e", "z", 30),
    )  # fmt: skip
    model = NextPurchase(days=10, shrinkage=2.0, half_life_days=0, count="binary").fit(held)
    x, y, z = held.item_rows(["x", "y", "z"])
    base = 2 / 7  # of seven occasions (three of x, three of y, one of z) two are followed by y
    assert model.excess[x, y] == pytest.approx((2 + 2 * base) / (3 + 2) - base)
    again = 1 / (7 + 2)  # nothing was bought again: one more than that of the seven and two
    assert model.excess[x, x] == pytest.approx(2 * again / 5)
    assert model.excess[z, z] == pytest.approx(2 * again / 3)
    assert model.excess[y, x] == 0
    assert strengths(model, model.fold_in([[x]], 3)) == pytest.approx({"y": 0.228571, "x": 0.044444})
    assert NextPurchase(days=10, least_lift=5).fit(held).excess[x, y] == 0


def test_rules_need_order_and_two_occasions() -> None:
    held = bought(("a", "x", 40), ("a", "y", 40), ("b", "x", 40), ("b", "y", 35), ("c", "y", 45), ("c", "x", 40))
    assert NextPurchase(days=10).fit(held).excess[held.item_rows(["x"])[0], held.item_rows(["y"])[0]] == 0


def test_ease_is_the_closed_form_of_the_paper() -> None:
    model = EASE(regularization=3.0, repeat=0.0, half_life_days=0, count="binary").fit(WORLDS)
    X = WORLDS.everybody().pattern.toarray()
    P = np.linalg.inv(X.T @ X + 3 * np.eye(16))
    B = -P / np.diag(P)
    np.fill_diagonal(B, 0)
    assert model.weights == pytest.approx(B, abs=1e-6)
    again = EASE(regularization=3.0, repeat=0.5, half_life_days=0, count="binary").fit(WORLDS)
    assert again.weights - model.weights == pytest.approx(0.5 * np.eye(16), abs=1e-6)


PLAIN = {"half_life_days": 0, "count": "binary"}


def test_the_graph_filter_is_that_of_the_paper() -> None:
    model = GraphFilter(4, 0.3, history=0.5, user=1.0, item=0.5, **PLAIN).fit(WORLDS)
    R = WORLDS.everybody().pattern.toarray()
    users, items = R.sum(axis=1), R.sum(axis=0)
    normed = R / np.sqrt(users)[:, None] / np.sqrt(items)
    V = np.linalg.svd(normed)[2][:4].T
    expected = R @ normed.T @ normed + 0.3 * R @ np.diag(items**-0.5) @ V @ V.T @ np.diag(items**0.5)
    assert model._strengths(WORLDS.everybody()) == pytest.approx(16 * expected, rel=1e-5)
    other = GraphFilter(0, 0.0, history=0.2, user=0.7, item=0.4, **PLAIN).fit(WORLDS)
    walked = (R / items**0.2) @ (R.T / users**0.7) @ (R / items**0.4) / items.mean() ** 0.4 / users.mean() ** 0.3
    assert other._strengths(WORLDS.everybody()) == pytest.approx(16 * walked, rel=1e-5)
    # along all directions the sharpening is exact
    sharp = GraphFilter(16, 0.3, 2.5, history=0.2, user=0.7, item=0.4, **PLAIN).fit(WORLDS)
    sharpened = (walked + 0.3 * R) @ expm(-2.5 * normed.T @ normed)
    assert sharp._strengths(WORLDS.everybody()) == pytest.approx(16 * sharpened, rel=1e-5, abs=1e-5)


def test_a_varied_graph_filter_is_one_fitted_anew() -> None:
    known = GraphFilter(8, 0.3, 1.0, user=1.0, **PLAIN).fit(WORLDS)
    for other in ({"factors": 3}, {"alpha": 0.0}, {"user": 0.5, "sharpness": 0.0}, {"factors": 10}, {"count": "log"}):
        anew = GraphFilter(**{**known.settings(), **other}).fit(WORLDS)
        varied = known.varied(**other)
        assert varied.settings() == anew.settings()
        assert varied._strengths(WORLDS.everybody()) == pytest.approx(anew._strengths(WORLDS.everybody()), rel=1e-3)


@pytest.mark.parametrize("shape", [(40, 25), (25, 40), (60, 3)])
def test_strongest_directions_are_singular_vectors(shape: tuple[int, int]) -> None:
    dense = np.random.default_rng(5).random(shape) * (np.random.default_rng(6).random(shape) < 0.3)
    found = strongest_directions(csr_matrix(dense), 3, seed=1)
    assert np.abs(np.linalg.svd(dense)[2][:3] @ found) == pytest.approx(np.eye(3), abs=1e-4)
    assert (found[np.abs(found).argmax(axis=0), np.arange(3)] > 0).all()
    assert np.array_equal(found, strongest_directions(csr_matrix(dense), 3, seed=1))
    # two items that are always bought together, and rows alike: fewer directions than asked for
    flat = np.repeat(np.eye(2), [5, 7], axis=0) @ np.array([[1.0, 1, 0, 0], [0, 0, 2, 2]])
    assert np.isfinite(strongest_directions(csr_matrix(flat), 4, seed=1)).all()


def test_bpr_customers_are_the_mean_of_their_items() -> None:
    model = BPR(factors=8, iterations=5, repeat=2.0, half_life_days=0, count="binary").fit(WORLDS)
    mine = WORLDS.history([3]).pattern.indices
    Y, offset = model.item_factors[:, :-1], model.item_factors[:, -1]
    expected = Y @ Y[mine].mean(axis=0) + offset
    expected[mine] += 2
    lists = model.recommend([3], 16)
    count = lists.counts[0]
    assert lists.strength[0, :count] == pytest.approx(expected[lists.items[0, :count]], abs=1e-6)
    assert (expected > 1e-6).sum() == count


def test_bpr_finds_the_own_world() -> None:
    lists = BPR().fit(WORLDS).recommend(np.arange(60), 8)
    worlds = np.array([text.split("-")[0] for text in WORLDS.item_ids.to_pylist()])
    own = np.array([text.split("-")[0] for text in WORLDS.user_ids.to_pylist()])
    assert (worlds[lists.items[:, :7]] == own[:, None]).mean() > 0.9


def test_taste_weighs_count_recency_and_amount() -> None:
    rows = days_table([("a", "x", DAY - 30), ("a", "x", DAY - 10), ("a", "y", DAY - 20), ("b", "y", DAY - 20)])
    held = Interactions.from_table(rows.set_column(4, "amount", [[1.0, 3.0, 100.0, 4.0]]), AS_OF)
    history = held.history([0])
    assert history.spend.tolist() == [2 / 4, 10]  # a day of 2 beside the median of 2, 100 and 4, and at most ten times
    for told, expected in (
        ({"half_life_days": 0, "count": "binary"}, [1, 1]),
        ({"half_life_days": 0, "count": "linear"}, [2, 1]),
        ({"half_life_days": 10, "count": "linear"}, [1, 0.25]),
        ({"half_life_days": 0}, [np.log(3), np.log(2)]),
        ({"half_life_days": 0, "count": "binary", "amount": 0.5}, [0.5**0.5, 10**0.5]),
    ):
        assert history.taste(**told).data == pytest.approx(expected)
    with pytest.raises(UsageError, match="Known are log, linear, binary"):
        history.taste(count="often")
    assert held.session([[0, 1]]).taste(amount=1.0).data == pytest.approx([np.log(2)] * 2)


@pytest.mark.parametrize("name", ["als", "bm25", "bpr", "ease", "graph_filter"])
def test_weights_are_settings_of_every_collaborative_model(name: str) -> None:
    plain = recommenders.create(name).fit(WORLDS)
    told = {"half_life_days": 0, "count": "binary"}
    other = recommenders.create(name, told).fit(WORLDS)
    assert plain.recommend([0], 9).strength.tolist() != other.recommend([0], 9).strength.tolist()
    back = type(other).from_arrays(other.arrays())
    assert back.settings() == other.settings()
    assert back.recommend([0], 9).strength.tolist() == other.recommend([0], 9).strength.tolist()


@pytest.mark.parametrize("name", recommenders.names())
def test_needs_grow_with_the_data(name: str) -> None:
    needs = type(recommenders.create(name)).needs
    small, large = needs(1_000, 500, 20_000), needs(30_000, 41_000, 810_000)
    assert 0 < small < large
    assert (large > 20 * 2**30) == (name == "ease")  # items × items, dense


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 400), st.integers(1, 40), st.booleans(), st.booleans(), st.booleans())
def test_the_one_pass_ranking_is_that_of_sorting(
    seed: int, items: int, k: int, rounded: bool, sparse: bool, few: bool
) -> None:
    rng = np.random.default_rng(seed)
    dense = rng.integers(-3, 6, (3, items)).astype(np.float64) + 1e-9 * rng.random((3, items)) * rounded
    dense[rng.random((3, items)) < rng.random()] = -np.inf
    blocked = csr_matrix(rng.random((3, items)) < 0.1)
    place = rng.permutation(items)
    expected = []
    for row, taken in zip(dense, blocked.toarray(), strict=True):
        values = np.round(row, 6) if rounded else row
        may = [i for i in range(items) if values[i] > (0 if rounded else -np.inf) and not taken[i]]
        expected.append(sorted(may, key=lambda i, values=values: (-values[i], place[i]))[:k])
    given_as = dense.copy()
    if sparse:
        there = np.isfinite(dense)
        rows, columns = np.nonzero(there)
        given_as = csr_matrix((dense[there], (rows, columns)), shape=dense.shape)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "_FEW", 10**9 if few else 0)
        lists = rank(given_as, k, place, blocked, rounded)
    assert [items[:n].tolist() for items, n in zip(lists.items, lists.counts, strict=True)] == expected
