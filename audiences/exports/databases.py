"""A list as a table of somebody's database: in one transaction, by its primary key, telling what changed.

What is new comes to a temporary table first and is compared there, so that the table itself only changes where its rows
do; the same list again changes nothing. Whoever reads the table meanwhile sees the old list or the new one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from warehouse.casting import quoted
from warehouse.databases import Database, table_name
from warehouse.errors import DataProblemError, UsageError
from warehouse.progress import Progress, silent
from warehouse.streamed import Streamed

_STAGED = "reprise_staged"
_TYPES = {
    "postgresql": {"text": "text", "whole": "bigint", "number": "double precision", "flag": "boolean", "day": "date"},
    "sqlite": {"text": "text", "whole": "integer", "number": "real", "flag": "integer", "day": "text"},
}
KEYS = {
    ("scores", False): ("user_id", "target", "horizon_days"),
    ("suggestions", False): ("user_id", "rank"),
}
"""The columns by which a row of a list is known, where it is not the customer alone."""


@dataclass(frozen=True)
class DatabaseReport:
    """What became of the rows of the table: `added + changed + unchanged` is what it has now."""

    to: str
    table: str
    key: tuple[str, ...]
    created: bool
    added: int
    removed: int
    changed: int
    unchanged: int

    @property
    def rows(self) -> int:
        return self.added + self.changed + self.unchanged

    def lines(self) -> list[str]:
        """One line for people."""
        place = f"{self.table} of {self.to}"
        if not (self.created or self.added or self.removed or self.changed):
            return [f"{place} holds these {self.rows:,} rows already; nothing was written"]
        return [
            f"wrote {place}{' (a new table)' if self.created else ''}: {self.added:,} rows added, "
            f"{self.removed:,} removed, {self.changed:,} changed, {self.unchanged:,} as they were"
        ]


def export_to_database(
    table: pa.Table | Streamed, database: Database, name: str, key: Sequence[str], progress: Progress = silent
) -> DatabaseReport:
    """Makes the table `name` hold exactly these rows, known by their `key`; makes it where it is not there.

    All in one transaction: an error, a broken connection or a kill leaves the table as it was.
    """
    target, streamed = table_name(name), Streamed.of(table)
    schema = _plain(streamed.schema.empty_table(), database).schema
    with database.session() as cursor:
        progress("staging", 0, 3)
        plain = (batch for chunk in streamed.chunks() for batch in _plain(chunk, database).to_batches())
        cursor.adbc_ingest(_STAGED, pa.RecordBatchReader.from_batches(schema, plain), mode="create", temporary=True)
        rows = _one(cursor, f"select count(*) from {quoted(_STAGED)}")
        _refuse_unclear(cursor, key)
        created = not _exists(cursor, database, name)
        if created:
            cursor.execute(_definition(target, schema, database, key))
        elif database.kind == "postgresql":
            # Two exports at once: the second waits, and then compares with what the first has written.
            cursor.execute(f"lock table {target} in share row exclusive mode")
        _refuse_other_columns(cursor, target, name, schema.names)
        progress("comparing", 1, 3)
        counts = _replace(cursor, target, schema.names, rows, key)
        cursor.execute(f"drop table {quoted(_STAGED)}")
        progress("writing", 2, 3)
    progress("written", 3, 3)
    kept = rows - counts["added"] - counts["changed"]
    return DatabaseReport(database.shown, name, tuple(key), created, unchanged=kept, **counts)


def _kind(kind: pa.DataType) -> str:
    if pa.types.is_boolean(kind):
        return "flag"
    if pa.types.is_integer(kind):
        return "whole"
    if pa.types.is_floating(kind):
        return "number"
    return "day" if pa.types.is_date(kind) else "text"


def _plain(table: pa.Table, database: Database) -> pa.Table:
    """Columns as both databases hold them: texts, 64-bit numbers, days; NaN and nothing are NULL."""
    columns = []
    for column in table.columns:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
            column = pc.binary_join(column.cast(pa.list_(pa.string())), "|")
        if pa.types.is_decimal(column.type):
            column = column.cast(pa.float64())
        wanted = {
            "flag": pa.bool_(),
            "whole": pa.int64(),
            "number": pa.float64(),
            "day": pa.date32(),
            "text": pa.string(),
        }
        kind = _kind(column.type)
        if database.kind == "sqlite":
            wanted |= {"flag": pa.int64(), "day": pa.string()}
        column = column.cast(wanted[kind])
        if kind == "number":
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, pa.float64()), column)
        columns.append(column)
    return pa.table(columns, names=table.column_names)


def _refuse_unclear(cursor: Any, key: Sequence[str]) -> None:
    """A primary key has every value once and no NULL."""
    staged, names = quoted(_STAGED), ", ".join(map(quoted, key))
    missing = " or ".join(f"{quoted(name)} is null" for name in key)
    if _one(cursor, f"select count(*) from {staged} where {missing}"):
        raise DataProblemError(f"A row has no value in the key ({', '.join(key)}), so it cannot stand in a database.")
    twice = f"select 1 as it from {staged} group by {names} having count(*) > 1 limit 1"
    if _one(cursor, f"select count(*) from ({twice}) as t"):
        raise DataProblemError(f"Two rows have the same key ({', '.join(key)}), so they cannot stand in a database.")


def _exists(cursor: Any, database: Database, name: str) -> bool:
    literal = table_name(name).replace("'", "''")
    if database.kind == "postgresql":
        return bool(
            _one(cursor, f"select count(*) from (select to_regclass('{literal}') as it) as t where it is not null")
        )
    bare = name.split(".")[-1]
    return bool(_one(cursor, f"select count(*) from sqlite_master where type = 'table' and name = '{bare}'"))


def _definition(target: str, schema: pa.Schema, database: Database, key: Sequence[str]) -> str:
    columns = [
        f"{quoted(field.name)} {_TYPES[database.kind][_kind(field.type)]}{' not null' if field.name in key else ''}"
        for field in schema
    ]
    return f"create table {target} ({', '.join(columns)}, primary key ({', '.join(map(quoted, key))}))"


def _refuse_other_columns(cursor: Any, target: str, name: str, names: Sequence[str]) -> None:
    cursor.execute(f"select * from {target} limit 0")
    there = [str(column[0]) for column in cursor.description]
    cursor.fetchall()
    if sorted(there) != sorted(names):
        raise UsageError(
            f"The table {name} has other columns: {', '.join(there)}.",
            hint=f"This list has {', '.join(names)}. Name another table, or drop that one.",
        )


def _one(cursor: Any, query: str) -> int:
    cursor.execute(query)
    return int(cursor.fetchall()[0][0])


def _replace(cursor: Any, target: str, names: Sequence[str], rows: int, key: Sequence[str]) -> dict[str, int]:
    """Deletes, updates and inserts what differs; how many of each."""
    staged, others = quoted(_STAGED), [name for name in names if name not in key]
    same = " and ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in key)
    # NULL equals NULL here, and nothing else, alike on both.
    differs = " or ".join(f"t.{quoted(name)} is distinct from s.{quoted(name)}" for name in others) or "1 = 0"
    counts = {
        "added": _one(
            cursor, f"select count(*) from {staged} s where not exists (select 1 from {target} t where {same})"
        ),
        "removed": _one(
            cursor, f"select count(*) from {target} t where not exists (select 1 from {staged} s where {same})"
        ),
        "changed": _one(cursor, f"select count(*) from {target} t join {staged} s on {same} where {differs}"),
    }
    key_list, all_list = ", ".join(map(quoted, key)), ", ".join(map(quoted, names))
    if counts["removed"]:
        cursor.execute(f"delete from {target} as t where not exists (select 1 from {staged} s where {same})")
    if counts["changed"]:
        changed = f"select s.* from {target} t join {staged} s on {same} where {differs}"
        assigned = ", ".join(f"{quoted(name)} = c.{quoted(name)}" for name in others)
        on = " and ".join(f"{target}.{quoted(name)} = c.{quoted(name)}" for name in key)
        cursor.execute(f"update {target} set {assigned} from ({changed}) as c where {on}")
    if counts["added"]:
        kept = f"select 1 from {target} t where {same}"
        cursor.execute(f"insert into {target} ({all_list}) select {all_list} from {staged} s where not exists ({kept})")
    if _one(cursor, f"select count(*) from (select {key_list} from {target}) as k") != rows:
        raise DataProblemError(f"{target} does not hold what was written; nothing was changed.")
    return counts
