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
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from warehouse.errors import DataProblemError, Problem
from warehouse.settings import TableSettings
from warehouse.text_blocks import TextBlocks, broken, opened, share_read

LINE = "__line__"
_BLOCK = 16 << 20
_PARQUET_ROWS = 131_072


@dataclass
class Ragged:
    """A row with more or fewer values than the header has names."""

    line: int
    found: int
    expected: int


@dataclass
class Batch:
    """Rows of a file as text, those that do not fall into its columns, and the share of the file read so far."""

    rows: pa.Table
    ragged: list[Ragged] = field(default_factory=list)
    share: float = 1.0


def kind_of(path: Path) -> str:
    """csv, parquet or jsonl, by the name of the file."""
    name = path.name.lower().removesuffix(".gz")
    if name.endswith((".parquet", ".pq")):
        return "parquet"
    if name.endswith((".jsonl", ".ndjson")):
        return "jsonl"
    if name.endswith((".csv", ".tsv", ".txt")):
        return "csv"
    raise DataProblemError(
        f"{path.name} is of no known kind.", hint="Known are .csv, .tsv, .txt, .jsonl (each also .gz) and .parquet."
    )


def header(path: Path, settings: TableSettings) -> list[str]:
    """The column names of a file, without reading it all. JSON Lines: those of the first thousand lines."""
    kind = kind_of(path)
    if kind == "parquet":
        with _parquet(path) as file:
            return list(file.schema_arrow.names)
    batch = next(read_batches(path, settings, block=1 << 16), None)
    return [name for name in batch.rows.column_names if name != LINE] if batch else []


def read_batches(
    path: Path, settings: TableSettings, ids: frozenset[str] = frozenset(), block: int = _BLOCK
) -> Iterator[Batch]:
    """The rows of a file, in order and in bounded memory; `DataProblemError` where its form is broken.

    `ids` names the columns of ids: in Parquet files written from pandas a missing id is the number NaN.
    """
    kind = kind_of(path)
    if kind == "parquet":
        yield from _read_parquet(path, ids)
    elif kind == "jsonl":
        yield from _read_jsonl(path, settings, block)
    else:
        yield from _read_csv(path, settings, block)


def _names(record: str, settings: TableSettings, file: str) -> list[str]:
    """The header's names; blank and repeated ones are errors."""
    text = io.StringIO(record)
    rows = (
        csv.reader(text, delimiter=settings.separator, quotechar=settings.quote)
        if settings.quote
        else csv.reader(text, delimiter=settings.separator, quoting=csv.QUOTE_NONE)
    )
    return checked_names(next(rows, []), file)


def checked_names(names: list[str], file: str) -> list[str]:
    """The same names, if each is there and there once."""
    problems = [
        Problem(file, 1, None, f"column {i} has no name", "a name for every column", "Name it or remove the column.")
        for i, name in enumerate(names, 1)
        if not name.strip()
    ]
    problems += [
        Problem(file, 1, None, f'{names.count(name)} columns named "{name}"', "every name once", "Rename all but one.")
        for name in dict.fromkeys(names)
        if name.strip() and names.count(name) > 1
    ]
    if problems:
        raise DataProblemError(f"The header of {file} is not clear.", problems)
    return names


def _read_csv(path: Path, settings: TableSettings, block: int) -> Iterator[Batch]:
    with opened(path) as file:
        names: list[str] | None = None
        for data, ends, line in TextBlocks(file, path.name, settings, block, quoted=True):
            if names is None:
                head = int(ends[0]) + 1
                names = _names(data[:head].decode(), settings, path.name)
                line += data.count(b"\n", 0, head)
                data, ends = data[head:], ends[1:] - head
            if len(ends):
                yield replace(_csv_batch(data, ends, line, names, settings, path.name), share=share_read(file, path))


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

    def skip(row: pacsv.InvalidRow) -> str:
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
    if rows.num_rows + len(wrong) != len(lines):
        raise broken(
            file,
            int(lines[0]),
            "quotes or carriage returns that do not add up (at this line or below)",
            "quotes in pairs around whole values, and one kind of line end",
            'Write a quote inside a value twice, or set quote = "" if the file has no quoting.',
        )
    kept = np.ones(len(lines), dtype=bool)
    kept[[row for row, _ in wrong]] = False
    ragged = [Ragged(int(lines[row]), found, len(names)) for row, found in wrong]
    return Batch(rows.append_column(LINE, pa.array(lines[kept], pa.int64())), ragged)


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key that occurs twice")
    return found


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False)


_json = json.JSONDecoder(object_pairs_hook=_object, parse_int=str, parse_float=str, parse_constant=str)


def _read_jsonl(path: Path, settings: TableSettings, block: int) -> Iterator[Batch]:
    names: dict[str, None] = {}
    with opened(path) as file:
        for data, _, first in TextBlocks(file, path.name, settings, block, quoted=False):
            objects, lines = [], []
            for line, text in enumerate(data.decode().split("\n")[:-1], first):
                if not text.strip():
                    continue
                try:
                    found = _json.decode(text.strip())
                    if not isinstance(found, dict):
                        raise ValueError("no object")
                except (ValueError, RecursionError) as error:
                    raise broken(
                        path.name,
                        line,
                        f"not a JSON object ({error})",
                        "one JSON object a line",
                        "Mend or remove the line.",
                    ) from error
                objects.append(found)
                lines.append(line)
                names.update(dict.fromkeys(found))
            columns = {name: pa.array([_as_text(row.get(name)) for row in objects], pa.string()) for name in names}
            checked_names(list(names), path.name)
            rows = pa.table({**columns, LINE: pa.array(lines, pa.int64())})
            yield Batch(rows, share=share_read(file, path))


@contextmanager
def _parquet(path: Path) -> Iterator[pq.ParquetFile]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except FileNotFoundError as error:
        raise DataProblemError(f"There is no file {path}.", hint="Check the path in reprise.toml.") from error
    except pa.ArrowException as error:
        raise broken(path.name, None, "a damaged Parquet file", "a whole one", "Write or copy it again.") from error


def _read_parquet(path: Path, ids: frozenset[str]) -> Iterator[Batch]:
    with _parquet(path) as file:
        names = checked_names(list(file.schema_arrow.names), path.name)
        first = 1
        for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
            columns = {n: _column_as_text(c, n, path.name, n in ids) for n, c in zip(names, batch.columns, strict=True)}
            columns[LINE] = pa.array(np.arange(first, first + batch.num_rows), pa.int64())
            first += batch.num_rows
            yield Batch(pa.table(columns), share=(first - 1) / file.metadata.num_rows)


def _column_as_text(column: pa.Array, name: str, file: str, is_id: bool) -> pa.Array:
    """Typed values written as one would write them in a text file: 17850.0 as 17850, times as ISO 8601."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pc.binary_join(column.cast(pa.list_(pa.string())), "|")
    if pa.types.is_timestamp(kind) and kind.tz not in (None, "UTC"):
        column = column.cast(pa.timestamp("us", "UTC"))
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        raise broken(
            file, None, f"of type {kind}", "text, numbers, times or lists of text", "Flatten the column.", name
        )
    if pa.types.is_floating(kind):
        return _floats_as_text(column, is_id)
    return column.cast(pa.string())


def _floats_as_text(column: pa.Array, is_id: bool) -> pa.Array:
    if is_id:
        column = pc.if_else(pc.is_nan(column), None, column)
        whole = pc.and_(pc.equal(column, pc.floor(column)), pc.less(pc.abs(column), 2.0**53))
        if pc.all(pc.fill_null(whole, True)).as_py():
            return column.cast(pa.float64()).cast(pa.int64()).cast(pa.string())
    return column.cast(pa.string())
