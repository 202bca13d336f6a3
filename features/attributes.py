"""Columns of tables that become features: what kind each is, and what was known of each customer at a cutoff."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from features.catalogue import Feature
from features.engines import Engine
from features.own import OwnColumn, OwnTable, Reading
from features.relations import Relation
from features.windows import day_number
from warehouse.casting import NUMBER, literal, quoted
from warehouse.clock import instant

if TYPE_CHECKING:
    from features.source import Source

MANY = 254
"""More different texts than a model tells apart; where most rows have one of their own, they are names of rows."""
PROTECTED = frozenset({"gender", "sex", "birth_year", "birthday", "date_of_birth", "性别", "出生年份"})
_DATE = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.]\d+)?)?)?"


def readings(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    files: Sequence[Path],
    columns: Sequence[str],
    names: Iterable[str],
) -> tuple[OwnTable, list[str]]:
    """How each of the columns is read, and a sentence for each that is none: empty, or a name of the row.

    A number where all texts are numbers, days where all are dates, else a category; those in `names` always are.
    What kind a column is depends on all rows, its values never do.
    """
    chosen = frozenset(names)
    origin = "read_parquet([" + ", ".join(literal(str(path)) for path in files) + "])"
    family = OwnTable(table, ()).family
    kept, notes = [], []
    for column in columns:
        text = f"trim({quoted(column)})"
        filled, numbers, dates, different = connection.execute(
            f"select count(x), count(case when regexp_full_match(x, '{NUMBER}') then 1 end),"
            f" count(case when regexp_full_match(x, '{_DATE}') and try_cast(x as timestamp) is not null then 1 end),"
            f" count(distinct x) from (select nullif({text}, '') as x from {origin})"
        ).fetchall()[0]
        if not filled:
            notes.append(f"{table}: {column} is empty and no feature")
            continue
        reading: Reading = "category"
        if column not in chosen:
            reading = "number" if numbers == filled else "days_until" if dates == filled else "category"
        if reading == "category" and different > MANY and different > filled / 2:
            notes.append(f"{table}: {column} has {different:,} different texts in {filled:,} rows and is no feature")
            continue
        kept.append(OwnColumn(column, reading, _feature(column, reading, family)))
    return OwnTable(table, tuple(kept)), notes


def feature_name(column: str) -> str:
    """The name of a column as rules and models can write it."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", column).strip("_").lower()
    if not re.search("[a-z]", plain):
        plain = f"column_{plain or '_'.join(f'{ord(letter):x}' for letter in column)}"
    return plain[:63] if not plain[0].isdigit() else f"column_{plain}"[:63]


def _feature(column: str, reading: Reading, family: str) -> Feature:
    words, protected = column.replace("_", " "), feature_name(column) in PROTECTED or column in PROTECTED
    if reading == "days_until":
        name = f"days_until_{feature_name(column)}"
        return Feature(name, family, "number", "days", None, f"days until {words}", f"距{words}的天数", protected)
    kind, unit = ("number", "") if reading == "number" else ("category", None)
    return Feature(feature_name(column), family, kind, unit, None, words, words, protected)  # type: ignore[arg-type]


def expression(column: OwnColumn, as_of: str) -> str:
    """The value of a column's text; `as_of` is the SQL of the cutoff's day number."""
    text = f"nullif(trim({quoted(column.column)}), '')"
    if column.reading == "category":
        return text
    if column.reading == "number":
        return f"case when isfinite(try_cast({text} as double)) then try_cast({text} as double) end"
    return f"cast(day_number(try_cast({text} as timestamp)) - {as_of} as double)"


def known(
    engine: Engine,
    source: Source,
    part: Mapping[str, Relation],
    as_of: date,
    customers: pa.Array,
) -> dict[str, pa.Array]:
    """For each own feature of tables its value for each of the customers: of the latest version known at the cutoff."""
    found: dict[str, pa.Array] = {}
    for own in source.own.tables:
        latest = _latest(engine, source, own, part.get(own.table), as_of)
        place = pc.index_in(customers, value_set=latest["entity_id"].combine_chunks())
        for column in own.columns:
            found[column.feature.name] = latest[column.feature.name].combine_chunks().take(place)
    return found


def _latest(engine: Engine, source: Source, own: OwnTable, relation: Relation | None, as_of: date) -> pa.Table:
    origin, found = (None, []) if relation is None else engine.scan(own.table, relation, source.time_zone)
    have = frozenset(found) - {"source_key", "registered_local_at"}
    wanted = [column for column in own.columns if column.column in have]
    since, visible = _since(own.table, have, source, as_of)
    ties = ", ".join(f"{quoted(name)} nulls last" for name in sorted(have) if name != "entity_id")
    values = ", ".join(
        f"{expression(c, str(day_number(as_of)))} as {quoted(c.feature.name)}"
        if c in wanted
        else f"cast(null as {'varchar' if c.reading == 'category' else 'double'}) as {quoted(c.feature.name)}"
        for c in own.columns
    )
    if origin is None:
        return engine.rows(f"select cast(null as varchar) as entity_id, {values} where false")
    ranked = (
        f"select *, row_number() over (partition by entity_id order by {since}, {ties}) as version_rank"
        f" from {origin} where entity_id is not null and ({visible})"
    )
    sql = f"select entity_id, {values} from ({ranked}) as versions where version_rank = 1"
    return engine.rows(sql)


def _since(table: str, have: frozenset[str], source: Source, as_of: date) -> tuple[str, str]:
    """The order of the rows of a customer, the one that counts first, and the condition under which a row was known.

    A label's own columns are as of its date, so they are known on that very day; what has no date was always so. Of
    several labels of one date the one recorded last before the cutoff counts, else the first: what is recorded later
    changes nothing.
    """
    cutoff = f"timestamp '{instant(as_of, source.time_zone):%Y-%m-%d %H:%M:%S}'"
    column = {"users": "recorded_at", "labels": "as_of"}.get(table, "known_at")
    if column not in have:
        return "entity_id", "true" if table in source.static or table == "labels" else "false"
    if table in source.static:
        return f"{column} desc nulls last", "true"
    if table == "labels":
        before = f"recorded_at < {cutoff}"
        last = f"{before} desc, case when {before} then recorded_at end desc nulls last, recorded_at nulls last"
        said = f", {last}" if "recorded_at" in have else ""
        return f"as_of desc nulls last{said}", f"as_of is null or as_of <= {cutoff}"
    return f"{column} desc nulls last", f"{column} < {cutoff}"
