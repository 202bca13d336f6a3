"""Tables as files for people and machines: CSV, Parquet, JSON lines or Excel by suffix, there whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from audiences.exports.cells import quote, quote_formulas, unquote, unquote_formulas
from audiences.exports.workbooks import write_workbook
from warehouse.errors import DataProblemError, UsageError
from warehouse.files import atomic_file, sha256, write_text
from warehouse.streamed import Streamed, write_parquet

Mode = Literal["safe", "raw"]
SUFFIXES = (".csv", ".parquet", ".jsonl", ".xlsx")
_BOM = b"\xef\xbb\xbf"
_ROWS = 64_000


@dataclass(frozen=True)
class ExportReport:
    """What was written where, and the hash by which it is known again; `guarded` cells carry an apostrophe."""

    path: Path
    format: str
    mode: Mode
    rows: int
    columns: tuple[str, ...]
    sha256: str
    guarded: int = 0


def export_table(table: pa.Table | Streamed, path: Path, mode: Mode = "safe") -> ExportReport:
    """Writes the table to `path`; its suffix decides: `.csv`, `.parquet`, `.jsonl` or `.xlsx`. Only a workbook needs
    all rows of a streamed one at once.

    `mode` matters for CSV only. safe: for spreadsheets, with a byte order mark and an apostrophe before every text that
    could start a formula. raw: for machines, texts exactly as they are. Both have all digits; texts are in quotes,
    numbers and dates are not; a null is an empty cell, an empty text is `""`.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f'"{path.name}" has no known type.', hint=f"End its name in {', '.join(SUFFIXES)}.")
    with atomic_file(path) as temporary:
        rows, guarded = write_table(table, temporary, path.suffix, mode)
        digest = sha256(temporary)
    return ExportReport(path, path.suffix[1:], mode, rows, tuple(table.schema.names), digest, guarded)


def write_manifest(report: ExportReport, facts: Mapping[str, Any]) -> Path:
    """Writes beside the file what it is, as `NAME.manifest.json`: how it was written, its hash, and the `facts`."""
    path = report.path.with_name(f"{report.path.name}.manifest.json")
    told = {
        "file": report.path.name,
        "rows": report.rows,
        "columns": list(report.columns),
        "sha256": report.sha256,
        "csv_mode": report.mode if report.format == "csv" else None,
        "guarded_cells": report.guarded,
        **facts,
    }
    write_text(path, json.dumps(told, ensure_ascii=False, indent=2, default=str) + "\n")
    return path


def write_table(table: pa.Table | Streamed, path: Path, suffix: str, mode: Mode) -> tuple[int, int]:
    """Writes without the rename, for callers that publish a whole folder at once; how many rows, and cells guarded."""
    streamed = Streamed.of(table)
    if suffix == ".csv":
        return _write_csv(streamed, path, mode)
    if suffix == ".parquet":
        return write_parquet(streamed, path), 0
    if suffix == ".jsonl":
        return _write_json_lines(streamed, path), 0
    held = streamed.held()
    write_workbook(held, path)
    return held.num_rows, 0


def _write_json_lines(table: Streamed, path: Path) -> int:
    rows = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for chunk in table.chunks():
            file.writelines(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in _json_rows(chunk))
            rows += chunk.num_rows
    return rows


def read_csv(path: Path, mode: Mode = "safe") -> pa.Table:
    """A CSV of ours read back as texts: with mode safe the apostrophes come off again."""
    try:
        names = pyarrow.csv.open_csv(path, parse_options=_parsing()).schema.names
        types = {name: pa.string() for name in names}
        convert = pyarrow.csv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
        )
        table = pyarrow.csv.read_csv(path, parse_options=_parsing(), convert_options=convert)
    except pa.ArrowInvalid as error:
        raise DataProblemError(f"{path.name} is not a CSV of ours: {error}.") from error
    if mode == "raw":
        return table
    return pa.table([unquote_formulas(column) for column in table.columns], names=[unquote(name) for name in names])


def _parsing() -> pyarrow.csv.ParseOptions:
    return pyarrow.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)


def _write_csv(table: Streamed, path: Path, mode: Mode) -> tuple[int, int]:
    rows = guarded = 0
    names = [quote(name) for name in table.schema.names] if mode == "safe" else table.schema.names
    schema = pa.schema(list(zip(names, _csv_columns(table.schema.empty_table(), mode)[0].schema.types, strict=True)))
    options = pyarrow.csv.WriteOptions(quoting_style="needed")
    with path.open("wb") as file:
        if mode == "safe":
            file.write(_BOM)
        with pyarrow.csv.CSVWriter(file, schema, write_options=options) as writer:
            for chunk in table.chunks():
                shown, changed = _csv_columns(chunk, mode)
                writer.write_table(shown.rename_columns(names))
                rows, guarded = rows + chunk.num_rows, guarded + changed
    return rows, guarded


def _csv_columns(table: pa.Table, mode: Mode) -> tuple[pa.Table, int]:
    """The table as a CSV shows it, and how many cells that guards from being formulas."""
    exact = [_flat(column) for column in table.columns]
    columns = [_for_spreadsheets(column) for column in exact] if mode == "safe" else exact
    texts = [(a, b) for a, b in zip(exact, columns, strict=True) if pa.types.is_string(a.type)]
    guarded = sum(int(pc.sum(pc.not_equal(a, b)).as_py() or 0) for a, b in texts)
    return pa.table(columns, names=table.column_names), guarded


def _for_spreadsheets(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return quote_formulas(column) if pa.types.is_string(column.type) else column


def _flat(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as a CSV can hold it: lists joined by `|`, NaN as null, all kinds of text as one."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return pc.binary_join(column.cast(pa.list_(pa.string())), "|")
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        return column.cast(pa.string())
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column


def _json_rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=_ROWS):
        for row in batch.to_pylist():
            yield {name: _json_value(value) for name, value in row.items()}


def _json_value(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and value != value:
        return None
    return value
