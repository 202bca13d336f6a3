"""Excel: texts stay texts, numbers numbers, and what a sheet cannot hold is left out or refused."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest

from audiences.exports import export_table, workbooks
from warehouse.errors import UsageError


def test_a_formula_is_shown_and_not_computed(tmp_path: Path) -> None:
    values = ["=1+1", "007", "a\x07b", None, "中文"]
    export_table(pa.table({"=x": values}), tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    assert sheet is not None
    cells = [row[0] for row in sheet.iter_rows()]
    assert [cell.value for cell in cells] == ["=x", "=1+1", "007", "ab", None, "中文"]
    assert [cell.data_type for cell in cells[:3]] == ["s", "s", "s"]


def test_numbers_days_and_unknowns(tmp_path: Path) -> None:
    columns = {"id": ["a", "b"], "n": [1.5, float("nan")]}
    columns |= {"d": [date(2024, 2, 29), None], "m": [Decimal("1.2500"), None]}
    export_table(pa.table(columns), tmp_path / "a.xlsx")
    sheet = openpyxl.load_workbook(tmp_path / "a.xlsx").active
    assert sheet is not None
    first, second = list(sheet.iter_rows(min_row=2, values_only=True))
    assert (first[1], first[2].date(), first[3]) == (1.5, date(2024, 2, 29), 1.25)
    assert second[1:] == (None, None, None)


def test_more_rows_than_excel_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "MOST_ROWS", 2)
    with pytest.raises(UsageError, match="3 rows are more than Excel can hold"):
        export_table(pa.table({"a": [1, 2, 3]}), tmp_path / "a.xlsx")
    assert not list(tmp_path.iterdir())
