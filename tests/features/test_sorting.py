"""Sorting by stretches gives what sorting everything gives, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import sorting

TABLES = st.lists(st.lists(st.text("abc\u00e9\u4e2d\U0001f600", max_size=3)), max_size=5)


@given(TABLES, st.integers(1, 7))
@settings(max_examples=40, deadline=None)
def test_stretches_are_the_sorted_whole(tmp_path_factory: pytest.TempPathFactory, ids: list[list[str]], n: int) -> None:
    folder = tmp_path_factory.mktemp("sorted")
    unique = [sorted(set(part).difference(*ids[:k])) for k, part in enumerate(ids)]
    tables = [
        pa.table({"id": pa.array(part, pa.string()), "text": pa.array([f"of {i}" for i in part], pa.string())})
        for part in unique
    ]
    with patch.object(sorting, "ROWS_AT_ONCE", n):
        found = list(sorting.sorted_by(iter(tables), "id", len(tables), folder))
    rows = [row for table in found for row in table.to_pylist()]
    assert rows == sorted((row for table in tables for row in table.to_pylist()), key=lambda row: row["id"].encode())
    assert list(folder.iterdir()) == []


def test_of_a_sample_that_is_like_all_a_stretch_holds_about_as_many_rows_as_asked(tmp_path: Path) -> None:
    tables = [pa.table({"id": [f"{k:05}" for k in range(part, 4000, 4)]}) for part in range(4)]
    with patch.object(sorting, "ROWS_AT_ONCE", 100):
        found = [table.num_rows for table in sorting.sorted_by(tables, "id", 4, tmp_path)]
    assert len(found) == 40
    assert max(found) <= 110


def test_no_more_files_are_open_than_allowed(tmp_path: Path) -> None:
    tables = [pa.table({"id": [f"{n:04}" for n in range(start, 400, 4)]}) for start in range(4)]
    with patch.object(sorting, "ROWS_AT_ONCE", 10), patch.object(sorting, "MOST_FILES", 3):
        found = list(sorting.sorted_by(tables, "id", 4, tmp_path))
    assert len(found) == 3
    assert pa.concat_tables(found)["id"].to_pylist() == [f"{n:04}" for n in range(400)]
