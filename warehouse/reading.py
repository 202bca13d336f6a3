"""A file becomes batches of text with line numbers; nothing is cast, nothing is guessed, nothing is skipped unseen.

Each batch is an Arrow table of text columns named as in the file, and `LINE`: the line where the row begins (the header
is line 1) or, for Parquet, the number of the row.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from warehouse import nesting, sheets
from warehouse.batches import LINE, Batch, Ragged
from warehouse.errors import DataProblemError, Problem
from warehouse.settings import TableSettings
from warehouse.shaping import SUMMARY, plain_name, shaped
from warehouse.text_blocks import TextBlocks, broken, opened, share_read

_BLOCK = 16 << 20
_PARQUET_ROWS = 131_072


def kind_of(path: Path) -> str:
    """csv, parquet, jsonl or excel, by the name of the file."""
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".parquet", ".pq")):
        return "parquet"
    if name.endswith((".jsonl", ".ndjson")):
        return "jsonl"
    if name.endswith((".csv", ".tsv", ".txt")):
        return "csv"
    if name.endswith((".xlsx", ".xlsm")):
        return "excel"
    known = "a name that ends in .csv, .tsv, .txt, .jsonl (each also with .gz), .parquet or .xlsx"
    raise broken(path.name, None, "of no known kind", known, "Save it as one of these; .xls as .xlsx.", "the file")


def header(path: Path, settings: TableSettings) -> list[str]:
    """The column names of a file as they are once it is shaped, without reading it all.

    Where a record may lack fields it is read until every column that the settings map has been met.
    """
    if kind_of(path) == "parquet" and not nests(settings):
        with _parquet(path) as file:
            return list(file.schema_arrow.names)
    names: dict[str, None] = {}
    for batch in read_batches(path, settings, block=1 << 16, promising=False):
        names.update(dict.fromkeys(batch.rows.column_names))
        if not is_sparse(path, settings) or names.keys() >= set(settings.columns.values()):
            break
    return [name for name in names if name != LINE]


def nests(settings: TableSettings) -> bool:
    """Whether columns are taken apart."""
    return bool(settings.flatten or settings.explode)


def is_sparse(path: Path, settings: TableSettings) -> bool:
    """Whether a record may lack fields: then a file may lack a column."""
    return kind_of(path) == "jsonl" or nests(settings)


def read_batches(
    path: Path,
    settings: TableSettings,
    ids: frozenset[str] = frozenset(),
    block: int = _BLOCK,
    promising: bool = True,
) -> Iterator[Batch]:
    """The rows of a file, shaped, in order and in bounded memory; `DataProblemError` where its form is broken.

    `ids` names the columns of ids: in Parquet files written from pandas a missing id is the number NaN. `promising`
    adds to sparse rows the columns that the settings map and a batch lacks.
    """
    kind = kind_of(path)
    readers = {"parquet": _read_parquet, "jsonl": _read_jsonl, "csv": _read_csv, "excel": _read_excel}
    batches = readers[kind](path, settings, ids, block)
    promised = frozenset(settings.columns.values()) if promising and is_sparse(path, settings) else frozenset()
    yield from shaped(batches, settings, path.name, promised)


def header_records(text: str, settings: TableSettings) -> list[list[str]]:
    """Records of text as their cells, without what stands around them."""
    rows = _records(text, settings)
    return [[plain_name(cell, settings) for cell in row] for row in rows]


def joined_header(records: list[list[str]]) -> list[str]:
    """One name for each column of a header of several lines: the lowest cell that is filled.

    A name that occurs twice so gets the one above in front, which holds until the next one to the right.
    """
    width = max(map(len, records), default=0)
    lines = [line + [""] * (width - len(line)) for line in records]
    names = [next((line[i] for line in reversed(lines) if line[i]), "") for i in range(width)]
    above = list(lines[0])
    for i in range(1, width):
        above[i] = above[i] or above[i - 1]
    return [
        f"{above[i]} {name}" if names.count(name) > 1 and above[i] != name else name for i, name in enumerate(names)
    ]


def _records(record: str, settings: TableSettings) -> list[list[str]]:
    text = io.StringIO(record)
    rows = (
        csv.reader(text, delimiter=settings.separator, quotechar=settings.quote)
        if settings.quote
        else csv.reader(text, delimiter=settings.separator, quoting=csv.QUOTE_NONE)
    )
    return list(rows)


def _names(text: str, settings: TableSettings, file: str) -> list[str]:
    """The header's names; blank and repeated ones are errors."""
    records = header_records(text, settings)
    return checked_names(joined_header(records) if len(records) > 1 else next(iter(records), []), file)


def checked_names(names: list[str], file: str, line: int = 1) -> list[str]:
    """The same names, if each is there and there once."""
    problems = [
        Problem(file, line, None, f"column {i} has no name", "a name for every column", "Name it or remove the column.")
        for i, name in enumerate(names, 1)
        if not name.strip()
    ]
    problems += [
        Problem(
            file, line, None, f'{names.count(name)} columns named "{name}"', "every name once", "Rename all but one."
        )
        for name in dict.fromkeys(names)
        if name.strip() and names.count(name) > 1
    ]
    if problems:
        raise DataProblemError(f"The header of {file} is not clear.", problems)
    return names


def _read_csv(path: Path, settings: TableSettings, _: frozenset[str], block: int) -> Iterator[Batch]:
    with opened(path) as file:
        names: list[str] | None = None
        for data, ends, line in TextBlocks(file, path.name, settings, block, quoted=True):
            if names is None:
                above, last = settings.skip_rows, min(settings.skip_rows + settings.header_rows, len(ends))
                start = int(ends[above - 1]) + 1 if 0 < above <= len(ends) else 0
                head = int(ends[last - 1]) + 1
                names = _names(data[start:head].decode(), settings, path.name)
                line += data.count(b"\n", 0, head)
                data, ends = data[head:], ends[last:] - head
            if len(ends):
                yield replace(_csv_batch(data, ends, line, names, settings, path.name), share=share_read(file, path))


def _read_excel(path: Path, settings: TableSettings, ids: frozenset[str], _: int) -> Iterator[Batch]:
    names: list[str] = []
    for records, batch in sheets.read_sheet(path, settings.sheet, settings.skip_rows, settings.header_rows, ids):
        if batch is None:
            found = [[plain_name(cell, settings) for cell in record] for record in records]
            names = checked_names(joined_header(found), label(path, settings), settings.skip_rows + len(records))
        else:
            yield sheets.as_table(batch, names)


def label(path: Path, settings: TableSettings) -> str:
    """How errors name a file: an Excel file with its sheet."""
    return sheets.named(path, settings.sheet) if kind_of(path) == "excel" else path.name


def _csv_batch(
    data: bytes, ends: npt.NDArray[np.int64], line: int, names: list[str], settings: TableSettings, file: str
) -> Batch:
    """One block of records as a table; rows of the wrong width are told apart."""
    octets = np.frombuffer(data, dtype=np.uint8)
    newlines = np.flatnonzero(octets == 10)
    starts = np.concatenate(([0], ends[:-1] + 1))
    lines = line + np.searchsorted(newlines, starts)
    blank = (ends == starts) | ((ends == starts + 1) & (octets[starts] == 13))
    lines = lines[~blank]
    wrong: list[tuple[int, int]] = []
    sums: list[int] = []

    def skip(row: pacsv.InvalidRow) -> str:
        if settings.summary_rows and _sums_up(row.text, settings):
            sums.append(row.number - 1)
        else:
            wrong.append((row.number - 1, row.actual_columns))
        return "skip"

    rows = (
        pacsv.read_csv(
            io.BytesIO(data),
            read_options=pacsv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
            parse_options=pacsv.ParseOptions(
                delimiter=settings.separator,
                quote_char=settings.quote or False,
                newlines_in_values=True,
                ignore_empty_lines=True,
                invalid_row_handler=skip,
            ),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
            ),
        )
        if len(lines)
        else pa.table({name: pa.array([], pa.string()) for name in names})
    )
    if rows.num_rows + len(wrong) + len(sums) != len(lines):
        raise broken(
            file,
            int(lines[0]),
            "quotes or carriage returns that do not add up (at this line or below)",
            "quotes in pairs around whole values, and one kind of line end",
            'Write a quote inside a value twice, or set quote = "" if the file has no quoting.',
        )
    kept = np.ones(len(lines), dtype=bool)
    kept[[*sums, *(row for row, _ in wrong)]] = False
    ragged = [Ragged(int(lines[row]), found, len(names)) for row, found in wrong]
    aside = {SUMMARY: len(sums)} if sums else {}
    return Batch(rows.append_column(LINE, pa.array(lines[kept], pa.int64())), ragged, aside=aside)


def _sums_up(record: str, settings: TableSettings) -> bool:
    """Whether a row that is shorter or longer than the header is one of sums."""
    cells = next(iter(header_records(record, settings)), [])
    first = pa.array(cells[:1] or [""])
    return bool(pc.match_substring_regex(first, settings.summary_rows)[0].as_py())


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in found if keys.count(key) > 1)
        raise ValueError(f'the key "{twice}" occurs twice')
    return found


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


_json = json.JSONDecoder(object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=str)


def _read_jsonl(path: Path, settings: TableSettings, _: frozenset[str], block: int) -> Iterator[Batch]:
    names: dict[str, None] = {}
    with opened(path) as file:
        for data, _ends, first in TextBlocks(file, path.name, settings, block, quoted=False):
            objects, lines = [], []
            for line, text in enumerate(data.decode().split("\n")[:-1], first):
                if not text.strip():
                    continue
                try:
                    found = _json.decode(text.strip())
                    if not isinstance(found, dict):
                        raise ValueError("no object")
                except (ValueError, RecursionError) as error:
                    raise _no_object(path.name, line, text, error) from error
                objects.append(found)
                lines.append(line)
                names.update(dict.fromkeys(found))
            columns = {name: pa.array([_as_text(row.get(name)) for row in objects], pa.string()) for name in names}
            checked_names(list(names), path.name)
            rows = pa.table({**columns, LINE: pa.array(lines, pa.int64())})
            yield Batch(rows, share=share_read(file, path))


def _no_object(file: str, line: int, text: str, error: Exception) -> DataProblemError:
    why = (
        f"{error.msg.removesuffix(' starting at')} at character {error.pos + 1}"
        if isinstance(error, json.JSONDecodeError)
        else str(error)
    )
    fix = "Mend or remove the line."
    if text.lstrip().startswith("["):
        fix = "Write the entries of a list one a line, without the brackets and commas around them."
    return broken(file, line, f"not a JSON object ({why})", "one JSON object a line", fix)


@contextmanager
def _parquet(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except FileNotFoundError as error:
        raise DataProblemError(f"There is no file {path}.", hint="Check the path in reprise.toml.") from error
    except pa.ArrowException as error:
        raise broken(path.name, None, "a damaged Parquet file", "a whole one", "Write or copy it again.") from error


def _read_parquet(path: Path, settings: TableSettings, ids: frozenset[str], _: int) -> Iterator[Batch]:
    with _parquet(path) as file:
        names = checked_names(list(file.schema_arrow.names), path.name)
        row = 1
        for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
            columns = {
                n: column_as_text(c, n, path.name, n in ids, n in settings.flatten or n == settings.explode)
                for n, c in zip(names, batch.columns, strict=True)
            }
            columns[LINE] = pa.array(np.arange(row, row + batch.num_rows), pa.int64())
            row += batch.num_rows
            yield Batch(pa.table(columns), share=(row - 1) / file.metadata.num_rows)


def column_as_text(column: pa.Array, name: str, file: str, is_id: bool, is_nested: bool = False) -> pa.Array:
    """Typed values written as one would write them in a text file: 17850.0 as 17850, times as ISO 8601.

    Records are JSON. A list of texts is joined by `|`, unless it is one that settings take apart (`is_nested`).
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if is_nested or _holds_records(kind):
        return pa.array([nesting.as_text(value) for value in column.to_pylist()], pa.string())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pc.binary_join(column.cast(pa.list_(pa.string())), "|")
    if pa.types.is_timestamp(kind) and kind.tz not in (None, "UTC"):
        column = column.cast(pa.timestamp("us", "UTC"))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        fix = "Write it as text, or leave it out of the export."
        raise broken(file, None, f"of type {kind}", "text, numbers, times, records or lists", fix, name)
    if pa.types.is_floating(kind):
        return _floats_as_text(column, is_id)
    return column.cast(pa.string())


def _holds_records(kind: pa.DataType) -> bool:
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    return bool(pa.types.is_nested(kind) and not (is_list and not pa.types.is_nested(kind.value_type)))


def _floats_as_text(column: pa.Array, is_id: bool) -> pa.Array:
    if is_id:
        column = pc.if_else(pc.is_nan(column), None, column)
        whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), 2.0**53))
        if pc.all(pc.fill_null(whole, True)).as_py():
            return column.cast(pa.float64()).cast(pa.int64()).cast(pa.string())
    return column.cast(pa.string())
