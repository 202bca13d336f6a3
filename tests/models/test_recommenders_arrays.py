"""What goes into a recommender and its file: ids kept exactly, wrong rows refused, files that are not ours refused."""

from __future__ import annotations

import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from models import recommenders
from models.recommenders.interactions import Interactions
from models.recommenders.plain_arrays import read_arrays, write_arrays
from tests.models.conftest import AS_OF, DAY, WORLDS, days_table, interactions, same
from warehouse.errors import DataProblemError


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


def test_without_some_users_the_others_keep_their_own_rows() -> None:
    """Rows move up, ids and histories do not, nor do items; who is gone is unknown."""
    everybody = WORLDS.user_ids.to_pylist()
    gone = everybody[::3]
    held = Interactions.from_arrays(WORLDS.without(gone).arrays())
    others = [user for user in everybody if user not in gone]
    assert held.user_ids.to_pylist() == others
    before, after = WORLDS.user_rows(others), held.user_rows(others)
    assert before.tolist() != after.tolist()
    was, now = WORLDS.history(before), held.history(after)
    assert (was.pattern != now.pattern).nnz == 0
    assert was.order_days.tolist() == now.order_days.tolist()
    assert was.days_ago.tolist() == now.days_ago.tolist()
    assert held.user_rows(gone).tolist() == [-1] * len(gone)
    assert held.item_ids.equals(WORLDS.item_ids)


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
        ([("a", "x", 1, 3), ("a", "x", 2, 2)], "1 rows of user, item and day are there more than once"),
        ([("a", "x", 1, 0.5)], "not a whole number of days"),
        ([("a", "x", 1, 3e9)], "not a whole number of days"),
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
    for name in [n for n in whole if n.startswith(("interactions_ind", "interactions_day", "model_similarity_ind"))]:
        for place, by in ((-1, 100_000), (1, -100_000)):
            wrong = whole[name].copy()
            wrong[place] += by
            with pytest.raises(DataProblemError, match="damaged"):
                type(model).from_arrays(whole | {name: wrong})


def test_damaged_days_are_refused() -> None:
    whole = interactions([("a", "x", 2, 3), ("a", "y", 1, 1), ("b", "x", 3, 9)]).arrays()
    days, starts = whole["interactions_days"], whole["interactions_day_starts"]
    for wrong in (
        {"interactions_days": days[::-1].copy()},
        {"interactions_days": days[:-1]},
        {"interactions_days": days.astype(float)},
        {"interactions_day_starts": np.array([0, 0, 3, 6])},
        {"interactions_day_starts": np.array([0, 2, 6, 6])},
        {"interactions_day_starts": starts[:-1]},
        {"interactions_day_starts": starts.astype(float)},
        {"as_of_day": whole["as_of_day"] - 3},
    ):
        with pytest.raises(DataProblemError, match="damaged"):
            Interactions.from_arrays(whole | wrong)


def test_every_purchase_day_of_a_pair_is_kept() -> None:
    bought = [("a", "x", DAY - 9), ("b", "y", DAY - 2), ("a", "x", DAY - 4), ("a", "w", DAY - 4), ("a", "x", DAY - 1)]
    held = Interactions.from_table(days_table(bought), AS_OF)
    history = held.history(held.user_rows(["b", "nobody", "a"]))
    assert history.pattern.indices.tolist() == [2, 0, 1]
    assert history.order_days.tolist() == [1, 1, 3]
    assert history.days_ago.tolist() == [2, 4, 1]
    assert [history.each_ago[a:b].tolist() for a, b in pairwise(history.day_starts)] == [[2], [4], [9, 4, 1]]
    assert history.summed(history.each_ago).tolist() == [2, 4, 14]
    assert history.part(2, 3).each_ago.tolist() == [4, 9, 4, 1]
    assert history.part(2, 3).day_starts.tolist() == [0, 1, 4]
    assert {name: values.tolist() for name, values in held.measures.items()} == {
        "order_days": [1, 3, 1],
        "quantity": [1, 3, 1],
        "amount": [2.5, 7.5, 2.5],
        "first_day": [DAY - 4, DAY - 9, DAY - 2],
        "last_day": [DAY - 4, DAY - 1, DAY - 2],
    }
    session = held.session([[1, 1, -1], [], [0]], [[2, 1, 5], [], [1]])
    assert session.order_days.tolist() == [3, 1]
    assert session.summed(np.full(2, 0.5)).tolist() == [1.5, 0.5]
    gone = Interactions.from_arrays(held.without(["b"]).arrays())
    assert gone.history([0]).each_ago.tolist() == [4, 9, 4, 1]


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
