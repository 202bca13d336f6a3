"""Walks over the graph of customers and items, smoothed along its strongest directions and sharpened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from scipy.linalg import solve_triangular
from scipy.sparse import diags
from threadpoolctl import threadpool_limits

from models.recommenders import deletion
from models.recommenders.history import Floats, History, Rows, remembered
from models.recommenders.interactions import Interactions
from models.recommenders.plain_arrays import factors_from_arrays
from models.recommenders.ranking import counted
from models.recommenders.recommender import Recommender


class GraphFilter(Recommender):
    """GF-CF (Yifei Shen et al., "How Powerful is Graph Convolution for Recommendation?", CIKM 2021), sharpened.

    With R the taste of customers for items, D_u and D_i its row and column sums, a history r is walked and smoothed:
    p = r D_i^−history Rᵀ D_u^−user R D_i^−item + alpha × r D_i^−½ V Vᵀ D_i^½, V the first `factors` right singular
    vectors of D_u^−½ R D_i^−½. In the paper history = item = ½, user = 1, alpha 0.3; other exponents are those of
    neighbourhood link prediction (Hao-Ming Fu et al., WWW 2022), here of degrees as multiples of their mean, so that
    alpha means the same beside each. Then p exp(−sharpness × L), L = D_i^−½ Rᵀ D_u^−1 R D_i^−½, takes back what is
    common to all (Jeongwhan Choi et al., "Blurring-Sharpening Process Models for Collaborative Filtering", SIGIR 2023):
    exactly along V, and by the last of its values along everything behind. The matrix of items × items is never made.
    Strength: the result × the number of items.
    """

    name = "graph_filter"
    rounded = True
    fades = True
    published: ClassVar = (
        {"factors": 448, "alpha": 0.2, "sharpness": 2.5, "user": 1.0, "item": 0.5, "history": 0.5},
        {"factors": 256, "alpha": 0.3, "sharpness": 0.0, "user": 1.0, "item": 0.5, "history": 0.5},
    )
    alternatives: ClassVar = {
        "sharpness": (0.0, 1.0, 2.5),
        "alpha": (0.0, 0.1, 0.2, 0.3, 0.5),
        "user": (0.6, 0.8, 1.0),
        "item": (0.3, 0.4, 0.5, 0.6),
        "history": (0.3, 0.5, 0.7),
        "factors": (64, 128, 256, 448),
    }

    def __init__(
        self,
        factors: int = 128,
        alpha: float = 0.1,
        sharpness: float = 0.0,
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
        self.sharpness = sharpness
        self.history = history
        self.user = user
        self.item = item
        self.half_life_days = half_life_days
        self.count = count
        self.amount = amount
        self.seed = seed

    @classmethod
    def needs(cls, users: int, items: int, nnz: int) -> int:
        width = 448 + _SPARE  # the widest of the alternatives
        chunk = 1 + _CELLS // max(items, 1)
        return super().needs(users, items, nnz) + 60 * nnz + 8 * (5 * width * (users + items) + 3 * chunk * users)

    def fit(self, interactions: Interactions) -> Self:
        super().fit(interactions)
        self._hold()
        with threadpool_limits(1, "blas"):  # of tall and narrow matrices threads wait longer than they work
            self._known = strongest_directions(self._even, self._width, self.seed)
        return self._smooth_along(self._known)

    def varied(self, **settings: Any) -> Self:
        other = type(self)(**{**self.settings(), **settings})
        shares = all(getattr(self, name) == getattr(other, name) for name in (*_OF_TASTE, "seed"))
        other.interactions = self.interactions
        if not shares:
            return other.fit(self.interactions)
        if other._width > self._known.shape[1]:
            self._known = other.fit(self.interactions)._known
        other._hold()
        other._known = self._known
        return other._smooth_along(self._known[:, : other._width])

    @property
    def _width(self) -> int:
        return min(self.factors, *self.interactions.shape) if self.alpha or self.sharpness else 0

    def _hold(self) -> None:
        """The graph, and the walks on it from items to customers and back."""
        taste = self._taste(remembered(self.interactions.everybody(), self.half_life_days))
        users, items = (np.asarray(taste.sum(axis=axis)).ravel() for axis in (1, 0))
        self._root = _power(items, 0.5)
        self._even = (diags(_power(users, -0.5)) @ taste @ diags(_power(items, -0.5))).tocsr()
        users_mean, items_mean = (max(degrees.mean(), _TINY) if degrees.size else 1.0 for degrees in (users, items))
        even = items_mean ** (self.history + self.item - 1) * users_mean ** (self.user - 1)
        # Of four bytes a walk takes half the time; each is summed alone, so that it does not hang on who else is asked.
        self._to_users = (diags(_power(items, -self.history)) @ taste.T).tocsr().astype(np.float32)
        back = diags(len(items) * even * _power(items, -self.item))
        self._from_users = (back @ taste.T @ diags(_power(users, -self.user))).tocsr().astype(np.float32)

    def _smooth_along(self, directions: npt.NDArray[np.float64]) -> Self:
        """Takes the directions, and works out what smoothing and sharpening along them do to each item's walks."""
        self.directions = V = directions
        self._left, self._right, self._rest = V[:, :0], V[:, :0], 1.0
        if not V.shape[1]:
            return self
        kept = np.exp(-self.sharpness * np.linalg.norm(self._even @ V, axis=0) ** 2)
        self._rest = float(kept[-1])
        root = self._root[:, None]
        smooth = self.alpha * len(V) * V * _power(self._root, -1)[:, None]
        walked = self._to_users @ (self._from_users.T @ V) + smooth @ (V.T @ (root * V))
        left, right = [self._rest * smooth, walked * (kept - self._rest)], [root * V, V]
        used = slice(0 if self.alpha else 1, 2 if self.sharpness else 1)
        self._left, self._right = (np.hstack(parts[used]) for parts in (left, right))
        return self

    def _taste(self, history: History) -> Any:
        return history.taste(*(getattr(self, name) for name in _OF_TASTE))

    def _strengths(self, history: History) -> Any:
        return self._filtered(self._taste(history))

    def _similarities(self, picked: Any) -> Any:
        return counted(self._filtered(picked))

    def _filtered(self, taste: Any) -> Any:
        reached = np.ascontiguousarray((taste @ self._to_users).toarray().T, dtype=np.float32)
        by_item = (self._from_users @ reached).astype(np.float64)
        if self._left.shape[1]:
            by_item *= self._rest
            by_item += self._right @ np.ascontiguousarray((taste @ self._left).T)
        return np.ascontiguousarray(by_item.T)

    def drops(self, history: History, rows: Rows, items: Rows, strength: Floats) -> Any:
        """Of the items most like each suggestion: a walk between two items is long."""
        taste, tried = self._taste(history), deletion.nearest(self.interactions, history, rows, items, _LIKE)
        parts = deletion.of_pairs(tried.multiply(taste[rows]).tocsr())
        suggested = items[parts.suggestion]
        walked = self._to_users[parts.item].multiply(self._from_users[suggested]).sum(axis=1)
        smooth = np.einsum("pf,pf->p", self._left[parts.item], self._right[suggested])
        parts.drops.data *= self._rest * np.asarray(walked, dtype=np.float64).ravel() + smooth
        return parts.drops

    def _parameters(self) -> dict[str, npt.NDArray[Any]]:
        return {"directions": self.directions}

    def _restore(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        self._hold()
        self._known = factors_from_arrays(parameters, "directions", self.interactions.shape[1])
        self._smooth_along(self._known)


_OF_TASTE = ("half_life_days", "count", "amount")
_TINY = float(np.finfo(np.float64).tiny)
_SPARE = 32
_ROUNDS = 8
_CELLS = 4_000_000
_LIKE = 5


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
    image = matrix @ base
    turns = np.linalg.eigh(image.T @ image)[1][:, ::-1]
    found = (base @ turns)[:, :count]
    signs = np.sign(found[np.abs(found).argmax(axis=0), np.arange(count)])
    return np.asarray(found * np.where(signs == 0, 1, signs), dtype=np.float64)


def _straightened(columns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same space by columns about at right angles: from their inner products, many times faster than exactly."""
    columns = columns / np.maximum(np.linalg.norm(columns, axis=0), _TINY)
    try:
        lower = np.linalg.cholesky(columns.T @ columns)
    except np.linalg.LinAlgError:  # some point the same way
        return np.linalg.qr(columns)[0]
    return np.asarray(solve_triangular(lower, columns.T, lower=True).T, dtype=np.float64)


def _power(degrees: Floats, exponent: float) -> Floats:
    """Each degree to the power, 0 where there is none."""
    positive = degrees > 0
    return np.where(positive, np.where(positive, degrees, 1) ** exponent, 0.0)
