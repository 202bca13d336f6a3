"""Implicit alternating least squares: customers and items as points, near where one buys the other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from models.recommenders import deletion
from models.recommenders.history import Floats, History, Rows
from models.recommenders.interactions import Interactions, threads_for
from models.recommenders.longest_first import LongestFirst
from models.recommenders.plain_arrays import factors_from_arrays
from models.recommenders.ranking import Ranked, rank_entries
from models.recommenders.recommender import Mask, Recommender

_CELLS_AT_ONCE = 2_000_000


class ALS(Recommender):
    """Item factors of implicit's ALS (Hu, Koren, Volinsky 2008); a customer is solved exactly from the history.

    Confidence of a pair is 1 + alpha × taste. Because every customer is solved from the history, known customers,
    new ones and sessions are answered by the same formula, and no customer's factors are kept.
    Strength: the predicted preference, about 0 to 1.
    """

    name = "als"
    rounded = True

    def __init__(
        self,
        factors: int = 64,
        regularization: float = 10.0,
        alpha: float = 10.0,
        iterations: int = 8,
        half_life_days: float = 60.0,
        count: str = "log",
        amount: float = 0.0,
        seed: int = 7,
    ) -> None:
        self.factors = factors
        self.regularization = regularization
        self.alpha = alpha
        self.iterations = iterations
        self.half_life_days = half_life_days
        self.count = count
        self.amount = amount
        self.seed = seed

    @classmethod
    def needs(cls, users: int, items: int, nnz: int) -> int:
        return super().needs(users, items, nnz) + 24 * cls().factors * (users + items)

    def fit(self, interactions: Interactions) -> Self:
        super().fit(interactions)
        # implicit takes most of a second to load and only fitting needs it: answers must not wait for it
        from implicit.cpu.als import AlternatingLeastSquares

        confidence = self._confidence(self.interactions.everybody())
        with threadpool_limits(1, "blas"):  # implicit has its own threads; two pools get in each other's way
            model = AlternatingLeastSquares(
                factors=self.factors,
                regularization=self.regularization,
                iterations=self.iterations,
                random_state=self.seed,
                num_threads=threads_for(confidence),
            )
            if confidence.nnz:
                model.fit(confidence.astype(np.float32), show_progress=False)
        items = self.interactions.shape[1]
        found = model.item_factors if confidence.nnz else np.zeros((items, self.factors))
        return self.take(interactions, np.asarray(found, dtype=np.float64))

    def take(self, interactions: Interactions, item_factors: npt.NDArray[np.float64]) -> Self:
        """Takes item factors (items × factors) that were fitted elsewhere, under the same alpha and regularization."""
        super().fit(interactions)
        self.item_factors: npt.NDArray[np.float64] = np.asarray(item_factors, dtype=np.float64)
        self.factors = self.item_factors.shape[1]
        for made_of_them in ("_base", "_longest_first"):
            self.__dict__.pop(made_of_them, None)
        return self

    def _confidence(self, history: History) -> Any:
        taste = history.taste(self.half_life_days, self.count, self.amount)
        taste.data = 1 + self.alpha * taste.data
        return taste

    @cached_property
    def _base(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """YᵀY + λI, and Y times its inverse: the same for all customers."""
        Y = self.item_factors
        base = Y.T @ Y + self.regularization * np.eye(self.factors)
        return base, Y @ np.linalg.inv(base)

    @cached_property
    def _longest_first(self) -> LongestFirst:
        return LongestFirst(self.item_factors)

    def _customers(self, history: History) -> npt.NDArray[np.float64]:
        """(n, factors): per customer (YᵀY + Yᵀ(C − I)Y + λI) x = YᵀC1, with Y the factors of the items."""
        confidence = self._confidence(history)
        customers = np.zeros((confidence.shape[0], self.factors))
        lengths = np.diff(confidence.indptr)
        widths = 1 << np.ceil(np.log2(np.maximum(lengths, 1))).astype(np.int64)
        for width in np.unique(widths[lengths > 0]):
            rows = np.flatnonzero((widths == width) & (lengths > 0))
            step = max(1, _CELLS_AT_ONCE // (max(int(width), self.factors) ** 2))
            for start in range(0, len(rows), step):
                some = rows[start : start + step]
                there = np.arange(width) < lengths[some][:, None]
                entries = np.where(there, confidence.indptr[some][:, None] + np.arange(width), 0)
                customers[some] = self._solved(confidence.indices[entries], confidence.data[entries], there)
        return customers

    def _solved(self, items: Rows, certain: Floats, there: npt.NDArray[np.bool_]) -> Floats:
        """(n, factors) of n customers: up to m `items` of each, where `there`, and their confidence, (n, m)."""
        base, inverse = self._base
        more, wanted = np.where(there, certain - 1, 0)[:, :, None], np.where(there, certain, 0)[:, :, None]
        bought = self.item_factors[items]
        if items.shape[1] < self.factors:
            # (B + YᵀDY)⁻¹Yᵀ = B⁻¹Yᵀ(I + DYB⁻¹Yᵀ)⁻¹: a system as small as the history
            theirs = inverse[items]
            small = np.eye(items.shape[1]) + more * (bought @ theirs.swapaxes(1, 2))
            found = theirs.swapaxes(1, 2) @ np.linalg.solve(small, wanted)
        else:
            full = base + bought.swapaxes(1, 2) @ (bought * more)
            found = np.linalg.solve(full, bought.swapaxes(1, 2) @ wanted)
        return np.asarray(found[:, :, 0], dtype=np.float64)

    def _strengths(self, history: History) -> Any:
        return self._customers(history) @ self.item_factors.T  # 0 for an empty history, for which all is as good

    def _ranked(self, history: History, k: int, allowed: Mask | None, blocked: Any) -> Ranked:
        customers = self._customers(history)
        rows, items = self._longest_first.candidates(customers, k, allowed, blocked)
        values = np.einsum("nf,nf->n", customers[rows], self.item_factors[items])
        return rank_entries(rows, items, values, len(customers), k, self.interactions.place, blocked, self.rounded)

    def drops(self, history: History, rows: Rows, items: Rows, strength: Floats) -> Any:
        """In closed form (Sherman and Morrison 1950): a term less in the sum that is inverted, and one in the product.

        With w = A⁻¹y of the item that is deleted, c its confidence and x the customer, the strength of item i falls by
        yᵢ·w (c − (c − 1)(y·x − c y·w) / (1 − (c − 1) y·w)).
        """
        confidence, Y = self._confidence(history), self.item_factors
        base, _ = self._base
        parts, found = deletion.of_pairs(confidence, rows), [np.empty(0)]
        for user, asked in deletion.by_customer(rows):
            entries = slice(confidence.indptr[user], confidence.indptr[user + 1])
            certain, bought = confidence.data[entries], Y[confidence.indices[entries]]
            w = np.linalg.solve(base + bought.T @ (bought * (certain - 1)[:, None]), bought.T)
            itself = np.einsum("jf,fj->j", bought, w)
            liked = bought @ (w @ certain)
            scale = certain - (certain - 1) * (liked - certain * itself) / (1 - (certain - 1) * itself)
            found.append((Y[items[asked]] @ w * scale).ravel())
        parts.drops.data = np.concatenate(found)
        return parts.drops

    def _similarities(self, picked: Any) -> Any:
        """Cosine of the item factors; only items that point the same way."""
        lengths = np.linalg.norm(self.item_factors, axis=1, keepdims=True)
        unit = self.item_factors / np.where(lengths > 0, lengths, 1)
        cosine = np.round((picked @ unit) @ unit.T, 6)
        cosine[cosine <= 0] = -np.inf
        return cosine

    def _parameters(self) -> dict[str, npt.NDArray[Any]]:
        return {"item_factors": self.item_factors}

    def _restore(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        self.item_factors = factors_from_arrays(parameters, "item_factors", self.interactions.shape[1])
        self.factors = self.item_factors.shape[1]
