"""Who sells as well as buys: users linked to the seller they are, and what that seller sold."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from features.engines import duckdb_engine
from features.source import Source, register_visible, versions
from features.visible import literal_of
from warehouse.clock import window_start
from warehouse.progress import Progress, silent

DAYS = 365
TABLE = pa.schema(
    [
        ("entity_id", pa.string()),
        ("sells_as", pa.string()),
        ("sold_order_count_365d", pa.float64()),
        ("sold_amount_365d", pa.float64()),
    ]
)
"""One row per user who is a seller; 0 where that seller sold nothing in the last 365 days, whoever bought."""


def selling(source: Source, as_of: date, progress: Progress = silent) -> pa.Table | None:
    """The users who name the seller they are, sorted, with what was sold: `TABLE`. None where nobody does.

    Where users themselves are keyed by sellers, everybody would.
    """
    if not {"orders", "users"} <= source.tables:
        return None
    users = versions(source, "users", as_of)
    if "seller_id" not in users.column_names:
        return None
    sellers = users.filter(users["seller_id"].is_valid()).select(["entity_id", "seller_id"])
    if not sellers.num_rows:
        return None
    sold = _sold(source, as_of, progress)
    place = pc.index_in(sellers["seller_id"], sold["seller_id"].combine_chunks()).combine_chunks()
    numbers = [sold[name].combine_chunks().take(place).fill_null(0.0) for name in ("orders", "amount")]
    return pa.table([*sellers.columns, *numbers], schema=TABLE).sort_by("entity_id")


def _sold(source: Source, as_of: date, progress: Progress) -> pa.Table:
    """By seller the orders of the last `DAYS` days and their amount; an order is of one buyer, so of one part."""
    since = literal_of(window_start(as_of, DAYS, source.time_zone))
    found = []
    with duckdb_engine(source) as engine:
        parts = source.parts()
        for done, part in enumerate(parts):
            progress("sellers", done, len(parts))
            register_visible(engine, source, part, as_of, ("orders",))
            order = "entity_id || '|' || coalesce(order_id, cast(cast(local_at as date) as varchar))"
            found.append(
                engine.rows(
                    f"select seller_id, cast(count(distinct {order}) as double) as orders, "
                    "cast(sum(amount) as decimal(38, 4)) as amount from orders where kind = 'sale' and amount > 0 "
                    f"and seller_id is not null and ordered_at >= {since} group by seller_id"
                )
            )
    every = pa.concat_tables(found).group_by("seller_id").aggregate([("orders", "sum"), ("amount", "sum")])
    return pa.table(
        {
            "seller_id": every["seller_id"],
            "orders": every["orders_sum"],
            "amount": every["amount_sum"].cast(pa.float64()),
        }
    )
