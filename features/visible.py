"""What of a table may be seen at a cutoff: rows that had happened and were recorded, versions that were known."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from features.engines import Engine
from features.relations import Relation, columns, rows
from warehouse.contracts import CONTRACTS

if TYPE_CHECKING:
    from features.source import Source

KEYS = {"users": ("entity_id",), "items": ("item_id",), "tags": ("entity_id", "tag")}
"""Of what a version is one, by versioned table."""


def literal_of(moment: datetime) -> str:
    """An instant as SQL."""
    return f"timestamp '{moment:%Y-%m-%d %H:%M:%S}'"


def _known(source: Source, table: str, cutoff: datetime) -> str:
    """The condition under which a version was known at the cutoff."""
    if table in source.static:
        return "true"
    known = f"coalesce(recorded_at < {literal_of(cutoff)}, false)"
    return f"{known} and coalesce(set_at < {literal_of(cutoff)}, false)" if table == "tags" else known


def versions_of(
    engine: Engine,
    source: Source,
    table: str,
    relation: Relation | None,
    cutoff: datetime,
    open_columns: bool = False,
) -> str:
    """SQL of one row per key: the latest known version, else the first one; equals are ordered by their values."""
    key = ", ".join(KEYS[table])
    known = _known(source, table, cutoff)
    rest = ", ".join(f"{name} nulls last" for name, _ in columns(table) if name not in KEYS[table])
    rank = (
        f"row_number() over (partition by {key} order by {known} desc, case when {known} then recorded_at end desc "
        f"nulls last, recorded_at nulls last, {rest})"
    )
    every = rows(engine, table, relation, source.time_zone, open_columns)
    return (
        f"select * from (select *, {known} as point_in_time, {rank} as version_rank "
        f"from {every} as all_versions where {KEYS[table][0]} is not null) as ranked where version_rank = 1"
    )


def visible_of(engine: Engine, source: Source, table: str, relation: Relation | None, cutoff: datetime) -> str:
    """SQL of the rows of a table that may be seen at the cutoff."""
    at = literal_of(cutoff)
    if not CONTRACTS[table].versioned:
        happened = CONTRACTS[table].happened
        every = rows(engine, table, relation, source.time_zone)
        return f"select * from {every} as seen where {happened} < {at} and recorded_at < {at} and entity_id is not null"
    known = f"select * from ({versions_of(engine, source, table, relation, cutoff)}) as latest where point_in_time"
    if table == "tags":
        return f"{known} and (expires_at is null or expires_at > {at})"
    if table == "users":
        registered = f"registered_at < {at}"
        customer = f"coalesce({registered}, {'false' if table in source.static else 'true'})"
        return f"select *, {customer} as is_customer from ({known}) as users"
    return known
