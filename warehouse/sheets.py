"""A sheet of an Excel file becomes batches of text, each value as one would write it in a text file.

Text stays exactly as it is: 007 stays 007 where the cell is text. Numbers are written without a needless point, days
and times as ISO 8601, formulas as the value Excel has last saved. The line of a row is its number in the sheet.
"""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pyarrow as pa

from warehouse.batches import LINE, Batch, Ragged
from warehouse.errors import DataProblemError
from warehouse.text_blocks import broken

_ROWS = 10_000
_EXACT = 10**15
"""Excel keeps fifteen digits of a number."""


def named(path: Path, sheet: str | None) -> str:
    """How errors name the file: with its sheet."""
    with _opened(path, formulas=False) as book:
        return f"{path.name}, sheet {_chosen(book, path, sheet).title}"


def first_rows(path: Path, sheet: str | None, count: int) -> list[list[str]]:
    """The first rows of a sheet as text, where titles and the header stand."""
    with _opened(path, formulas=False) as book:
        rows = _chosen(book, path, sheet).iter_rows(max_row=count, values_only=True)
        return [[_header_text(value) for value in row] for row in rows]


def read_sheet(
    path: Path, sheet: str | None, skip_rows: int, header_rows: int, ids: frozenset[str]
) -> Iterator[tuple[list[list[str]], Batch | None]]:
    """First the records of the header, with no batch; then batches with the places of columns as names.

    `DataProblemError` for what has no value: an error such as #N/A, a formula that was never computed, and an id that
    was typed as a number too long for Excel to keep.
    """
    with _opened(path, formulas=False) as book, _opened(path, formulas=True) as formulas:
        found = _chosen(book, path, sheet)
        name = f"{path.name}, sheet {found.title}"
        header: list[list[str]] = []
        rows: list[list[str | None]] = []
        lines: list[int] = []
        ragged: list[Ragged] = []
        width, id_places = 0, frozenset[int]()
        pairs = zip(found.iter_rows(), formulas[found.title].iter_rows(), strict=True)
        for line, (cells, written) in enumerate(pairs, 1):
            if line <= skip_rows:
                continue
            if line <= skip_rows + header_rows:
                header.append([_header_text(cell.value) for cell in cells])
                if line == skip_rows + header_rows:
                    width = max((i for record in header for i, text in enumerate(record, 1) if text), default=0)
                    header = [record[:width] for record in header]
                    id_places = frozenset(i for i, text in enumerate(header[-1]) if text in ids)
                    yield header, None
                continue
            texts = [
                _text(cell, formula, name, i in id_places)
                for i, (cell, formula) in enumerate(zip(cells, written, strict=True))
            ]
            filled = max((i for i, text in enumerate(texts, 1) if text), default=0)
            if not filled:
                continue
            if filled > width:
                ragged.append(Ragged(line, filled, width))
                continue
            rows.append([*texts[:width], *[None] * (width - len(texts))])
            lines.append(line)
            if len(rows) == _ROWS:
                yield header, _batch(rows, lines, ragged, width)
                rows, lines, ragged = [], [], []
        if rows or ragged:
            yield header, _batch(rows, lines, ragged, width)


def _batch(rows: list[list[str | None]], lines: list[int], ragged: list[Ragged], width: int) -> Batch:
    columns = {str(i): pa.array([row[i] for row in rows], pa.string()) for i in range(width)}
    return Batch(pa.table({**columns, LINE: pa.array(lines, pa.int64())}), ragged)


@contextmanager
def _opened(path: Path, formulas: bool) -> Iterator[Any]:
    import openpyxl

    try:
        with warnings.catch_warnings():
            # What Excel shows beside the values (rules, pictures) is not read, and need not be.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=not formulas)
    except FileNotFoundError as error:
        raise DataProblemError(f"There is no file {path}.", hint="Check the path in reprise.toml.") from error
    except PermissionError as error:
        raise DataProblemError(f"{path} may not be read.", hint="Check the rights of the file.") from error
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise broken(
            path.name,
            None,
            "no Excel file, or one with a password",
            "an .xlsx file",
            "Save it again, without a password.",
        ) from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield book
    finally:
        book.close()


def _chosen(book: Any, path: Path, sheet: str | None) -> Any:
    """The sheet of that name, else the first one that is shown."""
    if sheet is not None:
        if sheet not in book.sheetnames:
            there = f"one of its sheets: {', '.join(book.sheetnames)}"
            raise broken(path.name, None, f'no sheet "{sheet}"', there, "Correct sheet in reprise.toml.")
        return book[sheet]
    shown = [each for each in book.worksheets if each.sheet_state == "visible"]
    if not shown:
        hidden = f"one that is shown, or one of these named: {', '.join(book.sheetnames)}"
        raise broken(path.name, None, "no sheet that is shown", hidden, "Set sheet = … in reprise.toml.")
    return shown[0]


def _header_text(value: Any) -> str:
    return "" if value is None else _plain(value).strip()


def _text(cell: Any, formula: Any, name: str, is_id: bool) -> str | None:
    value = cell.value
    if value is None:
        if formula.data_type == "f":
            raise _wrong(
                cell, formula, name, "a formula that was never computed", "Open the file in Excel and save it."
            )
        return None
    if cell.data_type == "e":
        raise _wrong(cell, formula, name, f"the error {value}", "Mend the formula, or empty the cell.")
    if is_id and isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= _EXACT:
        fix = "Format the column as Text and type the ids again: Excel has cut their last digits."
        raise _wrong(cell, formula, name, "a number of more than 15 digits", fix)
    return _plain(value)


def _wrong(cell: Any, formula: Any, name: str, found: str, fix: str) -> DataProblemError:
    place = getattr(cell, "coordinate", None) or getattr(formula, "coordinate", "")
    row = getattr(cell, "row", None) or getattr(formula, "row", None)
    return broken(name, row, found, "a value", fix, f"cell {place}")


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)


def as_table(batch: Batch, names: Sequence[str]) -> Batch:
    """The batch with the names of its columns."""
    return Batch(batch.rows.rename_columns([*names, LINE]), batch.ragged)
