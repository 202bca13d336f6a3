"""The level of who sells an item: of the user who is that seller, as member levels are replayed."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from features.engines import duckdb_engine
from features.level_acts import levels
from features.source import Source, register_visible, versions
from warehouse.level_settings import LevelRules

LEVEL = "seller_level"


def with_seller_levels(items: pa.Table | None, source: Source, as_of: date, rules: LevelRules) -> pa.Table:
    """The versions of items with a column `seller_level`, and a row for each item that was sold and is none of them.

    Who sells an item is its `seller_id` among the columns of items, else whose line of it was the last before `as_of`
    (of several at that moment the first by id). That seller's level is that of the user who names them as `seller_id`,
    the highest where several do; null where nobody does.
    """
    known = pa.table({"item_id": pa.array([], pa.string())}) if items is None else items
    sold = _last_sellers(source, as_of)
    more = sold.filter(pc.invert(pc.is_in(sold["item_id"], value_set=known["item_id"].combine_chunks())))
    every = pa.concat_tables([known, more.select(["item_id"])], promote_options="default")
    seller = _at(every["item_id"], sold["item_id"], sold["seller_id"])
    if "seller_id" in known.column_names:
        seller = pc.coalesce(every["seller_id"].combine_chunks().cast(pa.string()), seller)
    of_seller = _levels_of_sellers(source, as_of, rules)
    level = _at(seller, of_seller["seller_id"], of_seller["level"])
    return every.append_column(LEVEL, level.cast(pa.string()))


def _last_sellers(source: Source, as_of: date) -> pa.Table:
    """`item_id`, `seller_id` of who sold it last."""
    found = []
    with duckdb_engine(source) as engine:
        for part in source.parts():
            register_visible(engine, source, part, as_of, ("orders",))
            found.append(
                engine.rows(
                    "select item_id, seller_id, max(ordered_at) as last from orders where kind = 'sale' and amount > 0 "
                    "and item_id is not null and seller_id is not null group by item_id, seller_id"
                )
            )
    every = pa.concat_tables(found)
    return _first(
        every.sort_by([("item_id", "ascending"), ("last", "descending"), ("seller_id", "ascending")]), "item_id"
    )


def _levels_of_sellers(source: Source, as_of: date, rules: LevelRules) -> pa.Table:
    """`seller_id`, `level` of the users who name the seller they are."""
    users = versions(source, "users", as_of) if "users" in source.tables else None
    if users is None or "seller_id" not in users.column_names:
        return pa.table({name: pa.array([], pa.string()) for name in ("seller_id", "level")})
    sellers = users.filter(users["seller_id"].is_valid()).select(["entity_id", "seller_id"])
    standing = levels(source, as_of, rules, as_of).table()
    level = _at(sellers["entity_id"], standing["entity_id"], standing["level"])
    height = pc.index_in(level, value_set=pa.array(list(rules.steps), pa.string()))
    told = pa.table({"seller_id": sellers["seller_id"], "level": level, "height": height}).filter(level.is_valid())
    return _first(told.sort_by([("seller_id", "ascending"), ("height", "descending")]), "seller_id")


def _first(table: pa.Table, key: str) -> pa.Table:
    """Of a table sorted by a column the first row of each value."""
    values = table[key].combine_chunks()
    new = [True, *pc.not_equal(values[1:], values[:-1]).to_pylist()] if len(values) else []
    return table.filter(pa.array(new, pa.bool_()))


def _at(wanted: pa.ChunkedArray | pa.Array, keys: pa.ChunkedArray, values: pa.ChunkedArray) -> pa.Array:
    """The value of each wanted key; null where it is none of them."""
    flat = wanted.combine_chunks() if isinstance(wanted, pa.ChunkedArray) else wanted
    place = pc.index_in(flat.cast(pa.string()), value_set=keys.combine_chunks().cast(pa.string()), skip_nulls=True)
    return values.combine_chunks().take(place)
