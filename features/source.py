"""Where rows come from, one part at a time, and the one place that decides what is visible at a cutoff.

A row is visible if it happened before the cutoff and was recorded before it. Users, items and tags are read in the
version known at the cutoff. Everything after this room sees only views made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.engines import Engine, duckdb_engine
from features.own import NOTHING, Own
from features.own_features import own_of
from features.relations import Relation as Relation
from features.relations import columns
from features.statements import POPULATION
from features.visible import KEYS, literal_of, versions_of, visible_of
from warehouse.clock import instant
from warehouse.contracts import CONTRACTS, EXTRA
from warehouse.spark import session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from warehouse.store import Store

Acts = Literal["sales", "events"] | tuple[str, ...]
RfmSplit = Literal["median", "score"]

PEOPLE = ("orders", "events", "users", "contacts", "tags")
"""The tables about people that features read; each is cut into parts by person."""

PART_ROWS = 400_000
"""Buckets are joined to parts of about this many order and event rows: small parts cost time, large ones memory."""


class Source(Protocol):
    """What features are built from."""

    @property
    def time_zone(self) -> str: ...
    @property
    def acts(self) -> Acts: ...
    @property
    def static(self) -> frozenset[str]: ...
    @property
    def lapsed_after(self) -> int: ...
    @property
    def rfm_split(self) -> RfmSplit: ...
    @property
    def own(self) -> Own: ...
    @property
    def tables(self) -> frozenset[str]: ...
    @property
    def folders(self) -> tuple[Path, ...]: ...
    @property
    def memory_limit(self) -> str: ...
    @property
    def spark(self) -> SparkSession | None:
        """The session that counts these rows; DuckDB does where there is none."""

    def parts(self) -> Sequence[Mapping[str, Relation]]:
        """Rows of disjoint sets of people; together all of them."""

    def items(self) -> Relation | None:
        """All versions of all items."""

    def anonymous_events(self) -> Relation | None:
        """Events that belong to nobody, such as those of devices on which nobody was signed in."""

    def population_tables(self, as_of: date, families: Iterable[str] | None = None) -> dict[str, pa.Table]:
        """What is counted over everybody before `as_of` (`features.population`) for these families, or for all."""

    def given_population(self) -> dict[str, pa.Table]:
        """The part of it that was handed over and need not be counted."""

    @property
    def everybody(self) -> Source:
        """The source of all people, where this one has the rows of some of them only; else this one."""

    def with_population(self, tables: Mapping[str, pa.Table]) -> Source:
        """The same rows beside these tables of the population: those of another date, or counted already."""


@dataclass(frozen=True)
class FramesSource:
    """Tables in memory, in the schema of the store; columns that are absent are taken as unknown.

    Tables made by another source's `population_tables` stand for the rest of the population, so that a few customers
    alone get the features they have among all.
    """

    frames: Mapping[str, pa.Table]
    time_zone: str = "UTC"
    acts: Acts = "sales"
    static: frozenset[str] = frozenset()
    memory_limit: str = "1GB"
    own: Own = NOTHING
    spark: SparkSession | None = None
    lapsed_after: int = 2
    rfm_split: RfmSplit = "median"

    @property
    def tables(self) -> frozenset[str]:
        return frozenset(name for name in self.frames if name in CONTRACTS or name.startswith(EXTRA))

    @property
    def folders(self) -> tuple[Path, ...]:
        return ()

    def parts(self) -> Sequence[Mapping[str, Relation]]:
        return [{name: self.frames[name] for name in read_by_person(self) if name in self.frames}]

    def items(self) -> Relation | None:
        return self.frames.get("items")

    def anonymous_events(self) -> Relation | None:
        events = self.frames.get("events")
        return None if events is None else events.filter(pc.is_null(events["entity_id"]))

    def population_tables(self, as_of: date, families: Iterable[str] | None = None) -> dict[str, pa.Table]:
        from features.population import count_population

        return count_population(self, as_of, families)

    def given_population(self) -> dict[str, pa.Table]:
        return {name: self.frames[name] for name in sorted(POPULATION) if name in self.frames}

    @property
    def everybody(self) -> FramesSource:
        return self

    def with_population(self, tables: Mapping[str, pa.Table]) -> Source:
        return replace(self, frames={**self.frames, **tables})


@dataclass(frozen=True)
class StoreSource:
    """The bucketed store of a workspace; of its people only those in the first buckets, where `used` counts them.

    `population` are tables of another date's, to be used as they are.
    """

    store: Store
    part_rows: int = PART_ROWS
    spark: SparkSession | None = None
    population: Mapping[str, pa.Table] = field(default_factory=dict)
    used: int | None = None

    @classmethod
    def counted_as_set(cls, store: Store) -> StoreSource:
        """The store's rows, counted by the engine that its workspace names."""
        settings = store.workspace.settings
        spark = None if settings.engine == "duckdb" else session(settings.engine, settings.memory_limit)
        return cls(store, spark=spark)

    @property
    def time_zone(self) -> str:
        return self.store.workspace.settings.time_zone

    @property
    def acts(self) -> Acts:
        return self.store.workspace.settings.activity.acts

    @property
    def static(self) -> frozenset[str]:
        declared = self.store.workspace.settings.tables.items()
        return frozenset(name for name, table in declared if table.static)

    @property
    def lapsed_after(self) -> int:
        return self.store.workspace.settings.lifecycle.lapsed_after_periods

    @property
    def rfm_split(self) -> RfmSplit:
        return self.store.workspace.settings.rfm.split

    @cached_property
    def own(self) -> Own:
        """The features of the workspace's own; `SettingsError` or `DataProblemError` for what cannot be one."""
        return own_of(self.store)

    @property
    def tables(self) -> frozenset[str]:
        return frozenset(self.store.tables)

    @property
    def folders(self) -> tuple[Path, ...]:
        return (self.store.workspace.store,)

    @property
    def memory_limit(self) -> str:
        return self.store.workspace.settings.memory_limit

    def parts(self) -> Sequence[Mapping[str, Relation]]:
        present = [name for name in read_by_person(self) if name in self.tables]
        parts: list[Mapping[str, Relation]] = []
        together: list[int] = []
        rows = 0
        for k in range(self.store.buckets if self.used is None else self.used):
            more = sum(pq.read_metadata(path).num_rows for paths in self._part(present, [k]).values() for path in paths)
            if together and rows + more > self.part_rows:
                parts.append(self._part(present, together))
                together, rows = [], 0
            together.append(k)
            rows += more
        return [*parts, self._part(present, together)]

    def _part(self, tables: Sequence[str], buckets: Sequence[int]) -> dict[str, tuple[Path, ...]]:
        return {name: tuple(path for k in buckets for path in self.store.files(name, k)) for name in tables}

    def items(self) -> Relation | None:
        return (self.store.whole("items"),) if "items" in self.tables else None

    def anonymous_events(self) -> Relation | None:
        return (self.store.anonymous("events"),) if "events" in self.tables else None

    def population_tables(self, as_of: date, families: Iterable[str] | None = None) -> dict[str, pa.Table]:
        from features.population import count_population

        return count_population(self, as_of, families)

    def given_population(self) -> dict[str, pa.Table]:
        return dict(self.population)

    @property
    def everybody(self) -> StoreSource:
        return self if self.used is None else replace(self, used=None)

    def with_population(self, tables: Mapping[str, pa.Table]) -> Source:
        return replace(self, population={**self.population, **tables})


def read_by_person(source: Source) -> tuple[str, ...]:
    """The tables about people that are read, those of the user's own among them."""
    return (*PEOPLE, "labels", *sorted(name for name in source.tables if name.startswith(EXTRA)))


def counted_by(source: Source) -> str:
    """The settings by which rows are counted: the same rows under others have other features."""
    return repr((source.acts, sorted(source.static), source.lapsed_after, source.rfm_split))


def act_statement(source: Source) -> str:
    """The staging statement that says what an act is: sales, unless events are chosen or there are no orders."""
    wants_events = source.acts != "sales" or "orders" not in source.tables
    return "acts_of_events" if wants_events and "events" in source.tables else "acts_of_sales"


def chosen_staging(source: Source) -> tuple[str, ...]:
    """The staging statements of which a source takes one or the other; orders say more of value than events do."""
    valued = "sales" if "orders" in source.tables else "events"
    return act_statement(source), f"rfm_values_of_{valued}", f"worth_of_{valued}"


def register_acts(engine: Engine, source: Source) -> bool:
    """Makes `act_events`, the names of the chosen events; returns whether every event is an act."""
    chosen = source.acts if isinstance(source.acts, tuple) else ()
    engine.give("act_events", pa.table({"event": pa.array(chosen, pa.string())}))
    return not chosen


def register_items(engine: Engine, source: Source, as_of: date) -> None:
    """Makes `items`: one row per item in the version known at `as_of`."""
    visible = visible_of(engine, source, "items", source.items(), instant(as_of, source.time_zone))
    engine.keep("items", _keyed(visible))


def register_items_for_labels(engine: Engine, source: Source, last: date) -> None:
    """Makes `items`: one row per item in the version known at `last`, else the first there is."""
    every = versions_of(engine, source, "items", source.items(), instant(last, source.time_zone))
    engine.keep("items", _keyed(every))


def _keyed(items: str) -> str:
    return f"select *, key_of(item_id) as item_key from ({items}) as items"


def register_visible(
    engine: Engine,
    source: Source,
    part: Mapping[str, Relation],
    as_of: date,
    tables: Iterable[str] = PEOPLE,
    prefix: str = "",
) -> None:
    """Makes views of tables about people, named `prefix` and the table, with only what is visible at `as_of`."""
    cutoff = instant(as_of, source.time_zone)
    for table in tables:
        visible = visible_of(engine, source, table, part.get(table), cutoff)
        # Versions are few and found by ranking: found once and kept. Other rows are read as they are needed.
        make = engine.keep if CONTRACTS[table].versioned else engine.view
        make(f"{prefix}{table}", visible)


def customers(engine: Engine, source: Source, part: Mapping[str, Relation], as_of: date, prefix: str = "") -> str:
    """SQL of the ids of who is a customer: a person with a visible order or event, one whose registration was known, or
    one with a label, or a row to be scored, of that date or an earlier one. `prefix` is that of the views it reads."""
    return (
        f"select entity_id as id from {prefix}orders union select entity_id as id from {prefix}events "
        f"union select entity_id as id from {prefix}users where is_customer{_labelled(engine, source, part, as_of)}"
    )


def register_part(engine: Engine, source: Source, part: Mapping[str, Relation], as_of: date) -> pa.Array:
    """Makes the views that features read, customers being numbered; returns their ids, sorted: number n is the nth.

    Numbers instead of ids make every grouping about twice as fast.
    """
    register_visible(engine, source, part, as_of, prefix="seen_")
    seen = customers(engine, source, part, as_of, "seen_")
    engine.keep(
        "customers",
        f"select id, cast(row_number() over (order by id) - 1 as int) as entity_id from ({seen}) as seen",
    )
    for table in PEOPLE:
        others = ", ".join(f"seen.{name}" for name, _ in columns(table) if name != "entity_id")
        engine.view(
            table,
            f"select customers.entity_id, {others} from seen_{table} as seen "
            "inner join customers on seen.entity_id = customers.id",
        )
    ids = engine.rows("select id from customers order by entity_id")
    return ids["id"].combine_chunks()


def _labelled(engine: Engine, source: Source, part: Mapping[str, Relation], as_of: date) -> str:
    """The part of a union that names the persons of the labels table."""
    if (labels := part.get("labels")) is None:
        return ""
    origin, have = engine.scan("labels", labels, source.time_zone)
    dated = f"as_of is null or as_of <= {literal_of(instant(as_of, source.time_zone))}" if "as_of" in have else "true"
    return f" union select entity_id as id from {origin} where entity_id is not null and ({dated})"


def versions(source: Source, table: Literal["users", "items", "tags"], as_of: date | datetime) -> pa.Table:
    """The versions of a table that serve rules and display: those known at `as_of`, else the first there is.

    `as_of` is a day, or an instant (naive UTC, whole seconds). One row per person, item, or person and tag, sorted by
    them, with `point_in_time`: whether the version was known. Columns that are not of the contract are kept.
    """
    cutoff = as_of if isinstance(as_of, datetime) else instant(as_of, source.time_zone)
    relations = [source.items()] if table == "items" else [part.get(table) for part in source.parts()]
    found = []
    with duckdb_engine(source) as engine:
        for relation in relations:
            sql = versions_of(engine, source, table, relation, cutoff, open_columns=True)
            found.append(engine.rows(sql).drop_columns("version_rank"))
    return pa.concat_tables(found).sort_by([(name, "ascending") for name in KEYS[table]])
