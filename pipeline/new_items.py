"""Places of suggestions for items that nobody has bought yet, where the settings reserve some."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.recommenders.catalogue import Catalogue
from models.recommenders.cold_items import ColdItems
from models.recommenders.interactions import Interactions
from models.recommenders.rules import Rules
from models.recommenders.suggesting import SCHEMA
from serving.shelf import not_for_sale
from warehouse.clock import instant
from warehouse.recommender_settings import RecommendSettings
from warehouse.suggestion_rules import RuleSettings

SOURCE, REASON = "new", "new_like"


def unsold(
    held: Interactions, items: pa.Table | None, rules: RuleSettings | None, as_of: date, time_zone: str
) -> list[str]:
    """The items of the catalogue that nobody has bought, and that the rules on items let through, sorted.

    What is launched later, out of stock or retired is none of them.
    """
    if items is None:
        return []
    gone, cutoff = not_for_sale(items, as_of, time_zone), instant(as_of, time_zone)
    launched = items["launched_at"].to_pylist() if "launched_at" in items.column_names else [None] * len(items)
    there = [
        item
        for item, day in zip(items["item_id"].to_pylist(), launched, strict=True)
        if item not in gone and (day is None or day < cutoff)
    ]
    new = sorted(set(there) - set(held.item_ids.to_pylist()))
    if rules is None:
        return new
    of_new = _unsold(new, held.as_of_day)
    allowed = Rules(rules, of_new, Catalogue.of(of_new, items)).allowed
    return [str(item) for item in of_new.item_ids.filter(pa.array(allowed)).to_pylist()]


def to_offer(
    held: Interactions, items: pa.Table | None, said: RecommendSettings, new: Sequence[str]
) -> ColdItems | None:
    """Those of the `unsold` items that are like anything sold; None where no place is kept for them, or there are
    none."""
    return ColdItems.of(held, items, new) if said.new_items and items is not None else None


def _unsold(item_ids: Sequence[str], as_of_day: int) -> Interactions:
    """Items without a sale: what rules on items need to know."""
    none = np.zeros(0)
    return Interactions(
        pa.array([], pa.large_string()), pa.array(item_ids, pa.large_string()), np.zeros(1, np.int64),
        none.astype(np.int32), none, none, np.zeros(1, np.int64), none.astype(np.int32), as_of_day,
    )  # fmt: skip


def placed(found: pa.Table, ids: Sequence[str | None], cold: ColdItems, places: int, k: int) -> pa.Table:
    """Suggestions (`suggesting.SCHEMA`) with `places` of the k of each customer given to new items, evenly: of 20 with
    2 the tenth and the twentieth. `ids` are all customers who may be offered any, None for one of whom nothing is
    looked at; whoever nothing new suits keeps the own list.
    """
    held = cold.model.interactions
    users = [user for user in ids if user is not None]
    lists, anchors = cold.lists(held.user_rows(pa.array(users, pa.string())), places)
    row, place = np.nonzero(lists.items >= 0)
    n = len(row)
    new = pa.table(
        {
            **{name: pa.nulls(n, SCHEMA.field(name).type) for name in SCHEMA.names},
            "user_id": pa.array(users, pa.string()).take(pa.array(row)),
            "item_id": cold.item_ids.take(pa.array(lists.items[row, place])).cast(pa.string()),
            "strength": pa.array(lists.strength[row, place]),
            "source": pa.repeat(SOURCE, n),
            "reason": pa.repeat(REASON, n),
            "reason_item_id": held.item_ids.take(pa.array(anchors[row, place])).cast(pa.string()),
        },
        schema=SCHEMA,
    )
    every = k // places
    both = pa.concat_tables([found, new]).combine_chunks()
    user = _codes(both.column("user_id"))
    fresh = np.bincount(user[len(found) :], minlength=user.max(initial=-1) + 1)
    own = np.asarray(found.column("rank").to_numpy(), dtype=np.int64) - 1
    before = np.minimum(own // (every - 1), fresh[user[: len(found)]])
    order = np.lexsort((np.concatenate([own + before, (place + 1) * every - 1]), user))
    first = np.searchsorted(user[order], user[order])
    rank = np.arange(len(order)) - first + 1
    kept = both.take(pa.array(order[rank <= k]))
    return kept.set_column(1, SCHEMA.field("rank"), pa.array(rank[rank <= k], pa.int32()))


def _codes(texts: pa.ChunkedArray) -> Any:
    """A number for each text in the order in which they are met first."""
    return pc.dictionary_encode(texts).combine_chunks().indices.to_numpy().astype(np.int64)
