"""Laws of the hash of a row: what makes two rows copies, and what does not."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse.row_keys import row_keys

TEXTS = st.one_of(st.none(), st.sampled_from(["", "0", "1", "x" * 7, "x" * 8, "x" * 9, "\x00", "x\x00"]), st.text())
ROWS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=30)


def _table(rows: list[tuple[str | None, ...]], names: str = "abc") -> pa.Table:
    return pa.table({n: pa.array([row[i] for row in rows], pa.string()) for i, n in enumerate(names)})


@given(ROWS)
@settings(max_examples=100)
def test_keys_are_equal_exactly_where_rows_are(rows: list[tuple[str | None, ...]]) -> None:
    keys = row_keys(_table(rows)).to_pylist()
    said = [tuple(text or "" for text in row) for row in rows]
    for i in range(len(rows)):
        for j in range(i):
            assert (keys[i] == keys[j]) == (said[i] == said[j])


@given(ROWS, st.permutations("abc"), st.integers(0, 30))
@settings(max_examples=50)
def test_neither_order_nor_an_empty_column_nor_the_cut_of_the_file_matters(
    rows: list[tuple[str | None, ...]], order: list[str], cut: int
) -> None:
    table = _table(rows)
    keys = row_keys(table).to_pylist()
    assert row_keys(table.select(order)).to_pylist() == keys
    assert row_keys(table.append_column("d", pa.nulls(len(rows), pa.string()))).to_pylist() == keys
    assert [*row_keys(table.slice(0, cut)).to_pylist(), *row_keys(table.slice(cut)).to_pylist()] == keys


def test_the_same_value_in_another_column_is_another_row() -> None:
    first, second = row_keys(_table([("1", "2", ""), ("2", "1", "")])).to_pylist()
    assert first != second


def test_keys_of_stores_that_are_loaded_already_stay_what_they_are() -> None:
    rows = _table([("u1", "2025-06-01 08:26:00", "名"), ("", "", "")])
    assert row_keys(rows).to_pylist() == [8675385423116269859, 0]
