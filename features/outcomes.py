"""What happened: outcomes in a window after a cutoff (labels), and who bought what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

import pyarrow as pa

from features.engines import Engine, engine_of
from features.relations import rows
from features.source import (
    Relation,
    Source,
    act_statement,
    register_acts,
    register_items_for_labels,
    register_visible,
)
from features.statements import Statement, staging_for, statements
from features.visible import literal_of
from warehouse.clock import instant
from warehouse.contracts import CONTRACTS
from warehouse.settings import TargetSettings

Outcome = Literal["sale", "no_sale", "act", "no_act"]


def outcome_counts(
    source: Source,
    as_of: date,
    horizon: int,
    outcome: Outcome,
    target_settings: TargetSettings,
    known: date | None = None,
) -> pa.Table:
    """Hits of each customer in the local days `[as_of, as_of + horizon)`: `entity_id`, `hits`; only those with a hit.

    A hit is an order with a sale, or an act where the outcome is one (an order, or a chosen event). The settings may
    narrow it to items, categories and channels, and to customers whose counted sales reach `min_amount` together.
    `no_sale` and `no_act` count the same hits: their label is to have none. `known`: the day a model
    is made, before which rows must have been recorded; for judging the past, when they were does not matter.
    """
    of_events = outcome in ("act", "no_act") and act_statement(source) == "acts_of_events"
    statement = statements("outcomes")["event_hits" if of_events else "sale_hits"]
    last = as_of + timedelta(days=horizon)
    with engine_of(source) as engine:
        values: dict[str, object] = {"every_event": register_acts(engine, source)}
        register_items_for_labels(engine, source, last)
        values |= register_choices(engine, target_settings, as_of)
        tables = []
        for part in engine.parts(source):
            register_window(engine, source, part, as_of, last, known)
            _stage(engine, statement, as_of)
            tables.append(statement.table(engine, as_of, values))
    return pa.concat_tables(tables).sort_by("entity_id").combine_chunks()


def interactions(source: Source, as_of: date) -> pa.Table:
    """Sales before `as_of`, one row per customer, item and local day, sorted by these.

    Columns: `user_id`, `item_id`, `day` (number of the local day), `quantity`, `amount`.
    """
    parts = of_sales(source, "interactions", as_of, None)
    by = [(name, "ascending") for name in ("user_id", "item_id", "day")]
    return pa.concat_tables(parts).sort_by(by).combine_chunks()


def item_acts(source: Source, as_of: date, kinds: Sequence[str]) -> pa.Table:
    """Events of these kinds that named an item before `as_of`, one row per customer, item, local day and kind.

    Columns: `user_id`, `item_id`, `day` (number of the local day), `event`, `dwell_seconds` (of the day; null: not
    known); sorted by the first four.
    """
    statement, by = statements("outcomes")["item_acts"], ("user_id", "item_id", "day", "event")
    found = []
    with engine_of(source) as engine:
        engine.give("chosen_events", pa.table({"event": pa.array(kinds, pa.string())}))
        for part in engine.parts(source):
            register_visible(engine, source, part, as_of, ("events",))
            found.append(statement.table(engine, as_of))
    return pa.concat_tables(found).sort_by([(name, "ascending") for name in by]).combine_chunks()


def purchases(source: Source, as_of: date, horizon: int, known: date | None = None) -> pa.Table:
    """Distinct pairs `user_id`, `item_id` of sales in the local days `[as_of, as_of + horizon)`, sorted by both;
    of those recorded before `known`, or all."""
    parts = of_sales(source, "purchases", as_of, as_of + timedelta(days=horizon), known)
    return pa.concat_tables(parts).sort_by([("user_id", "ascending"), ("item_id", "ascending")]).combine_chunks()


def spending(source: Source, as_of: date, horizon: int, known: date | None = None) -> pa.Table:
    """What each customer spends in the local days `[as_of, as_of + horizon)`: `entity_id`, `order_days`, `amount`;
    only those with a sale. `known` as in `outcome_counts`."""
    parts = of_sales(source, "spending", as_of, as_of + timedelta(days=horizon), known)
    return pa.concat_tables(parts).sort_by("entity_id").combine_chunks()


def of_sales(
    source: Source, name: str, as_of: date, last: date | None, known: date | None = None
) -> Iterator[pa.Table]:
    """Rows of a statement over the sales before `as_of`, or over those from `as_of` until before `last`."""
    statement = statements("outcomes")[name]
    with engine_of(source) as engine:
        for part in engine.parts(source):
            _register(engine, source, part, as_of, last, known)
            _stage(engine, statement, as_of)
            yield statement.table(engine, as_of)


def _register(
    engine: Engine,
    source: Source,
    part: Mapping[str, Relation],
    as_of: date,
    last: date | None,
    known: date | None,
) -> None:
    if last is None:
        register_visible(engine, source, part, as_of, ("orders",))
    else:
        register_window(engine, source, part, as_of, last, known)


def _stage(engine: Engine, statement: Statement, as_of: date) -> None:
    for staged in staging_for([statement], "acts_of_sales"):
        staged.keep(engine, as_of)


def register_window(
    engine: Engine,
    source: Source,
    part: Mapping[str, Relation],
    first: date,
    last: date,
    known: date | None = None,
) -> None:
    """Makes views of orders and events with what happened from `first` until before `last`: of those recorded before
    `known`, or all.

    For labels: they look at the future, features never do.
    """
    start, end = literal_of(instant(first, source.time_zone)), literal_of(instant(last, source.time_zone))
    recorded = "" if known is None else f" and recorded_at < {literal_of(instant(known, source.time_zone))}"
    for table in ("orders", "events"):
        happened = CONTRACTS[table].happened
        every = rows(engine, table, part.get(table), source.time_zone)
        engine.view(
            table,
            f"select * from {every} as all_rows "
            f"where {happened} >= {start} and {happened} < {end} and entity_id is not null{recorded}",
        )


def register_choices(engine: Engine, settings: TargetSettings, as_of: date) -> dict[str, object]:
    """Makes the tables of chosen items, categories and channels; returns the values that go with them."""
    for column, chosen in (
        ("item_id", settings.items),
        ("category", settings.categories),
        ("channel", settings.channels),
    ):
        name = {"item_id": "chosen_items", "category": "chosen_categories", "channel": "chosen_channels"}[column]
        engine.give(name, pa.table({column: pa.array(chosen, pa.string())}))
    statements("outcomes")["category_items"].keep(engine, as_of)
    return {
        "any_item": not settings.items,
        "any_category": not settings.categories,
        "any_channel": not settings.channels,
        "min_amount": settings.min_amount,
    }
