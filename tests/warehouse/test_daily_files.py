"""Exports that come as a file a day: new ones are added, edited ones are noticed, vanished ones are told."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from warehouse.errors import DataProblemError
from warehouse.settings import Settings, TableSettings
from warehouse.store import LoadReport, Store
from warehouse.workspace import Workspace

LOADED_AT = datetime(2026, 1, 1)


def _day(root: Path, day: int, amount: int = 1, folder: str = ".") -> Path:
    path = root / folder / f"orders-2025-06-{day:02d}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"user_id,ordered_at,amount\nu1,2025-06-{day:02d},{amount}\nu2,2025-06-{day:02d},{amount}\n")
    return path


def _load(root: Path, later: int = 0, accept: str | None = None, **policy: object) -> LoadReport:
    settings = TableSettings.model_validate({"files": ("orders-*.csv",), **policy})
    store = Store(Workspace(root, Settings(tables={"orders": settings}, buckets=2)))
    return store.load_new(LOADED_AT + timedelta(days=later), accept_drift=accept)


def _rows(root: Path) -> list[tuple[str, int, datetime]]:
    store = Store(Workspace(root, Settings(tables={"orders": TableSettings(files=("orders-*.csv",))}, buckets=2)))
    tables = [pq.read_table(store.bucket("orders", k)) for k in range(2)]
    rows = [row for table in tables for row in table.to_pylist()]
    return sorted((str(row["ordered_at"].date()), int(row["amount"]), row["recorded_at"]) for row in rows)


def test_a_new_day_is_added_and_the_others_are_not_read_again(tmp_path: Path) -> None:
    _day(tmp_path, 1)
    _load(tmp_path)
    _day(tmp_path, 2)
    report = _load(tmp_path, later=1)
    assert [source.path for _, source in report.files] == ["orders-2025-06-02.csv"]
    assert report.notes == ()
    assert report.rows == {"orders": 4}


def test_an_edited_day_is_told_and_the_table_read_anew(tmp_path: Path) -> None:
    _day(tmp_path, 1)
    _day(tmp_path, 2)
    _load(tmp_path)
    _day(tmp_path, 1, amount=7)
    report = _load(tmp_path, later=1)
    assert report.notes == (
        "orders: orders-2025-06-01.csv changed since it was loaded, so the table was read anew from its 2 files",
    )
    assert [row[:2] for row in _rows(tmp_path)] == [("2025-06-01", 7)] * 2 + [("2025-06-02", 1)] * 2


def test_a_day_that_was_rotated_away_stays_and_is_told(tmp_path: Path) -> None:
    first = _day(tmp_path, 1)
    _day(tmp_path, 2)
    _load(tmp_path)
    first.unlink()
    said = "orders: orders-2025-06-01.csv is gone; the 2 rows loaded from it stay in the store"
    nothing = _load(tmp_path, later=1)
    assert not nothing.changed
    assert nothing.lines()[1:] == [said]
    _day(tmp_path, 3)
    assert _load(tmp_path, later=2).notes == (said,)
    assert len(_rows(tmp_path)) == 6


def test_rows_of_a_vanished_day_are_given_up_only_with_a_reason(tmp_path: Path) -> None:
    first = _day(tmp_path, 1)
    _day(tmp_path, 2)
    _load(tmp_path)
    first.unlink()
    _day(tmp_path, 2, amount=7)
    before = _rows(tmp_path)
    with pytest.raises(DataProblemError, match=r"orders-2025-06-02.csv changed.*orders-2025-06-01.csv is gone, 2 rows"):
        _load(tmp_path, later=1)
    assert _rows(tmp_path) == before
    _load(tmp_path, later=1, accept="kept a year only")
    assert [row[:2] for row in _rows(tmp_path)] == [("2025-06-02", 7)] * 2
    store = Store(Workspace(tmp_path, Settings(tables={"orders": TableSettings(files=("orders-*.csv",))}, buckets=2)))
    assert store.manifest("orders").accepted_drift == ("kept a year only: orders-2025-06-01.csv is gone, 2 rows",)


def test_a_renamed_file_is_the_same_file(tmp_path: Path) -> None:
    first = _day(tmp_path, 1)
    _load(tmp_path)
    first.rename(tmp_path / "orders-old.csv")
    assert _load(tmp_path, later=1).notes == ()
    _day(tmp_path, 2)
    assert _load(tmp_path, later=2).notes == ()
    anew = _load(tmp_path, later=3, duplicates="keep")
    assert anew.notes == ("orders: its settings changed, so the table was read anew from its 2 files",)
    assert [recorded for _, _, recorded in _rows(tmp_path)] == [datetime(2025, 6, 1)] * 2 + [datetime(2025, 6, 2)] * 2


@pytest.mark.parametrize("pattern", ["*/orders-*.csv", "**/*.csv"])
def test_files_of_one_name_in_two_folders_are_two_files(tmp_path: Path, pattern: str) -> None:
    _day(tmp_path, 1, folder="north")
    _day(tmp_path, 1, amount=2, folder="south")
    report = _load(tmp_path, files=(pattern,))
    names = ["north/orders-2025-06-01.csv", "south/orders-2025-06-01.csv"]
    assert [source.path for _, source in report.files] == names
    assert report.rows == {"orders": 4}
    assert not _load(tmp_path, files=(pattern,)).changed


def test_a_copy_of_a_file_is_read_once_whenever_it_comes(tmp_path: Path) -> None:
    first = _day(tmp_path, 1)
    (tmp_path / "orders-copy.csv").write_bytes(first.read_bytes())
    assert _load(tmp_path, duplicates="keep").rows == {"orders": 2}
    (tmp_path / "orders-again.csv").write_bytes(first.read_bytes())
    assert not _load(tmp_path, later=1, duplicates="keep").changed


def test_a_pattern_that_meets_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataProblemError, match=r"there is no file orders-\*\.csv"):
        _load(tmp_path)
