"""Rows of files that a test makes or looks into, as dictionaries."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> Path:
    """A CSV with every column that some row has."""
    rows = list(rows)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(dict.fromkeys(name for row in rows for name in row)))
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV or Parquet file."""
    if path.suffix == ".parquet":
        found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
        return found
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))
