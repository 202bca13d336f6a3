"""What some customers bought and on which days: all that a recommender sees of a customer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.recommenders.acts import COUNTED, Touched
from warehouse.errors import UsageError

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

TASTE_HALF_LIFE_DAYS = 60.0
COUNTS: Mapping[str, Callable[[Floats], Floats]] = {"log": np.log1p, "linear": np.copy, "binary": np.ones_like}


@dataclass(frozen=True)
class History:
    """What some customers bought: one row per customer, one entry per item ever bought.

    `pattern` is (n, items) with ones; `order_days` (on how many days) is float64 in the order of its entries. Entry e
    was bought on the days `each_ago[day_starts[e] : day_starts[e + 1]]`, counted back from the cutoff, longest ago
    first; `spend` is the amount a day as a multiple of the median entry's, at least 0.1 and at most 10. A session is a
    history of one day, today (0), whose `order_days` are the weights of its items, of spend 1. `touched` is what they
    did with items beside buying them, where that counts.
    """

    pattern: Any
    order_days: Floats
    day_starts: Rows
    each_ago: Floats
    spend: Floats
    touched: Touched | None = None

    @cached_property
    def days_ago(self) -> Floats:
        """Per entry: days between its last purchase and the cutoff."""
        return self.each_ago[self.day_starts[1:] - 1]

    @cached_property
    def away(self) -> Floats:
        """Per customer: days between the last purchase, or act that counts, and the cutoff, 0 without one."""
        last = np.full(self.pattern.shape[0], np.inf)
        np.minimum.at(last, self.rows, self.days_ago)
        if self.touched is not None:
            np.minimum.at(last, self.touched.rows, self.touched.days_ago)
        return np.where(np.isfinite(last), last, 0.0)

    @cached_property
    def rows(self) -> Rows:
        """Per entry: the row of its customer."""
        return np.repeat(np.arange(self.pattern.shape[0]), np.diff(self.pattern.indptr))

    @cached_property
    def day_entries(self) -> Rows:
        """Per purchase day: its entry."""
        return np.repeat(np.arange(len(self.order_days)), np.diff(self.day_starts))

    def summed(self, per_day: Floats) -> Floats:
        """Per entry the sum of a value of each of its days; a day of a session counts as often as its item weighs."""
        lengths = np.diff(self.day_starts)
        sums = np.bincount(self.day_entries, per_day, minlength=len(lengths))
        return np.asarray(sums * self.order_days / np.maximum(lengths, 1), dtype=np.float64)

    def with_values(self, values: Floats) -> Any:
        """The (n, items) csr_matrix that holds `values` at the entries."""
        return csr_matrix((values, self.pattern.indices, self.pattern.indptr), shape=self.pattern.shape)

    def taste(self, half_life_days: float = TASTE_HALF_LIFE_DAYS, count: str = "log", amount: float = 0.0) -> Any:
        """(n, items) weights for collaborative filtering, halved every so many days since the last purchase.

        `count` says what the order days n are worth: `log` log(1 + n), because the tenth purchase says less than the
        second; `linear` n; `binary` 1. `amount` is the power of what was spent on a day, 0: money does not matter. A
        half-life of 0 means no decay. Acts on an item are counted and fade by themselves, and what is left is added.
        """
        if count not in COUNTS:
            raise UsageError(f'count is "{count}".', hint=f"Known are {', '.join(COUNTS)}.")
        values = COUNTS[count](self.order_days)
        values = values * fading(self.days_ago, half_life_days)
        bought = self.with_values(values * self.spend**amount if amount else values)
        if self.touched is None:
            return bought
        fades = fading(self.touched.days_ago, half_life_days)
        both = (bought.tocoo(), self.touched.with_values(COUNTED[count](self.touched.worth.data) * fades).tocoo())
        # Not by addition, which loses what has faded to 0.
        values, row, column = (
            np.concatenate([getattr(each, name) for each in both]) for name in ("data", "row", "col")
        )
        return csr_matrix((values, (row, column)), shape=bought.shape)

    @property
    def known(self) -> Any:
        """(n, items) csr_matrix, above 0 where a customer bought an item, or did with it what counts."""
        return self.pattern if self.touched is None else (self.pattern + self.touched.worth).tocsr()

    def within(self, days: float) -> History:
        """The same, as if nobody had been away for longer: all that whoever was did is moved on by one stretch."""
        stretch = np.maximum(self.away - days, 0)
        touched = self.touched
        if touched is not None:
            touched = replace(touched, days_ago=touched.days_ago - stretch[touched.rows])
        return replace(self, each_ago=self.each_ago - stretch[self.rows][self.day_entries], touched=touched)

    def taken(self, entries: Rows, indptr: Rows) -> History:
        """Some entries of purchases, given by their places here, as the histories of len(indptr) − 1 customers."""
        counts = np.diff(self.day_starts)[entries]
        items = self.pattern.indices[entries]
        shape = (len(indptr) - 1, self.pattern.shape[1])
        return History(
            csr_matrix((np.ones(len(entries)), items, indptr), shape=shape),
            self.order_days[entries],
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            self.each_ago[stretches(self.day_starts[entries], counts)],
            self.spend[entries],
        )

    def without(self, rows: Rows, items: Rows) -> History:
        """A customer for each pair: who is in that row, had the item in that column never been bought or touched."""
        starts = self.pattern.indptr[rows].astype(np.int64)
        lengths = self.pattern.indptr[rows + 1] - starts
        entries = stretches(starts, lengths)
        owner = np.repeat(np.arange(len(rows)), lengths)
        kept = self.pattern.indices[entries] != items[owner]
        left = np.bincount(owner[kept], minlength=len(rows))
        less = self.taken(entries[kept], np.concatenate([[0], np.cumsum(left)]))
        return less if self.touched is None else replace(less, touched=self.touched.taken(rows, items))

    def part(self, start: int, stop: int) -> History:
        """The customers of the rows from `start` until before `stop`."""
        if start == 0 and stop == self.pattern.shape[0]:
            return self
        first, last = self.pattern.indptr[start], self.pattern.indptr[stop]
        begins = self.day_starts[first : last + 1]
        return History(
            self.pattern[start:stop],
            self.order_days[first:last],
            begins - begins[0],
            self.each_ago[begins[0] : begins[-1]],
            self.spend[first:last],
            None if self.touched is None else self.touched.taken(np.arange(start, stop)),
        )


def fading(days_ago: Floats, half_life_days: float) -> Floats:
    """What is left after so many days, halved every so many of them; all of it where the half-life is 0."""
    return np.asarray(0.5 ** (days_ago / half_life_days) if half_life_days > 0 else np.ones_like(days_ago))


def remembered(history: History, half_life_days: float) -> History:
    """What is learnt of items from: whoever was away for more than two half-lives counts as if it were two, a quarter.

    Over many years the customers of the last months would otherwise say it all; within months it changes next to
    nothing.
    """
    return history.within(2 * half_life_days)


def distinct(numbers: Rows) -> Rows:
    """The different ones, rising; np.unique takes many times as long."""
    rising = np.sort(numbers)
    first = np.ones(len(rising), np.bool_)
    np.not_equal(rising[1:], rising[:-1], out=first[1:])
    return rising[first]


def stretches(starts: Rows, lengths: Rows) -> Rows:
    """The places start, start + 1, … of each stretch, one stretch after another."""
    ends = np.cumsum(lengths)
    places = np.arange(ends[-1] if ends.size else 0) + np.repeat(starts - (ends - lengths), lengths)
    return np.asarray(places, dtype=np.int64)
