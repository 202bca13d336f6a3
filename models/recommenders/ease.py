"""A linear model from items to items in closed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from models.recommenders import deletion
from models.recommenders.history import Floats, History, Rows, remembered
from models.recommenders.interactions import Interactions
from models.recommenders.plain_arrays import factors_from_arrays
from models.recommenders.recommender import Recommender
from warehouse.errors import DataProblemError


class EASE(Recommender):
    """EASE (Harald Steck, "Embarrassingly Shallow Autoencoders for Sparse Data", WWW 2019).

    B = I − P diag(1 / diag P) with P = (XᵀX + λI)⁻¹ over taste X predicts each item from the others; its diagonal is 0,
    which forbids to answer what was bought with itself, and what was bought is what is bought again: so `repeat` of
    the item's own taste is added. Strength: taste × (B + repeat × I). Dense, items × items.
    """

    name = "ease"
    rounded = True
    fades = True

    def __init__(
        self,
        regularization: float = 200.0,
        repeat: float = 0.3,
        half_life_days: float = 90.0,
        count: str = "log",
        amount: float = 0.0,
    ) -> None:
        self.regularization = regularization
        self.repeat = repeat
        self.half_life_days = half_life_days
        self.count = count
        self.amount = amount

    @classmethod
    def needs(cls, users: int, items: int, nnz: int) -> int:
        # the inverse is taken in place; the library's copy of the matrix is the second
        return super().needs(users, items, nnz) + 2 * 8 * items**2

    def fit(self, interactions: Interactions) -> Self:
        super().fit(interactions)
        from scipy.linalg import lapack

        taste = self._taste(remembered(self.interactions.everybody(), self.half_life_days))
        weights = np.asfortranarray((taste.T @ taste).toarray())
        weights[np.diag_indices_from(weights)] += self.regularization
        if len(weights):
            weights, _ = lapack.dpotrf(weights, overwrite_a=True)
            weights, _ = lapack.dpotri(weights, overwrite_c=True)
            _mirror(weights)
        weights /= -np.diag(weights).copy()
        weights[np.diag_indices_from(weights)] = self.repeat
        self.weights = weights.astype(np.float32, order="C")
        return self

    def _taste(self, history: History) -> Any:
        return history.taste(self.half_life_days, self.count, self.amount)

    def _strengths(self, history: History) -> Any:
        return (self._taste(history).astype(np.float32) @ self.weights).astype(np.float64)

    def drops(self, history: History, rows: Rows, items: Rows, strength: Floats) -> Any:
        parts = deletion.of_pairs(self._taste(history), rows)
        parts.drops.data *= self.weights[parts.item, items[parts.suggestion]]
        return parts.drops

    def _parameters(self) -> dict[str, npt.NDArray[Any]]:
        return {"weights": self.weights}

    def _restore(self, parameters: Mapping[str, npt.NDArray[Any]]) -> None:
        items = self.interactions.shape[1]
        self.weights = factors_from_arrays(parameters, "weights", items).astype(np.float32)
        if self.weights.shape != (items, items):
            raise DataProblemError("The recommender arrays are damaged: weights do not fit the items.")


def _mirror(upper: npt.NDArray[np.float64], step: int = 1024) -> None:
    """Writes the upper triangle into the lower, block by block, so that no second matrix is needed."""
    for start in range(0, len(upper), step):
        stop = start + step
        block = upper[start:stop, start:stop]
        block[...] = np.triu(block) + np.triu(block, 1).T
        upper[stop:, start:stop] = upper[start:stop, stop:].T
