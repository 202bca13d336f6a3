"""Rows of one table, in memory or in files, as SQL that has every column of the contract."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from warehouse.contracts import CONTRACTS, Column
from warehouse.wall_time import zone_rules

Relation: TypeAlias = pa.Table | tuple[Path, ...]
"""Rows of one table in the store's schema: in memory, or in Parquet files."""

_NOT_ATTRIBUTES = frozenset({"source_key", "point_in_time", "registered_local_at"})
"""Columns that are ours without being of the contract."""

_TYPES = {
    "id": "varchar",
    "text": "varchar",
    "time": "timestamp",
    "money": "decimal(18, 4)",
    "quantity": "decimal(18, 4)",
    "number": "double",
    "year": "int",
    "flag": "boolean",
    "list": "varchar[]",
}


def columns(table: str) -> Iterable[tuple[str, str]]:
    """Name and SQL type of every column a view has, in the order of the contract."""
    contract = CONTRACTS[table]
    if contract.entity is not None:
        yield "entity_id", "varchar"
    extra = [name for name in ("recorded_at", "local_at") if name not in contract.names]
    if table == "users":
        extra.append("registered_local_at")
    for column in (*contract.columns, *(Column(name, "time") for name in extra)):
        yield column.name, _TYPES[column.kind]


def rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    relation: Relation | None,
    time_zone: str,
    open_columns: bool = False,
) -> str:
    """SQL that reads a relation with every column of the contract, unknown where the relation has none.

    `open_columns` adds what else there is: attributes that only this workspace has.
    """
    if relation is None:
        empty = ", ".join(f"cast(null as {kind}) as {name}" for name, kind in columns(table))
        return f"(select {empty} where false)"
    if table == "users":
        relation = _with_wall_time(relation, time_zone)
    if not isinstance(relation, tuple):
        connection.register(f"raw_{table}", relation)
        have, origin = relation.column_names, f"raw_{table}"
    else:
        have = pq.read_schema(relation[0]).names
        files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in relation)
        origin = f"read_parquet([{files}])"
    kept = [f"cast({name if name in have else 'null'} as {kind}) as {name}" for name, kind in columns(table)]
    if open_columns:
        ours = {name for name, _ in columns(table)} | _NOT_ATTRIBUTES
        kept += ['"' + name.replace('"', '""') + '"' for name in have if name not in ours]
    return f"(select {', '.join(kept)} from {origin})"


def _with_wall_time(relation: Relation, time_zone: str) -> pa.Table:
    """Users with `registered_local_at`: what the clocks of the business zone showed at registration."""
    users = pq.ParquetDataset(list(relation)).read() if isinstance(relation, tuple) else relation
    if "registered_at" not in users.column_names or "registered_local_at" in users.column_names:
        return users
    registered = users["registered_at"].cast(pa.timestamp("us"))
    wall = zone_rules(time_zone).to_wall(registered.cast(pa.int64()).fill_null(0).to_numpy())
    local = pc.if_else(
        pc.is_valid(registered), pa.array(wall).cast(pa.timestamp("us")), pa.scalar(None, pa.timestamp("us"))
    )
    return users.append_column("registered_local_at", local)
