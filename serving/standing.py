"""Where each customer stands: tables of a release with a row per customer, whose columns rules and profiles read."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from features.level_acts import TABLE as LEVELS
from features.selling import TABLE as SELLING
from features.stages import TABLE as STAGES
from serving.schemas import VALUE

CLUSTERS = pa.schema([("entity_id", pa.string()), ("cluster", pa.string())])
"""One row per customer who ever acted: the cluster they are nearest to."""
STANDING: dict[str, pa.Schema] = {
    "levels": LEVELS,
    "stages": STAGES,
    "value": VALUE,
    "clusters": CLUSTERS,
    "selling": SELLING,
}
"""By the name of the table; the first column is `entity_id`, by which it is sorted."""


def standing_fields(tables: Collection[str]) -> pa.Schema:
    """What rules may ask where a release has these tables."""
    return pa.schema([field for name, schema in STANDING.items() if name in tables for field in list(schema)[1:]])


def with_standing(customers: pa.Table, tables: Mapping[str, pa.Table], names: Collection[str]) -> pa.Table:
    """The customers with those of the columns of the tables that are named; null for who has no row."""
    for table, schema in STANDING.items():
        wanted = [name for name in schema.names[1:] if name in names]
        if table in tables and wanted:
            known = tables[table]
            place = pc.index_in(customers["entity_id"], known["entity_id"].combine_chunks())
            for name in wanted:
                customers = customers.append_column(name, known[name].combine_chunks().take(place))
    return customers
