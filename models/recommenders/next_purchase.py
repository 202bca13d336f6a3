"""After this comes that: rules over a customer's ordered days."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix, diags, vstack

from models.recommenders import deletion
from models.recommenders.history import Floats, History, Rows
from models.recommenders.interactions import Interactions
from models.recommenders.plain_arrays import csr_from_arrays, csr_to_arrays
from models.recommenders.ranking import rank
from models.recommenders.recommender import Recommender

_CHUNK_ITEMS = 512


class NextPurchase(Recommender):
    """Rules A → B (sequential association, Agrawal & Srikant, ICDE 1995): who bought A bought B within `days` days.

    An occasion is a customer's purchase day at least `days` days before the cutoff, so that what followed is known.
    P(B | A) = (occasions of A followed by B + shrinkage × P(B)) / (occasions of A + shrinkage), with P(B) the share
    of all occasions followed by B; for A = B the share of all (occasion, item) that are followed by the same
    item again. Lift is P(B | A) / P(B). A rule counts by its excess P(B | A) − P(B), from two occasions and
    a lift of `least_lift` on; of each A the `rules` strongest are kept, A → A always.
    Strength: the sum of taste × excess over the history.
    """

    name = "next_purchase"
    rounded = True
    fades = True

    def __init__(
        self,
        days: int = 60,
        shrinkage: float = 300.0,
        least_lift: float = 1.0,
        rules: int = 20,
        half_life_days: float = 60.0,
        count: str = "log",
    ) -> None:
        self.days = days
        self.shrinkage = shrinkage
        self.least_lift = least_lift
        self.rules = rules
        self.half_life_days = half_life_days
        self.count = count

    @classmethod
    def needs(cls, users: int, items: int, nnz: int) -> int:
        # baskets, and what followed them, which repeats every item as often as days come before it within the window
        follows = 12 * 20 * nnz
        return super().needs(users, items, nnz) + follows + 40 * cls().rules * items + 12 * _CHUNK_ITEMS * items

    def fit(self, interactions: Interactions) -> Self:
        super().fit(interactions)
        self.excess = self._rules()
        return self

    def _rules(self) -> Any:
        """(items, items): the excess of each rule that is kept."""
        held = self.interactions
        before, after = self._occasions(held.everybody())
        occasions = np.asarray(before.sum(axis=0)).ravel()
        base = np.asarray(after.sum(axis=0)).ravel() / max(before.shape[0], 1)
        again = np.asarray(before.multiply(after).sum(axis=0)).ravel()
        repeat = (again.sum() + 1) / (occasions.sum() + 2)
        bought_on = before.T.tocsr()
        parts = []
        for start in range(0, held.shape[1], _CHUNK_ITEMS):
            stop = min(start + _CHUNK_ITEMS, held.shape[1])
            followed = (bought_on[start:stop] @ after).tocsr()
            parts.append(self._kept(followed, occasions[start:stop], base, start))
        if not parts:
            return csr_matrix((0, 0))
        itself = (again + self.shrinkage * repeat) / (occasions + self.shrinkage)
        return (vstack(parts) + diags(itself)).tocsr()

    def _occasions(self, history: History) -> tuple[Any, Any]:
        """Two (occasions, items) matrices of ones: what was bought on the day, and what within the days after it."""
        row = history.rows[history.day_entries]
        item = history.pattern.indices[history.day_entries]
        span = int(history.each_ago.max()) + self.days + 2 if len(row) else 1
        day = row * span + (span - 1 - self.days - history.each_ago.astype(np.int64))
        days, of = np.unique(day, return_inverse=True)
        bought = csr_matrix((np.ones(len(of)), (of, item)), shape=(len(days), history.pattern.shape[1]))
        first, last = (np.asarray(np.searchsorted(days, days + n, side="right")) for n in (0, self.days))
        closed = np.nonzero(days % span + self.days <= span - 1 - self.days)[0]
        lengths = (last - first)[closed]
        starts = np.append(0, np.cumsum(lengths))
        places = np.arange(starts[-1]) + np.repeat(first[closed] - starts[:-1], lengths)
        follows = csr_matrix((np.ones(len(places)), places, starts), shape=(len(closed), len(days)))
        after = (follows @ bought).tocsr()
        after.data[:] = 1
        return bought[closed], after

    def _kept(self, followed: Any, occasions: Any, base: Any, start: int) -> Any:
        """(chunk, items): the strongest rules of some items, without those to themselves."""
        rows = np.repeat(np.arange(followed.shape[0]), np.diff(followed.indptr))
        columns = followed.indices
        chance = (followed.data + self.shrinkage * base[columns]) / (occasions[rows] + self.shrinkage)
        excess = np.round(chance - base[columns], 9)
        strong = (followed.data >= 2) & (chance >= self.least_lift * base[columns]) & (columns != rows + start)
        excess[~strong | (excess <= 0)] = -np.inf
        lists = rank(
            csr_matrix((excess, columns, followed.indptr), shape=followed.shape), self.rules, self.interactions.place
        )
        there = lists.items >= 0
        return csr_matrix((lists.strength[there], (np.nonzero(there)[0], lists.items[there])), shape=followed.shape)

    def _strengths(self, history: History) -> Any:
        return (history.taste(self.half_life_days, self.count) @ self.excess).tocsr()

    def drops(self, history: History, rows: Rows, items: Rows, strength: Floats) -> Any:
        return deletion.linear(history.taste(self.half_life_days, self.count), self.excess, rows, items)

    def _parameters(self) -> dict[str, npt.NDArray[Any]]:
        self.excess.sort_indices()
        return csr_to_arrays(self.excess, "excess_")

    def _restore(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        items = self.interactions.shape[1]
        self.excess = csr_from_arrays(parameters, "excess_", (items, items))
