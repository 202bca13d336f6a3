"""Rows of one table, in memory or in files, as SQL that has every column of the contract."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from warehouse.contracts import CONTRACTS, Column

if TYPE_CHECKING:
    from features.engines import Engine

Relation: TypeAlias = pa.Table | tuple[Path, ...]
"""Rows of one table in the store's schema: in memory, or in Parquet files."""

_NOT_ATTRIBUTES = frozenset({"source_key", "point_in_time", "registered_local_at"})
"""Columns that are ours without being of the contract."""

_TYPES = {
    "id": "string",
    "text": "string",
    "time": "timestamp",
    "money": "decimal(18, 4)",
    "quantity": "decimal(18, 4)",
    "number": "double",
    "year": "int",
    "flag": "boolean",
    "list": "list",
}


def columns(table: str) -> Iterable[tuple[str, str]]:
    """Name and SQL type of every column a view has, in the order of the contract; `list` is one of texts."""
    contract = CONTRACTS[table]
    if contract.entity is not None:
        yield "entity_id", "string"
    extra = [name for name in ("recorded_at", "local_at") if name not in contract.names]
    if table == "users":
        extra.append("registered_local_at")
    for column in (*contract.columns, *(Column(name, "time") for name in extra)):
        yield column.name, _TYPES[column.kind]


def rows(engine: Engine, table: str, relation: Relation | None, time_zone: str, open_columns: bool = False) -> str:
    """SQL that reads a relation with every column of the contract, unknown where the relation has none.

    `open_columns` adds what else there is: attributes that only this workspace has.
    """
    typed = [(name, engine.list_of_text if kind == "list" else kind) for name, kind in columns(table)]
    if relation is None:
        empty = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in typed)
        return f"(select {empty} where false)"
    origin, have = engine.scan(table, relation, time_zone)
    kept = [f"cast({name if name in have else 'null'} as {kind}) as {name}" for name, kind in typed]
    if open_columns:
        ours = {name for name, _ in typed} | _NOT_ATTRIBUTES
        kept += ['"' + name.replace('"', '""') + '"' for name in have if name not in ours]
    return f"(select {', '.join(kept)} from {origin})"
