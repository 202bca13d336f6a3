"""However a table is cut into chunks, what is written of it is the same to the byte."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse import streamed
from warehouse.streamed import Streamed, Tables, from_file, read, write_parquet

SIZES = st.lists(st.integers(0, 40), max_size=12)


def in_chunks(table: pa.Table, sizes: list[int]) -> Streamed:
    """The table cut after so many rows, and so many, and …"""
    starts = [min(sum(sizes[:k]), table.num_rows) for k in range(len(sizes) + 1)]
    cuts = [table.slice(start, end - start) for start, end in zip(starts, [*starts[1:], None], strict=True)
            if end is not None] + [table.slice(starts[-1])]  # fmt: skip
    return Streamed(table.schema, lambda columns: cuts)


def rows(n: int) -> pa.Table:
    texts = [None if k % 7 == 0 else f"text {k % 5}" for k in range(n)]
    return pa.table({"id": [f"{k:04}" for k in range(n)], "text": texts, "number": [k / 3 for k in range(n)]})


@given(st.integers(0, 100), SIZES)
@settings(max_examples=25, deadline=None)
def test_chunks_do_not_change_a_byte(tmp_path_factory: pytest.TempPathFactory, n: int, sizes: list[int]) -> None:
    folder, table = tmp_path_factory.mktemp("streamed"), rows(n)
    with patch.object(streamed, "ROWS_PER_GROUP", 16):
        assert write_parquet(table, folder / "whole") == write_parquet(in_chunks(table, sizes), folder / "cut") == n
    assert (folder / "whole").read_bytes() == (folder / "cut").read_bytes()
    groups = pq.ParquetFile(folder / "cut").metadata
    assert [groups.row_group(k).num_rows for k in range(groups.num_row_groups)] == [16] * (n // 16) + [n % 16] * (
        n % 16 > 0
    )
    assert from_file(folder / "cut").held().equals(table)


def test_some_columns_under_other_names(tmp_path: Path) -> None:
    write_parquet(rows(5), tmp_path / "t.parquet")
    renamed = from_file(tmp_path / "t.parquet").renamed({"id": "user_id"})
    assert renamed.schema.names == ["user_id", "text", "number"]
    assert renamed.held(["number", "user_id"]).equals(pa.table({"number": rows(5)["number"], "user_id": rows(5)["id"]}))
    assert renamed.held() == rows(5).rename_columns(["user_id", "text", "number"])


def test_tables_on_demand_are_those_of_the_folder(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_parquet(rows(3), tmp_path / f"{name}.parquet")
    tables = Tables(tmp_path, on_demand=["b", "c"])
    assert list(tables) == ["a", "b"]
    assert ("b" in tables, "c" in tables, tables.get("c")) == (True, False, None)
    assert tables["a"] is tables["a"]
    assert tables["b"] is not tables["b"]
    assert tables["b"].equals(read(tmp_path / "a.parquet"))


def test_whoever_watches_hears_how_many_rows_have_come() -> None:
    heard: list[tuple[str, float, float | None]] = []

    def progress(label: str, done: float, total: float | None = None) -> None:
        heard.append((label, done, total))

    table = rows(5)
    assert in_chunks(table, [2]).watched(progress, "rows", 5).held() == table
    assert heard == [("rows", 2, 5), ("rows", 5, 5)]
