"""Tags and profiles kept in Excel: what cells say is what is loaded, and what they cannot say is told by its cell."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest

from warehouse.errors import DataProblemError
from warehouse.starting import init_workspace
from warehouse.store import Store
from warehouse.workspace import Workspace

LOADED_AT = datetime(2026, 1, 1)
Book = dict[str, list[list[Any]]]


def saved(path: Path, sheets: Book, change: Callable[[Any], None] = lambda book: None) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    change(book)
    book.save(path)
    return path


def loaded(folder: Path, more: dict[str, Any] | None = None, **files: Path) -> Store:
    orders = folder / "orders.csv"
    orders.write_text("user_id,ordered_at,amount\n007,2025-03-01,5\n")
    init_workspace(folder / "w", {"orders": orders, **files}, tz="Asia/Shanghai", policies=more)
    store = Store(Workspace.open(folder / "w"))
    assert all(source.balances for _, source in store.load_new(LOADED_AT).files)
    return store


def rows(store: Store, table: str, *names: str) -> list[tuple[Any, ...]]:
    found = [row for k in range(store.buckets) for row in pq.read_table(store.bucket(table, k)).to_pylist()]
    return sorted((tuple(row[name] for name in names) for row in found), key=str)


def test_tags(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "tags.xlsx",
        {
            "标签": [
                ["2025年会员标签", None, None, None],
                ["会员id", "标签", "标签值", "打标时间"],
                ["007", "VIP", 3, datetime(2025, 3, 1, 9, 30)],
                [7, "VIP", 2.5, date(2025, 3, 2)],
                [None, None, None, None],
                ["13800000001", "母婴", True, "2025-03-03"],
            ],
            "备注": [["nothing"]],
        },
        lambda book: book["标签"].merge_cells("A1:D1"),
    )
    store = loaded(tmp_path, tags=path)
    assert rows(store, "tags", "user_id", "tag", "value", "set_at") == [
        ("007", "VIP", "3", datetime(2025, 3, 1, 1, 30)),
        ("13800000001", "母婴", "true", datetime(2025, 3, 2, 16)),
        ("7", "VIP", "2.5", datetime(2025, 3, 1, 16)),
    ]
    said = tomllib.loads((tmp_path / "w" / "reprise.toml").read_text(encoding="utf-8"))
    assert said["tables"]["tags"]["skip_rows"] == 1


def test_profiles_of_a_named_sheet(tmp_path: Path) -> None:
    path = saved(
        tmp_path / "users.xlsx",
        {
            "Read me": [["how to fill this in"]],
            "Customers": [
                ["user_id", "region", "birth_year", "consent_sms", "Shoe size"],
                ["007", "north", 1985, True, 42],
                ["008", None, None, "no", 41.5],
            ],
        },
    )
    store = loaded(tmp_path, {"users": {"sheet": "Customers"}}, users=path)
    assert rows(store, "users", "user_id", "region", "birth_year", "consent_sms", "Shoe size") == [
        ("007", "north", 1985, True, "42"),
        ("008", None, None, False, "41.5"),
    ]


HEADER = ["user_id", "tag", "set_at"]
WRONG: list[tuple[list[Any], str]] = [
    ([4012345678901234567, "VIP", None], "tags.xlsx, sheet Tags, line 3: cell A3 is a number of more than 15 digits"),
    (["8", "=1+1", None], "tags.xlsx, sheet Tags, line 3: cell B3 is a formula that was never computed"),
    (["8", "#N/A", None], "tags.xlsx, sheet Tags, line 3: cell B3 is the error #N/A"),
    (["8", "VIP", "soon"], 'tags.xlsx, sheet Tags, line 3: set_at is "soon"; expected a time'),
    (["8", "VIP", None, "more"], "tags.xlsx, sheet Tags, line 3: a row of 4 values; expected 3 values"),
    ([" 8", "VIP", None], "tags.xlsx, sheet Tags, line 3: user_id is"),
]


@pytest.mark.parametrize(("row", "said"), WRONG)
def test_what_is_wrong_is_told_by_sheet_row_and_column(tmp_path: Path, row: list[Any], said: str) -> None:
    right = saved(tmp_path / "tags.xlsx", {"Tags": [HEADER, ["7", "VIP", date(2025, 3, 1)]]})
    loaded(tmp_path, tags=right)
    saved(tmp_path / "tags.xlsx", {"Tags": [HEADER, ["7", "VIP", date(2025, 3, 1)], row]})
    with pytest.raises(DataProblemError) as refused:
        Store(Workspace.open(tmp_path / "w")).load_new(LOADED_AT)
    assert said in str(refused.value)


def test_titles_that_came_later_are_refused_clearly(tmp_path: Path) -> None:
    lines = [HEADER, ["7", "VIP", date(2025, 3, 1)]]
    loaded(tmp_path, tags=saved(tmp_path / "tags.xlsx", {"Tags": lines}))
    title = [["Our tags of March", None, None]]
    saved(tmp_path / "tags.xlsx", {"Tags": title + lines}, lambda book: book["Tags"].merge_cells("A1:C1"))
    with pytest.raises(DataProblemError) as refused:
        Store(Workspace.open(tmp_path / "w")).load_new(LOADED_AT)
    assert "columns Our tags of March; expected a column user_id" in str(refused.value)
    assert "skip_rows" in str(refused.value)


def test_no_such_sheet_and_no_excel_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "tags.xlsx", {"Tags": [HEADER, ["7", "VIP", None]], "Old": [["x"]]})
    with pytest.raises(DataProblemError, match=r'no sheet "New"; expected one of its sheets: Tags, Old'):
        loaded(tmp_path, {"tags": {"sheet": "New"}}, tags=path)
    path.write_text("user_id,tag\n7,VIP\n")
    with pytest.raises(DataProblemError, match="no Excel file, or one with a password"):
        loaded(tmp_path, tags=path)
    with pytest.raises(DataProblemError, match=r"\.xls as \.xlsx"):
        loaded(tmp_path, tags=tmp_path / "tags.xls")


def test_a_hidden_sheet_is_not_the_first(tmp_path: Path) -> None:
    def hide(book: Any) -> None:
        book["Codes"].sheet_state = "hidden"

    path = saved(tmp_path / "tags.xlsx", {"Codes": [["x"]], "Tags": [HEADER, ["7", "VIP", None]]}, hide)
    assert rows(loaded(tmp_path, tags=path), "tags", "user_id", "tag") == [("7", "VIP")]
