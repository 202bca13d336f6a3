"""How many parts a store needs: memory is that of a few buckets, so big files want more of them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS_OF_A_BUCKET = 200_000
"""Rows of one table in a bucket up to which nothing is spilled and features stay within some hundred MB."""
FEWEST = 16
MOST = 1024
_LOOKED_AT = 1 << 20
_PACKED = 6
"""Bytes of text in a byte of gzip, about."""


def buckets_for(rows: int) -> int:
    """The power of two of buckets, at least 16, that keeps a table of so many rows within `ROWS_OF_A_BUCKET`."""
    buckets = FEWEST
    while buckets < MOST and rows > buckets * ROWS_OF_A_BUCKET:
        buckets *= 2
    return buckets


def most_rows(files: Iterable[Path]) -> int:
    """Rows of the longest of the files: told by Parquet, estimated from the length of the first lines of a text."""
    return max((_rows(path) for path in files), default=0)


def _rows(path: Path) -> int:
    """0 where it cannot be told: reading the file will say why."""
    try:
        if path.name.lower().endswith((".parquet", ".pq")):
            return int(pq.read_metadata(path).num_rows)
        packed = path.name.lower().endswith(".gz")
        with gzip.open(path) if packed else path.open("rb") as file:
            start = file.read(_LOOKED_AT)
        size = path.stat().st_size * (_PACKED if packed else 1)
        return round(size * start.count(b"\n") / max(1, len(start)))
    except (OSError, EOFError, pa.ArrowException):
        return 0
