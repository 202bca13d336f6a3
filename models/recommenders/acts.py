"""What customers did with items beside buying them: looked at them, put them into the cart, kept them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.sparse import csr_matrix

from models.recommenders.plain_arrays import needed
from warehouse.errors import DataProblemError

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

COUNTED: Mapping[str, Callable[[Floats], Floats]] = {
    "log": np.log1p,
    "linear": np.copy,
    "binary": lambda worth: np.minimum(worth, 1.0),
}
"""What acts of so much worth are worth together, as order days are counted (`history.COUNTS`)."""


@dataclass(frozen=True)
class Acts:
    """Acts of users on items, a row each of user row, item row and local day, sorted by these.

    `worth` (above 0) is what the acts of that day count beside a day on which the item was bought.
    """

    users: Rows
    items: Rows
    days: Rows
    worth: Floats

    @classmethod
    def of(cls, users: Rows, items: Rows, days: npt.ArrayLike, worth: npt.ArrayLike) -> Acts | None:
        """From rows in any order; what is worth nothing is left out, and None is given where nothing is left."""
        days, worth = np.asarray(days, dtype=np.int64), np.asarray(worth, dtype=np.float64)
        some = np.flatnonzero(worth > 0)
        order = some[np.lexsort((days[some], items[some], users[some]))]
        return cls(users[order], items[order], days[order], worth[order]) if len(order) else None

    def moved(self, users: Rows, items: Rows, kept: npt.NDArray[np.bool_] | None = None) -> Acts | None:
        """Those that are kept (all), with the row that now is their user's, and their item's; without those of −1."""
        some = (users[self.users] >= 0) & (items[self.items] >= 0)
        some = some if kept is None else some & kept
        return Acts.of(users[self.users[some]], items[self.items[some]], self.days[some], self.worth[some])

    def touched(self, shape: tuple[int, int], as_of_day: int) -> Touched:
        """The same as a matrix, as of a day."""
        first = np.flatnonzero(np.diff(self.users * shape[1] + self.items, prepend=-1))
        ends = np.append(first[1:], len(self.users))
        starts = np.searchsorted(self.users[first], np.arange(shape[0] + 1))
        worth = np.add.reduceat(self.worth, first)
        return Touched(
            csr_matrix((worth, self.items[first], starts), shape=shape),
            (as_of_day - self.days[ends - 1]).astype(np.float64),
        )

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """As plain arrays; `from_arrays` takes them back."""
        return {f"acts_{name}": getattr(self, name) for name in ("users", "items", "days", "worth")}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], shape: tuple[int, int], as_of_day: int) -> Acts | None:
        """What `arrays` gave, None where there were no acts; `DataProblemError` where they do not fit the rest."""
        if "acts_worth" not in arrays:
            return None
        users, items, days, worth = (needed(arrays, f"acts_{name}") for name in ("users", "items", "days", "worth"))
        whole = all(each.dtype.kind == "i" and each.shape == worth.shape for each in (users, items, days))
        whole = whole and worth.ndim == 1 and len(worth) > 0 and np.isfinite(worth).all() and worth.min() > 0
        whole = whole and min(users.min(), items.min()) >= 0 and days.max() < as_of_day
        whole = whole and users.max() < shape[0] and items.max() < shape[1]
        rising = whole and (np.lexsort((days, items, users)) == np.arange(len(worth))).all()
        if not rising:
            raise DataProblemError(
                "The recommender arrays are damaged: acts do not fit the users, the items or the cutoff."
            )
        return cls(users.astype(np.int64), items.astype(np.int64), days.astype(np.int64), worth.astype(np.float64))


@dataclass(frozen=True)
class Touched:
    """What some customers did with items: `worth` (n, items) of all their acts on each, and per entry `days_ago` of the
    last."""

    worth: Any
    days_ago: Floats

    @property
    def rows(self) -> Rows:
        """Per entry: the row of its customer."""
        return np.repeat(np.arange(self.worth.shape[0]), np.diff(self.worth.indptr))

    def taken(self, rows: Rows, without: Rows | None = None) -> Touched:
        """A customer for each of the rows (−1: nothing was done), without the one item beside it where that is said."""
        starts = np.where(rows < 0, 0, self.worth.indptr[rows]).astype(np.int64)
        lengths = np.where(rows < 0, 0, self.worth.indptr[rows + 1] - starts)
        ends = np.cumsum(lengths)
        entries = np.arange(ends[-1] if ends.size else 0) + np.repeat(starts - (ends - lengths), lengths)
        owner = np.repeat(np.arange(len(rows)), lengths)
        if without is not None:
            kept = self.worth.indices[entries] != without[owner]
            entries, owner = entries[kept], owner[kept]
        indptr = np.searchsorted(owner, np.arange(len(rows) + 1))
        shape = (len(rows), self.worth.shape[1])
        held = csr_matrix((self.worth.data[entries], self.worth.indices[entries], indptr), shape=shape)
        return Touched(held, self.days_ago[entries])

    def with_values(self, values: Floats) -> Any:
        """The (n, items) csr_matrix that holds `values` at the entries."""
        return csr_matrix((values, self.worth.indices, self.worth.indptr), shape=self.worth.shape)


def split(table: pa.Table) -> tuple[pa.Table, pa.Table | None]:
    """Sales, and acts: of a table that has a column `worth` the rows in which it is known."""
    if "worth" not in table.column_names:
        return table, None
    known = table["worth"].is_valid()
    return table.filter(pa.compute.invert(known)), table.filter(known)
