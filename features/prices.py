"""What an item usually costs, counted over everybody: the one thing that a customer's features take from the others."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from features.engines import Engine, engine_of
from features.source import Source, register_items, register_visible
from features.statements import statements

_ADDED = "sum(list_amount) as list_amount, sum(unit_count) as unit_count"


def count_population(source: Source, as_of: date) -> dict[str, pa.Table]:
    """`item_prices`: item_id, category, usual_price, price_percentile; one row per item sold before `as_of`.

    `usual_price` is the list price of a unit; `price_percentile` is the share of the items of the same category that
    cost no more. Sums are decimals, so that the parts and their order change nothing.
    """
    if "orders" not in source.tables:
        return {}
    with engine_of(source) as engine:
        register_items(engine, source, as_of)
        return {"item_prices": count_item_prices(engine, source, as_of)}


def count_item_prices(engine: Engine, source: Source, as_of: date) -> pa.Table:
    """`item_prices` counted on an engine that has `items`."""
    files = statements("population")
    of_part = files["item_sums"].body
    for k, part in enumerate(engine.parts(source.everybody)):
        register_visible(engine, source, part, as_of, ("orders",))
        # Sums of decimals: added up part after part they are what they are at once, and one table of items is held.
        both = f"select * from item_sums union all select * from ({of_part}) as of_part"
        added = f"select item_id, {_ADDED} from ({both}) as of_both group by item_id"
        engine.keep("item_sums", added if k else of_part)
    found = files["item_prices"].table(engine, as_of)
    engine.drop("item_sums")
    return found
