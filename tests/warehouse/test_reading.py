"""Text first: what is in the file comes out as it is, with its line, or the error names the line."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from warehouse.errors import DataProblemError
from warehouse.reading import LINE, Batch, read_batches
from warehouse.settings import TableSettings


def _read(path: Path, block: int = 1 << 16, **policy: Any) -> list[Batch]:
    ids = frozenset(["id"])
    return list(read_batches(path, TableSettings(files=("x",), **policy), ids, block))


def _rows(batches: list[Batch]) -> list[dict[str, Any]]:
    return [row for batch in batches for row in batch.rows.to_pylist()]


TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters='\n,"'), max_size=8)


@given(
    st.lists(st.lists(TEXT, min_size=3, max_size=3), max_size=12),
    st.integers(8, 200),
    st.sampled_from([",", "\t", ";"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_what_was_written_is_read_with_its_line(
    tmp_path: Path, rows: list[list[str]], block: int, separator: str
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, quoting=csv.QUOTE_ALL)
    writer.writerow(["a", "b", "c"])
    lines = []
    for row in rows:
        lines.append(text.getvalue().count("\n") + 1)
        writer.writerow(row)
    path = tmp_path / "x.csv"
    path.write_bytes(text.getvalue().encode())
    found = _rows(_read(path, block, separator=separator))
    assert [[row["a"], row["b"], row["c"]] for row in found] == rows
    assert [row[LINE] for row in found] == lines


def test_blank_lines_and_line_ends_of_two_kinds_do_not_move_the_count(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b'\xef\xbb\xbfa,b\r\n1,2\n\r\n"x\ny",5\n6,7')
    assert [(row["a"], row[LINE]) for row in _rows(_read(path))] == [("1", 2), ("x\ny", 4), ("6", 6)]


def test_rows_of_another_width_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n3,4,5\n\n6\n7,8\n")
    batch = _read(path)[0]
    assert [(row["a"], row[LINE]) for row in batch.rows.to_pylist()] == [("1", 2), ("7", 6)]
    assert [(r.line, r.found, r.expected) for r in batch.ragged] == [(3, 3, 2), (5, 1, 2)]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-16", "utf-8-sig"])
def test_other_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("买家id,金额\n张三,1.50\n".encode(encoding))
    assert _rows(_read(path, encoding=encoding)) == [{"买家id": "张三", "金额": "1.50", LINE: 2}]


BROKEN = {
    "latin-1": (b"a,b\n1,2\n3,caf\xe9\n", {}, "line 3: bytes that are no text", "gb18030"),
    "utf-16": ("a,b\n1,2\n".encode("utf-16"), {}, "line 1: bytes that are no text", "looks like UTF-16"),
    "nul": (b"a,b\n1,2\n3,\x004\n", {}, "line 3: a NUL byte", "utf-16-le"),
    "control character": (b"a,b\n1,\x1b2\n", {}, "line 2: the control character 0x1b", "Remove it"),
    "unclosed quote": (b'a,b\n1,2\n3,"4\n5,6\n', {}, "line 3: a quote that is never closed", 'set quote = ""'),
    "stray quotes": (b'a,b\n5" pipe,2\n3" x,4\n', {}, "line 2: quotes or carriage returns", "twice"),
    "lone carriage return": (b"a,b\n1\r,2\n", {}, "line 2: quotes or carriage returns", "one kind of line end"),
    "duplicate header": (b"a,b,a\n1,2,3\n", {}, 'line 1: 2 columns named "a"', "Rename all but one"),
    "blank header": (b"a,,c\n1,2,3\n", {}, "line 1: column 2 has no name", "Name it"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_names_the_line_and_what_to_do(tmp_path: Path, name: str) -> None:
    content, policy, found, fix = BROKEN[name]
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    with pytest.raises(DataProblemError) as error:
        _read(path, **policy)
    assert found in str(error.value)
    assert fix in str(error.value)


def test_without_quoting_a_quote_is_a_letter(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b'a,b\n5" pipe,2\n')
    assert _rows(_read(path, quote=""))[0]["a"] == '5" pipe'


def test_gzip_and_a_damaged_one(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"a\n1\n"))
    assert _rows(_read(path)) == [{"a": "1", LINE: 2}]
    path.write_bytes(gzip.compress(b"a\n1\n" * 1000)[:-20])
    with pytest.raises(DataProblemError, match="damaged gzip"):
        _read(path)


def test_json_lines_keep_numbers_as_written(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"id": "007", "n": 1.50}\n\n{"id": 12345678901234567890, "flag": true, "l": ["a", "b"]}\n')
    first, second = _rows(_read(path))
    assert (first["id"], first["n"], first[LINE]) == ("007", "1.50", 1)
    assert (second["id"], second["flag"], json.loads(second["l"]), second[LINE]) == (
        "12345678901234567890",
        "true",
        ["a", "b"],
        3,
    )


@pytest.mark.parametrize(("line", "what"), [('{"a": 1, "a": 2}', "occurs twice"), ("[1]", "no object"), ("{", "JSON")])
def test_json_lines_that_are_none(tmp_path: Path, line: str, what: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text('{"a": 1}\n' + line + "\n")
    with pytest.raises(DataProblemError, match=f"line 2.*{what}"):
        _read(path)


def test_parquet_values_become_what_one_would_write(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table(
        {
            "id": pa.array([17850.0, float("nan")]),
            "money": pa.array([2.55, float("nan")]),
            "exact": pa.array([Decimal("1.10"), None], pa.decimal128(9, 2)),
            "at": pa.array([datetime(2010, 12, 1, 8, 26), None], pa.timestamp("us")),
            "zoned": pa.array([datetime(2010, 12, 1, 8, 26), None], pa.timestamp("us", "Europe/London")),
            "big": pa.array([2**63 - 1, None], pa.int64()),
        }
    )
    pq.write_table(table, path)
    first, second = _rows(_read(path))
    assert first["id"] == "17850"
    assert first["money"] == "2.55"
    assert first["exact"] == "1.10"
    assert first["at"] == "2010-12-01 08:26:00.000000"
    assert first["zoned"] == "2010-12-01 08:26:00.000000Z"
    assert first["big"] == "9223372036854775807"
    assert (second["id"], second["money"]) == (None, "nan")
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataProblemError, match="damaged Parquet"):
        _read(path)
