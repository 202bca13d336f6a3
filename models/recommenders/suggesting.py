"""The suggestions of many customers as one table: the fallback ladder, where each comes from, and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from models.recommenders import ladder
from models.recommenders.deletion import named
from models.recommenders.interactions import Interactions
from models.recommenders.ladder import ALSO_BOUGHT, OWN, Entries, also_bought_drops
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
        ("reason_gap_days", pa.int64()),
        ("reason_days", pa.int64()),
    ]
)

REASON = SCHEMA.names[-5:]
"""The columns that say why."""
_PAIRS_AT_ONCE = 250_000


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

    `reason` is found by deletion: of what the customer bought, the item without which the strength would be lowest
    (`Recommender.drops`). A code with what its sentence needs: `bought_before`, the item itself (on `reason_count`
    days, every `reason_gap_days` days, last `reason_days` days ago); `bought_other`, that is `reason_item_id`
    (`reason_days` ago); `looked_before` and `looked_other`, the same of an item that the customer did not buy but did
    something with that counts; `popular`, where nothing lowers it (`reason_count` buyers so far).
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
            *reasons(held, rows[entries.asked], entries.item, _evidence(model, rows, entries)).columns,
        ],
        schema=SCHEMA,
    )


def reasons(
    held: Interactions, rows: npt.NDArray[np.int64], items: npt.NDArray[np.int64], evidence: npt.NDArray[np.int64]
) -> pa.Table:
    """Why each item is suggested to each customer: the columns `REASON` (`suggest`), one row per suggestion.

    `rows` are user rows, `items` item rows, `evidence` the item rows of what speaks most for each (−1: nothing).
    """
    some = evidence >= 0
    itself, other = some & (evidence == items), some & (evidence != items)
    entry = held.entries(rows[some], evidence[some])
    bought = some.copy()
    bought[some], entry = entry >= 0, entry[entry >= 0]
    count, gap, days = (np.zeros(len(items), np.int64) for _ in range(3))
    first, last, order_days = (held.measures[name][entry] for name in ("first_day", "last_day", "order_days"))
    count[bought], days[bought] = order_days, held.as_of_day - last
    gap[bought] = np.rint((last - first) / np.maximum(order_days - 1, 1))
    looked = some & ~bought
    days[looked] = held.last_acts(rows[looked], evidence[looked])
    codes = ["looked_before", "looked_other", "bought_before", "bought_other"]
    code = np.select([looked & itself, looked, itself, other], codes, "popular")
    columns = [
        pa.array(code, pa.string()),
        held.item_ids.take(pa.array(evidence, mask=~other)).cast(pa.string()),
        pa.array(np.where(some, count, held.buyers[items]), mask=other | looked),
        pa.array(gap, mask=~itself | (count < 2)),
        pa.array(days, mask=~some),
    ]
    return pa.table(columns, names=REASON)


def _evidence(model: Recommender, rows: npt.NDArray[np.int64], entries: Entries) -> npt.NDArray[np.int64]:
    """Per entry the item row of what speaks most for it, by the strength of the rung it stands on; −1: nothing."""
    found = np.full(len(entries.item), -1)
    history = model.interactions.history(rows)
    pairs = np.diff(history.pattern.indptr)[entries.asked].cumsum()
    for start, stop in _customers_at_once(entries.asked, pairs):
        part = history.part(start, stop)
        inside = slice(*np.searchsorted(entries.asked, [start, stop]))
        for rung, drops in ((OWN, model.drops), (ALSO_BOUGHT, partial(also_bought_drops, model.interactions))):
            mine = np.flatnonzero(entries.rung[inside] == rung) + inside.start
            asked = (entries.asked[mine] - start, entries.item[mine], entries.strength[mine])
            if mine.size:
                found[mine] = named(drops(part, *asked), asked[1], asked[2])
    return found


def _customers_at_once(asked: npt.NDArray[np.int64], pairs: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Stretches of customers with few enough pairs of a suggestion and an item of the history to hold them all."""
    if not len(asked):
        return
    part = np.maximum(pairs - 1, 0) // _PAIRS_AT_ONCE
    starts = np.unique(asked[np.flatnonzero(np.diff(part, prepend=-1))])
    yield from zip(starts.tolist(), [*starts[1:].tolist(), int(asked[-1]) + 1], strict=True)
