"""What lies in one order together: pairs and triples of items counted, beside what chance would bring together.

Customers are what was drawn: the orders of one are alike. Whatever is counted therefore comes with the sum of the
squares of its counts per customer, which is the variance of the count where customers are independent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from features.orders import Orders

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]

MOST_ITEMS = 5_000
"""So many items, those most customers bought, are paired."""
MOST_PAIRS = 5_000
"""Triples are made of so many pairs, the surest ones."""
_MONTH_DAYS = 30
_HALVINGS = 60


@dataclass(frozen=True)
class Counted:
    """Sets of items, a row each, and in how many orders of how many customers they are together.

    `items` (n, 2 or 3) are places among the chosen items, rising. `squares`: Σ over customers of the square of their
    orders; `expected`: how many orders would hold them anyway, and `variance` that of the count then, were all orders
    independent; `by_size` (n, bands): orders by their number of items.
    """

    items: Rows
    orders: Rows
    customers: Rows
    squares: Floats
    expected: Floats
    variance: Floats
    by_size: Floats

    def of(self, chosen: NDArray[Any]) -> Counted:
        """Some of the rows."""
        return Counted(*(column[chosen] for column in vars(self).values()))


class Together:
    """Orders as rows of a sparse matrix of the items that at least `least` customers bought.

    Months (of 30 days) and bands of the number of items in an order (1, 2, 3–4, 5–8, …) part the orders into those
    that compare.
    """

    def __init__(self, orders: Orders, least: int) -> None:
        buyers = _buyers(orders)
        self.enough = int((buyers >= least).sum())
        strongest = np.argsort(-buyers, kind="stable")[: min(self.enough, MOST_ITEMS)]
        self.items = np.sort(strongest)
        self.least = least
        place = np.full(len(orders.item_ids), -1)
        place[self.items] = np.arange(len(self.items))
        held = place[orders.item]
        rows = np.repeat(np.arange(len(orders.day)), orders.size)[held >= 0]
        shape = (len(orders.day), len(self.items))
        self._matrix = csr_matrix((np.ones(len(rows), np.int8), (rows, held[held >= 0])), shape=shape)
        self._holders = self._matrix.tocsc()
        self._customer = orders.customer
        self._people = int(orders.customer.max()) + 1 if len(orders.customer) else 0
        size = orders.size
        self._band = np.ceil(np.log2(np.maximum(size, 1))).astype(np.int64)
        self.bands = int(self._band.max()) + 1 if len(size) else 1
        month = (orders.day - orders.day.min()) // _MONTH_DAYS if len(size) else orders.day
        stratum = np.unique(month * self.bands + self._band, return_inverse=True)[1]
        self._by_stratum, self._chance = (
            self._counts(stratum, int(stratum.max(initial=0)) + 1),
            _chance(orders, stratum),
        )
        self.by_size = self._counts(self._band, self.bands)
        self.orders_by_size = np.bincount(self._band, minlength=self.bands).astype(np.float64)

    @property
    def orders(self) -> Rows:
        """Per chosen item: in how many orders it is."""
        return np.asarray(np.diff(self._holders.indptr), dtype=np.int64)

    def _counts(self, of: Rows, groups: int) -> Floats:
        """(items, groups): in how many orders of each group an item is."""
        grouping = csr_matrix((np.ones(len(of)), (np.arange(len(of)), of)), shape=(len(of), groups))
        return np.asarray((self._matrix.T @ grouping).toarray(), dtype=np.float64)

    def pairs(self) -> Counted:
        """Every pair that at least `least` customers bought together."""
        return _joined([self._with(a) for a in range(len(self.items))], 2, self.bands)

    def _with(self, a: int) -> Counted:
        """The pairs of one item and a later one."""
        found = self._beside(self._rows((a,)), a + 1, None)
        expected = self._by_stratum[found.items[:, 0]] @ (self._by_stratum[a] * self._chance)
        items = np.column_stack([np.full(len(found.items), a), found.items[:, 0]])
        return replace(found, items=items, expected=expected, variance=expected)

    def triples(self, pairs: Counted) -> tuple[Counted, int]:
        """Every triple whose three pairs are among those given, and that enough customers bought; how many triples of
        such pairs there are. `expected`: what the three pairs explain.
        """
        place = {(int(a), int(b)): n for n, (a, b) in enumerate(pairs.items)}
        later: dict[int, set[int]] = {}
        for a, b in place:
            later.setdefault(a, set()).add(b)
        tried, parts = 0, []
        for a, b in place:
            third = np.array(sorted(later[a] & later.get(b, set())), np.int64)
            tried += len(third)
            if len(third):
                found = self._beside(self._rows((a, b)), b + 1, third)
                both = np.broadcast_to(np.array([a, b]), (len(found.items), 2))
                parts.append(replace(found, items=np.column_stack([both, found.items])))
        counted = _joined(parts, 3, self.bands)
        of_pairs = [[place[int(i), int(j)] for i, j in counted.items[:, ends]] for ends in ([0, 1], [0, 2], [1, 2])]
        expected, variance = explained_by_pairs(
            self.orders_by_size,
            [self.by_size[items] for items in counted.items.T],
            [pairs.by_size[np.array(rows, np.int64)] for rows in of_pairs],
        )
        return replace(counted, expected=expected.sum(axis=1), variance=variance.sum(axis=1)), tried

    def _rows(self, items: Sequence[int]) -> Rows:
        """The orders that hold all of these items."""
        ends = self._holders.indptr
        held = [self._holders.indices[ends[item] : ends[item + 1]] for item in items]
        rows: Rows = held[0].astype(np.int64)
        for other in held[1:]:
            rows = np.intersect1d(rows, other, assume_unique=True)
        return rows

    def _beside(self, rows: Rows, first: int, only: Rows | None) -> Counted:
        """The items from `first` on in these orders, or only some, that enough customers have there; expected: 0."""
        part = self._matrix[rows]
        item = part.indices.astype(np.int64)
        order = np.repeat(rows, np.diff(part.indptr))
        may = np.zeros(len(self.items), bool)
        may[first:] = True
        if only is not None:
            may &= np.isin(np.arange(len(may)), only)
        may &= np.bincount(item, minlength=len(may)) >= self.least
        item, order = item[may[item]], order[may[item]]
        pair, times = np.unique(item * self._people + self._customer[order], return_counts=True)
        bought = np.bincount(pair // max(self._people, 1), minlength=len(may))
        kept = np.flatnonzero(bought >= self.least)
        squares = np.bincount(pair // max(self._people, 1), times**2, len(may)).astype(np.float64)
        banded = np.bincount(item * self.bands + self._band[order], minlength=len(may) * self.bands)
        by_size = banded.reshape(len(may), self.bands)[kept].astype(np.float64)
        total = by_size.sum(axis=1)
        return Counted(
            kept[:, None], total.astype(np.int64), bought[kept], squares[kept], total * 0, total * 0, by_size
        )


def explained_by_pairs(orders: Floats, singles: Sequence[Floats], pairs: Sequence[Floats]) -> tuple[Floats, Floats]:
    """How many orders would hold all three items, were there nothing in it beyond the pairs; and the variance of that
    count where those of the items and pairs are given: 1 / Σ 1 / cell over the eight cells.

    The model without an interaction of the three (Bartlett 1935), the null by which DuMouchel and Pregibon (2001)
    screen larger sets. Per row and band of sizes: `orders` (bands,) in all, `singles` (n, bands) with a, b, c, `pairs`
    with ab, ac, bc. The one root of n111 n100 n010 n001 = n110 n101 n011 n000 between its bounds, by halving.
    """
    (a, b, c), (ab, ac, bc) = singles, pairs
    rising = [a - ab - ac, b - ab - bc, c - ac - bc]
    falling = [ab, ac, bc, orders - a - b - c + ab + ac + bc]
    low = np.maximum.reduce([np.zeros_like(ab), *(-cell for cell in rising)])
    high = np.minimum.reduce(falling)
    for _ in range(_HALVINGS):
        x = (low + high) / 2
        above = np.prod([x, *(cell + x for cell in rising)], axis=0) > np.prod([cell - x for cell in falling], axis=0)
        high, low = np.where(above, x, high), np.where(above, low, x)
    x = np.asarray((low + high) / 2, dtype=np.float64)
    with np.errstate(divide="ignore"):
        cells = [x, *(cell + x for cell in rising), *(cell - x for cell in falling)]
        return x, 1 / np.sum([1 / np.maximum(cell, 0) for cell in cells], axis=0)


def _chance(orders: Orders, stratum: Rows) -> Floats:
    """Per stratum the f with which items that are in n and m orders of it would be in f n m together by chance.

    Orders of s items drawn from one shelf hold s (s − 1) / 2 pairs, so f = Σ s (s − 1) / ((Σ s)² − Σ n²), with which
    the pairs of all items add up to those there are (the configuration model of orders and items).
    """
    size = orders.size.astype(np.float64)
    strata = int(stratum.max(initial=0)) + 1
    cell, n = np.unique(np.repeat(stratum, orders.size) * len(orders.item_ids) + orders.item, return_counts=True)
    alone = np.bincount(cell // max(len(orders.item_ids), 1), n.astype(np.float64) ** 2, strata)
    both = np.bincount(stratum, size * (size - 1), strata)
    return np.asarray(both / np.maximum(np.bincount(stratum, size, strata) ** 2 - alone, 1))


def _buyers(orders: Orders) -> Rows:
    """Per item: how many customers have it in an order."""
    of = np.repeat(orders.customer, orders.size)
    width = max(len(orders.item_ids), 1)
    return np.bincount(np.unique(of * width + orders.item) % width, minlength=len(orders.item_ids)).astype(np.int64)


def _joined(parts: Sequence[Counted], width: int, bands: int) -> Counted:
    """All rows of the parts."""
    nothing = np.zeros(0)
    empty = Counted(
        np.zeros((0, width), np.int64), nothing.astype(np.int64), nothing.astype(np.int64), nothing, nothing, nothing,
        np.zeros((0, bands)),
    )  # fmt: skip
    columns: Iterator[Any] = zip(*(vars(part).values() for part in [empty, *parts]), strict=True)
    return Counted(*(np.concatenate(column) for column in columns))
