"""Rows of a database become a file of text for the same door that files go through.

Everything is cast to text by the database itself, in one read-only transaction. What was fetched is known by a
fingerprint of its rows, whatever their order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from warehouse.casting import quoted
from warehouse.databases import Database, constant, said, table_name
from warehouse.errors import RepriseError
from warehouse.files import told
from warehouse.row_keys import row_keys
from warehouse.settings import TableSettings

_UNTIL = " until "
_BLOCK = 65_536


@dataclass(frozen=True)
class Fetched:
    """Rows of a query as a Parquet file of text. `name` says where they are from, and with a cursor until where."""

    name: str
    path: Path
    digest: str
    rows: int


def until(name: str) -> str | None:
    """The value of the cursor up to which a piece was fetched, as its name says."""
    return name.partition(_UNTIL)[2] or None


def is_piece(name: str) -> bool:
    """Whether that is the name of what was fetched, not of a file."""
    return "://" in name or name.startswith("${")


def origin(policy: TableSettings, shown: str) -> str:
    """What a load report calls the source."""
    return f"{shown}#{policy.table or 'query'}"


def new_rows(
    policy: TableSettings, root: Path, folder: Path, table: str, last: str | None
) -> list[tuple[str, Path, str]]:
    """What a load is to look at: name, file and fingerprint of the rows.

    All of them, or with a cursor those beyond the piece named `last` (None: from nothing); none where there are none.
    """
    after = until(last) if policy.cursor is not None and last is not None else None
    got = fetch(policy, root, folder, table, after)
    return [] if after is not None and not got.rows else [(got.name, got.path, got.digest)]


def fetch(policy: TableSettings, root: Path, folder: Path, table: str, after: str | None = None) -> Fetched:
    """Runs the query of a table and writes its rows to `folder`; with a cursor those beyond `after`, in its order."""
    database = Database.at(str(policy.source), root)
    query = policy.query or f"select * from {table_name(str(policy.table))}"
    path = folder / f"{table}.parquet"
    with database.session(read_only=True) as cursor:
        names = _names(cursor, query)
        if policy.cursor is not None and policy.cursor not in names:
            raise RepriseError(
                f"tables.{table}: {database.shown} gives no column {policy.cursor}, the cursor.",
                hint=f"There are: {', '.join(names)}.",
            )
        # The driver of SQLite tells the type of a column by its first rows: none of them may be NULL.
        cast = ", ".join(f"coalesce(cast({quoted(name)} as {_text(database)}), '') as {quoted(name)}" for name in names)
        by = f" order by {quoted('reprise_rows')}.{quoted(policy.cursor)}" if policy.cursor else ""
        newer = ""
        if policy.cursor and after is not None:
            newer = f" where {quoted(policy.cursor)} > {constant(after, database.kind)}"
        cursor.execute(f"select {cast} from ({query}) as reprise_rows{newer}{by}")
        rows, digest, last = _written(cursor, names, path, policy.cursor, database.shown)
    name = origin(policy, database.shown)
    return Fetched(f"{name}{_UNTIL}{last}" if last is not None else name, path, digest, rows)


def _names(cursor: Any, query: str) -> list[str]:
    cursor.execute(f"select * from ({query}) as reprise_rows limit 0")
    names = [str(column[0]) for column in cursor.description]
    cursor.fetchall()
    return names


def _text(database: Database) -> str:
    return "text" if database.kind == "postgresql" else "varchar"


def _batches(cursor: Any, shown: str) -> Iterator[pa.RecordBatch]:
    """The rows of the query; what breaks on the way is an error of the database, not of the disk."""
    try:
        yield from cursor.fetch_record_batch()
    except (pa.ArrowException, OSError) as error:
        raise RepriseError(f"{shown} could not be read: {said(error)}.", hint="Nothing was loaded.") from error


def _written(cursor: Any, names: list[str], path: Path, by: str | None, shown: str) -> tuple[int, str, str | None]:
    """Writes all rows; how many, their fingerprint, and the last value of the cursor."""
    schema = pa.schema([(name, pa.string()) for name in names])
    count, total, last = 0, 0, None
    with told(path), pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in _batches(cursor, shown):
            if not batch.num_rows:
                continue
            rows = pa.Table.from_batches([batch]).cast(schema)
            writer.write_table(rows, row_group_size=_BLOCK)
            total += int(np.asarray(row_keys(rows)).sum(dtype=np.uint64))
            count += rows.num_rows
            last = rows.column(by)[-1].as_py() if by else None
    digest = hashlib.sha256(f"{','.join(sorted(names))}|{count}|{total % 2**64}".encode()).hexdigest()
    return count, digest, last
