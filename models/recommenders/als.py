"""Implicit alternating least squares: customers and items as points, near where one buys the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from models.recommenders.history import History
from models.recommenders.interactions import Interactions, threads_for
from models.recommenders.plain_arrays import needed
from models.recommenders.recommender import Recommender
from warehouse.errors import DataProblemError


class ALS(Recommender):
    """Item factors of implicit's ALS (Hu, Koren, Volinsky 2008); a customer is solved exactly from the history.

    Confidence of a pair is 1 + alpha × taste. Because every customer is solved from the history, known customers,
    new ones and sessions are answered by the same formula, and no customer's factors are kept.
    Strength: the predicted preference, about 0 to 1, rounded to six digits so that ties do not hang on the last bit.
    """

    name = "als"

    def __init__(
        self, factors: int = 64, regularization: float = 10.0, alpha: float = 10.0, iterations: int = 8, seed: int = 7
    ) -> None:
        self.factors = factors
        self.regularization = regularization
        self.alpha = alpha
        self.iterations = iterations
        self.seed = seed

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
        self.item_factors: npt.NDArray[np.float64] = np.asarray(found, dtype=np.float64)
        return self

    def take(self, interactions: Interactions, item_factors: npt.NDArray[np.float64]) -> Self:
        """Takes item factors (items × factors) that were fitted elsewhere, under the same alpha and regularization."""
        super().fit(interactions)
        self.item_factors = np.asarray(item_factors, dtype=np.float64)
        self.factors = self.item_factors.shape[1]
        return self

    def _confidence(self, history: History) -> Any:
        taste = history.taste()
        taste.data = 1 + self.alpha * taste.data
        return taste

    def _customers(self, history: History) -> npt.NDArray[np.float64]:
        """(n, factors): per customer (YᵀY + Yᵀ(C − I)Y + λI) x = YᵀC1, with Y the factors of the items."""
        confidence = self._confidence(history)
        Y = self.item_factors
        base = Y.T @ Y + self.regularization * np.eye(self.factors)
        inverse = Y @ np.linalg.inv(base)
        customers = np.zeros((confidence.shape[0], self.factors))
        for user in np.nonzero(np.diff(confidence.indptr))[0]:
            entries = slice(confidence.indptr[user], confidence.indptr[user + 1])
            items, certain = confidence.indices[entries], confidence.data[entries]
            bought = Y[items]
            if len(items) < self.factors:
                # (B + YᵀDY)⁻¹Yᵀ = B⁻¹Yᵀ(I + DYB⁻¹Yᵀ)⁻¹: a system as small as the history
                small = np.eye(len(items)) + (certain - 1)[:, None] * (bought @ inverse[items].T)
                customers[user] = np.linalg.solve(small, certain) @ inverse[items]
            else:
                full = base + bought.T @ (bought * (certain - 1)[:, None])
                customers[user] = np.linalg.solve(full, certain @ bought)
        return customers

    def _strengths(self, history: History) -> Any:
        strengths = np.round(self._customers(history) @ self.item_factors.T, 6)
        strengths[strengths <= 0] = -np.inf  # also all of an empty history, for which every item is as good
        return strengths

    def _similarities(self, picked: Any) -> Any:
        """Cosine of the item factors; only items that point the same way."""
        lengths = np.linalg.norm(self.item_factors, axis=1, keepdims=True)
        unit = self.item_factors / np.where(lengths > 0, lengths, 1)
        cosine = np.round((picked @ unit) @ unit.T, 6)
        cosine[cosine <= 0] = -np.inf
        return cosine

    def _parameters(self) -> dict[str, npt.NDArray[Any]]:
        return {"item_factors": self.item_factors, "settings": np.array([self.regularization, self.alpha])}

    def _restore(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        factors, settings = needed(parameters, "item_factors"), needed(parameters, "settings")
        finite = np.isfinite(factors).all() and np.isfinite(settings).all()
        if not finite or factors.ndim != 2 or len(factors) != self.interactions.shape[1] or settings.shape != (2,):
            raise DataProblemError("The item factors of the recommender do not fit its items.")
        self.item_factors = factors
        self.factors = factors.shape[1]
        self.regularization, self.alpha = float(settings[0]), float(settings[1])
