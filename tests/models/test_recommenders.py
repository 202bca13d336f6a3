"""Laws that every recommender keeps, the answers implicit gets wrong, and values worked by hand."""

from __future__ import annotations

import zipfile
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models import recommenders
from models.recommenders.interactions import Interactions
from models.recommenders.plain_arrays import read_arrays, write_arrays
from models.recommenders.ranking import Ranked
from warehouse.errors import DataProblemError, UsageError

AS_OF = date(2011, 6, 11)
DAY = (AS_OF - date(1970, 1, 1)).days
ALL = recommenders.names()


def table(rows: list[tuple[str, str, int, int]]) -> pa.Table:
    """(user, item, order days, days since the last) as a table of interactions."""
    users, items, days, ago = zip(*rows, strict=True) if rows else ((), (), (), ())
    last = [DAY - n for n in ago]
    return pa.table(
        {
            "user_id": pa.array(users, pa.string()),
            "item_id": pa.array(items, pa.string()),
            "order_days": pa.array(days, pa.int64()),
            "quantity": pa.array(days, pa.float64()),
            "amount": pa.array([2.5 * n for n in days], pa.float64()),
            "first_day": pa.array([d - n for d, n in zip(last, days, strict=True)], pa.int64()),
            "last_day": pa.array(last, pa.int64()),
        }
    )


def interactions(rows: list[tuple[str, str, int, int]]) -> Interactions:
    return Interactions.from_table(table(rows), AS_OF)


def two_worlds() -> Interactions:
    """30 tea people and 30 tool people; each has four of the eight items of the own world, none of the other's."""
    rows = []
    for world in ("tea", "tool"):
        for person in range(30):
            for item in range(4):
                rows.append((f"{world}-{person:02}", f"{world}-{(person + item) % 8}", 1 + (item == 0), 10 + person))
    return interactions(rows)


WORLDS = two_worlds()


@pytest.fixture(scope="module", params=ALL)
def model(request: pytest.FixtureRequest) -> recommenders.Recommender:
    return recommenders.create(request.param).fit(WORLDS)


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


def same(a: Ranked, b: Ranked) -> bool:
    return (
        np.array_equal(a.items, b.items)
        and np.array_equal(a.strength, b.strength)
        and np.array_equal(a.counts, b.counts)
    )


def test_models_are_found_by_listing() -> None:
    assert ALL == ["als", "bm25", "gp_topfreq", "personal_frequency", "popularity"]
    with pytest.raises(UsageError, match="Known are als, bm25"):
        recommenders.create("svd")


# ---- laws -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 3, 16, 500])
def test_lists_are_ordered_unpadded_and_without_duplicates(model: recommenders.Recommender, k: int) -> None:
    lists = model.recommend(np.arange(WORLDS.shape[0]), k)
    check_lists(lists, WORLDS.place, k)
    assert (lists.counts <= WORLDS.shape[1]).all()
    assert (lists.counts >= 1).all()


def test_user_minus_one_is_nobody_and_not_the_last_user(model: recommenders.Recommender) -> None:
    nobody = model.recommend([-1], 5)
    assert same(nobody, model.fold_in([[]], 5))
    if model.name in ("popularity", "gp_topfreq"):
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
    mixed = rows.take([4, 2, 0, 3, 1])
    one, other = (
        recommenders.create(model.name).fit(Interactions.from_table(t, AS_OF)).recommend([0, 1, 2], 3)
        for t in (rows, mixed)
    )
    assert same(one, other)


def test_arrays_round_trip_through_a_file_without_pickle(model: recommenders.Recommender, tmp_path: Path) -> None:
    recommenders.save(model, tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as held:
        assert all(held[name].dtype.kind in "biuf" for name in held.files)
    back = recommenders.load(tmp_path / "model.npz")
    assert back.name == model.name
    assert back.interactions.user_ids.equals(WORLDS.user_ids)
    assert back.interactions.as_of == AS_OF
    assert same(back.recommend(np.arange(-1, 60), 7), model.recommend(np.arange(-1, 60), 7))
    assert same(back.similar_items(np.arange(16), 5), model.similar_items(np.arange(16), 5))
    assert same(back.fold_in([[1, 2], []], 5), model.fold_in([[1, 2], []], 5))
    recommenders.save(back, tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == (tmp_path / "model.npz").read_bytes()


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


@settings(max_examples=40, deadline=None)
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
        if name in ("popularity", "gp_topfreq"):
            assert (lists.counts == min(k, allowed.sum())).all()


# ---- values worked by hand ------------------------------------------------------------------------------------------


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


# ---- the door -------------------------------------------------------------------------------------------------------


def test_ids_are_text_kept_exactly() -> None:
    held = interactions([("007", "é", 1, 1), ("7", "e", 1, 1), ("Ab", "E", 1, 1), ("ab", "😀", 1, 1)])
    assert held.user_ids.to_pylist() == ["007", "7", "Ab", "ab"]
    assert held.user_rows(["7", "007", "AB", ""]).tolist() == [1, 0, -1, -1]
    back = Interactions.from_arrays(held.arrays())
    assert back.item_ids.equals(held.item_ids)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("a", "x", 1, 0)], "not before the cutoff"),
        ([("a", "x", 1, -5)], "not before the cutoff"),
        ([("a", "x", 1, 3), ("a", "x", 2, 4)], "more than once"),
        ([("a", "x", 0, 3)], "no order day"),
        ([("a", None, 1, 3)], "no user_id and 1 no item_id"),
    ],
)
def test_rows_that_would_answer_wrongly_are_refused(rows: list[tuple[str, str, int, int]], words: str) -> None:
    with pytest.raises(DataProblemError, match=words):
        interactions(rows)


def test_damaged_arrays_are_refused(model: recommenders.Recommender) -> None:
    whole = model.arrays()
    for name in whole:
        with pytest.raises(DataProblemError, match="recommender"):
            type(model).from_arrays({n: a for n, a in whole.items() if n != name})
    for name in [n for n in whole if "ind" in n]:
        wrong = whole[name].copy()
        wrong[-1] += 1_000
        with pytest.raises(DataProblemError, match="damaged"):
            type(model).from_arrays(whole | {name: wrong})


def test_files_that_are_not_ours_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    np.savez(path, allow_pickle=True, name=np.array([{"evil": 1}], dtype=object))
    with pytest.raises(DataProblemError, match="not a file of recommender arrays"):
        read_arrays(path)
    path.write_bytes(b"no zip")
    with pytest.raises(DataProblemError, match="not a file of recommender arrays"):
        recommenders.load(path)
    write_arrays(path, {"zeros": np.zeros(1000)})
    with pytest.raises(DataProblemError, match="more than 500 bytes"):
        read_arrays(path, most_bytes=500)
    with pytest.raises(DataProblemError, match="holds no recommender"):
        recommenders.load(path)
    with pytest.raises(TypeError, match="only numbers"):
        write_arrays(path, {"texts": np.array(["a"])})


def test_a_header_that_claims_too_much_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("a.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (10**15,)})
        member.write(np.zeros(6).tobytes())
    with pytest.raises(DataProblemError, match="cut short"):
        read_arrays(path)
