"""What runs the SQL files: the few things that counting asks of an engine, and how DuckDB does them.

Spark's way is in `features.on_spark`; a source says which of the two counts its rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Protocol

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.relations import Relation
from warehouse.engine import connect
from warehouse.wall_time import zone_rules

if TYPE_CHECKING:
    from features.source import Source

PARAMETER = re.compile(r":([a-z_][a-z0-9_]*)")

Values = Mapping[str, object]
"""Values of a statement by the names that it writes as `:name`."""

SHARE = 0.3
"""Of the memory limit, for each engine that counts features: beyond it works on disk."""
_LEAST = 250
"""Megabytes below which no share goes."""


class Engine(Protocol):
    """Holds tables under names and runs statements over them; used by one piece of work at a time."""

    list_of_text: str
    """The type of a list of texts, the only one that the engines name differently."""

    def parts(self, source: Source) -> Sequence[Mapping[str, Relation]]:
        """The rows about people, cut as this engine wants them."""
        ...

    def scan(self, table: str, relation: Relation, time_zone: str) -> tuple[str, Sequence[str]]:
        """What stands after `from` to read a relation, and its columns; users have `registered_local_at`."""
        ...

    def give(self, name: str, table: pa.Table) -> None:
        """Makes a table of rows that are in memory."""
        ...

    def view(self, name: str, sql: str) -> None:
        """Makes a table that is read as it is needed."""
        ...

    def keep(self, name: str, sql: str, values: Values | None = None) -> None:
        """Makes a table whose rows are found once."""
        ...

    def rows(self, sql: str, values: Values | None = None) -> pa.Table:
        """The rows of a statement."""
        ...

    def drop(self, name: str) -> None:
        """Forgets a table that was kept."""
        ...


@contextmanager
def engine_of(source: Source, share: float = 1) -> Iterator[Engine]:
    """The engine that counts the rows of a source, where it is of this machine with a share of its memory limit."""
    if source.spark is not None:
        from features.on_spark import spark_engine

        with spark_engine(source.spark) as engine:
            yield engine
    else:
        with duckdb_engine(source, share=share) as engine:
            yield engine


@contextmanager
def duckdb_engine(source: Source, threads: int = 2, share: float = 1) -> Iterator[DuckDBEngine]:
    """A DuckDB that reads the files of a source, whatever else counts them, with a share of its memory limit."""
    megabytes = int(source.memory_limit[:-2]) * (1000 if source.memory_limit.endswith("GB") else 1)
    limit = max(share * megabytes, min(megabytes, _LEAST))
    with connect(source.folders, memory_limit=f"{limit:.0f}MB", threads=threads) as connection:
        yield DuckDBEngine(connection)


class DuckDBEngine:
    """The embedded engine, on one connection; rows are read a part at a time."""

    list_of_text = "string[]"

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection

    def parts(self, source: Source) -> Sequence[Mapping[str, Relation]]:
        return source.parts()

    def scan(self, table: str, relation: Relation, time_zone: str) -> tuple[str, Sequence[str]]:
        if table == "users":
            relation = _with_wall_time(relation, time_zone)
        if not isinstance(relation, tuple):
            self.give(f"raw_{table}", relation)
            return f"raw_{table}", relation.column_names
        files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in relation)
        return f"read_parquet([{files}])", pq.read_schema(relation[0]).names

    def give(self, name: str, table: pa.Table) -> None:
        self._connection.register(name, table)

    def view(self, name: str, sql: str) -> None:
        self._connection.execute(f"create or replace temp view {name} as {sql}")

    def keep(self, name: str, sql: str, values: Values | None = None) -> None:
        self._connection.execute(f"create or replace temp table {name} as {_dollars(sql)}", dict(values or {}))

    def rows(self, sql: str, values: Values | None = None) -> pa.Table:
        return self._connection.sql(_dollars(sql), params=dict(values or {})).to_arrow_table()

    def drop(self, name: str) -> None:
        self._connection.execute(f"drop table {name}")


@cache
def _dollars(sql: str) -> str:
    """A statement with its values written as DuckDB wants them; what is in quotes stays as it is."""
    quoted = r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|::"""
    return re.sub(rf"{quoted}|{PARAMETER.pattern}", lambda m: f"${m[1]}" if m[1] else m[0], sql)


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
