"""Whole orders: what was in each, of whom and when, as numbers over sorted items."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from features.outcomes import of_sales
from features.source import Source

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Orders:
    """Orders of customers, and their lines: an item of an order each, sorted by order and item.

    Per order: `customer` (numbered from 0), `day` (from 1970-01-01, its first), `size` (distinct items), `units` and
    `amount` of all that is in it. Line e of order o is one of `starts[o] : starts[o + 1]`; `item` is a place in
    `item_ids` (sorted texts). What has no item_id counts in units and amount alone.
    """

    item_ids: pa.Array
    customer: Rows
    day: Rows
    units: Floats
    amount: Floats
    starts: Rows
    item: npt.NDArray[np.int32]
    line_units: Floats
    line_amount: Floats

    @property
    def size(self) -> Rows:
        return np.diff(self.starts)

    @property
    def customers(self) -> int:
        """How many customers there are."""
        return len(np.unique(self.customer))

    def of(self, chosen: npt.NDArray[np.bool_]) -> Orders:
        """Some of the orders; items and customers keep their numbers."""
        lines = np.repeat(chosen, self.size)
        return Orders(
            self.item_ids,
            self.customer[chosen],
            self.day[chosen],
            self.units[chosen],
            self.amount[chosen],
            np.concatenate([[0], np.cumsum(self.size[chosen])]).astype(np.int64),
            self.item[lines],
            self.line_units[lines],
            self.line_amount[lines],
        )


def orders(source: Source, as_of: date) -> Orders:
    """All orders before `as_of`: of an order_id, or of a customer's local day where there is none.

    Parts of the customers are turned into numbers one after the other, so that some 40 bytes a line are held.
    """
    columns: dict[str, list[npt.NDArray[np.generic]]] = {
        "customer": [],
        "order": [],
        "day": [],
        "units": [],
        "amount": [],
    }
    items, customers = [], 0
    for part in of_sales(source, "order_items", as_of, None):
        who = part["entity_id"].combine_chunks().dictionary_encode()
        columns["customer"].append(who.indices.to_numpy().astype(np.int64) + customers)
        customers += len(who.dictionary)
        items.append(part["item_id"].combine_chunks().cast(pa.string()).dictionary_encode())
        for ours, theirs in (("order", "order_key"), ("day", "day"), ("units", "quantity"), ("amount", "amount")):
            columns[ours].append(part[theirs].to_numpy())
    item_ids, item = _numbered(pa.chunked_array(items, pa.dictionary(pa.int32(), pa.string())))
    joined = {name: np.concatenate([*parts, np.zeros(0)]) for name, parts in columns.items() if name != "order"}
    keys = np.concatenate([*columns["order"], np.zeros(0, np.int64)]).astype(np.int64)
    return _assembled(item_ids, item, keys, **joined)


def _numbered(items: pa.ChunkedArray) -> tuple[pa.Array, npt.NDArray[np.int32]]:
    """The distinct texts sorted, and the place of each value among them; −1 where it has none."""
    known = items.unify_dictionaries()
    if not known.num_chunks:
        return pa.array([], pa.string()), np.zeros(0, np.int32)
    texts = known.chunk(0).dictionary
    codes = np.concatenate([chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in known.chunks])
    order = np.argsort(np.array(texts.to_pylist(), dtype=object), kind="stable")
    place = np.append(np.argsort(order), -1).astype(np.int32)
    return texts.take(pa.array(order)), place[codes]


def _assembled(
    item_ids: pa.Array,
    item: npt.NDArray[np.int32],
    keys: Rows,
    customer: Floats,
    day: Floats,
    units: Floats,
    amount: Floats,
) -> Orders:
    """The orders of lines in any order, one a customer, order key and item."""
    sorted_ = np.lexsort((item, keys, customer))
    item, keys, customer = item[sorted_], keys[sorted_], customer[sorted_]
    first = np.ones(len(item), bool)
    first[1:] = (np.diff(customer) != 0) | (np.diff(keys) != 0)
    of, n = np.cumsum(first) - 1, int(first.sum())
    started = np.full(n, np.inf)
    np.minimum.at(started, of, day[sorted_])
    known = item >= 0
    return Orders(
        item_ids,
        customer[first].astype(np.int64),
        started.astype(np.int64),
        np.bincount(of, units[sorted_], n).astype(np.float64),
        np.bincount(of, amount[sorted_], n).astype(np.float64),
        np.concatenate([[0], np.cumsum(np.bincount(of[known], minlength=n))]).astype(np.int64),
        item[known],
        units[sorted_][known].astype(np.float64),
        amount[sorted_][known].astype(np.float64),
    )
