"""Ways from page to page, and what becomes of items that are looked at: counted by SQL, part by part.

A session is a session_id; events without one are parted where nothing happened for half an hour. How long somebody
stayed is what the event says, else the time until the next event of the session; of the last one it is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

import pyarrow as pa

from features.engines import Engine, engine_of
from features.funnels import NO_GROUPS, Asked, Step, follow
from features.source import Source, register_visible
from features.statements import statements
from features.sums import summed
from warehouse.progress import Progress, silent

By = Literal["page", "feature", "event"]
BY: tuple[By, ...] = get_args(By)

GAP_MINUTES = 30
"""Events without a session_id that lie further apart are of two sessions."""
STAGES: Mapping[str, tuple[str, ...]] = {
    "list": ("list", "view_list", "view_item_list", "impression", "item_impression", "曝光", "列表曝光"),
    "detail": ("detail", "view", "view_item", "product_view", "item_view", "pv", "浏览", "浏览商品", "商品详情"),
    "cart": ("add_to_cart", "cart", "basket", "加购", "加入购物车"),
}
"""Names of events that show an item in a list, show it alone, and put it into the cart, as shops call them."""


@dataclass(frozen=True)
class Flows:
    """`flows`: from_node, to_node, visits (from_node null: a session begins; to_node null: it ends). `nodes`: node,
    visits, users, squares (of a visitor's visits, summed). `dwells`: node, seconds, visits whose stay is known."""

    flows: pa.Table
    nodes: pa.Table
    dwells: pa.Table


_KEYS = {"flows": ("from_node", "to_node"), "nodes": ("node",), "dwells": ("node", "seconds")}


def flows(source: Source, as_of: date, by: By, progress: Progress = silent) -> Flows:
    """All transitions of sessions before `as_of` between pages, features, or events."""
    files, found = statements("paths"), {name: list[pa.Table]() for name in _KEYS}
    values = {"by": by, "gap_days": GAP_MINUTES / 1440}
    kept = ("session_runs", "timed_events", "visits")
    with engine_of(source) as engine:
        parts = engine.parts(source)
        for done, part in enumerate(parts):
            progress("paths", done, len(parts))
            register_visible(engine, source, part, as_of, ("events",))
            for name in kept:
                files[name].keep(engine, as_of, values)
            for name, tables in found.items():
                tables.append(files[name].table(engine, as_of, values))
            for name in kept:
                engine.drop(name)
    return Flows(**{name: summed(tables, _KEYS[name]) for name, tables in found.items()})


def told_by(source: Source, as_of: date) -> By | None:
    """What events before `as_of` name: pages if any does, else features, else events; None where there are none."""
    named = []
    with engine_of(source) as engine:
        for part in engine.parts(source):
            register_visible(engine, source, part, as_of, ("events",))
            named.append(statements("paths")["named"].table(engine, as_of).to_pylist()[0])
            if named[-1][BY[0]]:
                break
    return next((by for by in BY if any(counts[by] for counts in named)), None)


@dataclass(frozen=True)
class ItemWays:
    """How far customers came with items: `counts` (value: the item, furthest, users: pairs of a customer and the item),
    `stages` in order, and `sellers` (item_id, seller_id, visits: lines sold)."""

    stages: Sequence[str]
    counts: pa.Table
    sellers: pa.Table


def item_ways(
    source: Source, as_of: date, until: date, window_days: int, stages: Mapping[str, Sequence[str]] = STAGES
) -> ItemWays | None:
    """From list to detail to cart to pay, as far as the data know these; None where they know fewer than two."""
    with engine_of(source) as engine:
        parts = engine.parts(source)
        names, sold = _known(engine, source, as_of)
        steps = [Step(stage, "event", tuple(n for n in told if n in names)) for stage, told in stages.items()]
        steps = [step for step in steps if step.names] + ([Step("pay", "order")] if sold.num_rows else [])
        if len(steps) < 2:
            return None
        asked = Asked(steps, window_days, as_of, until, by_channel=True)
        engine.give("funnel_steps", asked.table)
        engine.give("funnel_groups", NO_GROUPS)
        found, acts = [], ["item_event_acts", "item_order_acts"]
        for part in parts:
            register_visible(engine, source, part, as_of, ("orders", "events"))
            for name in acts:
                statements("paths")[name].keep(engine, as_of)
            kept = follow(engine, asked, acts)
            found.append(statements("funnels")["funnel_counts"].table(engine, as_of, asked.values))
            for name in (*acts, *kept):
                engine.drop(name)
    return ItemWays([step.text for step in steps], summed(found, ["value", "furthest"]), sold)


def _known(engine: Engine, source: Source, as_of: date) -> tuple[frozenset[str], pa.Table]:
    """The names of events on items, and who sold what."""
    names, sold = [], []
    for part in engine.parts(source):
        register_visible(engine, source, part, as_of, ("orders", "events"))
        names.append(statements("paths")["event_names"].table(engine, as_of))
        sold.append(statements("paths")["item_sellers"].table(engine, as_of))
    known = frozenset(summed(names, ["event"])["event"].to_pylist())
    return known, summed(sold, ["item_id", "seller_id"])
