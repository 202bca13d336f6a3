"""The suggestions of many customers as one table: the fallback ladder, where each comes from, and why."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.recommenders import ladder
from models.recommenders.interactions import Interactions
from models.recommenders.recommender import Mask, Recommender
from models.recommenders.rules import Rules, listed

SCHEMA = pa.schema(
    [
        ("user_id", pa.string()),
        ("rank", pa.int32()),
        ("item_id", pa.string()),
        ("strength", pa.float64()),
        ("source", pa.string()),
        ("reason", pa.string()),
        ("reason_item_id", pa.string()),
        ("reason_count", pa.int64()),
        ("reason_days", pa.int64()),
    ]
)

REASON = SCHEMA.names[-4:]
"""The columns that say why."""


def suggest(
    model: Recommender,
    ids: Sequence[str] | pa.Array,
    k: int,
    allowed: Mask | None = None,
    exclude: Sequence[npt.ArrayLike] | None = None,
    strangers: Sequence[bool] | None = None,
    rules: Rules | None = None,
) -> pa.Table:
    """At most `k` suggestions for each id, in the order of `ids`; the schema is `SCHEMA`.

    The ladder: the model's own list; where that is short, what buyers of the same items also bought; then what is
    popular. An unknown id gets the popular rung, and so does one of the `strangers`, whose
    history is not looked at. `source` tells where an item comes from: `personal` (the customer
    bought it before), `similar` (others who buy alike), `popular`. `strength` compares within one source only;
    `rank` (from 1) is the order. With fewer than `k` allowed items the list is shorter; nothing is padded. `rules` say
    themselves what is allowed and left out, and the order.

    `reason` is a code with what its sentence needs: `bought_before` (on `reason_count` days, last `reason_days` days
    ago), `bought_together` (buyers of `reason_item_id`, which this customer has, also bought it),
    `similar_customers`, and `popular` (`reason_count` buyers so far).
    """
    names = pa.array(list(ids), pa.string()) if not isinstance(ids, pa.Array) else ids.cast(pa.string())
    held = model.interactions
    rows = held.user_rows(names)
    if strangers is not None:
        rows = np.where(strangers, -1, rows)
    entries = ladder.climb(model, rows, k, allowed, exclude) if rules is None else listed(model, rows, k, rules)
    sources = ladder.sources(model, rows, entries)
    return pa.table(
        [
            names.take(pa.array(entries.asked)),
            pa.array(entries.place + 1, pa.int32()),
            held.item_ids.take(pa.array(entries.item)).cast(pa.string()),
            pa.array(entries.strength),
            pa.array(sources, pa.string()),
            *reasons(held, rows[entries.asked], entries.item, sources).columns,
        ],
        schema=SCHEMA,
    )


def reasons(
    held: Interactions, rows: npt.NDArray[np.int64], items: npt.NDArray[np.int64], sources: npt.NDArray[np.str_]
) -> pa.Table:
    """Why each item is suggested to each customer: reason, reason_item_id, reason_count and reason_days (`suggest`).

    `rows` are user rows, `items` item rows, `sources` the rungs they come from; one value each per suggestion.
    """
    personal, similar, popular = (sources == name for name in ("personal", "similar", "popular"))
    anchor = np.full(len(items), -1)
    anchor[similar] = _anchors(held, rows[similar], items[similar])
    count, days = np.zeros(len(items), np.int64), np.zeros(len(items), np.int64)
    own = held.entries(rows[personal], items[personal])
    count[personal] = held.measures["order_days"][own]
    days[personal] = held.as_of_day - held.measures["last_day"][own]
    count[popular] = held.buyers[items[popular]]
    code = np.select(
        [personal, popular, anchor >= 0], ["bought_before", "popular", "bought_together"], "similar_customers"
    )
    columns = [
        pa.array(code, pa.string()),
        held.item_ids.take(pa.array(anchor, mask=anchor < 0)).cast(pa.string()),
        pa.array(count, mask=similar),
        pa.array(days, mask=~personal),
    ]
    return pa.table(columns, names=REASON)


def _anchors(held: Interactions, rows: npt.NDArray[np.int64], items: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Per pair the customer's own item that shares most buyers with the suggested one; −1 where none shares any."""
    shared = held.history(rows).pattern.multiply(held.neighbours[items]).tocsr()
    shared.eliminate_zeros()
    anchor = np.full(len(items), -1)
    some = np.nonzero(np.diff(shared.indptr))[0]
    if some.size:
        anchor[some] = np.asarray(shared[some].argmax(axis=1)).ravel()
    return anchor
