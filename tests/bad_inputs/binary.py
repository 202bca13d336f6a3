"""Makes the bad files that no editor can: `python tests/bad_inputs/binary.py` writes them beside itself."""

from __future__ import annotations

import gzip
from datetime import datetime
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
NAMES = ["user_id", "ordered_at", "amount"]
DAY = datetime(2024, 5, 1)


def _cut(name: str, whole: bytes) -> None:
    """All of a file but its end."""
    (HERE / name).write_bytes(whole[: len(whole) * 2 // 3])


def _parquet(name: str, columns: dict[str, list[object]]) -> None:
    pq.write_table(pa.table(columns), HERE / name, compression="none")


def _workbook(name: str, row: list[object]) -> None:
    book = openpyxl.Workbook()
    book.active.title = "May"
    book.active.append(NAMES)
    book.active.append(["u1", DAY, 3])
    book.active.append(row)
    book.save(HERE / name)


def main() -> None:
    """Writes every file anew."""
    rows = "".join(f"u{i},2024-05-01,{i * i % 97}\n" for i in range(300))
    _cut("orders-cut.csv.gz", gzip.compress((",".join(NAMES) + "\n" + rows).encode(), mtime=0))
    whole = pa.BufferOutputStream()
    pq.write_table(pa.table({"user_id": ["u1"], "ordered_at": [DAY], "amount": [3]}), whole, compression="none")
    _cut("orders-cut.parquet", whole.getvalue().to_pybytes())
    _parquet("orders-bytes.parquet", {"user_id": [b"\x01\x02"], "ordered_at": [DAY], "amount": [3.0]})
    _parquet("orders-nan.parquet", {"user_id": ["u1", "u2"], "ordered_at": [DAY, DAY], "amount": [3.0, float("nan")]})
    _workbook("orders-formula-error.xlsx", ["u2", DAY, "#N/A"])
    _workbook("orders-long-number.xlsx", [12345678901234567, DAY, 3])
    _workbook("orders-sheet-gone.xlsx", ["u2", DAY, 3])


if __name__ == "__main__":
    main()
