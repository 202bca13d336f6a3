"""The engine that small work shares."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from warehouse.checking import Checker
from warehouse.contracts import CONTRACTS
from warehouse.engine import connect, shared
from warehouse.settings import Settings, TableSettings


def test_checkers_share_an_engine_among_threads() -> None:
    def judge(i: int) -> list[str]:
        raw = pa.table(
            {"user_id": [f"u{i}"] * 3, "ordered_at": ["2025-06-01", "soon", "2025-06-02"], "amount": ["1"] * 3}
        )
        policy = TableSettings(files=("x.csv",))
        checker = Checker(CONTRACTS["orders"], policy, Settings(), datetime(2026, 1, 1), "x.csv", shared())
        checked = checker.check(raw)
        assert checked.rejected.num_rows == 1
        return [str(user) for user in checked.accepted.column("user_id").to_pylist()]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(judge, range(16))) == [[f"u{i}"] * 2 for i in range(16)]
    assert shared() is shared()


@given(st.lists(st.none() | st.text(), max_size=50))
def test_keys_are_equal_exactly_where_texts_are(texts: list[str | None]) -> None:
    rows = pa.table({"id": pa.array(texts, pa.string())})
    with connect() as connection:
        connection.register("rows", rows)
        keys = [key for (key,) in connection.execute("select key_of(id) from rows").fetchall()]
    assert [key is None for key in keys] == [text is None for text in texts]
    assert all(key >= 0 for key in keys if key is not None)
    assert len(set(keys)) == len(set(texts))
