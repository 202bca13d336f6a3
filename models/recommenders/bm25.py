"""Items bought by the same people, weighted like words in documents (BM25)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits

from models.recommenders import deletion
from models.recommenders.history import Floats, History, Rows, remembered
from models.recommenders.interactions import Interactions, threads_for
from models.recommenders.plain_arrays import csr_from_arrays, csr_to_arrays
from models.recommenders.recommender import Recommender


class BM25(Recommender):
    """implicit's BM25 item-item neighbours; strength: the sum of taste × similarity over the history.

    An item is at least as similar to itself as to any other, so what was bought stays in the list: without this the
    repeats, most of the next month's purchases, fall out of the kept neighbours.
    """

    name = "bm25"
    rounded = True
    fades = True

    def __init__(
        self,
        neighbours: int = 20,
        k1: float = 1.2,
        b: float = 0.2,
        half_life_days: float = 60.0,
        count: str = "log",
        amount: float = 0.0,
    ) -> None:
        self.neighbours = neighbours
        self.k1 = k1
        self.b = b
        self.half_life_days = half_life_days
        self.count = count
        self.amount = amount

    @classmethod
    def needs(cls, users: int, items: int, nnz: int) -> int:
        return super().needs(users, items, nnz) + 150 * nnz + 40 * cls().neighbours * items

    def fit(self, interactions: Interactions) -> Self:
        super().fit(interactions)
        from implicit.nearest_neighbours import ItemItemRecommender, bm25_weight

        taste = self._taste(remembered(self.interactions.everybody(), self.half_life_days))
        items = self.interactions.shape[1]
        similarity = csr_matrix((items, items))
        if taste.nnz:
            with threadpool_limits(1, "blas"):
                model = ItemItemRecommender(K=self.neighbours, num_threads=threads_for(taste))
                model.fit(csr_matrix(bm25_weight(taste.T, self.k1, self.b).T), show_progress=False)
            similarity = csr_matrix(model.similarity)
        self.similarity = _with_strong_diagonal(similarity)
        return self

    def _taste(self, history: History) -> Any:
        return history.taste(self.half_life_days, self.count, self.amount)

    def _strengths(self, history: History) -> Any:
        return (self._taste(history) @ self.similarity).tocsr()

    def _similarities(self, picked: Any) -> Any:
        return (picked @ self.similarity).tocsr()

    def drops(self, history: History, rows: Rows, items: Rows, strength: Floats) -> Any:
        return deletion.linear(self._taste(history), self.similarity, rows, items)

    def _parameters(self) -> dict[str, npt.NDArray[Any]]:
        return csr_to_arrays(self.similarity, "similarity_")

    def _restore(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        items = self.interactions.shape[1]
        self.similarity = csr_from_arrays(parameters, "similarity_", (items, items))


def _with_strong_diagonal(similarity: Any) -> Any:
    similarity.data[similarity.data < 0] = 0
    similarity.eliminate_zeros()
    strongest = similarity.max(axis=1).toarray().ravel() if similarity.shape[0] else np.empty(0)
    floor = strongest[strongest > 0].min() if (strongest > 0).any() else 1.0
    lifted = similarity.tolil()
    lifted.setdiag(np.where(strongest > 0, strongest, floor))
    result = csr_matrix(lifted)
    result.sort_indices()
    return result
