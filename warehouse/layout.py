"""How a version of a table lies on disk: its files, their columns, their order."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa

from warehouse.casting import STORED_TYPES, literal
from warehouse.contracts import Contract
from warehouse.judging import store_columns
from warehouse.rulebook import KEY

WHOLE = "whole.parquet"
ANONYMOUS = "anonymous.parquet"
EVENT_IDS = "event-ids.parquet"
FILE = "__file__"
"""Which file of a job a checked row comes from, counted from 1; 0 for rows that were there before."""
_ARROW_TYPES = {
    "varchar": pa.string(),
    "timestamp": pa.timestamp("us"),
    "decimal(18,4)": pa.decimal128(18, 4),
    "double": pa.float64(),
    "integer": pa.int32(),
    "boolean": pa.bool_(),
    "varchar[]": pa.list_(pa.string()),
}


def schema_of(contract: Contract, open_columns: tuple[str, ...] = ()) -> pa.Schema:
    """The columns of the store: the entity, the contract, the local time, and open columns as text."""
    return pa.schema(
        [
            ("entity_id", pa.string()),
            *((column.name, _ARROW_TYPES[STORED_TYPES[column.kind]]) for column in store_columns(contract)),
            ("local_at", pa.timestamp("us")),
            *((name, pa.string()) for name in open_columns),
        ]
    )


def file_schema(contract: Contract, open_columns: tuple[str, ...] = ()) -> pa.Schema:
    """The columns of the files: those of the store, and last the hash of the source row: duplicates share it."""
    return schema_of(contract, open_columns).append(pa.field(KEY, pa.uint64()))


def order_of(contract: Contract, schema: pa.Schema) -> list[str]:
    """Rows are sorted by the entity, the time, then all other columns, so that equal rows make equal files."""
    first = ["entity_id", *([contract.happened] if contract.happened else [])]
    return [*first, *(name for name in schema.names if name not in first)]


def bucket_name(bucket: int) -> str:
    return f"bucket-{bucket:04d}.parquet"


def joined_name(bucket: int) -> str:
    """The file of acts of nobody that became those of users of that bucket."""
    return f"joined-{bucket:04d}.parquet"


def bucket_of(path: Path) -> int:
    """Of which bucket a file of either name is."""
    return int(path.stem.rpartition("-")[2])


def listed(paths: Iterable[Path]) -> str:
    """Those files as one relation of the engine."""
    return "read_parquet([" + ", ".join(literal(str(path)) for path in paths) + "])"
