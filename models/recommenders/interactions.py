"""Who bought what how often and when, as sparse matrices over sorted ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix

from models.recommenders.neighbours import co_purchase
from models.recommenders.plain_arrays import csr_from_arrays, texts_from_arrays, texts_to_arrays
from warehouse.errors import DataProblemError

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

POPULARITY_HALF_LIFE_DAYS = 30.0
TASTE_HALF_LIFE_DAYS = 60.0

_EPOCH = date(1970, 1, 1)
_MEASURES = ("order_days", "quantity", "amount", "first_day", "last_day")


@dataclass(frozen=True)
class History:
    """What some customers bought: one row per customer, one entry per item ever bought.

    `pattern` is (n, items) with ones; `order_days` (on how many days) and `days_ago` (days between the last of
    them and the cutoff) are float64 in the order of its entries. A session is a history with `days_ago` 0.
    """

    pattern: Any
    order_days: Floats
    days_ago: Floats

    def with_values(self, values: Floats) -> Any:
        """The (n, items) csr_matrix that holds `values` at the entries."""
        return csr_matrix((values, self.pattern.indices, self.pattern.indptr), shape=self.pattern.shape)

    def taste(self) -> Any:
        """(n, items) weights for collaborative filtering: log(1 + order days), halved every 60 days of silence.

        The logarithm, because the tenth purchase says less than the second; the decay, because taste moves on.
        """
        return self.with_values(np.log1p(self.order_days) * 0.5 ** (self.days_ago / TASTE_HALF_LIFE_DAYS))


@dataclass(frozen=True)
class Interactions:
    """All sales before a cutoff, one entry per (user, item).

    `user_ids` and `item_ids` are sorted and unique; a *row* is a place among them. `indptr` and `indices` are the
    csr form of (users, items); the measures hold one float64 per entry. `as_of_day` counts days since 1970-01-01.
    """

    user_ids: pa.Array
    item_ids: pa.Array
    indptr: Rows
    indices: npt.NDArray[np.int32]
    measures: Mapping[str, Floats]
    as_of_day: int

    @classmethod
    def from_table(cls, table: pa.Table, as_of: date) -> Interactions:
        """Reads (user_id, item_id, order_days, quantity, amount, first_day, last_day), one row per pair.

        `DataProblemError` where an id is missing, a pair is there twice, a pair has no order day, or a day is not
        before `as_of`: such a row would let the future in.
        """
        as_of_day = (as_of - _EPOCH).days
        columns = {name: _numbers(table.column(name)) for name in _MEASURES}
        users, items = _texts(table.column("user_id")), _texts(table.column("item_id"))
        _refuse_bad_rows(users, items, columns, as_of_day)
        user_ids, item_ids = _sorted_unique(users), _sorted_unique(items)
        user_rows, item_rows = _places(users, user_ids), _places(items, item_ids)
        order = np.lexsort((item_rows, user_rows))
        user_rows, item_rows = user_rows[order], item_rows[order]
        twice = (np.diff(user_rows) == 0) & (np.diff(item_rows) == 0)
        if twice.any():
            raise DataProblemError(
                f"{int(twice.sum())} pairs of user and item are there more than once; expected one row per pair.",
                hint="Group the sales by user_id and item_id first.",
            )
        return cls(
            user_ids,
            item_ids,
            np.searchsorted(user_rows, np.arange(len(user_ids) + 1)).astype(np.int64),
            item_rows.astype(np.int32),
            {name: values[order] for name, values in columns.items()},
            as_of_day,
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """All of it as plain arrays; `from_arrays` takes it back."""
        return {
            "as_of_day": np.array([self.as_of_day]),
            **texts_to_arrays(self.user_ids, "users_"),
            **texts_to_arrays(self.item_ids, "items_"),
            "interactions_indices": self.indices,
            "interactions_indptr": self.indptr,
            **{f"interactions_{name}": values for name, values in self.measures.items()},
        }

    def without(self, users: Collection[str]) -> Interactions:
        """The same without those users; everybody else keeps their own row of entries, and every item its place."""
        kept = ~np.isin(np.array(self.user_ids.to_pylist(), dtype=object), list(users))
        lengths = np.diff(self.indptr)
        entries = np.repeat(kept, lengths)
        return Interactions(
            self.user_ids.filter(pa.array(kept)),
            self.item_ids,
            np.concatenate([[0], np.cumsum(lengths[kept])]).astype(np.int64),
            self.indices[entries],
            {name: values[entries] for name, values in self.measures.items()},
            self.as_of_day,
        )

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Interactions:
        """What `arrays` gave; `DataProblemError` where the arrays do not fit together."""
        users, items = texts_from_arrays(arrays, "users_"), texts_from_arrays(arrays, "items_")
        measures = {name: _entries_of(arrays, name, (len(users), len(items))) for name in _MEASURES}
        pattern = measures["order_days"]
        if arrays.get("as_of_day", np.empty(0)).shape != (1,):
            raise DataProblemError("The recommender arrays are damaged: as_of_day is missing.")
        values = {name: matrix.data for name, matrix in measures.items()}
        return cls(users, items, pattern.indptr.astype(np.int64), pattern.indices, values, int(arrays["as_of_day"][0]))

    @property
    def as_of(self) -> date:
        """The cutoff: every sale lies before it."""
        return date.fromordinal(_EPOCH.toordinal() + self.as_of_day)

    @property
    def shape(self) -> tuple[int, int]:
        """How many users and items."""
        return len(self.user_ids), len(self.item_ids)

    def matrix(self, measure: str) -> Any:
        """The (users, items) csr_matrix of one measure: order_days, quantity, amount, first_day or last_day."""
        return csr_matrix((self.measures[measure], self.indices, self.indptr), shape=self.shape)

    def user_rows(self, ids: Sequence[str] | pa.Array) -> Rows:
        """The row of each user id; −1 where it is unknown."""
        return _places(_texts(ids), self.user_ids)

    def item_rows(self, ids: Sequence[str] | pa.Array) -> Rows:
        """The row of each item id; −1 where it is unknown."""
        return _places(_texts(ids), self.item_ids)

    @cached_property
    def _all(self) -> History:
        pattern = csr_matrix((np.ones(len(self.indices)), self.indices, self.indptr), shape=self.shape)
        return History(pattern, self.measures["order_days"], self.as_of_day - self.measures["last_day"])

    def history(self, user_rows: npt.ArrayLike) -> History:
        """What these users bought; row −1 (unknown) has an empty history."""
        rows = np.asarray(user_rows, dtype=np.int64)
        if rows.size and (rows.min() < -1 or rows.max() >= len(self.user_ids)):
            raise IndexError(f"user rows are −1 to {len(self.user_ids) - 1}, not {rows.min()} to {rows.max()}")
        lengths = np.where(rows < 0, 0, self.indptr[rows + 1] - self.indptr[rows]) if len(self.user_ids) else rows * 0
        indptr = np.concatenate([[0], np.cumsum(lengths)])
        starts = np.where(rows < 0, 0, self.indptr[rows])
        entries = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], lengths)
        pattern = csr_matrix((np.ones(indptr[-1]), self.indices[entries], indptr), shape=(len(rows), self.shape[1]))
        return History(pattern, self._all.order_days[entries], self._all.days_ago[entries])

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
        return History(ones, counts.data.astype(np.float64), np.zeros(counts.nnz))

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
        weight = 0.5 ** (self._all.days_ago / POPULARITY_HALF_LIFE_DAYS)
        return np.bincount(self.indices, weight, minlength=self.shape[1]).astype(np.float64)

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


def threads_for(matrix: Any) -> int:
    """How many threads implicit is given: one for little data, where threads wait longer than they work; 0: all."""
    return 1 if matrix.nnz < 100_000 else 0


def _entries_of(arrays: Mapping[str, npt.NDArray[Any]], measure: str, shape: tuple[int, int]) -> Any:
    data = arrays.get(f"interactions_{measure}", np.empty(0))
    return csr_from_arrays({**arrays, "interactions_data": data}, "interactions_", shape)


def _texts(values: Any) -> pa.Array:
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    array = values if isinstance(values, pa.Array) else pa.array(list(values), pa.string())
    return array.cast(pa.large_string())


def _numbers(column: pa.ChunkedArray) -> Floats:
    if pa.types.is_date32(column.type):
        column = column.cast(pa.int32())
    filled = pc.fill_null(column.cast(pa.float64()), float("nan"))
    return np.asarray(filled.combine_chunks().to_numpy(zero_copy_only=False), dtype=np.float64)


def _sorted_unique(values: pa.Array) -> pa.Array:
    unique = values.unique()
    return unique.take(pc.array_sort_indices(unique))


def _places(values: pa.Array, ids: pa.Array) -> Rows:
    found = pc.fill_null(pc.index_in(values, value_set=ids), -1)
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.int64)


def _refuse_bad_rows(users: pa.Array, items: pa.Array, columns: Mapping[str, Floats], as_of_day: int) -> None:
    if users.null_count or items.null_count:
        raise DataProblemError(
            f"{users.null_count} interactions have no user_id and {items.null_count} no item_id; both are needed."
        )
    for name, values in columns.items():
        bad = int((~np.isfinite(values)).sum())
        if bad:
            raise DataProblemError(f"{name} of the interactions is not a number {bad} times; expected finite numbers.")
    if (columns["order_days"] < 1).any():
        raise DataProblemError("An interaction has no order day; expected order_days of 1 or more.")
    late = int((columns["last_day"] >= as_of_day).sum())
    if late or (columns["first_day"] > columns["last_day"]).any():
        raise DataProblemError(
            f"{late} interactions are not before the cutoff, or end before they begin.",
            hint="Build the interactions for the same as_of; a sale at or after it may not be seen.",
        )
