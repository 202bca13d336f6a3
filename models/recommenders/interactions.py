"""Who bought what how often and when, as sparse matrices over sorted ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import csr_matrix

from models.recommenders.acts import Acts, split
from models.recommenders.columns import DAYS, places, read, sorted_unique, texts, with_acting
from models.recommenders.history import Floats, History, Rows, fading, stretches
from models.recommenders.neighbours import co_purchase
from models.recommenders.plain_arrays import csr_from_arrays, starts_from_arrays, texts_from_arrays, texts_to_arrays
from warehouse.errors import DataProblemError

POPULARITY_HALF_LIFE_DAYS = 30.0

_EPOCH = date(1970, 1, 1)
_SUMS = ("quantity", "amount")


@dataclass(frozen=True)
class Interactions:
    """All sales before a cutoff, one entry per (user, item).

    `user_ids` and `item_ids` are sorted and unique; a *row* is a place among them. `indptr` and `indices` are the
    csr form of (users, items); `quantity` and `amount` hold one float64 per entry, summed over its days. Entry e was
    bought on `days[day_starts[e] : day_starts[e + 1]]`, rising. Days, like `as_of_day`, count from 1970-01-01; where
    there are no dates they number baskets. `acts` are what users did with these items beside buying them, where that
    counts; whoever did nothing else is a user without an entry.
    """

    user_ids: pa.Array
    item_ids: pa.Array
    indptr: Rows
    indices: npt.NDArray[np.int32]
    quantity: Floats
    amount: Floats
    day_starts: Rows
    days: npt.NDArray[np.int32]
    as_of_day: int
    acts: Acts | None = None

    @classmethod
    def from_table(cls, table: pa.Table, as_of: date) -> Interactions:
        """Reads (user_id, item_id, day, quantity, amount), one row per user, item and day.

        Rows that have a `worth` are acts, any number of them; what was never sold is none of their items.
        `DataProblemError` where an id is missing, a row is there twice, or a day is not before `as_of`: such a row
        would let the future in.
        """
        as_of_day = (as_of - _EPOCH).days
        table, acts = split(table)
        users, items, columns = read(table, as_of_day, _SUMS)
        item_ids = sorted_unique(items)
        user_ids = sorted_unique(users) if acts is None else with_acting(users, acts, item_ids)
        user_rows, item_rows = places(users, user_ids), places(items, item_ids)
        held = cls._from_days(
            user_ids, item_ids, user_rows, item_rows, columns["day"], columns["quantity"], columns["amount"], as_of_day
        )
        return held if acts is None else replace(held, acts=held._acts_of(acts))

    def _acts_of(self, table: pa.Table) -> Acts | None:
        users, items, columns = read(table, self.as_of_day, ("worth",))
        user_rows, item_rows = self.user_rows(users), self.item_rows(items)
        sold = item_rows >= 0
        return Acts.of(user_rows[sold], item_rows[sold], columns["day"][sold], columns["worth"][sold])

    @classmethod
    def _from_days(
        cls,
        user_ids: pa.Array,
        item_ids: pa.Array,
        user_rows: Rows,
        item_rows: Rows,
        days: npt.NDArray[Any],
        quantity: Floats,
        amount: Floats,
        as_of_day: int,
    ) -> Interactions:
        """One value a row of user, item and day in any order; `DataProblemError` where a row is there twice."""
        order = np.lexsort((days, item_rows, user_rows))
        user_rows, item_rows, days = user_rows[order], item_rows[order], days[order].astype(np.int32)
        same_pair = (np.diff(user_rows) == 0) & (np.diff(item_rows) == 0)
        if twice := int((same_pair & (np.diff(days) == 0)).sum()):
            raise DataProblemError(
                f"{twice} rows of user, item and day are there more than once; expected one row each.",
                hint="Group the sales by user_id, item_id and day first.",
            )
        entry = np.concatenate([[0], np.cumsum(~same_pair)])[: len(days)]
        first = np.searchsorted(entry, np.arange(entry[-1] + 1 if len(days) else 0))
        sums = [np.bincount(entry, values[order], minlength=len(first)) for values in (quantity, amount)]
        return cls(
            user_ids,
            item_ids,
            np.searchsorted(user_rows[first], np.arange(len(user_ids) + 1)).astype(np.int64),
            item_rows[first].astype(np.int32),
            sums[0].astype(np.float64),
            sums[1].astype(np.float64),
            np.append(first, len(days)).astype(np.int64),
            days,
            as_of_day,
        )

    def grouped(self, labels: pa.Array) -> Interactions:
        """The same sales with groups in the place of items: `labels` has one text per item, null for those left out.

        A day with several items of a group is one day of it; quantity and amount of an entry are shared out evenly
        over its days first.
        """
        groups = sorted_unique(texts(labels).drop_null())
        of_entry = places(texts(labels), groups)[self.indices]
        everybody = self.everybody()
        entry = everybody.day_entries
        entry_days = np.flatnonzero(of_entry[entry] >= 0)
        entry = entry[entry_days]
        day = self.days[entry_days].astype(np.int64)
        first = int(day.min()) if len(day) else 0
        width = self.as_of_day - first
        key = (everybody.rows[entry] * len(groups) + of_entry[entry]) * width + (day - first)
        distinct, place = np.unique(key, return_inverse=True)
        share = self.measures["order_days"][entry]
        sums = [
            np.bincount(place, values[entry] / share, minlength=len(distinct)).astype(np.float64)
            for values in (self.quantity, self.amount)
        ]
        pair = distinct // max(width, 1)
        held = self._from_days(
            self.user_ids, groups, pair // max(len(groups), 1), pair % max(len(groups), 1),
            distinct % max(width, 1) + first, sums[0], sums[1], self.as_of_day,
        )  # fmt: skip
        if self.acts is None:
            return held
        return replace(held, acts=self.acts.moved(np.arange(self.shape[0]), places(texts(labels), groups)))

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All of it as plain arrays; `from_arrays` takes it back."""
        return {
            "as_of_day": np.array([self.as_of_day]),
            **texts_to_arrays(self.user_ids, "users_"),
            **texts_to_arrays(self.item_ids, "items_"),
            "interactions_indices": self.indices,
            "interactions_indptr": self.indptr,
            "interactions_quantity": self.quantity,
            "interactions_amount": self.amount,
            "interactions_day_starts": self.day_starts,
            "interactions_days": self.days,
            **(self.acts.arrays() if self.acts else {}),
        }

    def without(self, users: Collection[str]) -> Interactions:
        """The same without those users; everybody else keeps their own row of entries, and every item its place."""
        kept = ~np.isin(np.array(self.user_ids.to_pylist(), dtype=object), list(users))
        lengths = np.diff(self.indptr)
        entries = np.repeat(kept, lengths)
        day_counts = np.diff(self.day_starts)
        now = np.where(kept, np.cumsum(kept) - 1, -1)
        return Interactions(
            self.user_ids.filter(pa.array(kept)),
            self.item_ids,
            np.concatenate([[0], np.cumsum(lengths[kept])]).astype(np.int64),
            self.indices[entries],
            self.quantity[entries],
            self.amount[entries],
            np.concatenate([[0], np.cumsum(day_counts[entries])]).astype(np.int64),
            self.days[np.repeat(entries, day_counts)],
            self.as_of_day,
            self.acts and self.acts.moved(now, np.arange(self.shape[1])),
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Interactions:
        """What `arrays` gave; `DataProblemError` where the arrays do not fit together."""
        users, items = texts_from_arrays(arrays, "users_"), texts_from_arrays(arrays, "items_")
        quantity, amount = (_entries_of(arrays, name, (len(users), len(items))) for name in _SUMS)
        if arrays.get("as_of_day", np.empty(0)).shape != (1,):
            raise DataProblemError("The recommender arrays are damaged: as_of_day is missing.")
        as_of_day = int(arrays["as_of_day"][0])
        day_starts, days = _days_of(arrays, quantity.nnz, as_of_day)
        return cls(
            users,
            items,
            quantity.indptr.astype(np.int64),
            quantity.indices,
            quantity.data,
            amount.data,
            day_starts,
            days,
            as_of_day,
            Acts.from_arrays(arrays, (len(users), len(items)), as_of_day),
        )

    @property
    def as_of(self) -> date:
        """The cutoff: every sale lies before it."""
        return date.fromordinal(_EPOCH.toordinal() + self.as_of_day)

    @property
    def shape(self) -> tuple[int, int]:
        """How many users and items."""
        return len(self.user_ids), len(self.item_ids)

    @cached_property
    def measures(self) -> Mapping[str, Floats]:
        """One float64 per entry: order_days, quantity, amount, first_day and last_day."""
        return {
            "order_days": np.diff(self.day_starts).astype(np.float64),
            "quantity": self.quantity,
            "amount": self.amount,
            "first_day": self.days[self.day_starts[:-1]].astype(np.float64),
            "last_day": self.days[self.day_starts[1:] - 1].astype(np.float64),
        }

    def matrix(self, measure: str) -> Any:
        """The (users, items) csr_matrix of one measure: order_days, quantity, amount, first_day or last_day."""
        return csr_matrix((self.measures[measure], self.indices, self.indptr), shape=self.shape)

    def user_rows(self, ids: Sequence[str] | pa.Array) -> Rows:
        """The row of each user id; −1 where it is unknown."""
        return places(texts(ids), self.user_ids)

    def item_rows(self, ids: Sequence[str] | pa.Array) -> Rows:
        """The row of each item id; −1 where it is unknown."""
        return places(texts(ids), self.item_ids)

    @cached_property
    def _all(self) -> History:
        pattern = csr_matrix((np.ones(len(self.indices)), self.indices, self.indptr), shape=self.shape)
        each_ago = (self.as_of_day - self.days.astype(np.int64)).astype(np.float64)
        touched = self.acts.touched(self.shape, self.as_of_day) if self.acts else None
        return History(pattern, self.measures["order_days"], self.day_starts, each_ago, self._spend(), touched)

    def _spend(self) -> Floats:
        a_day = self.amount / self.measures["order_days"]
        middle = np.median(a_day[a_day > 0]) if (a_day > 0).any() else 1.0
        return np.asarray(np.clip(a_day / middle, 0.1, 10.0), dtype=np.float64)

    def everybody(self) -> History:
        """What all users bought, a row each."""
        return replace(self._all)  # what is worked out along the way is not kept

    def history(self, user_rows: npt.ArrayLike) -> History:
        """What these users bought; row −1 (unknown) has an empty history."""
        rows = np.asarray(user_rows, dtype=np.int64)
        if rows.size and (rows.min() < -1 or rows.max() >= len(self.user_ids)):
            raise IndexError(f"user rows are −1 to {len(self.user_ids) - 1}, not {rows.min()} to {rows.max()}")
        lengths = np.where(rows < 0, 0, self.indptr[rows + 1] - self.indptr[rows]) if len(self.user_ids) else rows * 0
        entries = stretches(np.where(rows < 0, 0, self.indptr[rows]), lengths)
        found = self._all.taken(entries, np.concatenate([[0], np.cumsum(lengths)]))
        return replace(found, touched=self._all.touched.taken(rows)) if self._all.touched else found

    def last_acts(self, user_rows: Rows, item_rows: Rows) -> Rows:
        """Per pair of rows how many days before the cutoff the user last did with the item what counts; 0: never."""
        if not self._all.touched or not len(user_rows):
            return np.zeros(len(user_rows), np.int64)
        ago = self._all.touched.with_values(self._all.touched.days_ago)
        return np.asarray(ago[user_rows, item_rows], dtype=np.int64).ravel()

    def session(self, item_rows: Sequence[npt.ArrayLike], weights: Sequence[npt.ArrayLike] | None = None) -> History:
        """The history of customers who are not among the users: items just taken, weighted as order days (default 1).

        Unknown items (−1) are left out; an item named twice adds up.
        """
        lists = [np.asarray(rows, dtype=np.int64) for rows in item_rows]
        values = [np.ones(len(r)) if weights is None else np.asarray(weights[i], float) for i, r in enumerate(lists)]
        owner = np.repeat(np.arange(len(lists)), [len(r) for r in lists])
        items = np.concatenate([np.empty(0, np.int64), *lists])
        amounts = np.concatenate([np.empty(0), *values])
        known = (items >= 0) & (amounts > 0)
        counts = csr_matrix((amounts[known], (owner[known], items[known])), shape=(len(lists), self.shape[1]))
        counts.sum_duplicates()
        ones = csr_matrix((np.ones(counts.nnz), counts.indices, counts.indptr), shape=counts.shape)
        weighed: Floats = counts.data.astype(np.float64)
        return History(ones, weighed, np.arange(counts.nnz + 1), np.zeros(counts.nnz), np.ones(counts.nnz))

    @cached_property
    def _keys(self) -> Rows:
        return np.repeat(np.arange(self.shape[0]), np.diff(self.indptr)) * self.shape[1] + self.indices

    def entries(self, user_rows: Rows, item_rows: Rows) -> Rows:
        """Where each pair of rows is among the entries of the measures; −1 where the user never bought the item."""
        if not self._keys.size:
            return np.full(len(user_rows), -1)
        keys = np.where(user_rows < 0, -1, user_rows * self.shape[1] + item_rows)
        place = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[place] == keys, place, -1)

    @cached_property
    def popularity(self) -> Floats:
        """Per item: its distinct buyers, each counted 0.5 ** (days since their last purchase of it / 30)."""
        return popularity_in(self.everybody(), POPULARITY_HALF_LIFE_DAYS)

    @cached_property
    def popularity_share(self) -> Floats:
        """Per item its popularity as a share of the highest."""
        return self.popularity / self.popularity.max() if self.popularity.size else self.popularity

    @cached_property
    def place(self) -> Rows:
        """Per item: its place by popularity, 0 the most popular; ties by id. Every ranking breaks its ties by it."""
        place = np.empty(self.shape[1], np.int64)
        place[np.lexsort((np.arange(self.shape[1]), -self.popularity))] = np.arange(self.shape[1])
        return place

    @cached_property
    def buyers(self) -> Rows:
        """Per item: how many users ever bought it."""
        return np.bincount(self.indices, minlength=self.shape[1]).astype(np.int64)

    @cached_property
    def neighbours(self) -> Any:
        """(items, items) csr_matrix: per item the items its buyers also bought, by cosine (see `neighbours.py`)."""
        return co_purchase(self._all.pattern, self.place)


def popularity_in(history: History, half_life_days: float) -> Floats:
    """Per item: the distinct buyers in a history, each halved every so many days since their last purchase of it."""
    weight = fading(history.days_ago, half_life_days)
    return np.bincount(history.pattern.indices, weight, minlength=history.pattern.shape[1]).astype(np.float64)


def threads_for(matrix: Any) -> int:
    """How many threads implicit is given: one for little data, where threads wait longer than they work; 0: all."""
    return 1 if matrix.nnz < 100_000 else 0


def _entries_of(arrays: Mapping[str, npt.NDArray[Any]], measure: str, shape: tuple[int, int]) -> Any:
    data = arrays.get(f"interactions_{measure}", np.empty(0))
    return csr_from_arrays({**arrays, "interactions_data": data}, "interactions_", shape)


def _days_of(
    arrays: Mapping[str, npt.NDArray[Any]], entries: int, as_of_day: int
) -> tuple[Rows, npt.NDArray[np.int32]]:
    """Where the days of each entry begin, and the days: at least one each, rising, before the cutoff."""
    starts, days = starts_from_arrays(arrays, "interactions_day_starts", "interactions_days", entries)
    some = bool((np.diff(starts) >= 1).all())
    if some and len(days):
        rising = np.diff(days.astype(np.int64)) > 0
        rising[starts[1:-1] - 1] = True
        some = bool(rising.all() and days.min() >= DAYS.min and days.max() < as_of_day)
    if not some:
        raise DataProblemError("The recommender arrays are damaged: interactions_days do not rise to the cutoff.")
    return starts, days.astype(np.int32)
