"""A file becomes batches of text with line numbers; nothing is cast, nothing is guessed, nothing is skipped unseen.

Each batch is an Arrow table of text columns named as in the file, and `LINE`: the line where the row begins (the header
is line 1) or, for Parquet, the number of the row.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from warehouse.errors import DataProblemError, Problem
from warehouse.settings import TableSettings

LINE = "__line__"
_BLOCK = 16 << 20
_LONGEST_RECORD = 1 << 20
_PARQUET_ROWS = 131_072
_CONTROLS = bytes(code for code in range(32) if code not in b"\t\r\n") + b"\x7f"
_HINTS = {
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
_WIDE = 'Set encoding = "gb18030" (Chinese Excel) or "cp1252" (Western Excel), or save the file as UTF-8.'


@dataclass
class Ragged:
    """A row with more or fewer values than the header has names."""

    line: int
    found: int
    expected: int


@dataclass
class Batch:
    """Rows of a file as text, the rows that could not be told apart into columns, and the share of the file read so far."""

    rows: pa.Table
    ragged: list[Ragged] = field(default_factory=list)
    share: float = 1.0


def broken(
    file: str, line: int | None, found: str, expected: str, fix: str, column: str | None = None
) -> DataProblemError:
    """The error of a file that cannot be read on."""
    return DataProblemError(f"{file} cannot be read.", [Problem(file, line, column, found, expected, fix)])


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


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            yield file  # type: ignore[misc]
    except FileNotFoundError as error:
        raise DataProblemError(f"There is no file {path}.", hint="Check the path in reprise.toml.") from error
    except (gzip.BadGzipFile, EOFError) as error:
        raise broken(
            path.name, None, "a damaged gzip file", "a whole one", "Copy or compress the file again."
        ) from error
    except IsADirectoryError as error:
        raise DataProblemError(f"{path} is a folder.", hint="Name files, or a pattern such as orders/*.csv.") from error
    except PermissionError as error:
        raise DataProblemError(f"{path} may not be read.", hint="Check the rights of the file.") from error


class _Text:
    """The bytes of a text file as UTF-8, block by block, each ending where a record ends."""

    def __init__(self, file: IO[bytes], name: str, settings: TableSettings, block: int, quoted: bool) -> None:
        self._file = file
        self._name = name
        self._block = block
        self._encoding = settings.encoding
        self._quote = settings.quote.encode() if quoted else b""
        self._decode = self._decoder()

    def _decoder(self) -> Callable[[bytes, bool], str]:
        try:
            return codecs.getincrementaldecoder(self._encoding)("strict").decode
        except LookupError as error:
            raise DataProblemError(
                f'There is no encoding "{self._encoding}".', hint="Known are utf-8, gb18030, utf-16, cp1252, …"
            ) from error

    def _utf8(self, raw: bytes, final: bool, line: int) -> bytes:
        try:
            return self._decode(raw, final).encode()
        except (UnicodeDecodeError, UnicodeEncodeError) as error:
            at = error.start if isinstance(error, UnicodeDecodeError) else 0
            seen = error.object if isinstance(error, UnicodeDecodeError) else raw
            wide = next((name for mark, name in _HINTS.items() if line == 1 and raw.startswith(mark)), None)
            hint = f'The file looks like {wide}: set encoding = "utf-16" or save it as UTF-8.' if wide else _WIDE
            raise broken(
                self._name,
                line + bytes(seen[:at]).count(b"\n"),
                "bytes that are no text in this encoding",
                self._encoding.upper(),
                hint,
            ) from error

    def blocks(self) -> Iterator[tuple[bytes, npt.NDArray[np.int64], int]]:
        """Whole records, where each ends within the block, and the line on which the block begins."""
        rest, line, first = b"", 1, True
        while True:
            raw = self._file.read(self._block)
            text = self._utf8(raw, not raw, line + rest.count(b"\n"))
            if first and text:
                text, first = text.removeprefix(codecs.BOM_UTF8), False
            data = rest + text
            if not raw and data and not data.endswith(b"\n"):
                data += b"\n"
            self._refuse_controls(data, len(rest), line)
            ends = self._record_ends(data)
            cut = int(ends[-1]) + 1 if len(ends) else 0
            if len(data) - cut > (0 if not raw else max(_LONGEST_RECORD, self._block)):
                self._unclosed(line + data[:cut].count(b"\n"))
            if cut:
                yield data[:cut], ends, line
                line += data.count(b"\n", 0, cut)
            rest = data[cut:]
            if not raw:
                return

    def _unclosed(self, line: int) -> None:
        raise broken(
            self._name,
            line,
            "a quote that is never closed",
            f"every {self._quote.decode()} to have its partner",
            'Close it, write it twice if it is meant, or set quote = "" if the file has no quoting.',
        )

    def _refuse_controls(self, data: bytes, start: int, line: int) -> None:
        if len(data.translate(None, _CONTROLS)) == len(data):
            return
        at = next(i for i in range(start, len(data)) if data[i] in _CONTROLS)
        what = "a NUL byte" if data[at] == 0 else f"the control character 0x{data[at]:02x}"
        raise broken(
            self._name,
            line + data[:at].count(b"\n"),
            what,
            "text",
            "Remove it; a NUL often means UTF-16 or a damaged file.",
        )

    def _record_ends(self, data: bytes) -> npt.NDArray[np.int64]:
        """Where line ends lie that are outside quotes."""
        octets = np.frombuffer(data, dtype=np.uint8)
        ends = np.flatnonzero(octets == 10)
        if not self._quote or self._quote not in data:
            return ends
        quotes = np.flatnonzero(octets == self._quote[0])
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
        return ends


def _names(record: str, settings: TableSettings, file: str) -> list[str]:
    """The header's names; blank and repeated ones are errors."""
    quoting = csv.QUOTE_MINIMAL if settings.quote else csv.QUOTE_NONE
    rows = csv.reader(
        io.StringIO(record), delimiter=settings.separator, quotechar=settings.quote or None, quoting=quoting
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
    with _opened(path) as file:
        names: list[str] | None = None
        for data, ends, line in _Text(file, path.name, settings, block, quoted=True).blocks():
            if names is None:
                head = int(ends[0]) + 1
                names = _names(data[:head].decode(), settings, path.name)
                line += data.count(b"\n", 0, head)
                data, ends = data[head:], ends[1:] - head
            if len(ends):
                yield _csv_batch(data, ends, line, names, settings, path.name)


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
    with _opened(path) as file:
        for data, _, first in _Text(file, path.name, settings, block, quoted=False).blocks():
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
            yield Batch(pa.table({**columns, LINE: pa.array(lines, pa.int64())}))


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
            yield Batch(pa.table(columns))


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
