"""Features on Spark: the same SQL files over all rows at once, joined there, fetched as Arrow.

Customers keep their ids: to number them all would put every row in one place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from features.attributes import known
from features.catalogue import Feature
from features.engines import Values, duckdb_engine
from features.own_features import refuse_repeated
from features.periods import calendar
from features.planning import Plan, typed
from features.population import count_tables
from features.relations import Relation
from features.seasons import festival_days
from features.source import (
    PEOPLE,
    Source,
    customers,
    register_acts,
    register_items,
    register_visible,
)
from warehouse.casting import literal
from warehouse.progress import Progress

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TURN = RLock()
"""Names of tables belong to a session, so one piece of work has it at a time; its rows are many machines' work."""


@contextmanager
def spark_engine(session: SparkSession) -> Iterator[SparkEngine]:
    """The engine of a session, whose tables are forgotten at the end."""
    with _TURN:
        engine = SparkEngine(session)
        try:
            yield engine
        finally:
            engine.close()


class SparkEngine:
    """Tables of one piece of work on a session of Spark."""

    list_of_text = "array<string>"

    def __init__(self, session: SparkSession) -> None:
        self._session = session
        self._named: set[str] = set()

    def parts(self, source: Source) -> Sequence[Mapping[str, Relation]]:
        """All rows in one part: Spark cuts them itself."""
        parts = source.parts()
        return [{name: _together([part[name] for part in parts]) for name in parts[0]}]

    def scan(self, table: str, relation: Relation, time_zone: str) -> tuple[str, Sequence[str]]:
        rows = self._read(relation)
        if table == "users" and "registered_at" in rows.columns and "registered_local_at" not in rows.columns:
            wall = f"convert_timezone('UTC', '{time_zone}', cast(registered_at as timestamp_ntz))"
            rows = rows.selectExpr("*", f"{wall} as registered_local_at")
        self._name(f"raw_{table}", rows)
        return f"raw_{table}", rows.columns

    def give(self, name: str, table: pa.Table) -> None:
        self._name(name, self._of_memory(table))

    def view(self, name: str, sql: str, values: Values | None = None) -> None:
        self._name(name, self._run(sql, values))

    def keep(self, name: str, sql: str, values: Values | None = None) -> None:
        # What is only persisted is planned again, with all that it was made of, by whatever reads it.
        self._name(name, self._run(sql, values).localCheckpoint(eager=False))

    def rows(self, sql: str, values: Values | None = None) -> pa.Table:
        return self._run(sql, values).toArrow()

    def drop(self, name: str) -> None:
        self._session.catalog.dropTempView(name)
        self._named.discard(name)

    def close(self) -> None:
        """Forgets every table; Spark lets the rows go that nothing names any more."""
        for name in self._named:
            self._session.catalog.dropTempView(name)

    def _read(self, relation: Relation) -> DataFrame:
        if isinstance(relation, tuple):
            return self._session.read.parquet(*(f"file://{Path(path).resolve()}" for path in relation))
        return self._of_memory(relation)

    def _of_memory(self, table: pa.Table) -> DataFrame:
        if table.num_rows:
            return self._session.createDataFrame(table)
        # A server refuses a table of no rows.
        return self._session.createDataFrame(pa.Table.from_pylist([{}], schema=table.schema)).where("false")

    def _run(self, sql: str, values: Values | None) -> DataFrame:
        return self._session.sql(sql, args=dict(values or {}))

    def _name(self, name: str, rows: DataFrame) -> None:
        rows.createOrReplaceTempView(name)
        self._named.add(name)


def _together(relations: Sequence[Relation]) -> Relation:
    """The rows of several parts as one."""
    files: list[Path] = []
    tables: list[pa.Table] = []
    for relation in relations:
        if isinstance(relation, tuple):
            files += relation
        else:
            tables.append(relation)
    return tuple(files) if files else pa.concat_tables(tables)


def build(plan: Plan, source: Source, as_of: date, progress: Progress) -> pa.Table:
    """The wide rows of everybody, sorted by `entity_id`."""
    assert source.spark is not None
    progress("features on Spark", 0)
    with spark_engine(source.spark) as engine:
        register_everybody(engine, plan, source, as_of)
        wide = engine.rows(_wide(engine, plan, source, as_of)).sort_by("entity_id").combine_chunks()
    ids = wide["entity_id"].combine_chunks().cast(pa.string())
    for name, values in _of_tables(source, as_of, ids).items():
        wide = wide.append_column(name, values)
    return wide.select(plan.schema.names).cast(plan.schema)


def _of_tables(source: Source, as_of: date, ids: pa.Array) -> dict[str, pa.Array]:
    """The workspace's own columns, read by DuckDB: they are few rows, and kinds of texts are its matter."""
    found: dict[str, pa.Array] = {}
    if source.own.tables:
        with duckdb_engine(source) as engine:
            for part in source.parts():
                for name, values in known(engine, source, part, as_of, ids).items():
                    found[name] = pc.coalesce(found[name], values) if name in found else values
    return found


def register_everybody(engine: SparkEngine, plan: Plan, source: Source, as_of: date) -> None:
    """Makes every table that families read."""
    (part,) = engine.parts(source)
    engine.give("festival_days", festival_days())
    engine.give("calendar", calendar())
    register_items(engine, source, as_of)
    count_tables(engine, source, as_of, plan.populations)
    values = {"every_event": register_acts(engine, source), "lapsed_after": source.lapsed_after}
    register_visible(engine, source, part, as_of, PEOPLE)
    engine.keep("customers", customers(engine, source, part, as_of))
    for staged in plan.staging:
        staged.keep(engine, as_of, values)


def _wide(engine: SparkEngine, plan: Plan, source: Source, as_of: date) -> str:
    """SQL of one row per customer, every family beside the other."""
    own_families = {file.statement.name for file in source.own.files}
    columns, joins = ["customers.id as entity_id"], []
    for family in plan.families:
        name = f"family_{family.name}"
        features = [feature for feature in plan.features if feature.family == family.name]
        listed = ", ".join(["entity_id", *(typed(feature) for feature in features)])
        engine.view(name, f"select {listed} from ({family.body}) as counted", family.bound(as_of))
        if family.name in own_families:
            _refuse_repeated(engine, family.name, name)
        columns += [_filled(name, feature) for feature in features]
        joins.append(f"left join {name} on customers.id = {name}.entity_id")
    return f"select {', '.join(columns)} from customers {' '.join(joins)}"


def _refuse_repeated(engine: SparkEngine, family: str, view: str) -> None:
    """`DataProblemError` where a file of the workspace gives more than one row for a customer, or none of an id."""
    wrong = "having count(*) > 1 or entity_id is null"
    found = engine.rows(f"select entity_id from {view} group by entity_id {wrong}")["entity_id"].combine_chunks()
    ids = found.drop_null()
    numbers = [*range(len(ids)), *range(len(ids)), *([None] if found.null_count else [])]
    refuse_repeated(family, pa.chunked_array([pa.array(numbers, pa.int32())]), ids)


def _filled(family: str, feature: Feature) -> str:
    if feature.absent is None:
        return f"{family}.{feature.name}"
    absent = f"{feature.absent}d" if feature.kind == "number" else literal(str(feature.absent))
    return f"coalesce({family}.{feature.name}, {absent}) as {feature.name}"
