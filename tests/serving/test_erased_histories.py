"""Who is erased is in no recommender of a release any more: neither by purchases nor by acts on items."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa

from models import recommenders
from models.recommenders.interactions import Interactions
from models.recommenders.plain_arrays import read_arrays
from serving import erasing
from serving.erasing import Gone


def test_acts_of_the_erased_go_and_what_was_learnt_of_items_stays(tmp_path: Path) -> None:
    rows = [("ann", "tea", 19_000, 1.0, None), ("bob", "tea", 19_000, 1.0, None), ("bob", "cup", 19_000, 1.0, None),
            ("cyd", "tea", 19_001, None, 0.4), ("dan", "cup", 19_001, None, 0.4)]  # fmt: skip
    users, items, days, amounts, worth = zip(*rows, strict=True)
    numbers = {name: pa.array(amounts, pa.float64()) for name in ("quantity", "amount")}
    table = pa.table({"user_id": users, "item_id": items, "day": days, **numbers, "worth": pa.array(worth)})
    model = recommenders.create("bm25").fit(Interactions.from_table(table, date(2022, 6, 1)))
    recommenders.save(model, tmp_path / "all.npz")
    for gone, left in ((["cyd"], ["ann", "bob", "dan"]), (["cyd", "dan"], ["ann", "bob"])):
        erasing._write_recommender(tmp_path / "all.npz", tmp_path / "less.npz", Gone(frozenset(gone), frozenset(gone)))
        less = recommenders.load(tmp_path / "less.npz")
        assert less.interactions.user_ids.to_pylist() == left
        assert (less.interactions.acts is None) == (left == ["ann", "bob"])
        assert b"cyd" not in b"".join(each.tobytes() for each in read_arrays(tmp_path / "less.npz").values())
        assert (less.similarity != model.similarity).nnz == 0  # type: ignore[attr-defined]
