"""Personal frequency that fades in time, mixed with that of the most similar customers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from models.recommenders.history import Floats, History
from models.recommenders.interactions import Interactions
from models.recommenders.ranking import rank
from models.recommenders.recommender import Recommender


class TifuKNN(Recommender):
    """TIFU-KNN (Haoji Hu et al., "Modeling Personalized Item Frequency Information for Next-basket Recommendation",
    SIGIR 2020).

    A customer's purchase days are cut into at most `groups` equal groups in time. A day counts
    within_decay ** (days of its group after it) / days of its group, its group group_decay ** (groups after it) /
    groups; a customer's vector sums the days of each item. Strength: alpha × own vector + (1 − alpha) × the mean
    vector of the `neighbours` nearest customers. Nearest is by cosine among those who share an item (the paper takes
    Euclidean distance among all, which calls small customers near).
    """

    name = "tifu_knn"
    rounded = True
    alternatives: ClassVar = {
        "alpha": (0.2, 0.5, 0.7, 0.9),
        "group_decay": (0.6, 0.75, 0.9),
        "within_decay": (0.9, 1.0),
        "neighbours": (100, 300),
    }

    def __init__(
        self,
        neighbours: int = 100,
        groups: int = 7,
        within_decay: float = 1.0,
        group_decay: float = 0.9,
        alpha: float = 0.5,
    ) -> None:
        self.neighbours = neighbours
        self.groups = groups
        self.within_decay = within_decay
        self.group_decay = group_decay
        self.alpha = alpha

    @classmethod
    def needs(cls, users: int, items: int, nnz: int) -> int:
        # a chunk of customers meets all users, and its lists of neighbours hold whole histories
        chunk = 1 + _cells(items) // max(items, 1)
        return super().needs(users, items, nnz) + 60 * nnz + 24 * chunk * users

    def fit(self, interactions: Interactions) -> Self:
        super().fit(interactions)
        self._hold()
        return self

    def _hold(self) -> None:
        self._vectors = self._vectors_of(self.interactions.everybody())
        self._directions = _unit(self._vectors).T.tocsr()

    def _vectors_of(self, history: History) -> Any:
        """(n, items): the vector of each customer."""
        return history.with_values(history.summed(self._day_weights(history)))

    def _day_weights(self, history: History) -> Floats:
        """What each purchase day of each entry counts."""
        before = history.each_ago.max(initial=0) - history.each_ago  # the first day of all comes first
        span = int(before.max(initial=0)) + 1
        days, of = np.unique(history.rows[history.day_entries] * span + before.astype(np.int64), return_inverse=True)
        owner = days // span
        count = np.bincount(owner, minlength=history.pattern.shape[0])
        place = np.arange(len(owner)) - (np.cumsum(count) - count)[owner]
        groups = np.minimum(count, self.groups)[owner]
        group = place * groups // count[owner]
        # the places of a group g are those from ⌈g × count / groups⌉ on
        first, after = (-(-(group + step) * count[owner] // groups) for step in (0, 1))
        within = self.within_decay ** (after - 1 - place) / (after - first)
        between = self.group_decay ** (groups - 1 - group) / groups
        return np.asarray((within * between)[of], dtype=np.float64)

    def _strengths(self, history: History) -> Any:
        own = self._vectors_of(history)
        if not self._vectors.nnz or self.alpha == 1:  # what others buy counts for nothing
            return own
        alike = (_unit(own) @ self._directions).tocsr()
        near = rank(alike, self.neighbours, np.arange(self._vectors.shape[0]), rounded=True)
        there = near.items >= 0
        shares = 1 / np.repeat(np.maximum(near.counts, 1), near.counts)
        mean = csr_matrix(
            (shares, near.items[there], np.concatenate([[0], np.cumsum(near.counts)])),
            shape=(len(near), self._vectors.shape[0]),
        )
        return (self.alpha * own + (1 - self.alpha) * (mean @ self._vectors)).tocsr()

    def _restore(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        super()._restore(parameters)
        self._hold()


def _unit(vectors: Any) -> Any:
    row = np.repeat(np.arange(vectors.shape[0]), np.diff(vectors.indptr))
    lengths = np.sqrt(np.bincount(row, vectors.data**2, minlength=vectors.shape[0]))
    values = vectors.data * (1 / np.where(lengths > 0, lengths, 1))[row]
    return csr_matrix((values, vectors.indices, vectors.indptr), shape=vectors.shape)


def _cells(items: int) -> int:
    return max(items, 4_000_000)
