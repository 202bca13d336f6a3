"""Features of everybody as of a date: staging and families run part by part, joined to one wide table."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.attributes import known
from features.catalogue import FEATURES, Feature
from features.engines import SHARE, Engine, duckdb_engine
from features.own_features import refuse_repeated
from features.periods import calendar
from features.planning import Plan, plan_for, typed
from features.population import count_named
from features.seasons import festival_days
from features.sorting import sorted_by
from features.source import (
    Relation,
    Source,
    register_acts,
    register_items,
    register_part,
)
from warehouse.files import atomic_file
from warehouse.progress import Progress, silent

T = TypeVar("T")
U = TypeVar("U")

_SELDOM_EQUAL = frozenset(feature.name for feature in FEATURES if feature.unit in ("money", "share", "ratio"))
"""Features whose values seldom repeat."""

WORKERS = 2
"""Parts at work at the same time, each on a connection and a thread of its own."""


def build_features(
    source: Source,
    as_of: date,
    progress: Progress = silent,
    families: Iterable[str] | None = None,
    names: Collection[str] | None = None,
) -> pa.Table:
    """One row per customer seen before `as_of`, sorted by `entity_id`: numbers float64, categories text.

    `families` leaves out the others, the workspace's own among them. A family whose tables are absent is left out. A
    number that cannot be told is NULL, never NaN. `NotReadyError` where there is nothing to count, `UsageError` for an
    unknown family. `names` leaves out the other features.
    """
    plan = plan_for(source, families)
    if names is not None:
        plan = replace(plan, features=tuple(feature for feature in plan.features if feature.name in names))
    if source.spark is not None:
        from features import on_spark

        return on_spark.build(plan, source, as_of, progress)
    return _sorted(list(_built(plan, source, as_of, progress)))


def write_features(
    source: Source, as_of: date, path: Path, progress: Progress = silent, families: Iterable[str] | None = None
) -> int:
    """Streams the rows of `build_features` to a Parquet file, whole or not at all; returns how many there are.

    Only two parts of the store, or one stretch of the sorted rows, are in memory at a time.
    """
    plan = plan_for(source, families)
    rows = 0
    with (
        atomic_file(path) as temporary,
        pq.ParquetWriter(temporary, plan.schema, compression="zstd", **encodings(plan.schema.names)) as writer,
    ):
        if source.spark is None:
            tables = sorted_by(_built(plan, source, as_of, progress), "entity_id", len(source.parts()), path.parent)
        else:
            tables = iter([build_features(source, as_of, progress, families)])
        for table in tables:
            writer.write_table(table)
            rows += table.num_rows
    return rows


def encodings(columns: Sequence[str]) -> dict[str, list[str]]:
    """How Parquet keeps features, for a writer: whole numbers and texts repeat, sums and ratios hardly do.

    A third faster to write and to read than dictionaries for all.
    """
    streams = [name for name in columns if name in _SELDOM_EQUAL]
    return {
        "use_byte_stream_split": streams,
        "use_dictionary": [name for name in columns if name not in {"entity_id", *streams}],
    }


def _built(plan: Plan, source: Source, as_of: date, progress: Progress) -> Iterator[pa.Table]:
    """The wide rows of every part, in the order of the parts, by several workers."""
    parts = source.parts()
    workers = min(WORKERS, len(parts))
    progress("features", 0, len(parts))
    with ExitStack() as stack:
        free: SimpleQueue[Engine] = SimpleQueue()
        population = count_named(source, as_of, plan.populations)
        for _ in range(workers):
            # A second thread inside a connection costs half as much again and saves nothing on parts of this size.
            engine = stack.enter_context(duckdb_engine(source, threads=1, share=SHARE))
            engine.give("festival_days", festival_days())
            engine.give("calendar", calendar())
            register_items(engine, source, as_of)
            for name, table in population.items():
                engine.give(name, table)
            free.put(engine)
        pool = stack.enter_context(ThreadPoolExecutor(workers))

        def work(part: Mapping[str, Relation]) -> pa.Table:
            engine = free.get()
            try:
                return _build_part(engine, plan, source, part, as_of)
            finally:
                free.put(engine)

        for done, table in enumerate(_in_order(pool, workers, work, parts), start=1):
            yield table
            progress("features", done, len(parts))


def _sorted(tables: list[pa.Table]) -> pa.Table:
    """The rows of all tables, which are let go, sorted by `entity_id`: column after column, so most are held once."""
    table = pa.concat_tables(tables)
    tables.clear()
    order, schema = pc.sort_indices(table["entity_id"]), table.schema
    columns = dict(zip(table.column_names, table.columns, strict=True))
    del table
    found = []
    for field in schema:
        held = columns.pop(field.name).combine_chunks()
        found.append(held.take(order))
    return pa.table(found, schema=schema)


def _in_order(pool: ThreadPoolExecutor, ahead: int, work: Callable[[T], U], tasks: Sequence[T]) -> Iterator[U]:
    """What the pool makes of each task, in their order; the next is begun only when one has been handed over."""
    waiting = deque(pool.submit(work, task) for task in tasks[:ahead])
    for n in range(len(tasks)):
        made = waiting.popleft().result()
        if n + ahead < len(tasks):
            waiting.append(pool.submit(work, tasks[n + ahead]))
        yield made


def _build_part(engine: Engine, plan: Plan, source: Source, part: Mapping[str, Relation], as_of: date) -> pa.Table:
    values = {"every_event": register_acts(engine, source), "lapsed_after": source.lapsed_after}
    customers = register_part(engine, source, part, as_of)
    for staged in plan.staging:
        staged.keep(engine, as_of, values)
    columns: dict[str, pa.Array] = {"entity_id": customers, **known(engine, source, part, as_of, customers)}
    own_families = {file.statement.name for file in source.own.files}
    for family in plan.families:
        features = [feature for feature in plan.features if feature.family == family.name]
        counted = family.columns(engine, as_of, ["entity_id", *(typed(feature) for feature in features)])
        numbers = counted["entity_id"].to_numpy()
        if family.name in own_families:
            refuse_repeated(family.name, counted["entity_id"], customers)
        columns |= {
            feature.name: _spread(counted[feature.name], numbers, len(customers), feature) for feature in features
        }
    for staged in plan.staging:
        engine.drop(staged.name)
    return pa.table([columns[name] for name in plan.schema.names], schema=plan.schema)


def _spread(counted: pa.ChunkedArray, numbers: npt.NDArray[np.int32], customers: int, feature: Feature) -> pa.Array:
    """A family's column laid out for all customers of the part: `counted` belongs to the customers so numbered."""
    if feature.kind == "category":
        places = np.full(customers, -1, np.int32)
        places[numbers] = np.arange(len(numbers), dtype=np.int32)
        texts = counted.combine_chunks().take(pa.array(places, mask=places < 0))
        return texts if feature.absent is None else texts.fill_null(feature.absent)
    missing = feature.absent
    values = np.full(customers, np.nan if missing is None else missing)
    values[numbers] = (counted if missing is None else counted.fill_null(missing)).to_numpy()
    return pa.array(values, from_pandas=missing is None)
