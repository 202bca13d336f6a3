"""Big files get a store in more parts."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warehouse import sizing
from warehouse.settings import Settings
from warehouse.starting import init_workspace
from warehouse.workspace import Workspace

LINE = "u1,2025-01-01 10:00:00,5\n"


@settings(deadline=None, max_examples=40)
@given(st.integers(0, sizing.MOST * sizing.ROWS_OF_A_BUCKET))
def test_a_bucket_holds_what_fits_and_there_are_no_more_than_needed(rows: int) -> None:
    buckets = sizing.buckets_for(rows)
    assert rows <= buckets * sizing.ROWS_OF_A_BUCKET
    assert buckets == sizing.FEWEST or rows > buckets // 2 * sizing.ROWS_OF_A_BUCKET


def test_few_rows_are_parted_as_by_default() -> None:
    assert sizing.buckets_for(3_200_000) == Settings().buckets == 16
    assert sizing.buckets_for(3_200_001) == 32
    assert sizing.buckets_for(50_000_000) == 256
    assert sizing.buckets_for(10**12) == Settings.model_fields["buckets"].metadata[1].le


def test_rows_are_told_by_parquet_and_estimated_of_text(tmp_path: Path) -> None:
    plain, packed, columns = (tmp_path / name for name in ("a.csv", "a.csv.gz", "a.parquet"))
    plain.write_text(LINE * 60_000)
    packed.write_bytes(gzip.compress((LINE * 60_000).encode()))
    pq.write_table(pa.table({"n": range(70)}), columns)
    assert sizing.most_rows([plain]) == pytest.approx(60_000, rel=0.01)
    assert sizing.most_rows([columns]) == 70
    assert sizing.most_rows([packed]) > 0
    assert sizing.most_rows([tmp_path / "none.csv", tmp_path]) == 0


def test_a_workspace_of_big_files_says_its_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "ROWS_OF_A_BUCKET", 100)
    path = tmp_path / "orders.csv"
    path.write_text("user_id,ordered_at,amount\n" + LINE * 3000)
    init_workspace(tmp_path / "w", {"orders": path}, tz="UTC")
    assert Workspace.open(tmp_path / "w").settings.buckets == 32
    assert "buckets = 32  # parts of the store; 3,001 rows, about" in (tmp_path / "w" / "reprise.toml").read_text()
