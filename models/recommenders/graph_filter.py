"""Walks over the graph of customers and items, smoothed by its strongest directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular
from scipy.sparse import diags
from threadpoolctl import threadpool_limits

from models.recommenders.history import Floats, History
from models.recommenders.interactions import Interactions
from models.recommenders.plain_arrays import factors_from_arrays
from models.recommenders.ranking import counted
from models.recommenders.recommender import Recommender


class GraphFilter(Recommender):
    """GF-CF (Yifei Shen et al., "How Powerful is Graph Convolution for Recommendation?", CIKM 2021).

    With R the taste of customers for items, D_u and D_i its row and column sums, strength is the linear filter
    r D_i^−history Rᵀ D_u^−user R D_i^−item plus alpha × the ideal low-pass r D_i^−½ V Vᵀ D_i^½, V the first `factors`
    right singular vectors of D_u^(−user/2) R D_i^(−(history + item)/2). In the paper history = item = ½, user = 1,
    alpha 0.3. Other exponents are those of neighbourhood link prediction (Hao-Ming Fu et al., WWW 2022). The matrix
    of items × items is never made: a history walks to customers and back.
    """

    name = "graph_filter"
    rounded = True

    def __init__(
        self,
        factors: int = 128,
        alpha: float = 0.1,
        history: float = 0.5,
        user: float = 0.8,
        item: float = 0.45,
        half_life_days: float = 60.0,
        count: str = "log",
        amount: float = 0.0,
        seed: int = 7,
    ) -> None:
        self.factors = factors
        self.alpha = alpha
        self.history = history
        self.user = user
        self.item = item
        self.half_life_days = half_life_days
        self.count = count
        self.amount = amount
        self.seed = seed

    @classmethod
    def needs(cls, users: int, items: int, nnz: int) -> int:
        width = cls().factors + _SPARE
        chunk = 1 + _CELLS // max(items, 1)
        return super().needs(users, items, nnz) + 60 * nnz + 8 * (3 * width * (users + items) + 3 * chunk * users)

    def fit(self, interactions: Interactions) -> Self:
        super().fit(interactions)
        self._hold()
        users, items = interactions.shape
        spread = diags(_power(self._users, -self.user / 2)) @ self._taste(interactions.everybody())
        width = min(self.factors, users, items) if self.alpha else 0
        spread = (spread @ diags(_power(self._items, -(self.history + self.item) / 2))).tocsr()
        with threadpool_limits(1, "blas"):  # of tall and narrow matrices threads wait longer than they work
            self.directions = strongest_directions(spread, width, self.seed)
        return self

    def _hold(self) -> None:
        """The graph: how far a walk from customers reaches, and the degrees of both sides."""
        taste = self._taste(self.interactions.everybody())
        self._users = np.asarray(taste.sum(axis=1)).ravel()
        self._items = np.asarray(taste.sum(axis=0)).ravel()
        self._to_users = (diags(_power(self._items, -self.history)) @ taste.T).tocsr()
        self._from_users = (
            diags(_power(self._items, -self.item)) @ taste.T @ diags(_power(self._users, -self.user))
        ).tocsr()

    def _taste(self, history: History) -> Any:
        return history.taste(self.half_life_days, self.count, self.amount)

    def _strengths(self, history: History) -> Any:
        return self._filtered(self._taste(history))

    def _similarities(self, picked: Any) -> Any:
        return counted(self._filtered(picked))

    def _filtered(self, taste: Any) -> Any:
        reached = np.ascontiguousarray((taste @ self._to_users).toarray().T)
        by_item = self._from_users @ reached
        if self.directions.shape[1] and self.alpha:
            smooth = (taste @ diags(_power(self._items, -0.5)) @ self.directions) * self.alpha
            by_item += (self.directions @ np.ascontiguousarray(smooth.T)) * _power(self._items, 0.5)[:, None]
        return np.ascontiguousarray(by_item.T)

    def _parameters(self) -> dict[str, npt.NDArray[Any]]:
        return {"directions": self.directions}

    def _restore(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        self.directions = factors_from_arrays(parameters, "directions", self.interactions.shape[1])
        self._hold()


_SPARE = 32
_ROUNDS = 8
_CELLS = 4_000_000


def strongest_directions(matrix: Any, count: int, seed: int) -> npt.NDArray[np.float64]:
    """(columns, count): the right singular vectors of the largest singular values of a sparse matrix.

    Randomised subspace iteration (Halko, Martinsson, Tropp, SIAM Review 2011) from a seeded start; of each vector the
    largest component is positive.
    """
    rows, columns = matrix.shape
    if not count or not matrix.nnz:
        return np.zeros((columns, 0))
    back = matrix.T.tocsr()
    width = min(count + _SPARE, rows, columns)
    base = np.linalg.qr(np.random.default_rng(seed).standard_normal((columns, width)))[0]
    for _ in range(_ROUNDS):
        base = _straightened(back @ (matrix @ base))
    base = np.linalg.qr(base)[0]
    _, _, turns = np.linalg.svd(matrix @ base, full_matrices=False)
    found = (base @ turns.T)[:, :count]
    signs = np.sign(found[np.abs(found).argmax(axis=0), np.arange(count)])
    return np.asarray(found * np.where(signs == 0, 1, signs), dtype=np.float64)


def _straightened(columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same space by columns about at right angles: from their inner products, many times faster than exactly."""
    columns = columns / np.maximum(np.linalg.norm(columns, axis=0), np.finfo(np.float64).tiny)
    try:
        lower = np.linalg.cholesky(columns.T @ columns)
    except np.linalg.LinAlgError:  # some point the same way
        return np.linalg.qr(columns)[0]
    return np.asarray(solve_triangular(lower, columns.T, lower=True).T, dtype=np.float64)


def _power(degrees: Floats, exponent: float) -> Floats:
    """Each degree to the power, 0 where there is none."""
    positive = degrees > 0
    return np.where(positive, np.where(positive, degrees, 1) ** exponent, 0.0)
