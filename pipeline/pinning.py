"""Pins that nobody has bought yet: put first in lists that recommenders, who know what was sold, cannot put them in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from models.recommenders.suggesting import SCHEMA
from warehouse.suggestion_rules import RuleSettings

SOURCE = REASON = "pinned"


def pinned_unsold(said: RuleSettings | None, offered: Sequence[str]) -> list[str]:
    """Of the items that nobody has bought and that may be offered (`new_items.unsold`) those pinned, in the order of
    pins; none where a rule hangs on the customer's prices or on the whole list."""
    if said is None or not said.pin or said.of_whole_lists():
        return []
    there = set(offered)
    return [item for item in dict.fromkeys(said.pin) if item in there]


def placed(found: pa.Table, ids: Sequence[str], pins: Sequence[str], unsold: Sequence[str], k: int) -> pa.Table:
    """Suggestions (`suggesting.SCHEMA`) with the pins nobody has bought among the others, in the order of `pins`, first
    in the list of everybody asked for; at most k each."""
    if not unsold:
        return found
    n = len(ids) * len(unsold)
    more = pa.table(
        {
            **{name: pa.nulls(n, SCHEMA.field(name).type) for name in SCHEMA.names},
            "user_id": pa.array(np.repeat(np.array(ids, dtype=object), len(unsold)), pa.string()),
            "item_id": pa.array([*unsold] * len(ids), pa.string()),
            "strength": pa.array(np.zeros(n)),
            "source": pa.repeat(SOURCE, n),
            "reason": pa.repeat(REASON, n),
        },
        schema=SCHEMA,
    )
    both = pa.concat_tables([found, more]).combine_chunks()
    order_of_pins = pa.array(list(dict.fromkeys(pins)), pa.string())
    pin = pc.fill_null(pc.index_in(both["item_id"], value_set=order_of_pins), len(order_of_pins))
    asked = pc.index_in(both["user_id"], value_set=pa.array(ids, pa.string()))
    keys = [np.asarray(each.combine_chunks(), dtype=np.int64) for each in (pin, asked)]
    own = np.asarray(pc.fill_null(both["rank"], 0).combine_chunks(), dtype=np.int64)
    order = np.lexsort((own, *keys))
    user = keys[1][order]
    rank = np.arange(len(order)) - np.searchsorted(user, user) + 1
    kept = both.take(pa.array(order[rank <= k]))
    return kept.set_column(1, SCHEMA.field("rank"), pa.array(rank[rank <= k], pa.int32()))
