"""What goes into a recommender and its file: ids kept exactly, wrong rows refused, files that are not ours refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from models import recommenders
from models.recommenders.interactions import Interactions
from models.recommenders.plain_arrays import read_arrays, write_arrays
from tests.models.conftest import AS_OF, WORLDS, interactions, same
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
