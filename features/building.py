"""Features of everybody as of a date: staging and families run part by part, joined to one wide table."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from queue import SimpleQueue

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.catalogue import Feature, available
from features.families import FAMILIES
from features.seasons import festival_days
from features.source import (
    Relation,
    Source,
    act_statement,
    count_item_prices,
    register_acts,
    register_items,
    register_part,
)
from features.statements import Statement, staging_for, statements
from warehouse.engine import connect
from warehouse.errors import NotReadyError, UsageError
from warehouse.files import atomic_file
from warehouse.progress import Progress, silent

WORKERS = 2
"""Parts at work at the same time, each on a connection and a thread of its own."""


def build_features(
    source: Source, as_of: date, progress: Progress = silent, families: Iterable[str] | None = None
) -> pa.Table:
    """One row per customer seen before `as_of`, sorted by `entity_id`: numbers float64, categories text.

    `families` leaves out the others. A family whose tables are absent is left out. A number that cannot be told is
    NULL, never NaN. `NotReadyError` where there is nothing to count, `UsageError` for an unknown family.
    """
    plan = _plan(source, families)
    tables = list(_built(plan, source, as_of, progress))
    return pa.concat_tables(tables).sort_by("entity_id").combine_chunks()


def write_features(
    source: Source, as_of: date, path: Path, progress: Progress = silent, families: Iterable[str] | None = None
) -> int:
    """Streams the rows of `build_features` to a Parquet file, whole or not at all; returns how many there are.

    Rows are sorted by `entity_id` within each row group (a part of the store), not over the whole file.
    """
    plan = _plan(source, families)
    rows = 0
    with atomic_file(path) as temporary, pq.ParquetWriter(temporary, plan.schema, compression="zstd") as writer:
        for table in _built(plan, source, as_of, progress):
            writer.write_table(table)
            rows += table.num_rows
    return rows


@dataclass(frozen=True)
class _Plan:
    """What is run for every part: staging, then families."""

    features: tuple[Feature, ...]
    staging: tuple[Statement, ...]
    families: tuple[Statement, ...]

    @property
    def needs_prices(self) -> bool:
        """Whether the population's prices are read."""
        return any("item_prices" in family.reads for family in self.families)

    @property
    def schema(self) -> pa.Schema:
        kinds = {"number": pa.float64(), "category": pa.string()}
        return pa.schema([("entity_id", pa.string()), *((f.name, kinds[f.kind]) for f in self.features)])


def _plan(source: Source, wanted: Iterable[str] | None) -> _Plan:
    names = [family.name for family in FAMILIES]
    chosen = names if wanted is None else list(wanted)
    if unknown := sorted(set(chosen) - set(names)):
        raise UsageError(f'There is no feature family "{unknown[0]}".', hint=f"There are: {', '.join(names)}.")
    if not source.tables & {"orders", "events", "users"}:
        raise NotReadyError("There are no orders, events or users to count.", hint="Name their files in reprise.toml.")
    features = tuple(feature for feature in available(source.tables) if feature.family in chosen)
    used = {feature.family for feature in features}
    files = statements("families")
    families = tuple(files[name] for name in names if name in used)
    return _Plan(features, tuple(staging_for(families, act_statement(source))), families)


def _built(plan: _Plan, source: Source, as_of: date, progress: Progress) -> Iterator[pa.Table]:
    """The wide rows of every part, in the order of the parts, by several workers.

    A worker takes the next part only when the last one has been handed over, so that few are held at once.
    """
    parts = source.parts()
    workers = min(WORKERS, len(parts))
    progress("features", 0, len(parts))
    with ExitStack() as stack:
        free: SimpleQueue[duckdb.DuckDBPyConnection] = SimpleQueue()
        prices = source.given_population().get("item_prices")
        for _ in range(workers):
            # A second thread inside a connection costs half as much again and saves nothing on parts of this size.
            opened = connect(source.folders, memory_limit=source.memory_limit, threads=1)
            connection = stack.enter_context(opened)
            connection.register("festival_days", festival_days())
            register_items(connection, source, as_of)
            if plan.needs_prices:
                prices = count_item_prices(connection, source, as_of) if prices is None else prices
                connection.register("item_prices", prices)
            free.put(connection)
        pool = stack.enter_context(ThreadPoolExecutor(workers))

        def work(part: Mapping[str, Relation]) -> pa.Table:
            connection = free.get()
            try:
                return _build_part(connection, plan, source, part, as_of)
            finally:
                free.put(connection)

        waiting = deque(pool.submit(work, part) for part in parts[:workers])
        for done in range(1, len(parts) + 1):
            table = waiting.popleft().result()
            if (upcoming := done - 1 + workers) < len(parts):
                waiting.append(pool.submit(work, parts[upcoming]))
            yield table
            progress("features", done, len(parts))


def _build_part(
    connection: duckdb.DuckDBPyConnection, plan: _Plan, source: Source, part: Mapping[str, Relation], as_of: date
) -> pa.Table:
    values = {"every_event": register_acts(connection, source)}
    customers = register_part(connection, source, part, as_of)
    for staged in plan.staging:
        staged.keep(connection, as_of, values)
    columns: dict[str, pa.Array] = {"entity_id": customers}
    for family in plan.families:
        features = [feature for feature in plan.features if feature.family == family.name]
        counted = family.columns(connection, as_of, ["entity_id", *(_typed(feature) for feature in features)])
        places = _places(counted["entity_id"], len(customers))
        columns |= {feature.name: _spread(counted[feature.name], places, feature) for feature in features}
    for staged in plan.staging:
        connection.execute(f"drop table {staged.name}")
    return pa.table([columns[name] for name in plan.schema.names], schema=plan.schema)


def _typed(feature: Feature) -> str:
    return f"cast({feature.name} as {'varchar' if feature.kind == 'category' else 'double'}) as {feature.name}"


def _places(numbers: pa.ChunkedArray, customers: int) -> pa.Array:
    """Where each customer of the part stands among the numbers of a family's rows; NULL where it does not."""
    places = np.full(customers, -1, np.int32)
    places[numbers.to_numpy()] = np.arange(len(numbers), dtype=np.int32)
    return pa.array(places, mask=places < 0)


def _spread(counted: pa.ChunkedArray, places: pa.Array, feature: Feature) -> pa.Array:
    """A family's column laid out for all customers of the part, filled where nothing is there."""
    values = counted.combine_chunks().take(places)
    if feature.kind == "category":
        return values
    known = pc.if_else(pc.is_nan(values), None, values)
    return known if feature.absent is None else known.fill_null(feature.absent)
