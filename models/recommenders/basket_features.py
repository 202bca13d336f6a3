"""What is known of a customer and an item when time is counted in the customer's own baskets, the last one being 0."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from models.recommenders.history import Floats, History, Rows
from models.recommenders.interactions import Interactions

LAST = (1, 3, 5, 10)
OF_THE_PAIR = (
    "baskets_since",
    *(f"share_of_last_{n}" for n in LAST),
    "share_since_first",
    "fading_share",
    "vote_share",
    "fading_vote_share",
    "streak",
    "gap_in_baskets",
    "last_gap_in_baskets",
    "baskets_since_in_gaps",
    "bought_with_last",
)
OF_THE_ITEM = ("again_next_time", "place_in_baskets")
OF_THE_CUSTOMER = ("last_basket", "usual_basket", "repeats_in_last")
_FADING, _VOTES_FADING = 0.85, 0.9


@dataclass(frozen=True)
class Baskets:
    """The purchase days of some customers as baskets, numbered back from each customer's last, 0.

    `of_day` says per purchase day of each entry which basket it was; `total` per customer how many there are. One after
    another, customer by customer, basket n is of the customer `owner[n]`, his `number[n]`-th back and holds `size[n]`
    items; `place` says per purchase day which that is.
    """

    history: History
    of_day: Rows
    total: Floats
    owner: Rows
    number: Rows
    size: Rows
    place: Rows

    @classmethod
    def of(cls, history: History) -> Baskets:
        """Those of a history: all that was bought on a day is a basket."""
        row = history.rows[history.day_entries]
        ago = history.each_ago.astype(np.int64)
        span = int(ago.max()) + 1 if ago.size else 1
        distinct, of = np.unique(row * span + ago, return_inverse=True)
        owner = distinct // span
        count = np.bincount(owner, minlength=history.pattern.shape[0])
        number = np.arange(len(distinct)) - np.repeat(np.cumsum(count) - count, count)
        size = np.bincount(of, minlength=len(distinct))
        return cls(history, number[of], count.astype(np.float64), owner, number, size, of)

    @cached_property
    def since(self) -> Rows:
        """Per entry: how many baskets came after the last that held it."""
        return self.of_day[self.history.day_starts[1:] - 1]

    def within(self, last: int) -> Floats:
        """Per entry: in how many of the customer's last so many baskets it was."""
        entries = self.history.day_entries[self.of_day < last]
        return np.bincount(entries, minlength=len(self.history.order_days)).astype(np.float64)

    def again(self) -> tuple[Rows, Rows]:
        """Per purchase day that another basket followed: its entry, and whether the very next held it again."""
        entry = self.history.day_entries
        following = np.full(len(entry), -2)
        following[:-1] = np.where(entry[1:] == entry[:-1], self.of_day[1:], -2)
        followed = self.of_day > 0
        return entry[followed], (following == self.of_day - 1)[followed].astype(np.int64)

    def columns(self) -> list[Floats]:
        """Those of `OF_THE_PAIR` but the last, one value per entry."""
        history, total = self.history, self.total[self.history.rows]
        days = np.diff(history.day_starts)
        first = self.of_day[history.day_starts[:-1]]
        before = self.of_day[np.maximum(history.day_starts[1:] - 2, history.day_starts[:-1])]
        fading = np.bincount(history.day_entries, _FADING**self.of_day, minlength=len(days))
        gap = np.where(days > 1, (first - self.since) / np.maximum(days - 1, 1), np.nan)
        return [
            self.since.astype(np.float64),
            *(self.within(n) / np.minimum(total, n) for n in LAST),
            days / (first + 1),
            fading * (1 - _FADING) / (1 - _FADING**total),
            self._votes(1.0),
            self._votes(_VOTES_FADING),
            self._streak(),
            gap,
            np.where(days > 1, before - self.since, np.nan).astype(np.float64),
            self.since / gap,
        ]

    def _votes(self, fading: float) -> Floats:
        """Per entry its share of the customer's votes: a basket has one over its size for each of its items, faded.

        What is found of the next basket counts as a share of it, so what comes in small ones is worth more.
        """
        vote = fading**self.number / self.size
        of_all = np.bincount(self.owner, vote, minlength=len(self.total))
        given = np.bincount(self.history.day_entries, vote[self.place], minlength=len(self.history.order_days))
        return np.asarray(given / of_all[self.history.rows], dtype=np.float64)

    def _streak(self) -> Floats:
        """Per entry: how many of the customer's latest baskets held it without a break."""
        lengths = np.diff(self.history.day_starts)
        from_last = np.repeat(self.history.day_starts[1:] - 1, lengths) - np.arange(len(self.of_day))
        return np.bincount(self.history.day_entries, self.of_day == from_last, minlength=len(lengths)).astype(
            np.float64
        )

    def of_customers(self) -> list[Floats]:
        """Those of `OF_THE_CUSTOMER`."""
        n = len(self.total)
        rows, bought = self.history.rows, self.history.order_days
        last = self.since == 0
        size = np.bincount(rows[last], minlength=n).astype(np.float64)
        repeats = np.bincount(rows[last], bought[last] > 1, minlength=n)
        usual = np.bincount(rows, bought, minlength=n) / np.maximum(self.total, 1)
        return [size, usual, repeats / np.maximum(size, 1)]

    def last_ones(self) -> Any:
        """(n, items) csr_matrix of ones: each customer's last basket."""
        held = self.since == 0
        cells = (self.history.rows[held], self.history.pattern.indices[held])
        return csr_matrix((np.ones(len(cells[0])), cells), shape=self.history.pattern.shape)


class ItemsInBaskets:
    """What is known of each item from the baskets of everybody."""

    def __init__(self, held: Interactions) -> None:
        everybody, items = held.everybody(), held.shape[1]
        baskets = Baskets.of(everybody)
        entry, again = baskets.again()
        of = held.indices[entry]
        self.again = (np.bincount(of, again, minlength=items) + 0.1) / (np.bincount(of, minlength=items) + 2)
        first = baskets.of_day[everybody.day_starts[:-1]] + 1
        place = first / np.maximum(baskets.total[everybody.rows], 1)
        self.place = np.bincount(held.indices, place, minlength=items) / np.maximum(held.buyers, 1)
        self.company = held.neighbours

    def columns(self, items: Rows) -> list[Floats]:
        """Those of `OF_THE_ITEM` for some items."""
        return [values[items] for values in (self.again, self.place)]
