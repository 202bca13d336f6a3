"""Where the histories of customers meet the items that they are asked about, by a matrix from items to items."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from models.recommenders.history import Floats, Rows, stretches

_CELLS_AT_ONCE = 4_000_000


@dataclass(frozen=True)
class Meetings:
    """One value each, in no order: which pair, which entry of the histories, and the weight from its item to that of
    the pair."""

    pair: Rows
    entry: Rows
    weight: Floats


def meetings(pattern: Any, weights: Any, rows: Rows, items: Rows) -> Meetings:
    """What histories have to do with (row of the history, item row) pairs, each pair there once.

    `pattern` is the (n, items) csr_matrix of the histories, `weights` the (items, items) csr_matrix that says what each
    item of a history (row) says for others (column). It goes from what a customer has to what that speaks for and looks
    the pairs up, so that a customer costs the same whatever is asked: a hundred suggestions each take a fiftieth of
    what a product of matrices with a row for every pair takes.
    """
    width = pattern.shape[1]
    parts = [Meetings(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    asked = np.full(_customers_at_once(width) * width, -1, np.int32)
    for pairs, start, stop in _some_customers(rows, width):
        cells = (rows[pairs] - start) * width + items[pairs]
        asked[cells] = np.arange(len(pairs))
        entries = np.arange(pattern.indptr[start], pattern.indptr[stop], dtype=np.int64)
        first_cell = np.repeat(np.arange(stop - start) * width, np.diff(pattern.indptr[start : stop + 1]))
        starts, ends = (weights.indptr[pattern.indices[entries] + after].astype(np.int64) for after in (0, 1))
        places, of = stretches(starts, ends - starts), np.repeat(np.arange(len(entries)), ends - starts)
        which = asked[first_cell[of] + weights.indices[places]]
        met = np.flatnonzero(which >= 0)
        parts.append(Meetings(pairs[which[met]], entries[of[met]], weights.data[places[met]]))
        asked[cells] = -1
    return Meetings(
        np.concatenate([part.pair for part in parts]),
        np.concatenate([part.entry for part in parts]),
        np.concatenate([part.weight for part in parts]),
    )


def _customers_at_once(width: int) -> int:
    return max(1, _CELLS_AT_ONCE // max(width, 1))


def _some_customers(rows: Rows, width: int) -> Iterator[tuple[Rows, int, int]]:
    """Stretches of customers: their pairs, the first row, and the one after the last."""
    order = np.argsort(rows, kind="stable")
    rising, begin = rows[order], 0
    while begin < len(rising):
        start = int(rising[begin])
        end = int(np.searchsorted(rising, start + _customers_at_once(width)))
        yield order[begin:end], start, int(rising[end - 1]) + 1
        begin = end
