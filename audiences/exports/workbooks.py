"""Tables as Excel workbooks: one sheet, written row by row, texts always texts and never formulas."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from warehouse.errors import UsageError

MOST_ROWS = 1_048_575
"""What a sheet of Excel holds under its header."""
_BATCH = 16_000


def write_workbook(table: pa.Table, path: Path) -> None:
    """Writes the table as the only sheet. `UsageError` for more rows than Excel can hold."""
    if table.num_rows > MOST_ROWS:
        raise UsageError(
            f"{table.num_rows:,} rows are more than Excel can hold ({MOST_ROWS:,}).", hint="Write .csv or .parquet."
        )
    book = Workbook(write_only=True)
    # The time of writing would make the same table another file each time.
    book.properties.created = book.properties.modified = datetime(2000, 1, 1)
    sheet = book.create_sheet("reprise")
    sheet.freeze_panes = "B2"
    for row in _rows(table):
        sheet.append([_cell(sheet, value) for value in row])
    with path.open("wb") as file:
        book.save(file)


def _rows(table: pa.Table) -> Iterator[list[Any]]:
    yield list(table.column_names)
    for batch in table.to_batches(max_chunksize=_BATCH):
        yield from (list(row) for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _cell(sheet: Any, value: Any) -> Any:
    """A value as a cell; texts are marked as such, so that one that begins with = is shown and not computed."""
    if isinstance(value, list):
        value = "|".join(map(str, value))
    if isinstance(value, str):
        cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("", value))
        cell.data_type = "s"
        return cell
    if isinstance(value, Decimal):
        return float(value)
    return None if isinstance(value, float) and not math.isfinite(value) else value
