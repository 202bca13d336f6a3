"""What completes a basket: items that are bought on one visit with those in it, whoever buys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.recommenders.basket_features import Baskets
from models.recommenders.history import Rows
from models.recommenders.interactions import Interactions
from models.recommenders.neighbours import co_purchase
from models.recommenders.ranking import Ranked, marked, only, rank
from models.recommenders.recommender import Mask


@dataclass(frozen=True)
class Completion:
    """One item for a basket: its row, the strength, and the item row of the basket that speaks most for it; −1: none,
    it is popular."""

    item: int
    strength: float
    anchor: int


class Completer:
    """Completes baskets from the sales of some interactions; a visit is a customer's day.

    Strength: Σ over the basket of the cosine of common visits (`neighbours.co_purchase`, so at least two of them).
    Where that says too little, what is popular follows.
    """

    def __init__(self, held: Interactions) -> None:
        self.held = held

    @cached_property
    def companions(self) -> Any:
        """(items, items) csr_matrix: per item at most 50 that are bought on one visit with it, by cosine."""
        everybody = self.held.everybody()
        entry, numbered = everybody.day_entries, Baskets.of(everybody)
        ends = np.cumsum(numbered.total).astype(np.int64)
        visit = ends[everybody.rows[entry]] - 1 - numbered.of_day
        shape = (int(numbered.total.sum()), self.held.shape[1])
        pattern = csr_matrix((np.ones(len(visit)), (visit, self.held.indices[entry])), shape=shape)
        return co_purchase(pattern, self.held.place)

    def complete(
        self, basket: Sequence[int] | Rows, k: int, allowed: Mask | None = None, exclude: Sequence[int] | Rows = ()
    ) -> list[Completion]:
        """At most `k` items for a basket of item rows (−1: unknown, ignored), best first; never one that is in it."""
        inside = np.unique(np.asarray(basket, dtype=np.int64))
        inside = inside[inside >= 0]
        barred = np.concatenate([inside, np.asarray(exclude, dtype=np.int64)])
        blocked = marked([barred[barred >= 0]], self.held.shape[1])
        together = self.companions[inside]
        speaking = csr_matrix(together.sum(axis=0)) if len(inside) else csr_matrix((1, self.held.shape[1]))
        lists = rank(only(speaking, allowed), k, self.held.place, blocked)
        found = [
            Completion(item, strength, int(inside[together[:, [item]].toarray().ravel().argmax()]))
            for item, strength in _listed(lists)
        ]
        listed = {each.item for each in found}
        rest = rank(only(self._popular(), allowed), k, self.held.place, blocked)
        return [*found, *(Completion(item, s, -1) for item, s in _listed(rest) if item not in listed)][:k]

    def _popular(self) -> npt.NDArray[np.float64]:
        return self.held.popularity[None, :].copy()


def _listed(lists: Ranked) -> list[tuple[int, float]]:
    """The one list as pairs of item row and strength."""
    return [(int(item), float(s)) for item, s in zip(lists.items[0], lists.strength[0], strict=True) if item >= 0]
